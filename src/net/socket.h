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
 * Creates a TCP socket that listens on the address. An IPv6 socket has IPV6_V6ONLY: it accepts no IPv4. Fails with
 * EADDRINUSE if another socket listens there, even one with SO_REUSEPORT, so that a second imapguard on the same
 * address fails. Sets SO_REUSEPORT afterwards, for socket_listen_shared(). Returns the descriptor, or -1 with errno
 * set.
 */
int socket_listen(const union address *address);

/* Returns true if the socket listens. shutdown(2) in one process ends that for all processes that share the socket. */
bool socket_is_listening(int fd);

/*
 * Creates another socket, with the same options, that listens on the address of an open socket of socket_listen(). The
 * effective uid must be the one that called socket_listen(), or the kernel refuses it. The kernel distributes
 * connections over all sockets of the address (SO_REUSEPORT). Returns the descriptor, or -1 with errno set.
 */
int socket_listen_shared(const union address *address);

/*
 * Creates a socket and begins to connect it to the address. Sets *pending to true if the connection is still in
 * progress: the socket becomes writable when it is made or has failed. Sets *pending to false if it is made. Returns
 * the descriptor, or -1 with errno set; *pending is undefined then. A UNIX socket whose queue is full fails with
 * EAGAIN.
 */
int socket_connect(const struct endpoint_address *address, bool *pending);

#endif
