/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/option.h"

#include <stdlib.h>

#include "support.h"

TestSuite(option, .fini = test_over);

static const char *const colours[] = {"red", "green", "blue", NULL};

static const char *no_x(const char *text)
{
    return strchr(text, 'x') != NULL ? "a text without x" : NULL;
}

struct inner {
    char *label;
    uint32_t depth;
};
struct outer {
    bool flag;
    uint32_t count, wait_ms, colour;
    char *text, *plain;
    struct inner inner;
    struct option_list list;
};

static const struct option_row inner_rows[] = {
    {.name = "label", .type = OPTION_TEXT, .offset = offsetof(struct inner, label), .default_value = "inside"},
    {.name = "depth", .type = OPTION_COUNT, .offset = offsetof(struct inner, depth), .default_value = "7", .max = 9},
    {0},
};
static const struct option_table inner_table = {sizeof(struct inner), inner_rows};
static const struct option_row outer_rows[] = {
    {.name = "flag", .type = OPTION_FLAG, .offset = offsetof(struct outer, flag), .default_value = "true"},
    {.name = "count", .type = OPTION_COUNT, .offset = offsetof(struct outer, count), .default_value = "3", .min = 2, .max = 10},
    {.name = "wait", .type = OPTION_DURATION, .offset = offsetof(struct outer, wait_ms), .default_value = "2s", .min = 1000,
     .max = 60000},
    {.name = "colour", .type = OPTION_CHOICE, .offset = offsetof(struct outer, colour), .default_value = "blue",
     .choices = colours},
    {.name = "text", .type = OPTION_TEXT, .offset = offsetof(struct outer, text), .default_value = "preset", .check = no_x},
    {.name = "plain", .type = OPTION_TEXT, .offset = offsetof(struct outer, plain)},
    {.name = "inner", .type = OPTION_GROUP, .offset = offsetof(struct outer, inner), .group = &inner_table},
    {.name = "list", .type = OPTION_LIST, .offset = offsetof(struct outer, list), .default_value = "", .group = &inner_table},
    {0},
};
static const struct option_table outer_table = {sizeof(struct outer), outer_rows};

