/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/networks_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

TestSuite(networks_file, .fini = test_over);

Test(networks_file, one_network_a_line_and_the_first_bad_line_is_told)
{
    static const struct {
        const char *text;
        size_t len;
        long line;    /* 0: good */
        size_t count; /* networks */
    } rows[] = {
        {BYTES(""), 0, 0}, {BYTES("\n\n"), 0, 0}, {BYTES("# nothing"), 0, 0}, {BYTES("10.0.0.0/8"), 0, 1}, {BYTES("10.0.0.0/8\n"), 0, 1},
        {BYTES("10.0.0.0/8\r\n::1\r\n"), 0, 2}, {BYTES(" \t10.0.0.0/8 \t# ten\n#\n2001:db8::/32#x\n"), 0, 2},
        {BYTES("10.0.0.0/8\n10.0.0.0/33\n"), 2, 1}, {BYTES("x"), 1, 0}, {BYTES("\n\n10.0.0.1 10.0.0.2\n"), 3, 0},
        {BYTES("10.0.0.0/8\0\n"), 1, 0}, {BYTES("10.0.0.0/8\n\0"), 2, 1}, {BYTES("10.0.0.0/8;\n"), 1, 0}, {BYTES("10.0.0.0/8,::1\n"), 1, 0},
        {BYTES("1111111111111111111111111111111111111111111111111111111111111111111111111111\n"), 1, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct network_set set = {0};
        const char *cause = NULL;
        struct span text = {(const uint8_t *)rows[i].text, rows[i].len};
        cr_expect_eq(networks_file_parse(text, &set, &cause), rows[i].line, "%s", show(text));
        cr_expect_eq(set.count, rows[i].count, "%s", show(text));
        cr_expect_eq(cause != NULL, rows[i].line != 0);
        network_set_clear(&set);
    }
}

Test(networks_file, what_is_no_file_is_told)
{
    struct network_set set = {0};
    const char *cause = NULL;
    cr_expect_eq(networks_file_read(temp_path("none"), &set, &cause), -1);
    cr_expect_str_eq(cause, "No such file or directory");
    cr_expect_eq(networks_file_read("/", &set, &cause), -1);
    cr_expect_str_eq(cause, "not a regular file");
    cr_expect_eq(networks_file_read("/dev/zero", &set, &cause), -1);
}

Test(networks_file, a_hundred_thousand_lines_are_read_and_found)
{
    enum { LINES = 100000, LINE = 24 };
    char *text = malloc(LINES * LINE), *at = text;
    struct network_set set = {0};
    const char *cause;
    for (unsigned i = 0; i < LINES; i++) {
        at += sprintf(at, "%u.%u.%u.%u/31\n", 20 + i / 65536, i / 256 % 256, i % 256, (i * 4) % 256);
    }
    const char *path = temp_file("many", text, (size_t)(at - text));
    cr_assert_eq(networks_file_read(path, &set, &cause), 0);
    network_set_seal(&set);
    for (unsigned i = 0; i < LINES; i++) {
        union address a;
        char host[32];
        for (unsigned last = 0; last < 4; last++) {
            snprintf(host, sizeof host, "%u.%u.%u.%u", 20 + i / 65536, i / 256 % 256, i % 256, (i * 4 + last) % 256);
            cr_assert_eq(address_parse(host, 0, &a), 0);
            struct network_address octets = network_address_of(&a);
            cr_assert_eq(network_set_has(&set, &octets), last < 2, "%s", host);
        }
    }
    network_set_clear(&set);
    free(text);
}
