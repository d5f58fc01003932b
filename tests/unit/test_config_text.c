/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

TestSuite(config_text, .fini = test_over);

static const char *name_of(const char *path)
{
    return path != NULL && strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : "";
}

/* The problem of a text, as "FILE:LINE: TEXT"; or what libconfig is to read, followed by where its last line came from. */
static const char *outcome(const char *path)
{
    static char out[4096];
    struct config_text t;
    struct config_problem problem;
    if (config_text_read(&t, path, &problem) != 0) {
        snprintf(out, sizeof out, "%s:%u: %s", name_of(problem.place.file), problem.place.line, problem.text);
    } else {
        char *text = config_text_for_parser(&t);
        struct config_place last = config_text_place(&t, (unsigned)t.line_count);
        snprintf(out, sizeof out, "%s|%s:%u", text, name_of(last.file), last.line);
        free(text);
    }
    config_text_free(&t);
    return out;
}

Test(config_text, comments_strings_and_numbers)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", "|a:1"}, {"a = true;\n", "a = true;\n|a:2"},
        /* each number is the index of its token */
        {"a=7;b=-5;c=0x1FL;d=2.5;e=1e9", "a=2;b=6;c=10;d=14;e=18|a:1"}, {"a=99999999999999999999", "a=2|a:1"},
        {"a=[1,2L]", "a=[3,5]|a:1"}, {"a=10.0.0.0/8;b=30s", "a=2;b=6|a:1"}, {"a=1/*x*/;b=.5//y", "a=2/*x*/;b=6//y\n|a:1"},
        {"#", "#\n|a:1"}, {"a=true;\n# x", "a=true;\n# x\n|a:2"},
        /* what is none */
        {"a1=x-2", "a1=x-2|a:1"}, {"a=\"7 # // /* \\\" \";b=8", "a=\"7 # // /* \\\" \";b=6|a:1"}, {"# 7\n// 8 \"\n/* 9\n\" */b", "# 7\n// 8 \"\n/* 9\n\" */b|a:4"},
        {"a=- 5", "a=- 3|a:1"}, {"a=\"1\"\r\nb=2\r\n", "a=\"1\"\r\nb=5\r\n|a:3"},
        /* what does not end */
        {"a=1;\n\n /* x\n b=2;\n", "a:3: a comment begins here that does not end: expected \"*/\" behind it"},
        {"/* a */ /*/", "a:1: a comment begins here that does not end: expected \"*/\" behind it"},
        {"\na = \"x;\nb = \"y\";", "a:2: expected a closing quote on the line of the string, found \"x; (a backslash in a string is written twice)"},
        {"a = \"C:\\\";", "a:1: expected a closing quote on the line of the string, found \"C:\\\"; (a backslash in a string is written twice)"},
        {"a = \"", "a:1: expected a closing quote on the line of the string, found \" (a backslash in a string is written twice)"},
        {"a = \"\\", "a:1: expected a closing quote on the line of the string, found \"\\ (a backslash in a string is written twice)"},
        /* includes: at the beginning of a line only */
        {"x=1; @include \"b\"", "x=2; @include \"b\"|a:1"}, {"/*\n@include \"b\"\n*/", "/*\n@include \"b\"\n*/|a:3"},
        {"\n@include b", "a:2: expected @include \"FILE\", found @include b"}, {"@include \"b", "a:1: expected @include \"FILE\", found @include \"b"},
        {"@include \"\"", "a:1: expected @include \"FILE\", found @include \"\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *got = outcome(temp_file("a", rows[i].text, strlen(rows[i].text)));
        cr_expect_str_eq(got, rows[i].want, "%s: %s", rows[i].text, got);
    }
    const char *got = outcome(temp_file("a", BYTES("a=1;\0b=2")));
    cr_expect_str_eq(got, "a:1: expected a text, found an octet of zero in it", "%s", got);
    got = outcome(temp_file("a", BYTES("a=1;\n\nb=\"x\0\";\nc=2")));
    cr_expect_str_eq(got, "a:3: expected a text, found an octet of zero in it", "%s", got);
}

