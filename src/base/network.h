/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Networks in CIDR notation and sets of networks. Every address is stored in 128 bits; IPv4 is mapped to ::ffff:0:0/96.
 * An IPv4-mapped IPv6 address therefore equals its IPv4 address. RFC 4291 2.5.5.2.
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

/* A network. All bits of `first` after the prefix are zero. */
struct network {
    struct network_address first;
    unsigned prefix; /* in bits, 0..128; for IPv4, 96 more than the prefix in the text */
};

/* Returns the 128 bits of `a`, without its port; all zero if `a` is unknown. */
struct network_address network_address_of(const union address *a);

/*
 * Writes the IPv4 address that an IPv6 address contains to `out`, as network_address_of() returns it. `nat64` is a
 * prefix of a translator, of 32, 40, 48, 56, 64 or 96 bits (RFC 6052 2.2). Returns false, with `out` unchanged, if `a`
 * is not in it.
 */
bool network_address_in_nat64(const struct network_address *a, const struct network *nat64,
                              struct network_address *out);

/*
 * Returns the IPv4 address of a 6to4 address (RFC 3056 2), of an IPv4-compatible address (RFC 4291 2.5.5.1), or of one
 * with the well-known NAT64 prefix 64:ff9b::/96 (RFC 6052 2.1), as network_address_of() returns it; otherwise `a`. A
 * private or loopback address inside is not believed, because nobody on the Internet has it.
 */
struct network_address network_address_unwrap(const struct network_address *a);

/* Converts `a` to a socket address with port 0. An IPv4-mapped address becomes an IPv4 address. */
void network_address_to(const struct network_address *a, union address *out);

/* Returns the network around `a`: `ipv4_prefix` (0..32) bits of an IPv4 address, `ipv6_prefix` (0..128) of others. */
struct network network_around(const struct network_address *a, unsigned ipv4_prefix, unsigned ipv6_prefix);

/* Returns true if the network is one of IPv4 addresses. */
bool network_is_ipv4(const struct network *n);

/* Returns true for an address of this host alone: 127.0.0.0/8 (RFC 1122 3.2.1.3) or ::1 (RFC 4291 2.5.3). */
bool network_is_loopback(const struct network_address *a);

/*
 * Returns true if the address is in private or shared address space, which is not routed on the Internet. False for
 * loopback addresses. RFC 1918, RFC 4193, RFC 6598.
 */
bool network_is_private(const struct network_address *a);

/*
 * Parses "A.B.C.D/LEN", "V6/LEN" or an address alone, which means a network of one address. `text` has `len` octets and
 * need not be terminated. Bits after the prefix are cleared. Returns 0, or -1 with `out` unchanged if the text is no
 * network.
 */
int network_parse(const char *text, size_t len, struct network *out);

/*
 * Checks the value of an option, a terminated string. Returns NULL if network_parse() accepts it, or a static
 * description of the expected text.
 */
const char *network_check(const char *text);

/*
 * Writes the network to `text`, terminated, as network_parse() reads it: an IPv4 network in IPv4 notation, a network of
 * one address without "/LEN". Returns `text`.
 */
const char *network_text(const struct network *n, char text[NETWORK_TEXT_SIZE]);

/* All addresses from `first` to `last`, both included. */
struct network_range {
    struct network_address first, last;
};

/*
 * A set of networks; it owns its ranges. All zero is an empty set. It is filled by network_set_add() and sealed by
 * network_set_seal(), and only then searched.
 */
struct network_set {
    struct network_range *ranges; /* in a sealed set: in ascending order and without overlap */
    size_t count;
    size_t capacity;
};

/* Adds a copy of `n`; the set is no longer sealed. Returns 0, or -1 with the set unchanged if there is no memory. */
int network_set_add(struct network_set *set, const struct network *n);

/* Sorts the ranges and merges those that overlap. The set can be searched afterwards. */
void network_set_seal(struct network_set *set);

/* Returns true if the address is in the sealed set. Takes O(log n). */
bool network_set_has(const struct network_set *set, const struct network_address *a);

/* Returns true if every address of `inner` is in `outer`. Both sets are sealed. */
bool network_set_covers(const struct network_set *outer, const struct network_set *inner);

/* Frees the ranges. The set is empty afterwards and can be used again. */
void network_set_clear(struct network_set *set);

#endif
