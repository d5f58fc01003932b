/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/span.h"

#include "support.h"

TestSuite(span, .fini = test_over);

Test(span, words_are_matched_whole_and_without_regard_to_case)
{
    static const struct {
        const char *text;
        size_t len;
        const char *word;
        bool is, begins;
    } rows[] = {
        {BYTES("NOOP"), "NOOP", true, true},    {BYTES("nOoP"), "NOOP", true, true},
        {BYTES("NOOPX"), "NOOP", false, true},  {BYTES("NOO"), "NOOP", false, false},
        {BYTES(""), "NOOP", false, false},      {BYTES(""), "", true, true},
        {BYTES("NOOP"), "", false, true},       {BYTES("NOOP\0"), "NOOP", false, true},
        {BYTES("N\0OP"), "NOOP", false, false}, {BYTES("login "), "LOGIN", false, true},
        {BYTES("\xc4"), "\xe4", false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct span s = {(const uint8_t *)rows[i].text, rows[i].len};
        cr_expect_eq(span_is(s, rows[i].word), rows[i].is, "%s is %s", show(s), rows[i].word);
        cr_expect_eq(span_begins(s, rows[i].word), rows[i].begins, "%s begins %s", show(s), rows[i].word);
    }
    cr_expect(!span_is((struct span){0}, "x"), "a span of nothing is no word");
    cr_expect(span_is((struct span){0}, ""), "a span of nothing is empty");
}

Test(span, words_are_cut_off_at_blanks_only)
{
    struct span rest = SPAN("  one two\tx   three "), word;
    static const char *const want[] = {"one", "two\tx", "three"};
    for (size_t i = 0; i < COUNT(want); i++) {
        cr_assert(span_word(&rest, &word), "word %zu", i);
        cr_expect(same_bytes(word, want[i], strlen(want[i])), "word %zu is %s", i, show(word));
    }
    cr_expect(!span_word(&rest, &word));
    rest = (struct span){0};
    cr_expect(!span_word(&rest, &word));
    rest = SPAN("   ");
    cr_expect(!span_word(&rest, &word));
}

Test(span, of_a_string_ends_before_its_terminator)
{
    cr_expect(same_bytes(span_of("abc"), "abc", 3));
    cr_expect_eq(span_of("").len, 0);
}
