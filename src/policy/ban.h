/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ban as one 64-bit word, so that it changes atomically: its end in microseconds, its level (the number of bans in a
 * row), and whether its end has been logged. The level remains after the end. 0 is "never banned". Pure arithmetic.
 */
#ifndef IMAPGUARD_POLICY_BAN_H
#define IMAPGUARD_POLICY_BAN_H

#include <stdbool.h>
#include <stdint.h>

enum { BAN_LEVEL_MAX = 63 };

/* Returns a ban whose end is rounded to 1/64 second and has not been logged. */
uint64_t ban_make(uint64_t until_us, unsigned level);

/*
 * Returns the ban that begins now and follows `before`. It lasts `time_ms`, doubled for each ban before it in a row, at
 * most `max_ms`. Bans are in a row if each begins within `max_ms` after the end of the one before.
 */
uint64_t ban_next(uint64_t before, uint32_t time_ms, uint32_t max_ms, uint64_t now_us);

/* Returns the same ban with its end marked as logged. */
uint64_t ban_mark_logged(uint64_t ban);

bool ban_is_in_force(uint64_t ban, uint64_t now_us);

/* Returns true if the ban is in force, or has ended and that has not been logged. */
bool ban_is_pending(uint64_t ban);

uint64_t ban_until_us(uint64_t ban);
unsigned ban_level(uint64_t ban);

#endif
