/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets of listeners and backends. All are non-blocking and close-on-exec. TCP sockets have SO_KEEPALIVE and
 * TCP_NODELAY; accepted sockets inherit both from their listener. The caller owns each descriptor returned.
 */
#ifndef IMAPGUARD_NET_SOCKET_H
#define IMAPGUARD_NET_SOCKET_H

#include "base/address.h"
#include "net/endpoint.h"

/*
 * Creates a TCP socket that listens on the address. Fails with EADDRINUSE if another socket listens there, even one
 * with SO_REUSEPORT, so that a second imapguard on the same address fails. Sets SO_REUSEPORT afterwards, for
 * socket_listen_shared(). Returns the descriptor, or -1 with errno set.
 */
int socket_listen(const union address *address);

/* Returns true if the socket listens. A process that shares it may have shut it down for all. */
bool socket_is_listening(int fd);

/*
 * Creates another socket on the address of a socket_listen(), by the same account. The kernel distributes connections
 * over all sockets of the address (SO_REUSEPORT). Returns the descriptor, or -1 with errno set.
 */
int socket_listen_shared(const union address *address);

/*
 * Creates a socket and begins to connect it to the address. Sets *pending to true if the connection is still in
 * progress, otherwise to false. Returns the descriptor, or -1 with errno set.
 */
int socket_connect(const struct endpoint_address *address, bool *pending);

#endif
