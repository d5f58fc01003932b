/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PROXY protocol: a load balancer sends a header with the address of the client before all other octets of a
 * connection. Versions 1 and 2 of HAProxy's proxy-protocol.txt, 2020/03/05. These functions do no I/O.
 */
#ifndef IMAPGUARD_NET_PROXY_HEADER_H
#define IMAPGUARD_NET_PROXY_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/span.h"

enum proxy_header_result {
    PROXY_HEADER_MORE,    /* all octets are consumed; the header is incomplete */
    PROXY_HEADER_ADDRESS, /* complete: `source` and `destination` are set */
    PROXY_HEADER_LOCAL,   /* complete without addresses (LOCAL, UNKNOWN, not TCP over IP): use those of the socket */
    PROXY_HEADER_BAD,     /* no PROXY header, or a malformed one; do not continue */
};

/* Octets of the longest header of version 1, and of version 2 without its type-length-values. */
enum { PROXY_HEADER_V1_MAX = 107, PROXY_HEADER_V2_ADDRESSES = 16 + 36 };

/* The state of parsing a header. All zero is the start. It owns no memory. */
struct proxy_header {
    uint8_t bytes[PROXY_HEADER_V1_MAX]; /* version 1: the line; version 2: 16 octets and the addresses */
    uint8_t have;                       /* number of octets in `bytes` */
    uint16_t skip;                      /* octets to skip to the end of the header */
    union address source, destination;  /* of the client; the address that the client connected to */
};

/*
 * Consumes up to `len` octets, and none after the end of the header; writes their number to `taken`. The header may
 * arrive in pieces of any size. Do not call it again after a result other than PROXY_HEADER_MORE.
 */
enum proxy_header_result proxy_header_feed(struct proxy_header *h, const uint8_t *bytes, size_t len, size_t *taken);

/* The versions that can be written: the choices of a backend's `proxy_protocol`, in the same order. */
enum proxy_header_version { PROXY_HEADER_NONE, PROXY_HEADER_V1, PROXY_HEADER_V2 };

/*
 * The connection that a header tells of. Nothing in it is owned. All zero: no client, but imapguard itself.
 */
struct proxy_header_client {
    union address source, destination; /* AF_UNSPEC: not known */
    const char *tls;                   /* version of the client's TLS, such as "TLSv1.3"; NULL: it has none */
    const char *cipher;                /* its cipher; not NULL if `tls` is not */
    const char *server_name;           /* the host name that the client asked for (SNI); NULL: none */
    struct span alpn;                  /* the protocol that was chosen for it (ALPN); empty: none */
    const char *id;                    /* identifier of the session; NULL: none */
};

enum { PROXY_HEADER_MAX = 640 }; /* octets of a header that is written */

/*
 * Writes a header to `out`, not terminated. If c->source is unknown, the header marks the connection as imapguard's own
 * (LOCAL or UNKNOWN), and nothing else of `c` is used; otherwise c->destination must be known, too. If one address is
 * IPv6, both are written as IPv6; an IPv4-mapped address counts as IPv4. Version 2 has the rest as type-length-values
 * (SSL with version and cipher, AUTHORITY, ALPN, UNIQUE_ID) and a CRC32C; texts are cut off where they are longer than
 * 64 octets, an AUTHORITY at 255. Returns the number of octets; 0 for PROXY_HEADER_NONE.
 */
size_t proxy_header_write(enum proxy_header_version version, const struct proxy_header_client *c,
                          uint8_t out[PROXY_HEADER_MAX]);

#endif
