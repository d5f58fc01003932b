/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ban as one 64-bit word, so that it changes as a whole: until when (microseconds), how many in a row it is, and
 * whether its end has yet to be told. It keeps its level after its end. 0 is "never banned". Pure arithmetic.
 */
#ifndef IMAPGUARD_POLICY_BAN_H
#define IMAPGUARD_POLICY_BAN_H

#include <stdbool.h>
#include <stdint.h>

enum { BAN_LEVEL_MAX = 63 };

/* A ban, which ends at a whole 1/64 second, and whose end has yet to be told. */
uint64_t ban_make(uint64_t until_us, unsigned level);

/*
 * The ban that begins now, after `before`: it lasts `time_ms`, doubled for each before it in a row, up to `max_ms`. In a
 * row are bans of which each begins no later than `max_ms` after the end of the one before.
 */
uint64_t ban_next(uint64_t before, uint32_t time_ms, uint32_t max_ms, uint64_t now_us);

/* The same ban, its end told. */
uint64_t ban_mark_logged(uint64_t ban);

bool ban_is_in_force(uint64_t ban, uint64_t now_us);

/* Whether it is in force, or over and its end has yet to be told. */
bool ban_is_pending(uint64_t ban);

uint64_t ban_until_us(uint64_t ban);
unsigned ban_level(uint64_t ban);

#endif
