/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The capabilities that clients are offered after TLS and before the login: configured, or learned from the backends by
 * the monitor, which publishes them to the workers.
 */
#ifndef IMAPGUARD_PROXY_OFFER_H
#define IMAPGUARD_PROXY_OFFER_H

#include "base/arena.h"
#include "base/option.h"
#include "imap/capability.h"

struct offer {
    uint32_t mechanisms;         /* that can pass by the routes: capability_bit() of each */
    char *configured;            /* CAPABILITY_OFFER_MAX octets, terminated; NULL: learned */
    const struct region *region; /* what was learned, under a seqlock: the monitor writes it */
};

/*
 * Maps the learned list in the arena; until one is learned it is the safe minimum, CAPABILITY_TLS. Returns 0, or -1 with
 * errno set when memory is short.
 */
int offer_map(struct offer *o, struct arena *arena);

/*
 * Sets the configured list (of char *), whose words must be among the mechanisms of the offer; without words the list is
 * learned. Errors are reported as "capabilities" or "capabilities.[N]".
 */
void offer_configure(struct offer *o, const struct option_list *words, struct option_report *report);

/* Frees what it owns; the region is the arena's. */
void offer_clear(struct offer *o);

/* Writes the list that clients are offered now to `out`, terminated. */
void offer_read(const struct offer *o, char out[CAPABILITY_OFFER_MAX]);

/*
 * In the monitor: offers what these lists of the backends have in common, and logs "capabilities-learned" if that is
 * not what was offered before. Does nothing when the list is configured.
 */
void offer_learn(struct offer *o, const struct span lists[], size_t count);

#endif
