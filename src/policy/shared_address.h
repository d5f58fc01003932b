/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Notices that most clients seem to have one private address, as when a container network's gateway or a router hides
 * them: what is counted for each client network would then be counted for all together.
 */
#ifndef IMAPGUARD_POLICY_SHARED_ADDRESS_H
#define IMAPGUARD_POLICY_SHARED_ADDRESS_H

#include <stdbool.h>

#include "base/network.h"

/* All zero is the beginning. Owns nothing. */
struct shared_address {
    struct network_address suspect; /* of the last window: whoever would have a majority, if anybody has */
    struct network_address leader;  /* of this window */
    unsigned lead;                  /* by how much it leads the vote (Boyer and Moore, 1981) */
    unsigned matching;              /* how often the suspect came in this window */
    unsigned seen;                  /* clients in this window */
};

/*
 * A client of that address has come. True when a window of 100 clients has ended in which more than half had the one
 * private address (RFC 1918, RFC 6598, RFC 4193) that led the window before: it is `suspect`.
 */
bool shared_address_count(struct shared_address *g, const struct network_address *a);

#endif
