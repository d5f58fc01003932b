/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rate as one 64-bit time: the theoretical arrival time of the generic cell rate algorithm (GCRA, ITU-T I.371,
 * annex A, virtual scheduling). `count` may come at once, and then one each duration / count. 0 is "never came".
 */
#ifndef IMAPGUARD_POLICY_RATE_H
#define IMAPGUARD_POLICY_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/option.h"

/*
 * Counts one that comes now, in microseconds: true when the rate allows it. What it does not allow changes
 * nothing. Any number of processes may count at once.
 */
bool rate_take(_Atomic uint64_t *arrival, const struct option_rate *rate, uint64_t now_us);

#endif
