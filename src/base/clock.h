/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clocks. Timeouts, rates and comparisons use the time since boot, which cannot be set. Wall-clock time is for
 * log lines and for files that outlive a reboot.
 */
#ifndef IMAPGUARD_BASE_CLOCK_H
#define IMAPGUARD_BASE_CLOCK_H

#include <stdint.h>

/* Returns microseconds since boot, suspended time included (CLOCK_BOOTTIME). All processes read the same clock. */
uint64_t clock_boot_us(void);

/* Returns microseconds since 1970-01-01 00:00 UTC (CLOCK_REALTIME). */
uint64_t clock_wall_us(void);

/* Returns seconds since an unspecified moment, suspended time excluded (CLOCK_MONOTONIC). Event loop timers use it. */
double clock_monotonic(void);

#endif
