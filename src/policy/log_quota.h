/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many lines of the log a client network may cause, of each kind of event, over all workers. What is more is counted,
 * and the master logs the count once a minute. The table has a fixed size and no lock. If all four slots of a bucket have
 * suppressed lines, another network there shares the slot that is used least, and its lines are summed up under that
 * slot's network.
 */
#ifndef IMAPGUARD_POLICY_LOG_QUOTA_H
#define IMAPGUARD_POLICY_LOG_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/network.h"
#include "base/option.h"

struct log_quota;

/* Lines that were not written. */
struct log_quota_summary {
    struct network network;
    unsigned event; /* as the caller has numbered it, below LOG_QUOTA_EVENTS */
    uint32_t suppressed;
};

enum { LOG_QUOTA_EVENTS = 64, LOG_QUOTA_SUMMARY_S = 60 };

/*
 * Makes a table in the arena, before the first fork; a network has that many bits of an address. The caller owns the
 * result; log_quota_free() frees it, and not the region, which is the arena's. Returns NULL with errno set if there is no
 * memory.
 */
struct log_quota *log_quota_new(uint32_t ipv4_prefix, uint32_t ipv6_prefix, struct arena *arena);

/* Frees q in this process; NULL is fine. */
void log_quota_free(struct log_quota *q);

/*
 * Counts a line about a client with that address, at `now_us` in microseconds since boot. Returns true if it may be
 * written. `event` is below LOG_QUOTA_EVENTS, and its rate is always the same.
 */
bool log_quota_take(struct log_quota *q, const struct network_address *address, unsigned event,
                    const struct option_rate *rate, uint64_t now_us);

/*
 * Calls `each` with `data` for each network and event of which lines were suppressed for LOG_QUOTA_SUMMARY_S, or if `all`
 * is true for a shorter time, too; and forgets them. The summary is valid during the call. The master calls it about once
 * a second, and at the end.
 */
void log_quota_sweep(struct log_quota *q, uint64_t now_us, bool all,
                     void (*each)(void *data, const struct log_quota_summary *summary), void *data);

#endif
