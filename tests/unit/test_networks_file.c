/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/networks_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

TestSuite(networks_file, .fini = test_over);

Test(networks_file, one_network_a_line_and_each_bad_line_is_told)
{
    static const struct {
        const char *text;
        size_t len;
        size_t count;      /* networks */
        const char *wrong; /* "LINE FOUND, " of each bad line */
    } rows[] = {
        {BYTES(""), 0, ""}, {BYTES("\n\n"), 0, ""}, {BYTES("# nothing"), 0, ""}, {BYTES("10.0.0.0/8"), 1, ""}, {BYTES("10.0.0.0/8\n"), 1, ""},
        {BYTES("10.0.0.0/8\r\n::1\r\n"), 2, ""}, {BYTES(" \t10.0.0.0/8 \t# ten\n#\n2001:db8::/32#x\n"), 2, ""},
        {BYTES("10.0.0.0/8\n10.0.0.0/33\n"), 1, "2 10.0.0.0/33, "}, {BYTES("x"), 0, "1 x, "},
        {BYTES("\n\n10.0.0.1 10.0.0.2\n"), 0, "3 10.0.0.1 10.0.0.2, "},
        {BYTES("10.0.0.0/8\0\n"), 0, "1 10.0.0.0/8?, "}, {BYTES("10.0.0.0/8\n\0"), 1, "2 ?, "},
        {BYTES("10.0.0.0/8;\n"), 0, "1 10.0.0.0/8;, "}, {BYTES("10.0.0.0/8,::1\n"), 0, "1 10.0.0.0/8,::1, "},
        {BYTES("bad # b\n10.0.0.0/8\n\nworse\n::1\n\xc3\xa4\n"), 2, "1 bad, 4 worse, 6 ??, "},
        {BYTES("1111111111111111111111111111111111111111111111111111111111111111111111111111\n"), 0,
         "1 111111111111111111111111111111111111111111111111111111111111111, "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct network_set set = {0};
        struct networks_file_bad bad;
        char wrong[256] = "";
        struct span text = {(const uint8_t *)rows[i].text, rows[i].len};
        cr_expect_eq(networks_file_parse(text, &set, &bad), 0);
        for (size_t j = 0; j < bad.count; j++) {
            sprintf(wrong + strlen(wrong), "%zu %s, ", bad.lines[j].line, bad.lines[j].text);
        }
        cr_expect_str_eq(wrong, rows[i].wrong, "%s: %s", show(text), wrong);
        cr_expect_eq(set.count, rows[i].count, "%s", show(text));
        network_set_clear(&set);
    }
}

Test(networks_file, bad_lines_are_counted_beyond_those_that_are_kept)
{
    struct network_set set = {0};
    struct networks_file_bad bad;
    char text[2 * (NETWORKS_FILE_BAD_MAX + 3)];
    for (size_t i = 0; i < sizeof text; i += 2) {
        memcpy(text + i, "x\n", 2);
    }
    cr_expect_eq(networks_file_parse((struct span){(const uint8_t *)text, sizeof text}, &set, &bad), 0);
    cr_expect_eq(bad.count, NETWORKS_FILE_BAD_MAX + 3);
    cr_expect_eq(bad.lines[NETWORKS_FILE_BAD_MAX - 1].line, NETWORKS_FILE_BAD_MAX);
}

Test(networks_file, what_is_no_file_is_told)
{
    static const char *const rows[][2] = {{"/nowhere/none", "No such file or directory"},
                                          {"/", "it is a folder, not a file"},
                                          {"/dev/zero", "it is a device, not a file"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct network_set set = {0};
        struct networks_file_bad bad;
        char cause[FILE_CAUSE_SIZE];
        cr_expect_eq(networks_file_read(rows[i][0], &set, &bad, cause), -1);
        cr_expect_str_eq(cause, rows[i][1], "%s: %s", rows[i][0], cause);
        cr_expect_eq(bad.count, 0);
    }
}

Test(networks_file, a_hundred_thousand_lines_are_read_and_found)
{
    enum { LINES = 100000, LINE = 24 };
    char *text = malloc(LINES * LINE), *at = text;
    struct network_set set = {0};
    struct networks_file_bad bad;
    char cause[FILE_CAUSE_SIZE];
    for (unsigned i = 0; i < LINES; i++) {
        at += sprintf(at, "%u.%u.%u.%u/31\n", 20 + i / 65536, i / 256 % 256, i % 256, (i * 4) % 256);
    }
    const char *path = temp_file("many", text, (size_t)(at - text));
    cr_assert_eq(networks_file_read(path, &set, &bad, cause), 0);
    cr_assert_eq(bad.count, 0);
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
