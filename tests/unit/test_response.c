/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/response.h"

#include <stdio.h>
#include <stdlib.h>

#include "support.h"

TestSuite(response, .fini = test_over);

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
    struct response_reader r = {0};
    enum response_result result = RESPONSE_MORE;
    out[0] = '\0';
    for (size_t at = 0; at < len && (result == RESPONSE_MORE || result == RESPONSE_LINE);) {
        struct span line;
        size_t taken, n = len - at < step ? len - at : step;
        if (at < split && at + n > split) {
            n = split - at;
        }
        uint8_t *piece = malloc(n);
        memcpy(piece, bytes + at, n);
        result = response_feed(&r, piece, n, &taken, &line);
        at += taken;
        if (result == RESPONSE_LINE) {
            add(out, sizeof out, show(line));
            add(out, sizeof out, "|");
        } else {
            add(out, sizeof out, faults[result]);
        }
        free(piece);
    }
    response_reader_fini(&r);
    return out;
}

Test(response, lines_are_the_same_in_whatever_pieces_they_come)
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

Test(response, a_line_may_have_64_kib_and_not_an_octet_more)
{
    static uint8_t bytes[RESPONSE_LINE_MAX + 1];
    static const size_t steps[] = {1, 1000, sizeof bytes};
    for (size_t over = 0; over < 2; over++) {
        for (size_t i = 0; i < COUNT(steps); i++) {
            struct response_reader r = {0};
            enum response_result result = RESPONSE_MORE;
            size_t taken, len = RESPONSE_LINE_MAX + over;
            struct span line = {0};
            memset(bytes, 'x', sizeof bytes);
            memcpy(bytes + len - 2, "\r\n", 2);
            for (size_t at = 0; at < len && result == RESPONSE_MORE; at += taken) {
                result = response_feed(&r, bytes + at, len - at < steps[i] ? len - at : steps[i], &taken, &line);
            }
            cr_expect_eq(result, over ? RESPONSE_TOO_LONG : RESPONSE_LINE, "steps of %zu", steps[i]);
            cr_expect(over || line.len == RESPONSE_LINE_MAX - 2);
            response_reader_fini(&r);
        }
    }
}

Test(response, between_two_lines_no_memory_is_owned_once_it_goes_on)
{
    struct response_reader r = {0};
    struct span line;
    size_t taken;
    cr_assert_eq(response_feed(&r, "* O", 3, &taken, &line), RESPONSE_MORE);
    cr_assert_eq(response_feed(&r, "K\r\nrest", 7, &taken, &line), RESPONSE_LINE);
    cr_expect(taken == 3 && same_bytes(line, "* OK", 4));
    cr_assert_eq(response_feed(&r, "", 0, &taken, &line), RESPONSE_MORE);
    cr_expect_null(r.partial.bytes);
    response_reader_fini(&r);
}

