/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two clocks. Everything that is waited for, counted or compared goes by the time since boot, which nobody can
 * set; wall-clock time is only for what people read and for what a file keeps over a boot.
 */
#ifndef IMAPGUARD_BASE_CLOCK_H
#define IMAPGUARD_BASE_CLOCK_H

#include <stdint.h>

/* Microseconds since boot, suspended time included (CLOCK_BOOTTIME): the same in all processes. */
uint64_t clock_boot_us(void);

/* Microseconds since 1970 (CLOCK_REALTIME). */
uint64_t clock_wall_us(void);

/* Seconds since some moment, without suspended time (CLOCK_MONOTONIC): what timers of an event loop go by. */
double clock_monotonic(void);

#endif
