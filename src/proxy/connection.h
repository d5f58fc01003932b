/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known of a client when it connects. Lives on the stack until the client is let in, then in its session. */
#ifndef IMAPGUARD_PROXY_CONNECTION_H
#define IMAPGUARD_PROXY_CONNECTION_H

#include "base/address.h"
#include "net/listener.h"
#include "policy/client_table.h"
#include "policy/facts.h"
#include "policy/log_quota.h"

struct connection {
    struct generation *generation; /* the configuration that it began with; the session holds it */
    const struct listener *listener;
    uint64_t id;         /* of the session */
    union address peer;  /* the client's; from the PROXY header where there is one */
    union address local; /* the address that the client connected to */
    struct facts facts;
    struct log_quota *log_quota; /* in which its lines are counted */
    struct client_table_ref ref; /* the entry in which it is counted */
    bool unlimited;              /* allowed by a rule with `limits = false`: neither counted nor banned */
};

#endif
