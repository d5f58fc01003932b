/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BITS = 128, MAPPED_BITS = 96 };

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_ipv4(const struct network_address *a)
{
    return memcmp(a->octets, mapped, sizeof mapped) == 0;
}

static int compare(const struct network_address *a, const struct network_address *b)
{
    return memcmp(a->octets, b->octets, sizeof a->octets);
}

struct network_address network_address_of(const union address *a)
{
    struct network_address out = {{0}};
    if (a->sa.sa_family == AF_INET) {
        memcpy(out.octets, mapped, sizeof mapped);
        memcpy(out.octets + sizeof mapped, &a->in.sin_addr, 4);
    } else if (a->sa.sa_family == AF_INET6) {
        memcpy(out.octets, &a->in6.sin6_addr, 16);
    }
    return out;
}

/* Replaces all bits after the prefix with those of `fill`. */
static void fill_after(struct network_address *a, unsigned prefix, uint8_t fill)
{
    for (unsigned i = prefix / 8; i < sizeof a->octets; i++) {
        uint8_t after = (uint8_t)(i == prefix / 8 ? 0xff >> (prefix % 8) : 0xff);
        a->octets[i] = (uint8_t)((a->octets[i] & ~after) | (fill & after));
    }
}

static struct network network_make(const struct network_address *a, unsigned prefix)
{
    struct network n = {*a, prefix};
    fill_after(&n.first, prefix, 0);
    return n;
}

static struct network_address mapped_from(const uint8_t ipv4[4])
{
    struct network_address out;
    memcpy(out.octets, mapped, sizeof mapped);
    memcpy(out.octets + sizeof mapped, ipv4, 4);
    return out;
}

bool network_address_in_nat64(const struct network_address *a, const struct network *nat64, struct network_address *out)
{
    struct network around = network_make(a, nat64->prefix);
    uint8_t ipv4[4];
    if (nat64->prefix % 8 != 0 || memcmp(&around.first, &nat64->first, sizeof around.first) != 0) {
        return false;
    }
    for (size_t i = 0, at = nat64->prefix / 8; i < sizeof ipv4 && at < sizeof a->octets; at++) {
        if (at != 8) { /* the octet "u" */
            ipv4[i++] = a->octets[at];
        }
    }
    *out = mapped_from(ipv4);
    return true;
}

static bool find_ipv4(const struct network_address *a, struct network_address *out)
{
    static const uint8_t six_to_four[] = {0x20, 0x02}, zeros[12] = {0};
    static const struct network well_known = {.first = {{0x00, 0x64, 0xff, 0x9b}}, .prefix = 96};
    if (memcmp(a->octets, six_to_four, sizeof six_to_four) == 0) {
        *out = mapped_from(a->octets + sizeof six_to_four);
        return true;
    }
    /* ::a.b.c.d, but neither ::, nor ::1, nor any other of 0.0.0.0/8 */
    if (memcmp(a->octets, zeros, sizeof zeros) == 0 && a->octets[sizeof zeros] != 0) {
        *out = mapped_from(a->octets + sizeof zeros);
        return true;
    }
    return network_address_in_nat64(a, &well_known, out);
}

struct network_address network_address_unwrap(const struct network_address *a)
{
    struct network_address out;
    bool found = find_ipv4(a, &out) && !network_is_private(&out) && !network_is_loopback(&out);
    return found ? out : *a;
}

void network_address_to(const struct network_address *a, union address *out)
{
    *out = (union address){0};
    if (is_ipv4(a)) {
        out->in.sin_family = AF_INET;
        memcpy(&out->in.sin_addr, a->octets + sizeof mapped, 4);
    } else {
        out->in6.sin6_family = AF_INET6;
        memcpy(&out->in6.sin6_addr, a->octets, 16);
    }
}

bool network_is_ipv4(const struct network *n)
{
    return is_ipv4(&n->first) && n->prefix >= MAPPED_BITS;
}

struct network network_around(const struct network_address *a, unsigned ipv4_prefix, unsigned ipv6_prefix)
{
    return network_make(a, is_ipv4(a) ? MAPPED_BITS + ipv4_prefix : ipv6_prefix);
}

