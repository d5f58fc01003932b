/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/response.h"

#include <string.h>

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

static const struct {
    const char *word;
    enum response_kind kind;
    bool tagged; /* may be */
} words[] = {
    {"OK", RESPONSE_OK, true},           {"NO", RESPONSE_NO, true},
    {"BAD", RESPONSE_BAD, true},         {"PREAUTH", RESPONSE_PREAUTH, false},
    {"BYE", RESPONSE_BYE, false},        {"CAPABILITY", RESPONSE_CAPABILITY, false},
};

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
    struct response a = {.kind = RESPONSE_NONSENSE, .code = span_of(""), .text = line};
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
