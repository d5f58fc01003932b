/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/id.h"

#include <stdio.h>

#include "support.h"

TestSuite(id, .fini = test_over);

/* What id_parse() makes of the arguments: the name ("" when there is none), or NULL when they are bad. */
static const char *parsed(const char *arguments)
{
    static char bytes[70000], result[2048];
    struct lexer l;
    struct span name;
    size_t taken;
    const char *value = NULL;
    int len = snprintf(bytes, sizeof bytes, "a ID %s\r\n", arguments);
    cr_assert((size_t)len < sizeof bytes);
    lexer_init(&l, PHASE_TLS);
    cr_assert_eq(lexer_feed(&l, bytes, (size_t)len, &taken), LEXER_COMMAND, "%.100s", bytes);
    if (id_parse(&l, &name) == 0) {
        snprintf(result, sizeof result, "%s", show(name));
        value = result;
    }
    lexer_fini(&l);
    return value;
}

Test(id, takes_nil_or_pairs_of_strings)
{
    static const struct {
        const char *arguments, *name; /* NULL: bad */
    } rows[] = {
        {"NIL", ""}, {"nil", ""}, {"()", ""}, {"(\"name\" \"Thunderbird\")", "Thunderbird"},
        {"(\"NAME\" \"x\")", "x"}, {"(\"version\" \"1\" \"name\" \"x y\" \"os\" NIL)", "x y"}, {"(\"name\" NIL)", ""},
        {"(\"name\" \"\")", ""}, {"(\"name\" {4+}\r\na\r\nb)", "a\\r\\nb"}, {"(\"x\" \"\xff\")", ""},
        {"", NULL}, {"\"NIL\"", NULL}, {"x", NULL}, {"\"name\" \"x\"", NULL}, {"(\"name\")", NULL}, {"(", NULL}, {")", NULL},
        {"(\"name\" \"x\"", NULL}, {"(name \"x\")", NULL}, {"(NIL \"x\")", NULL}, {"(\"name\" x)", NULL},
        {"(\"name\" \"x\" \"y\")", NULL}, {"((\"name\" \"x\"))", NULL}, {"NIL NIL", NULL}, {"(\"a\" (\"b\"))", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *got = parsed(rows[i].arguments);
        cr_expect(rows[i].name == NULL ? got == NULL : got != NULL && strcmp(got, rows[i].name) == 0, "ID %s: %s",
                  rows[i].arguments, got != NULL ? got : "bad");
    }
}

Test(id, holds_to_the_limits_of_rfc_2971)
{
    static const struct {
        int pairs, key, value;
        bool good;
    } rows[] = {
        {30, 1, 1, true}, {31, 1, 1, false}, {1, 30, 1, true}, {1, 31, 1, false}, {1, 1, 1024, true}, {1, 1, 1025, false},
        {30, 30, 1024, true}, {1, 0, 0, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        static char text[70000];
        size_t n = 0;
        text[n++] = '(';
        for (int pair = 0; pair < rows[i].pairs; pair++) {
            n += (size_t)sprintf(text + n, "%s\"%0*d\" \"%0*d\"", pair > 0 ? " " : "", rows[i].key, 0, rows[i].value, 0);
        }
        text[n++] = ')';
        text[n] = '\0';
        cr_expect_eq(parsed(text) != NULL, rows[i].good, "%d pairs of %d and %d octets", rows[i].pairs, rows[i].key,
                     rows[i].value);
    }
}
