/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Networks in CIDR notation and sets of them. Inside, every address has 128 bits; IPv4 lives in ::ffff:0:0/96
 * (RFC 4291 2.5.5.2), so that an IPv4-mapped IPv6 address is the IPv4 address that it stands for.
 */
#ifndef IMAPGUARD_BASE_NETWORK_H
#define IMAPGUARD_BASE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

enum { NETWORK_TEXT_SIZE = INET6_ADDRSTRLEN + 4 };

/* An address of 128 bits, most significant octet first. */
struct network_address {
    uint8_t octets[16];
};

/* All bits behind the prefix are zero. */
struct network {
    struct network_address first;
    unsigned prefix; /* 0..128; an IPv4 network's is 96 more than what is written */
};

/* The 128 bits of a client's address; all zero when it is not known. */
struct network_address network_address_of(const union address *a);

/* The same as a socket address without a port: IPv4 where it is one. */
void network_address_to(const struct network_address *a, union address *out);

/* The network of an address: `ipv4_prefix` (0..32) bits of an IPv4 address, `ipv6_prefix` (0..128) of others. */
struct network network_around(const struct network_address *a, unsigned ipv4_prefix, unsigned ipv6_prefix);

/* Whether the address is one that no router of the Internet knows (RFC 1918, RFC 4193, RFC 6598); not loopback. */
bool network_is_private(const struct network_address *a);

/*
 * Reads "A.B.C.D/LEN", "V6/LEN", or an address alone, which is a network of one; bits behind the prefix are
 * dropped. Not terminated: `len` octets. 0 or -1.
 */
int network_parse(const char *text, size_t len, struct network *out);

/* For option tables: NULL when the text is a network, or what was expected. */
const char *network_check(const char *text);

/* Writes it as it would be read, an IPv4 network as such, one of a single address without "/LEN". Returns `text`. */
const char *network_text(const struct network *n, char text[NETWORK_TEXT_SIZE]);

struct network_range {
    struct network_address first, last;
};

/* All zero is empty. Filled by network_set_add(), then sealed, then only asked. Owns its ranges. */
struct network_set {
    struct network_range *ranges; /* once sealed: in order, apart from each other */
    size_t count;
    size_t capacity;
};

/* Adds a network. 0, or -1 when memory is short. */
int network_set_add(struct network_set *set, const struct network *n);

/* Sorts and merges: from then on it can be asked. */
void network_set_seal(struct network_set *set);

/* Whether the address is in it: a binary search. */
bool network_set_has(const struct network_set *set, const struct network_address *a);

/* Whether every address of `inner` is in `outer`; both are sealed. */
bool network_set_covers(const struct network_set *outer, const struct network_set *inner);

/* Frees what it owns; it is empty afterwards. */
void network_set_clear(struct network_set *set);

#endif
