/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/quote.h"

bool quote_fits(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.bytes[i];
        if (c == '\0' || c == '\r' || c == '\n' || c > 0x7f) {
            return false;
        }
    }
    return true;
}

int quote_append(struct span s, struct buffer *out, size_t limit)
{
    if (buffer_append(out, "\"", 1, limit) != 0) {
        return -1;
    }
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.bytes[i];
        if (((c == '"' || c == '\\') && buffer_append(out, "\\", 1, limit) != 0) ||
            buffer_append(out, &c, 1, limit) != 0) {
            return -1;
        }
    }
    return buffer_append(out, "\"", 1, limit);
}
