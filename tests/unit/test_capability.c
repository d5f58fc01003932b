/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/capability.h"

#include "support.h"

TestSuite(capability, .fini = test_over);

Test(capability, a_list_is_read_by_whole_words)
{
    static const struct {
        const char *list;
        bool imap, disabled, plain, sasl_ir;
    } rows[] = {
        {"IMAP4rev1 SASL-IR AUTH=PLAIN", true, false, true, true},
        {"imap4REV2 auth=plain sasl-ir", true, false, true, true},
        {"IMAP4", true, false, false, false},
        {"IMAP4rev1 LOGINDISABLED", true, true, false, false},
        {"IMAP4rev1x AUTH=PLAINX SASL-IRX XLOGINDISABLED AUTH=PLAIN-CLIENTTOKEN", false, false, false, false},
        {"  IMAP4rev1   AUTH=PLAIN  ", true, false, true, false},
        {"", false, false, false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct capabilities c = {.imap = true, .login_disabled = true, .auth = 1, .sasl_ir = true};
        capability_parse(span_of(rows[i].list), &c);
        cr_expect(c.known, "%s", rows[i].list);
        cr_expect(c.imap == rows[i].imap && c.login_disabled == rows[i].disabled && ((c.auth & capability_bit(SASL_PLAIN)) != 0) == rows[i].plain &&
                  c.sasl_ir == rows[i].sasl_ir, "\"%s\"", rows[i].list);
    }
}

Test(capability, what_is_not_true_through_the_proxy_is_left_out)
{
    static const struct {
        const char *list, *want;
    } rows[] = {
        {"IMAP4rev1 IDLE STARTTLS MOVE LOGINDISABLED", "IMAP4rev1 IDLE MOVE"},
        {"starttls IMAP4rev1 logindisabled", "IMAP4rev1"},
        {"STARTTLS", ""},
        {"IMAP4rev1 UNAUTHENTICATE REPLACE", "IMAP4rev1 REPLACE"},
        {"", ""},
        {"  A   B  ", "A B"},
        {"STARTTLSX LITERAL+ COMPRESS=DEFLATE X-STARTTLS", "STARTTLSX LITERAL+ COMPRESS=DEFLATE X-STARTTLS"},
        {"A B]C D\"E F\\G H\x01I J\x7fK L\xffM N", "A N"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buffer out = {0};
        cr_assert_eq(capability_pass(span_of(rows[i].list), &out, 1000), 0);
        struct span got = {buffer_data(&out), out.len};
        cr_expect(same_bytes(got, rows[i].want, strlen(rows[i].want)), "\"%s\": got \"%s\"", rows[i].list, show(got));
        buffer_clear(&out);
    }
}

Test(capability, a_list_that_does_not_fit_is_refused)
{
    struct buffer out = {0};
    cr_expect_eq(capability_pass(SPAN("IMAP4rev1 IDLE"), &out, 13), -1);
    buffer_clear(&out);
    cr_expect_eq(capability_pass(SPAN("IMAP4rev1 IDLE"), &out, 14), 0);
    buffer_clear(&out);
}

Test(capability, nothing_is_offered_before_tls_that_cannot_be_used)
{
    struct capabilities c;
    capability_parse(SPAN(CAPABILITY_PLAIN), &c);
    cr_expect(c.imap && c.login_disabled && c.auth == 0 && !c.sasl_ir);
    capability_parse(SPAN(CAPABILITY_SECURE), &c);
    cr_expect(c.imap && !c.login_disabled && c.auth == capability_bit(SASL_PLAIN) && c.sasl_ir);
    cr_expect_null(strstr(CAPABILITY_SECURE, "STARTTLS"));
}
