/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"

#include <time.h>

static struct timespec read_clock(clockid_t id)
{
    struct timespec now = {0};
    (void)clock_gettime(id, &now); /* fails only for an unknown clock */
    return now;
}

static uint64_t microseconds(clockid_t id)
{
    struct timespec now = read_clock(id);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_boot_us(void)
{
    return microseconds(CLOCK_BOOTTIME);
}

uint64_t clock_wall_us(void)
{
    return microseconds(CLOCK_REALTIME);
}

double clock_monotonic(void)
{
    struct timespec now = read_clock(CLOCK_MONOTONIC);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
