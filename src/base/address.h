/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses of clients and backends: reading them from text, writing them as text. No look-ups, no sockets. */
#ifndef IMAPGUARD_BASE_ADDRESS_H
#define IMAPGUARD_BASE_ADDRESS_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* An IPv4 or IPv6 address with its port. All zero (AF_UNSPEC) is "not known". */
union address {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

enum { ADDRESS_TEXT_SIZE = INET6_ADDRSTRLEN };

/* The length that bind() and connect() want for it, in octets. */
socklen_t address_len(const union address *a);

/* The port in host order; 0 when the address is not known. */
uint16_t address_port(const union address *a);

/*
 * Writes the numeric address without its port, "-" when it is not known. An IPv4-mapped IPv6 address is
 * written as the IPv4 address that it stands for. Returns `text`.
 */
const char *address_text(const union address *a, char text[ADDRESS_TEXT_SIZE]);

/*
 * Where to listen: "A.B.C.D:PORT", "[V6]:PORT" or "*:PORT" (IPv4 and IPv6: two addresses).
 * Returns how many were written to `out` (1 or 2), or -1 when the text is none of these.
 */
int address_parse_listen(const char *text, union address out[2]);

/*
 * Cuts "HOST:PORT" or "[V6]:PORT" into its host, copied to `host` (of `size` octets, terminated), and its
 * port. 0, or -1 when the text is neither, the host does not fit, or the port is not 1..65535.
 */
int address_split(const char *text, char *host, size_t size, uint16_t *port);

/* Reads a numeric IPv4 or IPv6 address and gives it a port. 0 or -1. */
int address_parse(const char *host, uint16_t port, union address *out);

#endif
