/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses of backends. Their text is HOST:PORT, [V6]:PORT or unix:/PATH. */
#ifndef IMAPGUARD_NET_ENDPOINT_H
#define IMAPGUARD_NET_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/address.h"

enum { ENDPOINT_ADDRESSES_MAX = 8 };

struct endpoint_address {
    socklen_t len; /* octets of the address, for connect() */
    union {
        struct sockaddr sa;
        union address ip;
        struct sockaddr_un un;
    };
};

struct endpoint {
    size_t count; /* 0: not resolved yet */
    struct endpoint_address addresses[ENDPOINT_ADDRESSES_MAX];
};

/*
 * Returns true if the host of the text is a name: it needs the DNS, and its addresses may change. Returns false for a
 * numeric address, a UNIX socket, and a text that endpoint_check() refuses.
 */
bool endpoint_is_name(const char *text);

/*
 * Returns true if e is well-formed: all counts, lengths and families are valid. Also true for one that is not resolved
 * yet (`count` is 0). Check an endpoint from another process before using it.
 */
bool endpoint_is_valid(const struct endpoint *e);

/* Checks the value of an option. Returns NULL if the text is valid, or a static description of the expected text. */
const char *endpoint_check(const char *text);

/*
 * Resolves a text that endpoint_check() has accepted, and writes up to ENDPOINT_ADDRESSES_MAX addresses to `out`. It
 * may wait for the DNS; never call it in an event loop. Several threads may call it at once. Returns NULL, or a static
 * text with the cause of the failure. After a failure, `out` is unchanged or has no address, and *temporary is true if
 * the DNS did not answer and a later call may succeed. `temporary` may be NULL.
 */
const char *endpoint_resolve(const char *text, struct endpoint *out, bool *temporary);

/* Returns true if both have the same addresses in the same order. */
bool endpoint_is_equal(const struct endpoint *a, const struct endpoint *b);

#endif
