/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "support.h"

TestSuite(answer, .fini = test_over);

static void add(char *out, size_t size, const char *what)
{
    cr_assert_lt(strlen(out) + strlen(what), size);
    strcat(out, what);
}

/* The lines of the bytes, each ended by "|", fed in pieces of `step` octets with one more border at `split`. */
static const char *lines(const uint8_t *bytes, size_t len, size_t step, size_t split)
{
    static char out[1024];
    static const char *const faults[] = {"", "", "!long", "!byte", "!memory"};
    struct answer_reader r = {0};
    enum answer_result result = ANSWER_MORE;
    out[0] = '\0';
    for (size_t at = 0; at < len && (result == ANSWER_MORE || result == ANSWER_LINE);) {
        struct span line;
        size_t taken, n = len - at < step ? len - at : step;
        if (at < split && at + n > split) {
            n = split - at;
        }
        uint8_t *piece = malloc(n);
        memcpy(piece, bytes + at, n);
        result = answer_feed(&r, piece, n, &taken, &line);
        at += taken;
        if (result == ANSWER_LINE) {
            add(out, sizeof out, show(line));
            add(out, sizeof out, "|");
        } else {
            add(out, sizeof out, faults[result]);
        }
        free(piece);
    }
    answer_reader_fini(&r);
    return out;
}

Test(answer, lines_are_the_same_in_whatever_pieces_they_come)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *want;
    } rows[] = {
        {BYTES("* OK ready\r\n"), "* OK ready|"},
        {BYTES("* OK ready\r\na OK\r\n"), "* OK ready|a OK|"},
        {BYTES("\r\n"), "|"},
        {BYTES("* OK"), ""},
        {BYTES("* OK\r"), ""},
        {BYTES("* OK\n"), "!byte"},
        {BYTES("\n"), "!byte"},
        {BYTES("* O\rK\r\n"), "!byte"},
        {BYTES("* OK\r\r\n"), "!byte"},
        {BYTES("* O\0K\r\n"), "!byte"},
        {BYTES("* OK\r\n* \0\r\n* NO\r\n"), "* OK|!byte"},
        {BYTES("* \xff\x01\r\n"), "* \\xff\\x01|"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const uint8_t *bytes = (const uint8_t *)rows[i].bytes;
        cr_expect_str_eq(lines(bytes, rows[i].len, 1, 0), rows[i].want, "%s by octets", rows[i].want);
        for (size_t split = 0; split < rows[i].len; split++) {
            const char *got = lines(bytes, rows[i].len, rows[i].len, split);
            cr_expect_str_eq(got, rows[i].want, "%s: split at %zu: %s", rows[i].want, split, got);
        }
    }
}

Test(answer, a_line_may_have_64_kib_and_not_an_octet_more)
{
    static uint8_t bytes[ANSWER_LINE_MAX + 1];
    static const size_t steps[] = {1, 1000, sizeof bytes};
    for (size_t over = 0; over < 2; over++) {
        for (size_t i = 0; i < COUNT(steps); i++) {
            struct answer_reader r = {0};
            enum answer_result result = ANSWER_MORE;
            size_t taken, len = ANSWER_LINE_MAX + over;
            struct span line = {0};
            memset(bytes, 'x', sizeof bytes);
            memcpy(bytes + len - 2, "\r\n", 2);
            for (size_t at = 0; at < len && result == ANSWER_MORE; at += taken) {
                result = answer_feed(&r, bytes + at, len - at < steps[i] ? len - at : steps[i], &taken, &line);
            }
            cr_expect_eq(result, over ? ANSWER_TOO_LONG : ANSWER_LINE, "steps of %zu", steps[i]);
            cr_expect(over || line.len == ANSWER_LINE_MAX - 2);
            answer_reader_fini(&r);
        }
    }
}

Test(answer, between_two_lines_no_memory_is_owned_once_it_goes_on)
{
    struct answer_reader r = {0};
    struct span line;
    size_t taken;
    cr_assert_eq(answer_feed(&r, "* O", 3, &taken, &line), ANSWER_MORE);
    cr_assert_eq(answer_feed(&r, "K\r\nrest", 7, &taken, &line), ANSWER_LINE);
    cr_expect(taken == 3 && same_bytes(line, "* OK", 4));
    cr_assert_eq(answer_feed(&r, "", 0, &taken, &line), ANSWER_MORE);
    cr_expect_null(r.partial.bytes);
    answer_reader_fini(&r);
}

