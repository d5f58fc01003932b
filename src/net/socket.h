/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets as listeners and backends need them: non-blocking, closed on exec, with keepalive and without delay. */
#ifndef IMAPGUARD_NET_SOCKET_H
#define IMAPGUARD_NET_SOCKET_H

#include "base/address.h"
#include "net/endpoint.h"

/*
 * A TCP socket that listens on the address. Fails with EADDRINUSE if any other socket listens there, even one with
 * SO_REUSEPORT: of two servers that start at the same moment, one fails. Sets SO_REUSEPORT afterwards, for
 * socket_listen_beside(). What clients need is set here, since accepted sockets inherit it. The descriptor, or -1 with
 * errno set.
 */
int socket_listen(const union address *address);

/* Whether a socket still listens: a process that has it could have shut it down for all. */
bool socket_is_listening(int fd);

/* A further socket that shares the address (SO_REUSEPORT): the kernel spreads connections over them all. */
int socket_listen_beside(const union address *address);

/* A socket on its way to the address: connected or, with `pending` set, still connecting. -1 with errno set. */
int socket_connect(const struct endpoint_address *address, bool *pending);

#endif