Test(option, durations_are_digits_and_one_unit)
{
    static const struct {
        const char *text;
        int result;
        uint32_t ms;
    } rows[] = {
        {"0s", 0, 0},          {"1ms", 0, 1},         {"90s", 0, 90000},          {"15m", 0, 900000},
        {"24h", 0, 86400000},  {"7d", 0, 604800000},  {"49d", 0, 4233600000u},    {"50d", -1, 0},
        {"999999999ms", 0, 999999999}, {"4294967296ms", -1, 0}, {"999999999d", -1, 0}, {"", -1, 0},
        {"90", -1, 0},         {"s", -1, 0},          {"-1s", -1, 0},             {"+1s", -1, 0},
        {" 1s", -1, 0},        {"1 s", -1, 0},        {"1s ", -1, 0},             {"1.5h", -1, 0},
        {"1S", -1, 0},         {"1h30m", -1, 0},      {"1sec", -1, 0},            {"0x1s", -1, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint32_t ms = 0;
        cr_expect_eq(option_duration(rows[i].text, &ms), rows[i].result, "\"%s\"", rows[i].text);
        cr_expect_eq(ms, rows[i].ms, "\"%s\" is %u", rows[i].text, ms);
    }
}

Test(option, set_takes_what_fits_and_says_what_it_expected_otherwise)
{
    static const struct {
        const char *name, *text, *expected; /* NULL: taken */
    } rows[] = {
        {"flag", "true", NULL}, {"flag", "false", NULL}, {"flag", "yes", "true or false"}, {"flag", "", "true or false"},
        {"count", "2", NULL}, {"count", "10", NULL}, {"count", "1", "a number from 2 to 10"},
        {"count", "11", "a number from 2 to 10"}, {"count", "-3", "a number from 2 to 10"},
        {"count", "4294967299", "a number from 2 to 10"}, {"count", "99999999999999999999", "a number from 2 to 10"},
        {"count", "", "a number from 2 to 10"}, {"count", "0x5", NULL}, {"count", "5L", NULL}, {"count", "0XaLL", NULL}, {"count", "+9", NULL},
        {"count", "0xB", "a number from 2 to 10"}, {"count", "5LLL", "a number from 2 to 10"}, {"count", "0x", "a number from 2 to 10"},
        {"count", "L", "a number from 2 to 10"}, {"count", " 5", "a number from 2 to 10"}, {"count", "-4294967291", "a number from 2 to 10"},
        {"count", "4294967301", "a number from 2 to 10"}, {"count", "3x", "a number from 2 to 10"},
        {"wait", "1s", NULL}, {"wait", "60s", NULL}, {"wait", "1m", NULL},
        {"wait", "999ms", "a duration from 1000 ms to 60 s"}, {"wait", "61s", "a duration from 1000 ms to 60 s"},
        {"wait", "soon", "a duration with its unit, such as \"90s\", \"15m\", \"24h\" or \"7d\""},
        {"colour", "green", NULL}, {"colour", "Green", "\"red\", \"green\" or \"blue\""},
        {"colour", "", "\"red\", \"green\" or \"blue\""},
        {"text", "", NULL}, {"text", "fine", NULL}, {"text", "axe", "a text without x"},
        {"plain", "axe", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct outer o = {0};
        char expected[256];
        option_set_defaults(&outer_table, &o);
        const struct option_row *row = option_find(&outer_table, rows[i].name);
        const char *got = option_set(row, &o, rows[i].text, expected, sizeof expected);
        if (rows[i].expected == NULL) {
            cr_expect_null(got, "%s = %s: expected %s", rows[i].name, rows[i].text, got);
        } else {
            cr_assert_not_null(got, "%s = %s", rows[i].name, rows[i].text);
            cr_expect_str_eq(got, rows[i].expected, "%s = %s: expected %s", rows[i].name, rows[i].text, got);
            cr_expect(o.flag && o.count == 3 && o.wait_ms == 2000 && o.colour == 2 && strcmp(o.text, "preset") == 0,
                      "%s = %s changed the struct", rows[i].name, rows[i].text);
        }
        option_free(&outer_table, &o);
    }
}

Test(option, set_stores_the_value_in_its_own_field)
{
    struct outer o = {0};
    char expected[64];
    static const char *const values[][2] = {{"count", "9"}, {"wait", "3s"}, {"colour", "green"},
                                            {"text", "one"}, {"text", "two"}, {"plain", "three"}, {"flag", "true"}};
    for (size_t i = 0; i < COUNT(values); i++) {
        cr_assert_null(option_set(option_find(&outer_table, values[i][0]), &o, values[i][1], expected, sizeof expected));
    }
    cr_expect(o.flag && o.count == 9 && o.wait_ms == 3000 && o.colour == 1);
    cr_expect_str_eq(o.text, "two");
    cr_expect_str_eq(o.plain, "three");
    option_free(&outer_table, &o);
    cr_expect(o.text == NULL && o.plain == NULL);
}

Test(option, a_long_list_of_choices_never_overruns_its_place)
{
    struct outer o = {0};
    char expected[16];
    const char *got = option_set(option_find(&outer_table, "colour"), &o, "pink", expected, sizeof expected);
    cr_expect_str_eq(got, "\"red\", \"green\" ");
}

Test(option, presets_fill_groups_within_and_leave_lists_empty)
{
    struct outer o = {0};
    option_set_defaults(&outer_table, &o);
    cr_expect(o.flag && o.count == 3 && o.wait_ms == 2000 && o.colour == 2);
    cr_expect_str_eq(o.text, "preset");
    cr_expect_null(o.plain, "what must be given has no default");
    cr_expect_str_eq(o.inner.label, "inside");
    cr_expect_eq(o.inner.depth, 7);
    cr_expect(o.list.items == NULL && o.list.count == 0);
    option_free(&outer_table, &o);
}

Test(option, free_takes_lists_and_groups_with_it)
{
    struct outer o = {0};
    struct inner *items = calloc(2, sizeof *items);
    items[0].label = strdup("a");
    items[1].label = strdup("b");
    o.list = (struct option_list){items, 2};
    o.inner.label = strdup("c");
    option_free(&outer_table, &o); /* AddressSanitizer sees what is left */
    cr_expect(o.list.items == NULL && o.list.count == 0 && o.inner.label == NULL);
}

Test(option, finds_names_exactly)
{
    cr_expect_not_null(option_find(&outer_table, "count"));
    cr_expect_null(option_find(&outer_table, "Count"));
    cr_expect_null(option_find(&outer_table, "coun"));
    cr_expect_null(option_find(&outer_table, ""));
}

Test(option, the_nearest_name_is_at_most_two_edits_away)
{
    static const struct {
        const char *name, *nearest;
    } rows[] = {
        {"cuont", "count"}, {"coun", "count"}, {"counts", "count"}, {"color", "colour"}, {"colours", "colour"},
        {"fl", "flag"}, {"f", NULL}, {"", NULL}, {"entirely_other", NULL}, {"COUNT", NULL}, {"wiat", "wait"},
        {"a_name_that_is_longer_than_any_name_of_an_option_could_be", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *got = option_nearest(&outer_table, rows[i].name);
        cr_expect(rows[i].nearest == NULL ? got == NULL : got != NULL && strcmp(got, rows[i].nearest) == 0,
                  "\"%s\" is near \"%s\"", rows[i].name, got != NULL ? got : "nothing");
    }
}

Test(option, the_names_of_a_table_are_listed_as_far_as_they_fit)
{
    char out[64], small[10];
    cr_expect_str_eq(option_names(&inner_table, out, sizeof out), "label, depth");
    cr_expect_str_eq(option_names(&inner_table, small, sizeof small), "label, de");
}

Test(option, names_cannot_break_a_log_line)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"imap", true}, {"IMAP-4_rev.1", true}, {"0", true}, {"", false}, {"a b", false}, {"a\nb", false}, {"a=b", false},
        {"a\"b", false}, {"\xc3\xa4", false}, {"abcdefghijklmnopqrstuvwxyz012345", true},
        {"abcdefghijklmnopqrstuvwxyz0123456", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(option_check_name(rows[i].text) == NULL, rows[i].good, "\"%s\"", rows[i].text);
    }
}

Test(option, only_errors_are_counted_and_both_are_passed_on)
{
    struct test_report r;
    test_report_init(&r);
    option_warning(&r.report, "a.b", "watch %d", 1);
    cr_expect_eq(r.report.errors, 0);
    option_error(&r.report, "a.c", "bad %s", "thing");
    option_error(&r.report, "a.d", "worse");
    cr_expect_eq(r.report.errors, 2);
    cr_expect_str_eq(r.text, "warning a.b: watch 1\nerror a.c: bad thing\nerror a.d: worse\n");
}
