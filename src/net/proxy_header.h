/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PROXY header, with which a load balancer says whom a connection is from: versions 1 and 2 of HAProxy's
 * specification (proxy-protocol.txt, 2020/03/05). Pure: fed bytes in any pieces, it takes those of the header and
 * not one more.
 */
#ifndef IMAPGUARD_NET_PROXY_HEADER_H
#define IMAPGUARD_NET_PROXY_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

enum proxy_header_result {
    PROXY_HEADER_MORE,
    PROXY_HEADER_ADDRESS, /* whole: `source` and `destination` are whom it is from and to */
    PROXY_HEADER_LOCAL,   /* whole, and it speaks of nobody else (LOCAL, UNKNOWN, a family that is no TCP over IP): the connection's own addresses hold */
    PROXY_HEADER_BAD,     /* no PROXY header, or a malformed one; final */
};

enum { PROXY_HEADER_V1_MAX = 107, PROXY_HEADER_V2_ADDRESSES = 16 + 36 };

/* All zero is the beginning. Owns nothing. */
struct proxy_header {
    uint8_t bytes[PROXY_HEADER_V1_MAX]; /* what is needed of it: a line, or 16 octets and the addresses */
    uint8_t have;
    uint16_t skip;                      /* octets of type-length-values that are still to come */
    union address source, destination;
};

/* Takes up to `len` octets: `taken` says how many belong to the header. */
enum proxy_header_result proxy_header_feed(struct proxy_header *h, const uint8_t *bytes, size_t len, size_t *taken);

/* The versions that can be written; 0 is none. In the order of the choices of a backend's `proxy_protocol`. */
enum proxy_header_version { PROXY_HEADER_NONE, PROXY_HEADER_V1, PROXY_HEADER_V2 };

/*
 * Writes a header that says that a connection is from `source` to `destination`; `source` not known (AF_UNSPEC): that
 * it is our own (LOCAL, UNKNOWN). Addresses of two families are both written as IPv6. Returns how many octets there are.
 */
size_t proxy_header_write(enum proxy_header_version version, const union address *source,
                          const union address *destination, uint8_t out[PROXY_HEADER_V1_MAX]);

#endif
