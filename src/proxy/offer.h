/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The capabilities that clients are offered after TLS and before the login. They are configured, or the monitor learns
 * them from the backends and publishes them to the workers.
 */
#ifndef IMAPGUARD_PROXY_OFFER_H
#define IMAPGUARD_PROXY_OFFER_H

#include "base/arena.h"
#include "base/option.h"
#include "imap/capability.h"

struct offer {
    uint32_t mechanisms;         /* the mechanisms that the routes allow, see capability_bit() */
    char *configured;            /* CAPABILITY_OFFER_MAX octets, terminated; NULL: the list is learned */
    const struct region *region; /* the learned list, in a seqlock; only the monitor writes it */
};

/*
 * Maps the learned list in the arena, which must outlive o. The list is CAPABILITY_TLS until another one is learned.
 * Call it in the master, before the first fork; o must be all zero. Returns 0, or -1 with errno set if there is no
 * memory.
 */
int offer_map(struct offer *o, struct arena *arena);

/*
 * Copies the configured list from `words`, a list of char * that capability_check() has accepted. Does nothing if it is
 * empty: the list is then learned. o->mechanisms must be set before. Adds an error to `report`, for "capabilities" or
 * "capabilities.[N]", if a word is an AUTH= mechanism that is not in o->mechanisms, IMAP4rev1 is missing, the list is
 * too long, or there is no memory.
 */
void offer_configure(struct offer *o, const struct option_list *words, struct option_report *report);

/* Frees the configured list. o is all zero afterwards; the arena frees the region. */
void offer_clear(struct offer *o);

/* Writes the list that clients are offered now to `out`, terminated: the configured or else the learned one. */
void offer_read(const struct offer *o, char out[CAPABILITY_OFFER_MAX]);

/*
 * In the monitor: publishes the result of capability_offer() for the `count` capability lists of backends, and logs
 * "capabilities-learned" if it differs from the list before. Does nothing if the list is configured, `count` is 0, or
 * the result is too long or there is no memory for it.
 */
void offer_learn(struct offer *o, const struct span lists[], size_t count);

#endif
