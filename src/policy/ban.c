/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/ban.h"

/* From the highest bit: 57 bits of time in units of 1/64 second, 6 bits of level, 1 bit for PENDING. */
enum { PENDING = 1, LEVEL_SHIFT = 1, LEVEL_BITS = 6, TIME_SHIFT = LEVEL_SHIFT + LEVEL_BITS, TICK_US = 15625 };

uint64_t ban_make(uint64_t until_us, unsigned level)
{
    unsigned kept = level < 1 ? 1 : level > BAN_LEVEL_MAX ? BAN_LEVEL_MAX : level;
    return (until_us / TICK_US) << TIME_SHIFT | (uint64_t)kept << LEVEL_SHIFT | PENDING;
}

uint64_t ban_until_us(uint64_t ban)
{
    return (ban >> TIME_SHIFT) * TICK_US;
}

unsigned ban_level(uint64_t ban)
{
    return (unsigned)(ban >> LEVEL_SHIFT) & BAN_LEVEL_MAX;
}

uint64_t ban_next(uint64_t before, uint32_t time_ms, uint32_t max_ms, uint64_t now_us)
{
    bool in_a_row = before != 0 && now_us <= ban_until_us(before) + (uint64_t)max_ms * 1000;
    unsigned level = in_a_row ? ban_level(before) + 1 : 1;
    uint64_t duration_ms = time_ms;
    for (unsigned i = 1; i < level && duration_ms < max_ms; i++) {
        duration_ms *= 2;
    }
    if (duration_ms > max_ms) {
        duration_ms = max_ms;
    }
    return ban_make(now_us + duration_ms * 1000, level);
}

uint64_t ban_mark_logged(uint64_t ban)
{
    return ban & ~(uint64_t)PENDING;
}

bool ban_is_in_force(uint64_t ban, uint64_t now_us)
{
    return ban_is_pending(ban) && ban_until_us(ban) > now_us;
}

bool ban_is_pending(uint64_t ban)
{
    return (ban & PENDING) != 0;
}
