/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/network.h"

#include <stdlib.h>
#include <string.h>

#include "support.h"

TestSuite(network, .fini = test_over);

static struct network parsed(const char *text)
{
    struct network n;
    cr_assert_eq(network_parse(text, strlen(text), &n), 0, "%s", text);
    return n;
}

Test(network, networks_are_read_and_written)
{
    static const struct {
        const char *text, *written; /* NULL: no network */
    } rows[] = {
        {"192.0.2.0/24", "192.0.2.0/24"}, {"192.0.2.77/24", "192.0.2.0/24"}, {"192.0.2.1", "192.0.2.1"},
        {"192.0.2.1/32", "192.0.2.1"}, {"0.0.0.0/0", "0.0.0.0/0"}, {"255.255.255.255/1", "128.0.0.0/1"},
        {"2001:db8::/32", "2001:db8::/32"}, {"2001:db8:ffff::1/33", "2001:db8:8000::/33"}, {"::1", "::1"}, {"::/0", "::/0"},
        {"::ffff:192.0.2.9/120", "192.0.2.0/24"}, {"::ffff:192.0.2.9", "192.0.2.9"}, {"::ffff:0:0/95", "::fffe:0:0/95"},
        {"2001:DB8::/128", "2001:db8::"},
        {"10.0.0.0/33", NULL}, {"::/129", NULL}, {"10.0.0.0/", NULL}, {"10/8", NULL}, {"10.0.0.0/08", NULL},
        {"10.0.0.0/+8", NULL}, {"10.0.0.0/8 ", NULL}, {" 10.0.0.0/8", NULL}, {"10.0.0.0 /8", NULL}, {"10.0.0.0/8/8", NULL},
        {"", NULL}, {"/", NULL}, {"/8", NULL}, {"a", NULL}, {"10.0.0.256", NULL}, {"10.0.0.0/1000", NULL}, {"010.0.0.0/8", NULL},
        {"fe80::1%lo", NULL}, {"[::1]", NULL}, {"10.0.0.0/-1", NULL}, {"2001:db8::/32x", NULL},
        {"1111:2222:3333:4444:5555:6666:7777:8888:9999/64", NULL}, {"11111111111111111111111111111111111111111111111111", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct network n;
        char text[NETWORK_TEXT_SIZE];
        int result = network_parse(rows[i].text, strlen(rows[i].text), &n);
        cr_expect_eq(result, rows[i].written != NULL ? 0 : -1, "%s", rows[i].text);
        cr_expect_eq(network_check(rows[i].text) == NULL, result == 0);
        if (result == 0 && rows[i].written != NULL) {
            cr_expect_str_eq(network_text(&n, text), rows[i].written);
        }
    }
}

Test(network, no_octet_behind_the_length_is_read)
{
    struct network n;
    char *text = malloc(10); /* the sanitizer sees what is read behind it */
    memcpy(text, "10.0.0.0/8", 10);
    cr_expect_eq(network_parse(text, 10, &n), 0);
    cr_expect_eq(n.prefix, 104);
    cr_expect_eq(network_parse(text, 9, &n), -1);
    cr_expect_eq(network_parse("10.0.\0.0", 8, &n), -1);
    free(text);
}

Test(network, an_address_lies_in_the_network_around_it)
{
    static const struct {
        const char *address, *around;
    } rows[] = {
        {"192.0.2.77", "192.0.2.0/24"}, {"::ffff:192.0.2.77", "192.0.2.0/24"}, {"2001:db8:1:2:3::4", "2001:db8:1::/48"},
        {"::1", "::/48"}, {"::192.0.2.77", "::/48"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        union address a, back;
        char text[NETWORK_TEXT_SIZE], one[ADDRESS_TEXT_SIZE], other[ADDRESS_TEXT_SIZE];
        cr_assert_eq(address_parse(rows[i].address, 0, &a), 0);
        struct network_address octets = network_address_of(&a);
        struct network n = network_around(&octets, 24, 48);
        cr_expect_str_eq(network_text(&n, text), rows[i].around);
        network_address_to(&octets, &back);
        cr_expect_str_eq(address_text(&back, one), address_text(&a, other));
    }
}

static struct network_set set_of(const char *list)
{
    struct network_set set = {0};
    for (const char *at = list; *at != '\0';) {
        size_t len = strcspn(at, " ");
        struct network n;
        cr_assert_eq(network_parse(at, len, &n), 0, "%s", at);
        cr_assert_eq(network_set_add(&set, &n), 0);
        at += len + (at[len] == ' ');
    }
    network_set_seal(&set);
    return set;
}

Test(network, sets_merge_and_cover)
{
    static const struct {
        const char *outer, *inner;
        size_t ranges;
        bool covers;
    } rows[] = {
        {"", "", 0, true}, {"", "10.0.0.1", 0, false}, {"10.0.0.0/8", "", 1, true}, {"10.0.0.0/8", "10.0.0.0/8", 1, true},
        {"10.0.0.0/8 10.1.0.0/16", "10.255.255.255", 1, true}, {"10.0.0.0/9 10.128.0.0/9", "10.0.0.0/8", 2, true},
        {"10.0.0.0/9 10.128.0.1", "10.0.0.0/8", 2, false}, {"10.128.0.0/9 10.0.0.0/9", "9.0.0.0/8", 2, false},
        {"10.0.0.0/9 10.128.0.0/10 10.192.0.0/10", "10.64.0.0/10 10.128.0.0/9", 3, true},
        {"::/0", "0.0.0.0/0 2001:db8::/32", 1, true}, {"0.0.0.0/0", "::/0", 1, false},
        {"8000::/1 ::/1", "::/0", 2, true}, {"ffff:ffff::/32", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct network_set outer = set_of(rows[i].outer), inner = set_of(rows[i].inner);
        cr_expect_eq(outer.count, rows[i].ranges, "%s: %zu ranges", rows[i].outer, outer.count);
        cr_expect_eq(network_set_covers(&outer, &inner), rows[i].covers, "%s covers %s", rows[i].outer, rows[i].inner);
        network_set_clear(&outer);
        network_set_clear(&inner);
    }
}

Test(network, a_set_of_a_hundred_thousand_says_what_a_walk_says)
{
    enum { NETWORKS = 100000, ADDRESSES = 2000 };
    struct network *all = calloc(NETWORKS, sizeof *all);
    struct network_set set = {0};
    srand(7);
    for (size_t i = 0; i < NETWORKS; i++) {
        union address a = {.in = {.sin_family = AF_INET, .sin_addr = {(in_addr_t)rand() << 1}}};
        struct network_address octets = network_address_of(&a);
        all[i] = network_around(&octets, 18 + (unsigned)rand() % 15, 64);
        cr_assert_eq(network_set_add(&set, &all[i]), 0);
    }
    network_set_seal(&set);
    unsigned in = 0;
    for (size_t i = 0; i < ADDRESSES; i++) {
        union address a = {.in = {.sin_family = AF_INET, .sin_addr = {(in_addr_t)rand() << 1}}};
        struct network_address octets = network_address_of(&a);
        bool walked = false;
        for (size_t j = 0; j < NETWORKS && !walked; j++) {
            struct network around = network_around(&octets, all[j].prefix - 96, 64);
            walked = memcmp(&around.first, &all[j].first, sizeof around.first) == 0;
        }
        in += walked;
        cr_assert_eq(network_set_has(&set, &octets), walked, "address %zu", i);
    }
    cr_expect(in > 100 && in < ADDRESSES - 100, "%u are in it", in);
    struct network everything = parsed("0.0.0.0/0");
    struct network_set whole = {0};
    cr_assert_eq(network_set_add(&whole, &everything), 0);
    network_set_seal(&whole);
    cr_expect(network_set_covers(&whole, &set) && !network_set_covers(&set, &whole));
    network_set_clear(&whole);
    network_set_clear(&set);
    free(all);
}

Test(network, the_ipv4_address_inside_is_found)
{
    static const struct {
        const char *address, *nat64, *inside; /* NULL: none */
    } rows[] = {
        {"2002:c000:207::1", NULL, "192.0.2.7"}, {"2002:c000:207:5:6:7:8:9", NULL, "192.0.2.7"},
        {"2003:c000:207::1", NULL, NULL}, {"2002:a00:1::1", NULL, NULL}, {"64:ff9b::127.0.0.1", NULL, NULL},
        {"64:ff9b:1::10.0.0.1", "64:ff9b:1::/96", "10.0.0.1"}, {"::192.0.2.7", NULL, "192.0.2.7"}, {"::1", NULL, NULL}, {"::", NULL, NULL},
        {"::0.1.2.3", NULL, NULL}, {"::ffff:192.0.2.7", NULL, "192.0.2.7"}, {"64:ff9b::192.0.2.7", NULL, "192.0.2.7"},
        {"64:ff9b:0:0:1::192.0.2.7", NULL, NULL}, {"64:ff9b:1::192.0.2.7", NULL, NULL}, {"2001:db8::7", NULL, NULL},
        /* RFC 6052 2.4 */
        {"2001:db8:c000:221::", "2001:db8::/32", "192.0.2.33"}, {"2001:db8:1c0:2:21::", "2001:db8:100::/40", "192.0.2.33"},
        {"2001:db8:122:c000:2:2100::", "2001:db8:122::/48", "192.0.2.33"},
        {"2001:db8:122:3c0:0:221::", "2001:db8:122:300::/56", "192.0.2.33"},
        {"2001:db8:122:344:c0:2:2100::", "2001:db8:122:344::/64", "192.0.2.33"},
        {"2001:db8:122:344::192.0.2.33", "2001:db8:122:344::/96", "192.0.2.33"},
        {"2001:db8:122:345::192.0.2.33", "2001:db8:122:344::/96", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[NETWORK_TEXT_SIZE], expected[NETWORK_TEXT_SIZE];
        struct network whole = parsed(rows[i].address), found = whole;
        if (rows[i].nat64 != NULL) {
            struct network prefix = parsed(rows[i].nat64);
            bool in = network_address_in_nat64(&whole.first, &prefix, &found.first);
            cr_expect_eq(in, rows[i].inside != NULL, "%s", rows[i].address);
        } else {
            found.first = network_address_unwrap(&whole.first);
        }
        struct network wanted = rows[i].inside != NULL ? parsed(rows[i].inside) : whole;
        cr_expect_str_eq(network_text(&found, text), network_text(&wanted, expected), "%s", rows[i].address);
    }
}
