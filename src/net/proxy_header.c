/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { V2_FIXED = 16, V2_IPV4 = 12, V2_IPV6 = 36, VERSION_AT = 12, FAMILY_AT = 13, LENGTH_AT = 14 };

static const uint8_t v1_begin[] = {'P', 'R', 'O', 'X', 'Y', ' '};
static const uint8_t v2_begin[] = {'\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

/* --- version 1: one line of text ----------------------------------------------------------------------- */

/*
 * Removes the next field, which ends at a space or at the end, and copies it to `out`, terminated. Returns false if it
 * is empty or longer than `out`.
 */
static bool cut_field(struct span *rest, char *out, size_t size)
{
    const uint8_t *blank = rest->len > 0 ? memchr(rest->bytes, ' ', rest->len) : NULL;
    size_t len = blank != NULL ? (size_t)(blank - rest->bytes) : rest->len;
    if (len == 0 || len >= size || memchr(rest->bytes, '\0', len) != NULL) {
        return false;
    }
    memcpy(out, rest->bytes, len);
    out[len] = '\0';
    size_t cut = len + (blank != NULL);
    *rest = (struct span){rest->bytes + cut, rest->len - cut};
    return true;
}

/* Accepts 0..65535 in decimal, without leading zeros. */
static bool read_port(const char *text, uint16_t *port)
{
    unsigned value = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 5 || strspn(text, "0123456789") != len || (len > 1 && text[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *port = (uint16_t)value;
    return value <= UINT16_MAX;
}

/* Parses the line without "PROXY " and CRLF. */
static enum proxy_header_result read_v1(struct proxy_header *h, struct span rest)
{
    char family[8], source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN], source_port[6], destination_port[6];
    uint16_t from, to;
    if (span_is(rest, "UNKNOWN") || (rest.len > 8 && memcmp(rest.bytes, "UNKNOWN ", 8) == 0)) {
        return memcmp(rest.bytes, "UNKNOWN", 7) == 0 ? PROXY_HEADER_LOCAL : PROXY_HEADER_BAD;
    }
    bool ends_with_blank = rest.len > 0 && rest.bytes[rest.len - 1] == ' ';
    if (ends_with_blank || !cut_field(&rest, family, sizeof family) || !cut_field(&rest, source, sizeof source) ||
        !cut_field(&rest, destination, sizeof destination) || !cut_field(&rest, source_port, sizeof source_port) ||
        !cut_field(&rest, destination_port, sizeof destination_port) || rest.len > 0 ||
        !read_port(source_port, &from) || !read_port(destination_port, &to) ||
        address_parse(source, from, &h->source) != 0 || address_parse(destination, to, &h->destination) != 0) {
        return PROXY_HEADER_BAD;
    }
    int wanted = strcmp(family, "TCP4") == 0 ? AF_INET : strcmp(family, "TCP6") == 0 ? AF_INET6 : AF_UNSPEC;
    return h->source.sa.sa_family == wanted && h->destination.sa.sa_family == wanted ? PROXY_HEADER_ADDRESS
                                                                                     : PROXY_HEADER_BAD;
}

static enum proxy_header_result step_v1(struct proxy_header *h)
{
    uint8_t last = h->bytes[h->have - 1];
    if (h->have > sizeof v1_begin && h->bytes[h->have - 2] == '\r') {
        struct span rest = {h->bytes + sizeof v1_begin, h->have - sizeof v1_begin - 2};
        return last == '\n' ? read_v1(h, rest) : PROXY_HEADER_BAD;
    }
    bool hopeless = last == '\0' || last == '\n' || h->have == PROXY_HEADER_V1_MAX;
    return hopeless ? PROXY_HEADER_BAD : PROXY_HEADER_MORE;
}

/* --- version 2: binary ----------------------------------------------------------------------------------- */

static unsigned v2_length(const struct proxy_header *h)
{
    return (unsigned)h->bytes[LENGTH_AT] << 8 | h->bytes[LENGTH_AT + 1];
}

/* Returns the octets of the addresses that are used: 0 unless the header is PROXY with TCP over IPv4 or IPv6. */
static unsigned v2_addresses(const struct proxy_header *h)
{
    bool proxied = h->bytes[VERSION_AT] == 0x21;
    return proxied && h->bytes[FAMILY_AT] == 0x11 ? V2_IPV4 : proxied && h->bytes[FAMILY_AT] == 0x21 ? V2_IPV6 : 0;
}

static void read_v2(struct proxy_header *h)
{
    const uint8_t *at = h->bytes + V2_FIXED;
    if (v2_addresses(h) == V2_IPV4) {
        h->source.in.sin_family = h->destination.in.sin_family = AF_INET;
        memcpy(&h->source.in.sin_addr, at, 4);
        memcpy(&h->destination.in.sin_addr, at + 4, 4);
        memcpy(&h->source.in.sin_port, at + 8, 2);
        memcpy(&h->destination.in.sin_port, at + 10, 2);
    } else {
        h->source.in6.sin6_family = h->destination.in6.sin6_family = AF_INET6;
        memcpy(&h->source.in6.sin6_addr, at, 16);
        memcpy(&h->destination.in6.sin6_addr, at + 16, 16);
        memcpy(&h->source.in6.sin6_port, at + 32, 2);
        memcpy(&h->destination.in6.sin6_port, at + 34, 2);
    }
}

static enum proxy_header_result end_v2(struct proxy_header *h)
{
    if (v2_addresses(h) == 0) {
        return PROXY_HEADER_LOCAL;
    }
    read_v2(h);
    return PROXY_HEADER_ADDRESS;
}

/* Called after each octet of the header without its type-length-values. */
static enum proxy_header_result step_v2(struct proxy_header *h)
{
    if (h->have <= V2_FIXED) {
        bool bad = (h->have == VERSION_AT + 1 && (h->bytes[VERSION_AT] & 0xfe) != 0x20) ||
                   (h->have == FAMILY_AT + 1 && ((h->bytes[FAMILY_AT] >> 4) > 3 || (h->bytes[FAMILY_AT] & 15) > 2));
        if (bad || (h->have == V2_FIXED && v2_length(h) < v2_addresses(h))) {
            return PROXY_HEADER_BAD;
        }
    }
    if (h->have < V2_FIXED || h->have < V2_FIXED + v2_addresses(h)) {
        return PROXY_HEADER_MORE;
    }
    h->skip = (uint16_t)(v2_length(h) - v2_addresses(h));
    return h->skip > 0 ? PROXY_HEADER_MORE : end_v2(h);
}

/* --- both -------------------------------------------------------------------------------------------------- */

static enum proxy_header_result step(struct proxy_header *h)
{
    size_t at = h->have - 1u;
    bool v1 = h->bytes[0] == v1_begin[0];
    if (v1 ? at < sizeof v1_begin && h->bytes[at] != v1_begin[at]
           : at < sizeof v2_begin && h->bytes[at] != v2_begin[at]) {
        return PROXY_HEADER_BAD;
    }
    return v1 ? step_v1(h) : step_v2(h);
}

enum proxy_header_result proxy_header_feed(struct proxy_header *h, const uint8_t *bytes, size_t len, size_t *taken)
{
    enum proxy_header_result result = PROXY_HEADER_MORE;
    *taken = 0;
    while (result == PROXY_HEADER_MORE && *taken < len) {
        if (h->skip > 0) {
            size_t n = len - *taken < h->skip ? len - *taken : h->skip;
            h->skip = (uint16_t)(h->skip - n);
            *taken += n;
            result = h->skip > 0 ? PROXY_HEADER_MORE : end_v2(h);
        } else {
            h->bytes[h->have++] = bytes[(*taken)++];
            result = step(h);
        }
    }
    return result;
}

/* --- writing ---------------------------------------------------------------------------------------------- */

/* Returns the address as IPv6; an IPv4 address is mapped. RFC 4291 2.5.5.2. */
static struct in6_addr as_ipv6(const union address *a)
{
    struct in6_addr out = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    if (a->sa.sa_family == AF_INET6) {
        return a->in6.sin6_addr;
    }
    memcpy(&out.s6_addr[12], &a->in.sin_addr, sizeof a->in.sin_addr);
    return out;
}

static size_t write_v1(bool ipv4, const struct in6_addr *source, const struct in6_addr *destination,
                       const uint16_t port[2], uint8_t out[PROXY_HEADER_MAX])
{
    char text[2][INET6_ADDRSTRLEN];
    int family = ipv4 ? AF_INET : AF_INET6;
    size_t skip = ipv4 ? 12 : 0;
    (void)inet_ntop(family, source->s6_addr + skip, text[0], sizeof text[0]);
    (void)inet_ntop(family, destination->s6_addr + skip, text[1], sizeof text[1]);
    return (size_t)snprintf((char *)out, PROXY_HEADER_V1_MAX, "PROXY TCP%c %s %s %u %u\r\n", ipv4 ? '4' : '6', text[0],
                            text[1], port[0], port[1]);
}

static void put16(uint8_t *out, uint16_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

enum { TLV_ALPN = 1, TLV_AUTHORITY = 2, TLV_CRC32C = 3, TLV_UNIQUE_ID = 5, TLV_SSL = 0x20 };
enum { TLV_SSL_VERSION = 0x21, TLV_SSL_CIPHER = 0x23, CLIENT_SSL = 1, NOT_VERIFIED = 1 };
enum { TEXT_MAX = 64, AUTHORITY_MAX = 255, CRC_SIZE = 7 };

/* Appends a type-length-value to the `len` octets of `out`. Returns their number then. */
static size_t put_tlv(uint8_t *out, size_t len, uint8_t type, struct span value, size_t max)
{
    size_t size = value.len < max ? value.len : max;
    if (size == 0) {
        return len;
    }
    out[len] = type;
    put16(out + len + 1, (uint16_t)size);
    memcpy(out + len + 3, value.bytes, size);
    return len + 3 + size;
}

static struct span text_of(const char *text)
{
    return text != NULL ? span_of(text) : (struct span){0};
}

/* The client's certificate was neither asked for nor verified. */
static size_t put_ssl(uint8_t *out, size_t len, const struct proxy_header_client *c)
{
    uint8_t value[5 + 2 * (3 + TEXT_MAX)] = {CLIENT_SSL, 0, 0, 0, NOT_VERIFIED};
    size_t size = put_tlv(value, 5, TLV_SSL_VERSION, text_of(c->tls), TEXT_MAX);
    size = put_tlv(value, size, TLV_SSL_CIPHER, text_of(c->cipher), TEXT_MAX);
    return put_tlv(out, len, TLV_SSL, (struct span){value, size}, sizeof value);
}

/* RFC 3720, appendix B.4: the polynomial of Castagnoli, reflected. */
static uint32_t crc32c(const uint8_t *octets, size_t len)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= octets[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
        }
    }
    return ~crc;
}

static size_t put_crc(uint8_t *out, size_t len)
{
    static const uint8_t zero[4];
    size_t end = put_tlv(out, len, TLV_CRC32C, (struct span){zero, sizeof zero}, sizeof zero);
    put16(out + LENGTH_AT, (uint16_t)(end - V2_FIXED));
    uint32_t crc = crc32c(out, end);
    put16(out + end - 4, (uint16_t)(crc >> 16));
    put16(out + end - 2, (uint16_t)crc);
    return end;
}

static size_t write_v2(bool ipv4, const struct in6_addr *source, const struct in6_addr *destination,
                       const uint16_t port[2], const struct proxy_header_client *c, uint8_t out[PROXY_HEADER_MAX])
{
    size_t size = ipv4 ? 4 : 16, len = V2_FIXED + 2 * size + 4;
    uint8_t *at = out + V2_FIXED;
    memcpy(out, v2_begin, sizeof v2_begin);
    out[VERSION_AT] = 0x21; /* version 2, PROXY */
    out[FAMILY_AT] = ipv4 ? 0x11 : 0x21;
    memcpy(at, source->s6_addr + 16 - size, size);
    memcpy(at + size, destination->s6_addr + 16 - size, size);
    put16(at + 2 * size, port[0]);
    put16(at + 2 * size + 2, port[1]);
    if (c->tls != NULL) {
        len = put_ssl(out, len, c);
    }
    len = put_tlv(out, len, TLV_AUTHORITY, text_of(c->server_name), AUTHORITY_MAX);
    len = put_tlv(out, len, TLV_ALPN, c->alpn, TEXT_MAX);
    len = put_tlv(out, len, TLV_UNIQUE_ID, text_of(c->id), TEXT_MAX);
    return put_crc(out, len);
}
_Static_assert(V2_FIXED + V2_IPV6 + (3 + 5 + 2 * (3 + TEXT_MAX)) + (3 + AUTHORITY_MAX) + 2 * (3 + TEXT_MAX) +
                       CRC_SIZE <=
                   PROXY_HEADER_MAX,
               "a header with the longest values fits");

static size_t write_own(enum proxy_header_version version, uint8_t out[PROXY_HEADER_MAX])
{
    static const char unknown[] = "PROXY UNKNOWN\r\n";
    if (version == PROXY_HEADER_V1) {
        memcpy(out, unknown, sizeof unknown - 1);
        return sizeof unknown - 1;
    }
    memset(out, 0, V2_FIXED);
    memcpy(out, v2_begin, sizeof v2_begin);
    out[VERSION_AT] = 0x20; /* version 2, LOCAL */
    return V2_FIXED;
}

size_t proxy_header_write(enum proxy_header_version version, const struct proxy_header_client *c,
                          uint8_t out[PROXY_HEADER_MAX])
{
    if (version == PROXY_HEADER_NONE) {
        return 0;
    }
    if (c->source.sa.sa_family == AF_UNSPEC) {
        return write_own(version, out);
    }
    struct in6_addr from = as_ipv6(&c->source), to = as_ipv6(&c->destination);
    bool ipv4 = IN6_IS_ADDR_V4MAPPED(&from) && IN6_IS_ADDR_V4MAPPED(&to);
    const uint16_t port[2] = {address_port(&c->source), address_port(&c->destination)};
    return version == PROXY_HEADER_V1 ? write_v1(ipv4, &from, &to, port, out)
                                      : write_v2(ipv4, &from, &to, port, c, out);
}
