/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rate limiting with one 64-bit time. It is the theoretical arrival time of the generic cell rate algorithm in
 * microseconds since boot; 0 at first. A rate of `count` per duration allows `count` events at once, and then one event
 * every duration / count. GCRA, ITU-T I.371, annex A (virtual scheduling).
 */
#ifndef IMAPGUARD_POLICY_RATE_H
#define IMAPGUARD_POLICY_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/option.h"

/*
 * Counts an event at `now_us`, in microseconds since boot, if the rate allows it. *arrival is the state of the rate.
 * Returns true if the event is allowed, or false with *arrival unchanged. Safe for concurrent calls by several
 * processes.
 */
bool rate_take(_Atomic uint64_t *arrival, const struct option_rate *rate, uint64_t now_us);

/* As rate_take(), but writes the value of *arrival that does not allow the event to `found` when it returns false. */
bool rate_try(_Atomic uint64_t *arrival, const struct option_rate *rate, uint64_t now_us, uint64_t *found);

/*
 * Takes back `count` events that rate_take() has allowed, as if they had not happened. That is exact as long as the rate
 * was never unused in between; otherwise a later event is taken back, so do not take back what is older than one duration
 * / count where that matters. Safe for concurrent calls by
 * several processes.
 */
void rate_give_back(_Atomic uint64_t *arrival, const struct option_rate *rate, uint32_t count);

#endif
