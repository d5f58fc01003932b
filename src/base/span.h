/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A part of a string, as a parser returns it: a pointer and a length, not terminated. A span does not own its octets.
 * It is valid as long as the memory that it points into.
 */
#ifndef IMAPGUARD_BASE_SPAN_H
#define IMAPGUARD_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
    const uint8_t *bytes;
    size_t len;
};

/* Returns a span of the terminated string `text`, without the terminator. */
struct span span_of(const char *text);

/* Returns true if s equals `word`, without regard to the case of ASCII letters. */
bool span_is(struct span s, const char *word);

/* Returns true if s begins with `prefix`, without regard to the case of ASCII letters. */
bool span_begins(struct span s, const char *prefix);

/*
 * Removes the next word from the front of `rest` and writes it to `word`. Words are separated by spaces. Returns true,
 * or false with both unchanged if no word is left.
 */
bool span_word(struct span *rest, struct span *word);

#endif
