/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/quote.h"

#include "support.h"

TestSuite(quote, .fini = test_over);

Test(quote, carries_what_every_server_reads_and_leaves_the_rest_to_literals)
{
    static const struct {
        const char *text;
        size_t len;
        const char *want; /* NULL: does not fit */
    } rows[] = {
        {BYTES(""), "\"\""},           {BYTES("joe"), "\"joe\""},       {BYTES("a b"), "\"a b\""},
        {BYTES("a\"b"), "\"a\\\"b\""}, {BYTES("a\\b"), "\"a\\\\b\""},   {BYTES("\"\\"), "\"\\\"\\\\\""},
        {BYTES("%*(){}"), "\"%*(){}\""}, {BYTES("a\rb"), NULL},         {BYTES("a\nb"), NULL},
        {BYTES("a\0b"), NULL},         {BYTES("\xc3\xb6"), NULL},       {BYTES("\x80"), NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct span s = {(const uint8_t *)rows[i].text, rows[i].len};
        struct buffer out = {0};
        cr_expect_eq(quote_fits(s), rows[i].want != NULL, "%s", show(s));
        if (rows[i].want != NULL) {
            size_t len = strlen(rows[i].want);
            cr_assert_eq(quote_append(s, &out, len), 0);
            cr_expect(same_bytes((struct span){buffer_data(&out), out.len}, rows[i].want, len), "%s", show(s));
            buffer_clear(&out);
            cr_expect_eq(quote_append(s, &out, len - 1), -1, "%s: one octet less", show(s));
            buffer_clear(&out);
        }
    }
}
