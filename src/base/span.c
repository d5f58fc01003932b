/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/span.h"

#include <string.h>
#include <strings.h>

struct span span_of(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

bool span_is(struct span s, const char *word)
{
    return s.len == strlen(word) && span_begins(s, word);
}

bool span_begins(struct span s, const char *prefix)
{
    size_t len = strlen(prefix);
    return s.len >= len && (len == 0 || strncasecmp((const char *)s.bytes, prefix, len) == 0);
}

bool span_word(struct span *rest, struct span *word)
{
    size_t at = 0;
    while (at < rest->len && rest->bytes[at] == ' ') {
        at++;
    }
    size_t end = at;
    while (end < rest->len && rest->bytes[end] != ' ') {
        end++;
    }
    if (end == at) {
        return false;
    }
    *word = (struct span){rest->bytes + at, end - at};
    *rest = (struct span){rest->bytes + end, rest->len - end};
    return true;
}
