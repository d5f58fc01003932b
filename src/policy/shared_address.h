/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Detects that most clients seem to have one private address, because a container network's gateway or a router hides
 * theirs: limits would then apply to all of them together.
 */
#ifndef IMAPGUARD_POLICY_SHARED_ADDRESS_H
#define IMAPGUARD_POLICY_SHARED_ADDRESS_H

#include <stdbool.h>

#include "base/network.h"

/* All zero is the initial state. Owns nothing. */
struct shared_address {
    struct network_address suspect; /* the address that led the last window */
    struct network_address leader;  /* the address that leads this window */
    unsigned lead;                  /* its lead in the majority vote (Boyer and Moore, 1981) */
    unsigned matching;              /* clients in this window with the suspect's address */
    unsigned seen;                  /* clients in this window */
};

/*
 * Counts one client with that address. Returns true when a window of 100 clients has ended in which more than half had the
 * private address (RFC 1918, RFC 6598, RFC 4193) that led the window before; it is `suspect`.
 */
bool shared_address_count(struct shared_address *g, const struct network_address *a);

#endif
