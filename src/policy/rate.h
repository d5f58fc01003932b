/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rate as one 64-bit number: the theoretical arrival time of the generic cell rate algorithm (GCRA, ITU-T I.371,
 * annex A, virtual scheduling). It allows a burst of `count` events, and then one event each duration / count. 0 means
 * that no event was counted yet.
 */
#ifndef IMAPGUARD_POLICY_RATE_H
#define IMAPGUARD_POLICY_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/option.h"

/*
 * Counts one event at `now_us` and returns true if the rate allows it; otherwise returns false and changes nothing. Any
 * number of processes may call it at the same time.
 */
bool rate_take(_Atomic uint64_t *arrival, const struct option_rate *rate, uint64_t now_us);

#endif
