/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/address.h"

#include "support.h"

TestSuite(address, .fini = test_over);

Test(address, listen_takes_numeric_addresses_and_the_star_only)
{
    static const struct {
        const char *text;
        int count;
        const char *first, *second;
        uint16_t port;
    } rows[] = {
        {"127.0.0.1:143", 1, "127.0.0.1", NULL, 143},
        {"0.0.0.0:1", 1, "0.0.0.0", NULL, 1},
        {"[::1]:993", 1, "::1", NULL, 993},
        {"[2001:db8::25]:65535", 1, "2001:db8::25", NULL, 65535},
        {"*:143", 2, "0.0.0.0", "::", 143},
        {"localhost:143", -1, NULL, NULL, 0},
        {"::1:143", -1, NULL, NULL, 0},
        {"[::1]", -1, NULL, NULL, 0},
        {"[::1]143", -1, NULL, NULL, 0},
        {"[::1:143", -1, NULL, NULL, 0},
        {"[]:143", -1, NULL, NULL, 0},
        {"[:143", -1, NULL, NULL, 0},
        {"127.0.0.1", -1, NULL, NULL, 0},
        {"127.0.0.1:", -1, NULL, NULL, 0},
        {"127.0.0.1:0", -1, NULL, NULL, 0},
        {"127.0.0.1:65536", -1, NULL, NULL, 0},
        {"127.0.0.1:4294967439", -1, NULL, NULL, 0},
        {"127.0.0.1:+143", -1, NULL, NULL, 0},
        {"127.0.0.1: 143", -1, NULL, NULL, 0},
        {"127.0.0.1:143 ", -1, NULL, NULL, 0},
        {"127.0.0.1:imap", -1, NULL, NULL, 0},
        {"127.0.0:143", -1, NULL, NULL, 0},
        {"127.0.0.256:143", -1, NULL, NULL, 0},
        {":143", -1, NULL, NULL, 0},
        {"143", -1, NULL, NULL, 0},
        {"", -1, NULL, NULL, 0},
        {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:143", -1, NULL, NULL, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        union address out[2];
        char text[ADDRESS_TEXT_SIZE];
        int count = address_parse_listen(rows[i].text, out);
        cr_assert_eq(count, rows[i].count, "%s", rows[i].text);
        if (count > 0) {
            cr_expect_str_eq(address_text(&out[0], text), rows[i].first, "%s", rows[i].text);
            cr_expect_eq(address_port(&out[0]), rows[i].port, "%s", rows[i].text);
        }
        if (count > 1) {
            cr_expect_str_eq(address_text(&out[1], text), rows[i].second, "%s", rows[i].text);
            cr_expect_eq(address_port(&out[1]), rows[i].port, "%s", rows[i].text);
        }
    }
}

Test(address, split_takes_names_and_bracketed_addresses)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } rows[] = {
        {"mail.example.org:143", "mail.example.org", 143}, {"[::1]:143", "::1", 143}, {"h:1", "h", 1},
        {"1234567:1", "1234567", 1}, {"12345678:1", NULL, 0}, {"a:b:1", NULL, 0}, {"host", NULL, 0}, {"host:", NULL, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char host[32];
        uint16_t port = 0;
        int want = rows[i].host != NULL ? 0 : -1;
        cr_assert_eq(address_split(rows[i].text, host, i < 3 ? sizeof host : 8, &port), want, "%s", rows[i].text);
        if (want == 0) {
            cr_expect_str_eq(host, rows[i].host);
            cr_expect_eq(port, rows[i].port);
        }
    }
}

Test(address, text_of_a_mapped_address_is_that_of_ipv4)
{
    static const struct {
        const char *host, *want;
    } rows[] = {
        {"::ffff:192.0.2.1", "192.0.2.1"}, {"192.0.2.1", "192.0.2.1"}, {"::1", "::1"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"2001:DB8::0", "2001:db8::"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        union address a;
        char text[ADDRESS_TEXT_SIZE];
        cr_assert_eq(address_parse(rows[i].host, 1, &a), 0, "%s", rows[i].host);
        cr_expect_str_eq(address_text(&a, text), rows[i].want);
    }
}

Test(address, unknown_is_a_dash_without_a_port)
{
    union address none = {0};
    char text[ADDRESS_TEXT_SIZE];
    cr_expect_str_eq(address_text(&none, text), "-");
    cr_expect_eq(address_port(&none), 0);
    none.sa.sa_family = AF_UNIX;
    cr_expect_str_eq(address_text(&none, text), "-");
    cr_expect_eq(address_port(&none), 0);
}

Test(address, has_the_length_of_its_family)
{
    union address a;
    cr_assert_eq(address_parse("192.0.2.1", 1, &a), 0);
    cr_expect_eq(address_len(&a), sizeof(struct sockaddr_in));
    cr_assert_eq(address_parse("2001:db8::1", 1, &a), 0);
    cr_expect_eq(address_len(&a), sizeof(struct sockaddr_in6));
    cr_expect_eq(address_parse("fe80::1%lo", 1, &a), -1);
    cr_expect_eq(address_parse("example.org", 1, &a), -1);
}
