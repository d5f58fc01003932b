/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/shared_address.h"

#include <stdio.h>

#include "support.h"

TestSuite(shared_address, .fini = test_over);

Test(shared_address, one_private_address_of_most_clients_is_noticed)
{
    static const struct {
        const char *address;
        unsigned share; /* of a hundred clients; the others are all different */
        bool noticed;
    } rows[] = {
        {"172.17.0.1", 100, true}, {"10.0.0.1", 60, true}, {"192.168.1.1", 60, true}, {"100.64.0.1", 60, true}, {"fd00::1", 60, true},
        {"::ffff:10.0.0.1", 60, true}, {"172.17.0.1", 40, false}, {"172.32.0.1", 100, false}, {"192.0.2.1", 100, false},
        {"127.0.0.1", 100, true}, {"::1", 60, true}, {"2001:db8::1", 100, false}, {"fe80::1", 100, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shared_address g = {0};
        bool noticed = false;
        for (unsigned n = 0; n < 1000; n++) {
            union address a;
            char text[32];
            snprintf(text, sizeof text, "203.%u.%u.1", n / 250, n % 250);
            cr_assert_eq(address_parse(n * 37 % 100 < rows[i].share ? rows[i].address : text, 0, &a), 0);
            struct network_address octets = network_address_of(&a);
            noticed = shared_address_count(&g, &octets) || noticed;
        }
        cr_expect_eq(noticed, rows[i].noticed, "%s with %u of 100", rows[i].address, rows[i].share);
    }
}