Test(response, tells_what_a_line_means)
{
    static const struct {
        const char *line;
        enum response_kind kind;
        bool tagged;
        const char *code, *text;
    } rows[] = {
        {"t1 OK done", RESPONSE_OK, true, "", "done"},
        {"t1 ok [CAPABILITY IMAP4rev1 X] done", RESPONSE_OK, true, "CAPABILITY IMAP4rev1 X", "done"},
        {"t1 NO [AUTHENTICATIONFAILED] wrong", RESPONSE_NO, true, "AUTHENTICATIONFAILED", "wrong"},
        {"t1 NO", RESPONSE_NO, true, "", ""},
        {"t1 OK []", RESPONSE_OK, true, "", ""},
        {"t1 OK [X]", RESPONSE_OK, true, "X", ""},
        {"t1 OK [unclosed", RESPONSE_OK, true, "", "[unclosed"},
        {"t1 BAD what", RESPONSE_BAD, true, "", "what"},
        {"T1 OK done", RESPONSE_NONSENSE, false, "", NULL},
        {"t11 OK done", RESPONSE_NONSENSE, false, "", NULL},
        {"t OK done", RESPONSE_NONSENSE, false, "", NULL},
        {"t1", RESPONSE_NONSENSE, true, "", NULL},
        {"t1 BYE", RESPONSE_NONSENSE, true, "", NULL},
        {"t1 PREAUTH", RESPONSE_NONSENSE, true, "", NULL},
        {"t1 CAPABILITY X", RESPONSE_NONSENSE, true, "", NULL},
        {"t1 FOO", RESPONSE_NONSENSE, true, "", NULL},
        {"* OK [ALERT] careful", RESPONSE_OK, false, "ALERT", "careful"},
        {"* PREAUTH hello", RESPONSE_PREAUTH, false, "", "hello"},
        {"* BYE gone", RESPONSE_BYE, false, "", "gone"},
        {"* bye gone", RESPONSE_BYE, false, "", "gone"},
        {"* CAPABILITY IMAP4rev1 [x]", RESPONSE_CAPABILITY, false, "", "IMAP4rev1 [x]"},
        {"* 3 EXISTS", RESPONSE_OTHER, false, "", "EXISTS"},
        {"* FLAGS (x)", RESPONSE_OTHER, false, "", "(x)"},
        {"*", RESPONSE_NONSENSE, false, "", NULL},
        {"** OK x", RESPONSE_NONSENSE, false, "", NULL},
        {"+ go on", RESPONSE_CONTINUE, false, "", NULL},
        {"+", RESPONSE_CONTINUE, false, "", NULL},
        {"", RESPONSE_NONSENSE, false, "", NULL},
        {" * OK", RESPONSE_NONSENSE, false, "", NULL},
        {"+OK pop3 server", RESPONSE_CONTINUE, false, "", NULL},
        {"220 smtp", RESPONSE_NONSENSE, false, "", NULL},
        {"HTTP/1.1 200 OK", RESPONSE_NONSENSE, false, "", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct response a = response_parse(span_of(rows[i].line), "t1");
        cr_expect_eq(a.kind, rows[i].kind, "\"%s\" is %d", rows[i].line, a.kind);
        cr_expect(rows[i].kind == RESPONSE_NONSENSE || a.tagged == rows[i].tagged, "\"%s\"", rows[i].line);
        cr_expect(same_bytes(a.code, rows[i].code, strlen(rows[i].code)), "\"%s\": code %s", rows[i].line, show(a.code));
        cr_expect(rows[i].text == NULL || same_bytes(a.text, rows[i].text, strlen(rows[i].text)), "\"%s\": text %s",
                  rows[i].line, show(a.text));
    }
}

Test(response, capabilities_may_come_as_a_code)
{
    struct span list;
    struct response a = response_parse(SPAN("* OK [CAPABILITY IMAP4rev1 IDLE] hi"), "t1");
    cr_assert(response_code_capability(&a, &list));
    cr_expect(same_bytes(list, BYTES(" IMAP4rev1 IDLE")), "got %s", show(list));
    a = response_parse(SPAN("* OK [CAPABILITYX IMAP4rev1] hi"), "t1");
    cr_expect(!response_code_capability(&a, &list));
    a = response_parse(SPAN("* OK hi"), "t1");
    cr_expect(!response_code_capability(&a, &list));
}

Test(response, a_client_gets_what_is_true_of_a_connection_through_imapguard)
{
    static const struct {
        const char *line, *code, *want;
    } rows[] = {
        {"* OK [ALERT] Disk is full.", "", "* OK [ALERT] Disk is full.\\r\\n"},
        {"* NO  odd  blanks", "", "* NO  odd  blanks\\r\\n"},
        {"* BAD what", "", "* BAD what\\r\\n"},
        {"* CAPABILITY IMAP4rev1 STARTTLS IDLE", "", "* CAPABILITY IMAP4rev1 IDLE\\r\\n"},
        {"* CAPABILITY STARTTLS", "", ""}, {"t OK [CAPABILITY STARTTLS] hi", "", "c OK hi\\r\\n"},
        {"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED IDLE] hi", "", "* CAPABILITY IMAP4rev1 IDLE\\r\\n"},
        {"* 1 EXISTS", "", ""},
        {"* BYE see you", "", ""},
        {"+ go on", "", ""},
        {"x OK other tag", "", ""},
        {"t OK hi", "", "c OK hi\\r\\n"},
        {"t OK", "", "c OK Done.\\r\\n"},
        {"t OK [CAPABILITY IMAP4rev1 UNAUTHENTICATE MOVE] hi", "", "c OK [CAPABILITY IMAP4rev1 MOVE] hi\\r\\n"},
        {"t OK [ALERT] change your password", "", "c OK [ALERT] change your password\\r\\n"},
        {"t OK [REFERRAL imap://other/] hi", "", "c OK hi\\r\\n"},
        {"t NO wrong", "AUTHENTICATIONFAILED", "c NO [AUTHENTICATIONFAILED] wrong\\r\\n"},
        {"t NO [EXPIRED] too old", "AUTHENTICATIONFAILED", "c NO [EXPIRED] too old\\r\\n"},
        {"t NO [CAPABILITY IMAP4rev1] wrong", "AUTHENTICATIONFAILED", "c NO [AUTHENTICATIONFAILED] wrong\\r\\n"},
        {"t NO [REFERRAL imap://other/] wrong", "AUTHENTICATIONFAILED", "c NO [AUTHENTICATIONFAILED] wrong\\r\\n"},
        {"t NO [referral imap://other/] wrong", "UNAVAILABLE", "c NO [UNAVAILABLE] wrong\\r\\n"},
        {"t NO", "UNAVAILABLE", "c NO [UNAVAILABLE] Done.\\r\\n"},
        {"t NO [ unfinished", "UNAVAILABLE", "c NO [UNAVAILABLE] [ unfinished\\r\\n"},
        {"t BAD what", "UNAVAILABLE", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buffer out = {0};
        struct response r = response_parse(span_of(rows[i].line), "t");
        cr_expect_eq(response_for_client(&r, SPAN("c"), rows[i].code, &out, 1000), 0);
        struct span got = {buffer_data(&out), out.len};
        cr_expect_str_eq(show(got), rows[i].want, "%s", rows[i].line);
        buffer_clear(&out);
        cr_expect_eq(response_for_client(&r, SPAN("c"), rows[i].code, &out, 5), rows[i].want[0] != '\0' ? -1 : 0);
        buffer_clear(&out);
    }
}

Test(response, some_codes_say_that_the_user_is_not_to_blame)
{
    static const struct {
        const char *line;
        bool want;
    } rows[] = {
        {"t NO [UNAVAILABLE] no directory", true}, {"t NO [SERVERBUG] oops", true}, {"t NO [INUSE] later", true},
        {"t NO [LIMIT] too many", true},           {"t NO [unavailable] x", true},  {"t NO [AUTHENTICATIONFAILED] x", false},
        {"t NO wrong", false},                     {"t NO [UNAVAILABLEX] x", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct response r = response_parse(span_of(rows[i].line), "t");
        cr_expect_eq(response_is_unavailable(&r), rows[i].want, "%s", rows[i].line);
    }
}
