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

/*
 * As rate_take(), but also writes to `value`: the value of *arrival that does not allow the event, or if it is allowed,
 * the value that the event has made, with which rate_give_back() takes it back.
 */
bool rate_try(_Atomic uint64_t *arrival, const struct option_rate *rate, uint64_t now_us, uint64_t *value);

/*
 * Takes back an event that rate_try() has allowed; `value` is what it wrote then. As much of the event as has passed by
 * `now_us` is not given back. Where an earlier event was taken back in between, more of it is, at most as much as the time
 * for which it was held allows. Safe for concurrent calls by several processes.
 */
void rate_give_back(_Atomic uint64_t *arrival, const struct option_rate *rate, uint64_t value, uint64_t now_us);

/* Changes *arrival, if it does not allow an event at `now_us`, to one that allows exactly one. */
void rate_make_room(_Atomic uint64_t *arrival, const struct option_rate *rate, uint64_t now_us);

/* Takes back `count` events whose values are lost with a process that died. It may give back more than is due. */
void rate_give_back_lost(_Atomic uint64_t *arrival, const struct option_rate *rate, uint32_t count);

#endif
