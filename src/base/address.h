/* SPDX-License-Identifier: BSD-2-Clause */
/* Parses addresses of clients and backends, and writes them as text. It resolves no names and opens no sockets. */
#ifndef IMAPGUARD_BASE_ADDRESS_H
#define IMAPGUARD_BASE_ADDRESS_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* An IPv4 or IPv6 address with its port. All zero (AF_UNSPEC) means unknown. */
union address {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

enum { ADDRESS_TEXT_SIZE = INET6_ADDRSTRLEN };

/* Returns the length of `a` in octets, as bind() and connect() expect it. The address must be known. */
socklen_t address_len(const union address *a);

/* Returns the port in host byte order, or 0 if the address is unknown. */
uint16_t address_port(const union address *a);

/*
 * Writes the numeric address to `text`, without its port and terminated; "-" if the address is unknown. An IPv4-mapped
 * IPv6 address is written as its IPv4 address. Returns `text`.
 */
const char *address_text(const union address *a, char text[ADDRESS_TEXT_SIZE]);

/*
 * Parses the address of a listener: "A.B.C.D:PORT", "[V6]:PORT" or "*:PORT". "*" means two addresses: all of IPv4 and
 * all of IPv6. A port is 1..65535. Returns the number of addresses written to `out` (1 or 2), or -1 if the text has
 * another form; `out` is undefined then.
 */
int address_parse_listen(const char *text, union address out[2]);

/*
 * Splits "HOST:PORT" or "[V6]:PORT". Copies the host, terminated and without brackets, to `host` of `size` octets, and
 * writes the port in host byte order. The host is not checked: it may be a name or a numeric address. Returns 0, or -1
 * if the text has another form, the host does not fit, or the port is not 1..65535; *port is undefined then.
 */
int address_split(const char *text, char *host, size_t size, uint16_t *port);

/*
 * Parses a numeric IPv4 or IPv6 address without brackets. `port` is in host byte order and becomes the port of `out`.
 * Returns 0, or -1 with `out` all zero if `host` is no numeric address.
 */
int address_parse(const char *host, uint16_t port, union address *out);

#endif