Test(answer, tells_what_a_line_means)
{
    static const struct {
        const char *line;
        enum answer_kind kind;
        bool tagged;
        const char *code, *text;
    } rows[] = {
        {"t1 OK done", ANSWER_OK, true, "", "done"},
        {"t1 ok [CAPABILITY IMAP4rev1 X] done", ANSWER_OK, true, "CAPABILITY IMAP4rev1 X", "done"},
        {"t1 NO [AUTHENTICATIONFAILED] wrong", ANSWER_NO, true, "AUTHENTICATIONFAILED", "wrong"},
        {"t1 NO", ANSWER_NO, true, "", ""},
        {"t1 OK []", ANSWER_OK, true, "", ""},
        {"t1 OK [X]", ANSWER_OK, true, "X", ""},
        {"t1 OK [unclosed", ANSWER_OK, true, "", "[unclosed"},
        {"t1 BAD what", ANSWER_BAD, true, "", "what"},
        {"T1 OK done", ANSWER_NONSENSE, false, "", NULL},
        {"t11 OK done", ANSWER_NONSENSE, false, "", NULL},
        {"t OK done", ANSWER_NONSENSE, false, "", NULL},
        {"t1", ANSWER_NONSENSE, true, "", NULL},
        {"t1 BYE", ANSWER_NONSENSE, true, "", NULL},
        {"t1 PREAUTH", ANSWER_NONSENSE, true, "", NULL},
        {"t1 CAPABILITY X", ANSWER_NONSENSE, true, "", NULL},
        {"t1 FOO", ANSWER_NONSENSE, true, "", NULL},
        {"* OK [ALERT] careful", ANSWER_OK, false, "ALERT", "careful"},
        {"* PREAUTH hello", ANSWER_PREAUTH, false, "", "hello"},
        {"* BYE gone", ANSWER_BYE, false, "", "gone"},
        {"* bye gone", ANSWER_BYE, false, "", "gone"},
        {"* CAPABILITY IMAP4rev1 [x]", ANSWER_CAPABILITY, false, "", "IMAP4rev1 [x]"},
        {"* 3 EXISTS", ANSWER_OTHER, false, "", "EXISTS"},
        {"* FLAGS (x)", ANSWER_OTHER, false, "", "(x)"},
        {"*", ANSWER_NONSENSE, false, "", NULL},
        {"** OK x", ANSWER_NONSENSE, false, "", NULL},
        {"+ go on", ANSWER_CONTINUE, false, "", NULL},
        {"+", ANSWER_CONTINUE, false, "", NULL},
        {"", ANSWER_NONSENSE, false, "", NULL},
        {" * OK", ANSWER_NONSENSE, false, "", NULL},
        {"+OK pop3 server", ANSWER_CONTINUE, false, "", NULL},
        {"220 smtp", ANSWER_NONSENSE, false, "", NULL},
        {"HTTP/1.1 200 OK", ANSWER_NONSENSE, false, "", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct answer a = answer_parse(span_of(rows[i].line), "t1");
        cr_expect_eq(a.kind, rows[i].kind, "\"%s\" is %d", rows[i].line, a.kind);
        cr_expect(rows[i].kind == ANSWER_NONSENSE || a.tagged == rows[i].tagged, "\"%s\"", rows[i].line);
        cr_expect(same_bytes(a.code, rows[i].code, strlen(rows[i].code)), "\"%s\": code %s", rows[i].line, show(a.code));
        cr_expect(rows[i].text == NULL || same_bytes(a.text, rows[i].text, strlen(rows[i].text)), "\"%s\": text %s",
                  rows[i].line, show(a.text));
    }
}

Test(answer, capabilities_may_come_as_a_code)
{
    struct span list;
    struct answer a = answer_parse(SPAN("* OK [CAPABILITY IMAP4rev1 IDLE] hi"), "t1");
    cr_assert(answer_code_capability(&a, &list));
    cr_expect(same_bytes(list, BYTES(" IMAP4rev1 IDLE")), "got %s", show(list));
    a = answer_parse(SPAN("* OK [CAPABILITYX IMAP4rev1] hi"), "t1");
    cr_expect(!answer_code_capability(&a, &list));
    a = answer_parse(SPAN("* OK hi"), "t1");
    cr_expect(!answer_code_capability(&a, &list));
}
