/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/id.h"

#include <string.h>
#include <strings.h>

#include "imap/quote.h"

static bool is_nil(struct span s, enum lexer_token_type type)
{
    return type == TOKEN_ATOM && span_is(s, "NIL");
}

/* Checks the key at `index` and the value after it. Returns 0 or -1. */
static int id_pair(const struct lexer *l, size_t index, struct span *name)
{
    enum lexer_token_type key_type, value_type;
    struct span key = lexer_token(l, index, &key_type);
    struct span value = lexer_token(l, index + 1, &value_type);
    if (key_type != TOKEN_STRING || (value_type != TOKEN_STRING && !is_nil(value, value_type))) {
        return -1;
    }
    if (key.len > ID_KEY_MAX || value.len > ID_VALUE_MAX) {
        return -1;
    }
    if (span_is(key, "name") && value_type == TOKEN_STRING) {
        *name = value;
    }
    return 0;
}

int id_parse(const struct lexer *l, struct span *name)
{
    enum lexer_token_type type;
    size_t count = lexer_token_count(l);
    *name = (struct span){0};
    if (count == 1) {
        struct span only = lexer_token(l, 0, &type);
        return is_nil(only, type) ? 0 : -1;
    }
    if (count < 2 || count % 2 != 0 || count > 2 + 2 * ID_PAIRS_MAX) {
        return -1;
    }
    (void)lexer_token(l, 0, &type);
    if (type != TOKEN_OPEN) {
        return -1;
    }
    (void)lexer_token(l, count - 1, &type);
    if (type != TOKEN_CLOSE) {
        return -1;
    }
    for (size_t i = 1; i + 1 < count; i += 2) {
        if (id_pair(l, i, name) != 0) {
            return -1;
        }
    }
    return 0;
}

static bool is_proxy_key(struct span key)
{
    static const char *const prefixes[] = {"x-originating-", "x-connected-", "x-proxy-ttl", "x-session-", "x-forward-"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t len = strlen(prefixes[i]);
        if (key.len >= len && strncasecmp((const char *)key.bytes, prefixes[i], len) == 0) {
            return true;
        }
    }
    return false;
}

int id_pair_append(struct span key, struct span value, struct buffer *out, size_t limit)
{
    if (!quote_fits(key) || !quote_fits(value)) {
        return -1;
    }
    return buffer_append(out, " ", 1, limit) == 0 && quote_append(key, out, limit) == 0 &&
                   buffer_append(out, " ", 1, limit) == 0 && quote_append(value, out, limit) == 0
               ? 0
               : -1;
}

void id_forward(const struct lexer *l, struct buffer *out, size_t limit)
{
    enum lexer_token_type type;
    size_t count = lexer_token_count(l), end = 1 + 2 * ID_FORWARD_PAIRS_MAX;
    for (size_t i = 1; i + 2 < count && i < end; i += 2) {
        struct span key = lexer_token(l, i, &type), value = lexer_token(l, i + 1, &type);
        enum { PUNCTUATION = 6 };
        /* An escaped octet takes two. */
        bool fits = out->len + 2 * (key.len + value.len) + PUNCTUATION <= limit;
        if (type == TOKEN_STRING && !is_proxy_key(key) && fits) {
            uint32_t before = out->len;
            if (id_pair_append(key, value, out, limit) != 0) {
                out->len = before; /* a pair that does not fit, or cannot be quoted, is left out as a whole */
            }
        }
    }
}
