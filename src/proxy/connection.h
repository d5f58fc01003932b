/* SPDX-License-Identifier: BSD-2-Clause */
/* All that is known of a client before it is let in. Lives on the stack until then. */
#ifndef IMAPGUARD_PROXY_CONNECTION_H
#define IMAPGUARD_PROXY_CONNECTION_H

#include "base/address.h"
#include "net/listener.h"
#include "policy/facts.h"
#include "policy/client_table.h"

struct connection {
    struct generation *generation; /* the configuration that it began with; the session holds it */
    const struct listener *listener;
    uint64_t id;          /* of the session */
    union address peer;   /* the client: as the PROXY header has it, where there is one */
    union address local;  /* where it came in */
    struct facts facts;
    struct client_table_ref ref; /* where it is counted */
    bool unlimited;       /* a rule with `limits = false` has let it in: not counted, not banned */
};

#endif
