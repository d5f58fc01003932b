/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Detects that most clients share one private address, because a container network's gateway or a router hides theirs.
 * Limits and bans would then apply to all of them together.
 */
#ifndef IMAPGUARD_POLICY_SHARED_ADDRESS_H
#define IMAPGUARD_POLICY_SHARED_ADDRESS_H

#include <stdbool.h>

#include "base/network.h"

/* The state of the detection. All zero is the start. It owns no memory. */
struct shared_address {
    struct network_address suspect; /* the only address that can have had a majority in the last window */
    struct network_address leader;  /* the same for the current window, so far */
    unsigned lead;                  /* votes by which it leads (Boyer and Moore, 1981) */
    unsigned matching;              /* clients with the address `suspect` in the current window */
    unsigned seen;                  /* clients in the current window */
};

/*
 * Counts a client with the address a. Returns true if a window of 10 clients has just ended in which more than half had
 * the address g->suspect, and this address is private (RFC 1918, RFC 6598, RFC 4193) or a loopback address. Otherwise
 * returns false. An address that all clients have is found with the twentieth of them.
 */
bool shared_address_count(struct shared_address *g, const struct network_address *a);

#endif