Test(config_text, an_included_file_keeps_its_name_and_lines)
{
    (void)temp_file("b", BYTES("b = 1;\nb2 = 2;"));
    const char *path = temp_file("a", BYTES("a = 1;\n  @include \"b\" c = 3;\n\nd = 4;"));
    struct config_text t;
    struct config_problem problem;
    cr_assert_eq(config_text_read(&t, path, &problem), 0);
    static const struct {
        const char *token, *file;
        unsigned line;
    } rows[] = {{"a", "a", 1}, {"b", "b", 1}, {"b2", "b", 2}, {"c", "a", 2}, {"d", "a", 4}};
    for (size_t i = 0, found = 0; i < COUNT(rows); i++, found = 0) {
        for (size_t j = 0; j < t.token_count; j++) {
            if (span_is(config_text_token(&t, j), rows[i].token)) {
                struct config_place place = config_text_place(&t, t.tokens[j].line);
                cr_expect_str_eq(name_of(place.file), rows[i].file);
                cr_expect_eq(place.line, rows[i].line, "%s: %u", rows[i].token, place.line);
                found++;
            }
        }
        cr_expect_eq(found, 1, "%s", rows[i].token);
    }
    config_text_free(&t);
}

Test(config_text, a_file_lies_beside_the_one_that_includes_it)
{
    char path[600];
    snprintf(path, sizeof path, "%s", temp_path("sub"));
    cr_assert_eq(mkdir(path, 0700), 0);
    (void)temp_file("sub/b", BYTES("@include \"c\"\n"));
    (void)temp_file("sub/c", BYTES("c = true;"));
    const char *got = outcome(temp_file("a", BYTES("@include \"sub/b\"")));
    cr_expect_str_eq(got, "\n\nc = true;\n\n\n|a:1", "%s", show(span_of(got)));
}

Test(config_text, the_name_of_an_included_file_is_a_string)
{
    static const struct {
        const char *name, *text;
    } rows[] = {{"b\\x", "@include \"b\\\\x\""}, {"b\\x", "@include \"b\\x\""}, {"b\"x", "@include \"b\\\"x\""}, {"b\\", "@include \"b\\\\\""}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *path = temp_file(rows[i].name, BYTES("b = true;\n"));
        const char *got = outcome(temp_file("a", rows[i].text, strlen(rows[i].text)));
        cr_expect_str_eq(got, "\nb = true;\n\n|a:1", "%s: %s", rows[i].text, got);
        unlink(path);
    }
    const char *got = outcome(temp_file("a", BYTES("@include \"b\\\"")));
    cr_expect_str_eq(got, "a:1: expected @include \"FILE\", found @include \"b\\\"", "%s", got);
}

Test(config_text, an_include_that_cannot_be_read_is_told_where_it_stands)
{
    char want[1024];
    const char *got = outcome(temp_file("a", BYTES("\n@include \"none\"\n")));
    snprintf(want, sizeof want, "a:2: @include: cannot read %s: No such file or directory", temp_path("none"));
    cr_expect_str_eq(got, want, "%s", got);
    got = outcome(temp_file("a", BYTES("@include \"/\"\n")));
    cr_expect_str_eq(got, "a:1: @include: cannot read /: it is a folder, not a file", "%s", got);
    got = outcome(temp_file("a", BYTES("\n@include \"a\"\n")));
    cr_expect_str_eq(got, "a:2: @include: files include one another more than 10 deep: does one include itself?", "%s", got);
    (void)temp_file("b", BYTES("b = 1;\n/* c"));
    got = outcome(temp_file("a", BYTES("@include \"b\"\n*/")));
    cr_expect_str_eq(got, "b:2: a comment begins here that does not end: expected \"*/\" behind it", "%s", got);
}
