/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/answer.h"

#include <string.h>

/* The line's octets up to its LF are there: cuts the CRLF off. */
static enum answer_result complete(struct span *line)
{
    if (line->len < 2 || line->bytes[line->len - 2] != '\r') {
        return ANSWER_BAD_BYTE;
    }
    line->len -= 2;
    if (memchr(line->bytes, '\r', line->len) != NULL || memchr(line->bytes, '\0', line->len) != NULL) {
        return ANSWER_BAD_BYTE;
    }
    return ANSWER_LINE;
}

enum answer_result answer_feed(struct answer_reader *r, const void *bytes, size_t len, size_t *taken,
                               struct span *line)
{
    if (r->complete) {
        answer_reader_fini(r);
    }
    *taken = 0;
    if (len == 0) {
        return ANSWER_MORE;
    }
    const uint8_t *lf = memchr(bytes, '\n', len);
    *taken = lf != NULL ? (size_t)(lf - (const uint8_t *)bytes) + 1 : len;
    if (r->partial.len + *taken > ANSWER_LINE_MAX) {
        return ANSWER_TOO_LONG;
    }
    if (lf != NULL && r->partial.len == 0) {
        *line = (struct span){bytes, *taken}; /* the usual case: nothing is copied */
        return complete(line);
    }
    if (buffer_append(&r->partial, bytes, *taken, ANSWER_LINE_MAX) != 0) {
        return ANSWER_MEMORY;
    }
    if (lf == NULL) {
        return ANSWER_MORE;
    }
    r->complete = true;
    *line = (struct span){buffer_data(&r->partial), r->partial.len};
    return complete(line);
}

const char *answer_fault(enum answer_result result)
{
    return result == ANSWER_TOO_LONG   ? "line-too-long"
           : result == ANSWER_BAD_BYTE ? "bad-byte"
                                       : "out-of-memory";
}

void answer_reader_fini(struct answer_reader *r)
{
    buffer_clear(&r->partial);
    r->complete = false;
}

static const struct {
    const char *word;
    enum answer_kind kind;
    bool tagged; /* may be */
} words[] = {
    {"OK", ANSWER_OK, true},           {"NO", ANSWER_NO, true},
    {"BAD", ANSWER_BAD, true},         {"PREAUTH", ANSWER_PREAUTH, false},
    {"BYE", ANSWER_BYE, false},        {"CAPABILITY", ANSWER_CAPABILITY, false},
};

static enum answer_kind find_kind(struct span word, bool tagged)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if ((words[i].tagged || !tagged) && span_is(word, words[i].word)) {
            return words[i].kind;
        }
    }
    return tagged ? ANSWER_NONSENSE : ANSWER_OTHER;
}

static struct span behind_blank(struct span s)
{
    if (s.len > 0 && s.bytes[0] == ' ') {
        s.bytes++;
        s.len--;
    }
    return s;
}

struct answer answer_parse(struct span line, const char *tag)
{
    struct answer a = {.kind = ANSWER_NONSENSE, .code = span_of(""), .text = line};
    struct span rest = line, first, word;

    if (line.len > 0 && line.bytes[0] == '+') {
        a.kind = ANSWER_CONTINUE;
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
    const uint8_t *close = a.text.len > 0 && a.text.bytes[0] == '[' && a.kind < ANSWER_CAPABILITY
                               ? memchr(a.text.bytes, ']', a.text.len)
                               : NULL;
    if (close != NULL) {
        a.code = (struct span){a.text.bytes + 1, (size_t)(close - a.text.bytes) - 1};
        a.text = behind_blank((struct span){close + 1, (size_t)(a.text.bytes + a.text.len - close) - 1});
    }
    return a;
}

bool answer_code_capability(const struct answer *a, struct span *list)
{
    struct span rest = a->code, word;
    if (!span_word(&rest, &word) || !span_is(word, "CAPABILITY")) {
        return false;
    }
    *list = rest;
    return true;
}
