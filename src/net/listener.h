/* SPDX-License-Identifier: BSD-2-Clause */
/* Where clients come in: the options of a listener. */
#ifndef IMAPGUARD_NET_LISTENER_H
#define IMAPGUARD_NET_LISTENER_H

#include "base/network.h"
#include "base/option.h"

/* In the order of the choices of a listener's `tls`. */
enum listener_tls { LISTENER_STARTTLS, LISTENER_IMPLICIT };
/* ... and of its `alpn`. */
enum listener_alpn { LISTENER_ALPN_STRICT, LISTENER_ALPN_LENIENT };

struct listener_options {
    char *name;
    char *address; /* as address_parse_listen() reads it */
    uint32_t tls;
    uint32_t alpn;
    struct option_list proxy_protocol; /* of char *: networks */
};

/* A listener as sessions need it. */
struct listener {
    const struct listener_options *options;
    struct network_set proxies; /* who must begin with a PROXY header; nobody else may */
};

/* Makes one of options that outlive it. 0, or -1 when memory is short; listener_clear() is to be called either way. */
int listener_init(struct listener *l, const struct listener_options *options);

void listener_clear(struct listener *l);

extern const struct option_table listener_option_table;

#endif