/* Accepts digits without leading zeros, with a value of `max` at most. Returns 0 or -1. */
static int parse_prefix(const char *text, size_t len, unsigned max, unsigned *out)
{
    unsigned value = 0;
    if (len == 0 || len > 3 || (len > 1 && text[0] == '0')) {
        return -1;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *out = value;
    return value <= max ? 0 : -1;
}

int network_parse(const char *text, size_t len, struct network *out)
{
    char host[INET6_ADDRSTRLEN];
    union address address;
    const char *slash = memchr(text, '/', len);
    size_t host_len = slash != NULL ? (size_t)(slash - text) : len;
    if (host_len == 0 || host_len >= sizeof host || memchr(text, '\0', host_len) != NULL) {
        return -1;
    }
    memcpy(host, text, host_len);
    host[host_len] = '\0';
    if (address_parse(host, 0, &address) != 0) {
        return -1;
    }
    unsigned bits = address.sa.sa_family == AF_INET ? BITS - MAPPED_BITS : BITS, prefix = bits;
    if (slash != NULL && parse_prefix(slash + 1, len - host_len - 1, bits, &prefix) != 0) {
        return -1;
    }
    struct network_address first = network_address_of(&address);
    *out = network_make(&first, prefix + BITS - bits);
    return 0;
}

const char *network_check(const char *text)
{
    struct network n;
    return network_parse(text, strlen(text), &n) == 0
               ? NULL
               : "a network such as \"192.0.2.0/24\" or \"2001:db8::/32\", or an address";
}

const char *network_text(const struct network *n, char text[NETWORK_TEXT_SIZE])
{
    bool ipv4 = network_is_ipv4(n);
    const void *from = ipv4 ? n->first.octets + sizeof mapped : n->first.octets;
    if (inet_ntop(ipv4 ? AF_INET : AF_INET6, from, text, NETWORK_TEXT_SIZE) == NULL) {
        text[0] = '\0';
    }
    if (n->prefix < BITS) {
        size_t len = strlen(text);
        snprintf(text + len, NETWORK_TEXT_SIZE - len, "/%u", ipv4 ? n->prefix - MAPPED_BITS : n->prefix);
    }
    return text;
}

/* --- sets ------------------------------------------------------------------------------------------------- */

int network_set_add(struct network_set *set, const struct network *n)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity > 0 ? set->capacity * 2 : 4;
        struct network_range *grown = realloc(set->ranges, capacity * sizeof *grown);
        if (grown == NULL) {
            return -1;
        }
        set->ranges = grown;
        set->capacity = capacity;
    }
    struct network_range *range = &set->ranges[set->count++];
    *range = (struct network_range){n->first, n->first};
    fill_after(&range->last, n->prefix, 0xff);
    return 0;
}

static int by_first(const void *a, const void *b)
{
    const struct network_range *left = a, *right = b;
    return compare(&left->first, &right->first);
}

void network_set_seal(struct network_set *set)
{
    size_t kept = 0;
    if (set->count == 0) {
        return;
    }
    qsort(set->ranges, set->count, sizeof *set->ranges, by_first);
    for (size_t i = 1; i < set->count; i++) {
        struct network_range *last = &set->ranges[kept];
        if (compare(&set->ranges[i].first, &last->last) > 0) {
            set->ranges[++kept] = set->ranges[i];
        } else if (compare(&set->ranges[i].last, &last->last) > 0) {
            last->last = set->ranges[i].last;
        }
    }
    set->count = kept + 1;
}

/* Returns the last range that begins at or before the address; NULL if there is none. */
static const struct network_range *find(const struct network_set *set, const struct network_address *a)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&set->ranges[middle].first, a) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 ? &set->ranges[low - 1] : NULL;
}

bool network_set_has(const struct network_set *set, const struct network_address *a)
{
    const struct network_range *range = find(set, a);
    return range != NULL && compare(a, &range->last) <= 0;
}

static bool covers_range(const struct network_set *outer, const struct network_range *range)
{
    struct network_address from = range->first;
    for (const struct network_range *at = find(outer, &from); at != NULL && compare(&from, &at->last) <= 0;) {
        if (compare(&range->last, &at->last) <= 0) {
            return true;
        }
        from = at->last; /* the next range may begin at the next address */
        for (size_t i = sizeof from.octets; i-- > 0 && ++from.octets[i] == 0;) {
        }
        at++;
        if (at == outer->ranges + outer->count || compare(&at->first, &from) != 0) {
            return false;
        }
    }
    return false;
}

bool network_set_covers(const struct network_set *outer, const struct network_set *inner)
{
    for (size_t i = 0; i < inner->count; i++) {
        if (!covers_range(outer, &inner->ranges[i])) {
            return false;
        }
    }
    return true;
}

void network_set_clear(struct network_set *set)
{
    free(set->ranges);
    *set = (struct network_set){0};
}

static bool is_in(const struct network_address *a, const char *const texts[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct network n;
        if (network_parse(texts[i], strlen(texts[i]), &n) != 0) {
            continue;
        }
        struct network around = network_around(a, n.prefix >= 96 ? n.prefix - 96 : 0, n.prefix);
        if (around.prefix == n.prefix && memcmp(&around.first, &n.first, sizeof n.first) == 0) {
            return true;
        }
    }
    return false;
}

bool network_is_loopback(const struct network_address *a)
{
    static const char *const texts[] = {"127.0.0.0/8", "::1"};
    return is_in(a, texts, sizeof texts / sizeof texts[0]);
}

bool network_is_private(const struct network_address *a)
{
    static const char *const texts[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"};
    return is_in(a, texts, sizeof texts / sizeof texts[0]);
}
