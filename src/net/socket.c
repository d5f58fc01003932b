/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/socket.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

/*
 * Home routers forget an idle connection within minutes. Probes keep it alive, and detect a dead client within two
 * minutes more. In seconds.
 */
enum { KEEPALIVE_IDLE = 120, KEEPALIVE_INTERVAL = 30, KEEPALIVE_COUNT = 4, BACKLOG = 1024 };

static int set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

static int set_tcp(int fd)
{
    return set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) == 0 && set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE) == 0 &&
                   set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL) == 0 &&
                   set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT) == 0 && set(fd, IPPROTO_TCP, TCP_NODELAY, 1) == 0
               ? 0
               : -1;
}

static int close_failed(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Returns a socket bound to the address, with SO_REUSEPORT if `share` is true; -1 with errno set. */
static int open_bound(const union address *address, bool share)
{
    int fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return -1;
    }
    if ((address->sa.sa_family == AF_INET6 && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) != 0) ||
        set(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0 || (share && set(fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0) ||
        bind(fd, &address->sa, address_len(address)) != 0) {
        return close_failed(fd);
    }
    return fd;
}

static int open_listening(const union address *address, bool share)
{
    int fd = open_bound(address, share);
    if (fd != -1 && (set_tcp(fd) != 0 || listen(fd, BACKLOG) != 0)) {
        return close_failed(fd);
    }
    return fd;
}

/* SO_REUSEPORT is set after listen(). Until then the kernel refuses any other listener, so two servers cannot race. */
int socket_listen(const union address *address)
{
    int fd = open_listening(address, false);
    if (fd != -1 && set(fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0) {
        return close_failed(fd);
    }
    return fd;
}

bool socket_is_listening(int fd)
{
    int value = 0;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) == 0 && value != 0;
}

int socket_listen_shared(const union address *address)
{
    return open_listening(address, true);
}

int socket_connect(const struct endpoint_address *address, bool *pending)
{
    int fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return -1;
    }
    *pending = false;
    if (address->sa.sa_family != AF_UNIX && set_tcp(fd) != 0) {
        return close_failed(fd);
    }
    if (connect(fd, &address->sa, address->len) != 0) {
        if (errno != EINPROGRESS) {
            return close_failed(fd);
        }
        *pending = true;
    }
    return fd;
}
