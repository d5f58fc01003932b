/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put(struct log_line *line, const char *text, size_t len)
{
    size_t room = sizeof line->text - line->len - 1;
    if (len > room) {
        len = room;
    }
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

/* Returns true if " key=value" fits whole, with a value of `len` octets. */
static bool fits(const struct log_line *line, const char *key, size_t len)
{
    return len + strlen(key) + 2 < sizeof line->text - line->len;
}

static void put_key(struct log_line *line, const char *key)
{
    put(line, " ", 1);
    put(line, key, strlen(key));
    put(line, "=", 1);
}

void log_begin(struct log_line *line, enum log_level level, const char *event)
{
    line->level = level;
    line->len = 0;
    put(line, event, strlen(event));
}

void log_word(struct log_line *line, const char *key, const char *value)
{
    put_key(line, key);
    put(line, value, strlen(value));
}

void log_number(struct log_line *line, const char *key, uint64_t value)
{
    char text[24];
    size_t len = (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    if (fits(line, key, len)) { /* a number that was cut off would be another number */
        put_key(line, key);
        put(line, text, len);
    }
}

/*
 * Writes printable ASCII unchanged, except quotes, backslashes and angle brackets. All other octets are escaped, so
 * that the line is safe in terminals, log filters and web pages.
 */
void log_quoted(struct log_line *line, const char *key, const void *value, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *in = value;
    char out[4 * 256 + 3];
    size_t n = 0;
    out[n++] = '"';
    for (size_t i = 0; i < len && i < 256; i++) {
        unsigned char c = in[i];
        if (c > 0x20 && c < 0x7f && strchr("\"\\<>'", c) == NULL) {
            out[n++] = (char)c;
        } else if (c == ' ') {
            out[n++] = ' ';
        } else {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        }
    }
    out[n++] = '"';
    if (fits(line, key, n)) { /* a value that was cut off would leave a quote open */
        put_key(line, key);
        put(line, out, n);
    }
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    struct log_line line;
    char rest[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(rest, sizeof rest, format, ap);
    va_end(ap);
    log_begin(&line, level, event);
    if (rest[0] != '\0') {
        put(&line, " ", 1);
        put(&line, rest, strlen(rest));
    }
    log_end(&line);
}
