/* SPDX-License-Identifier: BSD-2-Clause */
/* A piece of somebody else's memory: what a parser hands out. Valid as long as what it points into. */
#ifndef IMAPGUARD_BASE_SPAN_H
#define IMAPGUARD_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
    const uint8_t *bytes;
    size_t len;
};

/* The span of a terminated string, without its terminator. */
struct span span_of(const char *text);

/* Whether it is `word` as a whole, without regard to the case of ASCII letters. */
bool span_is(struct span s, const char *word);

/* Whether it begins with `prefix`, without regard to the case of ASCII letters. */
bool span_begins(struct span s, const char *prefix);

/* Cuts the next word off the front: blanks are skipped, and the word ends before a blank. False when none is left. */
bool span_word(struct span *rest, struct span *word);

#endif
