/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#include "support.h"

TestSuite(socket, .fini = test_over);

static union address loopback(void)
{
    union address a;
    cr_assert_eq(address_parse("127.0.0.1", 0, &a), 0);
    return a;
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    cr_assert_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

/* What both ends of a session need. */
static void expect_well_set(int fd, const char *which)
{
    cr_expect(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1, "%s: keepalive", which);
    cr_expect_eq(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 120, "%s", which);
    cr_expect_eq(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 30, "%s", which);
    cr_expect_eq(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 4, "%s", which);
    cr_expect_neq(option(fd, IPPROTO_TCP, TCP_NODELAY), 0, "%s: no delay", which);
}

static struct endpoint_address endpoint_of(int listener)
{
    struct endpoint_address to = {.len = sizeof to.ip.in};
    cr_assert_eq(getsockname(listener, &to.sa, &to.len), 0);
    return to;
}

Test(socket, accepted_and_connected_ones_have_keepalive_and_no_delay)
{
    union address a = loopback();
    bool pending;
    int listener = socket_listen(&a);
    cr_assert_neq(listener, -1);
    struct endpoint_address to = endpoint_of(listener);
    int client = socket_connect(&to, &pending);
    cr_assert_neq(client, -1);
    usleep(10000);
    int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    cr_assert_neq(accepted, -1);
    expect_well_set(accepted, "accepted");
    expect_well_set(client, "connected");
    cr_expect(fcntl(listener, F_GETFL) & O_NONBLOCK);
    cr_expect(fcntl(client, F_GETFL) & O_NONBLOCK);
    cr_expect(fcntl(listener, F_GETFD) & FD_CLOEXEC);
    cr_expect(fcntl(client, F_GETFD) & FD_CLOEXEC);
    close(listener);
    close(client);
    close(accepted);
}

Test(socket, one_listens_alone_and_others_beside_it_but_no_second_alone)
{
    union address a = loopback();
    int first = socket_listen(&a);
    cr_assert_neq(first, -1);
    a.in.sin_port = endpoint_of(first).ip.in.sin_port;
    cr_expect_eq(socket_listen(&a), -1);
    cr_expect_eq(errno, EADDRINUSE);
    int beside = socket_listen_shared(&a);
    cr_expect_neq(beside, -1);
    close(first);
    cr_expect_eq(socket_listen(&a), -1, "one that shares is there");
    close(beside);
    int again = socket_listen(&a);
    cr_expect_neq(again, -1);
    close(again);
}

/* Connections reach both: the one that listened before it shared is in the group as well. */
Test(socket, connections_are_spread_over_all_that_share)
{
    enum { CONNECTIONS = 64 };
    union address a = loopback();
    int fds[2] = {socket_listen(&a), -1}, clients[CONNECTIONS];
    struct endpoint_address to = endpoint_of(fds[0]);
    unsigned accepted[2] = {0, 0};
    bool pending;
    a.in.sin_port = to.ip.in.sin_port;
    fds[1] = socket_listen_shared(&a);
    cr_assert_neq(fds[1], -1);
    for (int i = 0; i < CONNECTIONS; i++) {
        clients[i] = socket_connect(&to, &pending);
        cr_assert_neq(clients[i], -1);
    }
    usleep(20000);
    for (int i = 0; i < 2; i++) {
        for (int fd; (fd = accept4(fds[i], NULL, NULL, SOCK_NONBLOCK)) != -1; close(fd)) {
            accepted[i]++;
        }
        close(fds[i]);
    }
    cr_expect(accepted[0] > 0 && accepted[1] > 0 && accepted[0] + accepted[1] == CONNECTIONS, "%u and %u", accepted[0], accepted[1]);
    for (int i = 0; i < CONNECTIONS; i++) {
        close(clients[i]);
    }
}

Test(socket, listening_on_ipv6_leaves_ipv4_alone)
{
    union address six, four = loopback();
    cr_assert_eq(address_parse("::", 0, &six), 0);
    int fd6 = socket_listen(&six);
    if (fd6 == -1) {
        cr_log_info("no IPv6 here\n");
        return;
    }
    cr_assert_eq(address_parse("0.0.0.0", ntohs(endpoint_of(fd6).ip.in.sin_port), &four), 0);
    int fd4 = socket_listen(&four);
    cr_expect_neq(fd4, -1);
    close(fd6);
    close(fd4);
}

Test(socket, a_unix_socket_connects_at_once_or_says_why_not)
{
    struct endpoint e;
    bool pending;
    char text[600];
    snprintf(text, sizeof text, "unix:%s", temp_path("s"));
    cr_assert_null(endpoint_resolve(text, &e, NULL));
    cr_expect_eq(socket_connect(&e.addresses[0], &pending), -1);
    cr_expect_eq(errno, ENOENT);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert(bind(listener, &e.addresses[0].sa, e.addresses[0].len) == 0 && listen(listener, 5) == 0);
    int fd = socket_connect(&e.addresses[0], &pending);
    cr_expect(fd != -1 && !pending);
    close(fd);
    close(listener);
    cr_expect_eq(socket_connect(&e.addresses[0], &pending), -1);
    cr_expect_eq(errno, ECONNREFUSED);
}
