/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/fingerprint.h"

#include <string.h>

#include "support.h"

TestSuite(fingerprint, .fini = test_over);

#define HALF "00112233445566778899aabbccddeeff"

Test(fingerprint, is_read_in_the_ways_in_which_tools_print_it)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"sha256:" HALF HALF, true},
        {"SHA256:" HALF HALF, true},
        {"sha256:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:" HALF, true},
        {"sha256:00112233445566778899AABBCCDDEEFF" HALF, true},
        {HALF HALF, false},
        {"sha1:" HALF HALF, false},
        {"sha256:", false},
        {"sha256:" HALF, false},
        {"sha256:" HALF HALF "0", false},
        {"sha256:" HALF HALF ":", false},
        {"sha256::" HALF HALF, false},
        {"sha256:0:0" HALF HALF, false},
        {"sha256:" HALF "0g112233445566778899aabbccddeeff", false},
        {"sha256: " HALF HALF, false},
        {"", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fingerprint f;
        char text[FINGERPRINT_TEXT_SIZE];
        cr_expect_eq(fingerprint_parse(rows[i].text, &f) == 0, rows[i].good, "%s", rows[i].text);
        cr_expect_eq(fingerprint_check(rows[i].text) == NULL, rows[i].good, "%s", rows[i].text);
        if (rows[i].good) {
            cr_expect_str_eq(fingerprint_text(&f, text), "sha256:" HALF HALF);
        }
    }
}
