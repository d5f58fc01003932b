/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/response.h"

#include <string.h>

#include "imap/capability.h"

/* The line's octets up to its LF are there: cuts the CRLF off. */
static enum response_result complete(struct span *line)
{
    if (line->len < 2 || line->bytes[line->len - 2] != '\r') {
        return RESPONSE_BAD_BYTE;
    }
    line->len -= 2;
    if (memchr(line->bytes, '\r', line->len) != NULL || memchr(line->bytes, '\0', line->len) != NULL) {
        return RESPONSE_BAD_BYTE;
    }
    return RESPONSE_LINE;
}

enum response_result response_feed(struct response_reader *r, const void *bytes, size_t len, size_t *taken,
                                   struct span *line)
{
    if (r->complete) {
        response_reader_fini(r);
    }
    *taken = 0;
    if (len == 0) {
        return RESPONSE_MORE;
    }
    const uint8_t *lf = memchr(bytes, '\n', len);
    *taken = lf != NULL ? (size_t)(lf - (const uint8_t *)bytes) + 1 : len;
    if (r->partial.len + *taken > RESPONSE_LINE_MAX) {
        return RESPONSE_TOO_LONG;
    }
    if (lf != NULL && r->partial.len == 0) {
        *line = (struct span){bytes, *taken}; /* the usual case: nothing is copied */
        return complete(line);
    }
    if (buffer_append(&r->partial, bytes, *taken, RESPONSE_LINE_MAX) != 0) {
        return RESPONSE_MEMORY;
    }
    if (lf == NULL) {
        return RESPONSE_MORE;
    }
    r->complete = true;
    *line = (struct span){buffer_data(&r->partial), r->partial.len};
    return complete(line);
}

void response_reader_fini(struct response_reader *r)
{
    buffer_clear(&r->partial);
    r->complete = false;
}

/* clang-format off */
static const struct {
    const char *word;
    enum response_kind kind;
    bool tagged; /* may be */
} words[] = {
    {"OK", RESPONSE_OK, true},           {"NO", RESPONSE_NO, true},
    {"BAD", RESPONSE_BAD, true},         {"PREAUTH", RESPONSE_PREAUTH, false},
    {"BYE", RESPONSE_BYE, false},        {"CAPABILITY", RESPONSE_CAPABILITY, false},
};
/* clang-format on */

static enum response_kind find_kind(struct span word, bool tagged)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if ((words[i].tagged || !tagged) && span_is(word, words[i].word)) {
            return words[i].kind;
        }
    }
    return tagged ? RESPONSE_NONSENSE : RESPONSE_OTHER;
}

static struct span behind_blank(struct span s)
{
    if (s.len > 0 && s.bytes[0] == ' ') {
        s.bytes++;
        s.len--;
    }
    return s;
}

struct response response_parse(struct span line, const char *tag)
{
    struct response a = {.line = line, .kind = RESPONSE_NONSENSE, .code = span_of(""), .text = line};
    struct span rest = line, first, word;

    if (line.len > 0 && line.bytes[0] == '+') {
        a.kind = RESPONSE_CONTINUE;
        return a;
    }
    if (line.len == 0 || line.bytes[0] == ' ' || !span_word(&rest, &first)) {
        return a;
    }
    /* Our own tag is compared as it is: a tag is no word without case. */
    a.tagged = first.len == strlen(tag) && memcmp(first.bytes, tag, first.len) == 0;
    if ((!a.tagged && !span_is(first, "*")) || !span_word(&rest, &word)) {
        return a;
    }
    a.kind = find_kind(word, a.tagged);
    a.text = behind_blank(rest);
    const uint8_t *close = a.text.len > 0 && a.text.bytes[0] == '[' && a.kind < RESPONSE_CAPABILITY
                               ? memchr(a.text.bytes, ']', a.text.len)
                               : NULL;
    if (close != NULL) {
        a.code = (struct span){a.text.bytes + 1, (size_t)(close - a.text.bytes) - 1};
        a.text = behind_blank((struct span){close + 1, (size_t)(a.text.bytes + a.text.len - close) - 1});
    }
    return a;
}

bool response_code_capability(const struct response *a, struct span *list)
{
    struct span rest = a->code, word;
    if (!span_word(&rest, &word) || !span_is(word, "CAPABILITY")) {
        return false;
    }
    *list = rest;
    return true;
}

/* --- what the client gets ---------------------------------------------------------------------------------- */

struct output {
    struct buffer *buffer;
    size_t limit;
};

static int put(struct output out, struct span s)
{
    return buffer_append(out.buffer, s.bytes, s.len, out.limit);
}

static int put_text(struct output out, const char *text)
{
    return put(out, span_of(text));
}

/* The list with what stands around it; nothing if the list is empty after filtering. */
static int put_list(struct output out, const char *before, struct span list, const char *after)
{
    struct buffer filtered = {0};
    int result = capability_append_filtered(list, &filtered, out.limit);
    if (result == 0 && filtered.len > 0) {
        struct span kept = {buffer_data(&filtered), filtered.len};
        result = put_text(out, before) == 0 && put(out, kept) == 0 && put_text(out, after) == 0 ? 0 : -1;
    }
    buffer_clear(&filtered);
    return result;
}

static bool code_is(const struct response *r, const char *word)
{
    struct span rest = r->code, first;
    return span_word(&rest, &first) && span_is(first, word);
}

/* The code of a tagged response, with a blank behind it. */
static int put_code(struct output out, const struct response *r, const char *code)
{
    struct span list;
    bool has_list = response_code_capability(r, &list);
    if (has_list && r->kind == RESPONSE_OK) {
        return put_list(out, "[CAPABILITY ", list, "] ");
    }
    if (r->code.len > 0 && !has_list && !code_is(r, "REFERRAL")) {
        return put_text(out, "[") == 0 && put(out, r->code) == 0 && put_text(out, "] ") == 0 ? 0 : -1;
    }
    if (r->kind == RESPONSE_OK) {
        return 0;
    }
    return put_text(out, "[") == 0 && put_text(out, code) == 0 && put_text(out, "] ") == 0 ? 0 : -1;
}

static int put_tagged(struct output out, const struct response *r, struct span tag, const char *code)
{
    struct span text = r->text.len > 0 ? r->text : span_of("Done.");
    return put(out, tag) == 0 && put_text(out, r->kind == RESPONSE_OK ? " OK " : " NO ") == 0 &&
                   put_code(out, r, code) == 0 && put(out, text) == 0 && put_text(out, "\r\n") == 0
               ? 0
               : -1;
}

int response_for_client(const struct response *r, struct span tag, const char *code, struct buffer *buffer,
                        size_t limit)
{
    struct output out = {buffer, limit};
    struct span list;
    bool status = r->kind == RESPONSE_OK || r->kind == RESPONSE_NO || r->kind == RESPONSE_BAD;
    if (r->tagged) {
        return r->kind == RESPONSE_OK || r->kind == RESPONSE_NO ? put_tagged(out, r, tag, code) : 0;
    }
    if (r->kind == RESPONSE_CAPABILITY) {
        return put_list(out, "* CAPABILITY ", r->text, "\r\n");
    }
    if (status && response_code_capability(r, &list)) {
        return put_list(out, "* CAPABILITY ", list, "\r\n");
    }
    return !status || (put(out, r->line) == 0 && put_text(out, "\r\n") == 0) ? 0 : -1;
}

bool response_is_unavailable(const struct response *r)
{
    static const char *const codes[] = {"UNAVAILABLE", "SERVERBUG", "INUSE", "LIMIT"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (code_is(r, codes[i])) {
            return true;
        }
    }
    return false;
}
