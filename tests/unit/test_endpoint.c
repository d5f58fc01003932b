/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/endpoint.h"

#include "support.h"

TestSuite(endpoint, .fini = test_over);

Test(endpoint, is_a_host_or_an_address_with_a_port_or_a_socket)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"127.0.0.1:143", true}, {"[::1]:143", true}, {"mail.example.org:143", true}, {"unix:/run/imap", true},
        {"127.0.0.1", false}, {"mail.example.org", false}, {"mail.example.org:imap", false}, {"mail.example.org:0", false},
        {"::1:143", false}, {"", false}, {"unix:", false}, {"unix:run/imap", false}, {"/run/imap", false}, {":143", false},
        {"unix:/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345", true},
        {"unix:/01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(endpoint_check(rows[i].text) == NULL, rows[i].good, "%s", rows[i].text);
    }
}

Test(endpoint, numeric_addresses_and_sockets_resolve_to_themselves)
{
    struct endpoint e;
    cr_assert_null(endpoint_resolve("127.0.0.1:143", &e, NULL));
    cr_expect(e.count == 1 && e.addresses[0].ip.in.sin_family == AF_INET && e.addresses[0].ip.in.sin_port == htons(143));
    cr_expect(e.addresses[0].ip.in.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && e.addresses[0].len == sizeof(struct sockaddr_in));
    cr_assert_null(endpoint_resolve("[::1]:993", &e, NULL));
    cr_expect(e.count == 1 && e.addresses[0].ip.in6.sin6_family == AF_INET6 && e.addresses[0].ip.in6.sin6_port == htons(993));
    cr_assert_null(endpoint_resolve("unix:/run/imap", &e, NULL));
    cr_expect(e.count == 1 && e.addresses[0].un.sun_family == AF_UNIX);
    cr_expect_str_eq(e.addresses[0].un.sun_path, "/run/imap");
}

Test(endpoint, localhost_has_an_address_and_an_invalid_name_says_why_not)
{
    struct endpoint e;
    cr_assert_null(endpoint_resolve("localhost:143", &e, NULL));
    cr_expect_geq(e.count, 1);
    cr_expect_not_null(endpoint_resolve("name with blanks:143", &e, NULL));
}

Test(endpoint, only_names_are_looked_up_again)
{
    cr_expect(endpoint_is_name("localhost:143") && endpoint_is_name("mail.example.org:993"));
    cr_expect(!endpoint_is_name("127.0.0.1:143") && !endpoint_is_name("[::1]:143") && !endpoint_is_name("unix:/run/imap"));
}

Test(endpoint, what_another_process_gives_is_checked)
{
    struct endpoint good, e;
    cr_assert_null(endpoint_resolve("127.0.0.1:1143", &good, NULL));
    cr_expect(endpoint_is_valid(&good));
    e = good;
    e.count = ENDPOINT_ADDRESSES_MAX + 1;
    cr_expect_not(endpoint_is_valid(&e), "more than there is room for");
    e = good;
    e.addresses[0].len = 4096;
    cr_expect_not(endpoint_is_valid(&e), "longer than it is");
    e = good;
    e.addresses[0].sa.sa_family = AF_NETLINK;
    cr_expect_not(endpoint_is_valid(&e), "of a family that no backend has");
    cr_assert_null(endpoint_resolve("unix:/run/imap", &e, NULL));
    cr_expect(endpoint_is_valid(&e));
    memset(e.addresses[0].un.sun_path, 'x', sizeof e.addresses[0].un.sun_path);
    cr_expect_not(endpoint_is_valid(&e), "a path without an end");
    e = (struct endpoint){0};
    cr_expect(endpoint_is_valid(&e), "none is known yet");
}
