/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of the group `limits`: how often and how long clients may try. */
#ifndef IMAPGUARD_PROXY_LIMITS_H
#define IMAPGUARD_PROXY_LIMITS_H

#include "base/option.h"
#include "policy/client_table.h"

struct limits {
    struct option_list nat64;           /* of char *: prefixes of NAT64 translators, besides 64:ff9b::/96 */
    struct client_table_limits network; /* for each client network, over all workers */
    char *state_file;                   /* the file that keeps the bans over a restart; "": none */
    uint32_t login_attempts;            /* failed logins on one connection, after which it ends */
    uint32_t login_delay_ms;            /* milliseconds before the answer to the first failed login; doubles ... */
    uint32_t login_delay_max_ms;        /* ... up to this */
    uint32_t handshake_timeout_ms;      /* milliseconds for one TLS handshake */
    uint32_t login_timeout_ms;          /* milliseconds from the connection to a successful login */
    uint32_t challenge_timeout_ms;      /* milliseconds for a response to a challenge of the backend */
    uint32_t idle_timeout_ms;           /* milliseconds after the login in which neither side sends anything */
};

extern const struct option_table limits_option_table;

/* Returns the address as rules and limits know it: the IPv4 address that an IPv6 address contains, see network.h. */
struct network_address limits_unwrap(const struct limits *limits, const struct network_address *address);

#endif
