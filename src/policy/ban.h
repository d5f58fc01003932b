/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ban in one 64-bit word, so that it can be changed atomically. It has an end in microseconds since boot and a level,
 * 1 for the first ban in a row, 2 for the second. A ban is pending until its end is logged. An expired ban keeps its
 * level. 0 means never banned.
 */
#ifndef IMAPGUARD_POLICY_BAN_H
#define IMAPGUARD_POLICY_BAN_H

#include <stdbool.h>
#include <stdint.h>

enum { BAN_LEVEL_MAX = 63 };

/*
 * Returns a pending ban until `until_us` (microseconds since boot), rounded down to 1/64 second. A `level` outside of
 * 1..BAN_LEVEL_MAX is changed to the nearest of these.
 */
uint64_t ban_make(uint64_t until_us, unsigned level);

/*
 * Returns the ban that follows `before` (0 if there was none) and begins at `now_us`. It lasts `time_ms` milliseconds,
 * doubled for each preceding ban in a row, `max_ms` at most. Two bans are in a row if the second begins no later than
 * `max_ms` after the end of the first.
 */
uint64_t ban_next(uint64_t before, uint32_t time_ms, uint32_t max_ms, uint64_t now_us);

/* Returns the same ban, no longer pending. Call it when the end of the ban is logged. */
uint64_t ban_mark_logged(uint64_t ban);

/* Returns true if the ban is pending and has not ended at `now_us`. */
bool ban_is_in_force(uint64_t ban, uint64_t now_us);

/* Returns true if the ban is in force, or if it has ended and its end is not logged yet. */
bool ban_is_pending(uint64_t ban);

/* Returns the end of the ban in microseconds since boot. */
uint64_t ban_until_us(uint64_t ban);

/* Returns the level of the ban; 0 if never banned. */
unsigned ban_level(uint64_t ban);

#endif
