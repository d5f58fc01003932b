/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets as listeners and backends need them: non-blocking, closed on exec, with keepalive and without delay. */
#ifndef IMAPGUARD_NET_SOCKET_H
#define IMAPGUARD_NET_SOCKET_H

#include "base/address.h"
#include "net/endpoint.h"

/*
 * A TCP socket that listens on the address, one of several that share it (SO_REUSEPORT). What clients need
 * is set here, since accepted sockets inherit it. The descriptor, or -1 with errno set.
 */
int socket_listen(const union address *address);

/*
 * Whether the address is free: sockets that share would also be bound beside those of another server of the
 * same account. 0, or -1 with errno set.
 */
int socket_probe(const union address *address);

/* A socket on its way to the address: connected or, with `pending` set, still connecting. -1 with errno set. */
int socket_connect(const struct endpoint_address *address, bool *pending);

#endif
