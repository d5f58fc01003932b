/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners: their options, and the load balancers that each of them trusts. */
#ifndef IMAPGUARD_NET_LISTENER_H
#define IMAPGUARD_NET_LISTENER_H

#include "base/network.h"
#include "base/option.h"

/* The choices of a listener's `tls`, in the same order. */
enum listener_tls { LISTENER_STARTTLS, LISTENER_IMPLICIT };

/* The choices of a listener's `alpn`, in the same order. */
enum listener_alpn { LISTENER_ALPN_STRICT, LISTENER_ALPN_LENIENT };

struct listener_options {
    char *name;
    char *address;                     /* for address_parse_listen() */
    uint32_t tls;                      /* an enum listener_tls */
    uint32_t alpn;                     /* an enum listener_alpn; see tls_start_server() */
    struct option_list proxy_protocol; /* of char *: the networks of the load balancers */
};

/* A listener as sessions need it. */
struct listener {
    const struct listener_options *options;
    struct network_set proxies; /* sealed; a client in it must send a PROXY header, and no other client may */
};

/*
 * Initialises l, whatever its content is. `options` must outlive l. Returns 0, or -1 if there is no memory or a text of
 * `proxy_protocol` is no network. In both cases listener_clear() must be called.
 */
int listener_init(struct listener *l, const struct listener_options *options);

/* Frees what l owns. The options stay as they are. */
void listener_clear(struct listener *l);

extern const struct option_table listener_option_table;

#endif
