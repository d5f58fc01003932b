/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/sasl.h"

#include "support.h"

TestSuite(sasl, .fini = test_over);

static struct span secret_span(const struct credentials *c)
{
    return (struct span){c->password.bytes, c->password.len};
}

Test(sasl, mechanisms_are_matched_whole_and_in_any_case)
{
    static const struct {
        const char *name;
        int want;
    } rows[] = {{"PLAIN", 0}, {"plain", 0}, {"LOGIN", 0}, {"Login", 0}, {"PLAINX", -1}, {"PLAI", -1}, {"", -1}, {"EXTERNAL", -1},
                {"ANONYMOUS", -1}, {"GSSAPI", -1}, {"SCRAM-SHA-256-PLUS", -1}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sasl s = {0};
        cr_expect_eq(sasl_start(&s, span_of(rows[i].name)), rows[i].want, "%s", rows[i].name);
        sasl_clear(&s);
    }
}

Test(sasl, plain_takes_one_message_of_three_parts)
{
    static const struct {
        const char *name, *response;
        enum sasl_result want;
        const char *user, *authorize, *password;
    } rows[] = {
        {"usual", "AGpvZQBzZWNyZXQ=", SASL_DONE, "joe", NULL, "secret"},
        {"with the same identity", "am9lAGpvZQBzZWNyZXQ=", SASL_DONE, "joe", NULL, "secret"},
        {"with another identity", "YWRtaW4Aam9lAHNlY3JldA==", SASL_DONE, "joe", "admin", "secret"},
        {"empty password", "AGpvZQA=", SASL_DONE, "joe", NULL, ""},
        {"empty user", "AAB4", SASL_BAD, NULL, NULL, NULL},
        {"a NUL in the password", "AGpvZQB4AHk=", SASL_BAD, NULL, NULL, NULL},
        {"a NUL at its end", "AGpvZQB4AA==", SASL_BAD, NULL, NULL, NULL},
        {"one part", "am9l", SASL_BAD, NULL, NULL, NULL},
        {"two parts", "AGpvZQ==", SASL_BAD, NULL, NULL, NULL},
        {"empty", "", SASL_BAD, NULL, NULL, NULL},
        {"empty as an initial response", "=", SASL_BAD, NULL, NULL, NULL},
        {"cancelled", "*", SASL_CANCELLED, NULL, NULL, NULL},
        {"no base64", "AGpvZQB!", SASL_BAD, NULL, NULL, NULL},
        {"a blank", "AGpv ZQB4", SASL_BAD, NULL, NULL, NULL},
        {"a blank in front", " AGpvZQB4", SASL_BAD, NULL, NULL, NULL},
        {"padding is missing", "AGpvZQA", SASL_BAD, NULL, NULL, NULL},
        {"too much padding", "AGpvZQBzZWNyZXQ==", SASL_BAD, NULL, NULL, NULL},
        {"three of padding", "AGpvZQA===", SASL_BAD, NULL, NULL, NULL},
        {"padding alone", "====", SASL_BAD, NULL, NULL, NULL},
        {"padding within", "AGpvZQA=AGpv", SASL_BAD, NULL, NULL, NULL},
        {"other alphabet", "AGpvZQB_", SASL_BAD, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sasl s = {0};
        struct credentials c = {0};
        const char *challenge = NULL;
        cr_assert_eq(sasl_start(&s, SPAN("plain")), 0);
        cr_expect_str_eq(sasl_first_challenge(&s), "");
        cr_assert_eq(sasl_step(&s, span_of(rows[i].response), &challenge, &c), rows[i].want, "%s", rows[i].name);
        if (rows[i].want == SASL_DONE) {
            cr_expect_str_eq(c.user, rows[i].user, "%s", rows[i].name);
            cr_expect(rows[i].authorize == NULL ? c.authorize == NULL : strcmp(c.authorize, rows[i].authorize) == 0, "%s",
                      rows[i].name);
            cr_expect(same_bytes(secret_span(&c), rows[i].password, strlen(rows[i].password)), "%s", rows[i].name);
            cr_expect_str_eq(c.method, "PLAIN");
        } else {
            cr_expect(c.user == NULL && c.password.bytes == NULL, "%s: nothing is left", rows[i].name);
        }
        credentials_clear(&c);
        sasl_clear(&s);
    }
}

Test(sasl, login_asks_for_the_user_and_then_for_the_password)
{
    static const struct {
        const char *name, *first, *second;
        enum sasl_result after_first, after_second;
    } rows[] = {
        {"usual", "am9l", "c2VjcmV0", SASL_CHALLENGE, SASL_DONE},
        {"empty password", "am9l", "", SASL_CHALLENGE, SASL_DONE},
        {"\"=\" is empty only at first", "am9l", "=", SASL_CHALLENGE, SASL_BAD},
        {"empty user", "", NULL, SASL_BAD, SASL_BAD},
        {"empty initial response", "=", NULL, SASL_BAD, SASL_BAD},
        {"cancelled at once", "*", NULL, SASL_CANCELLED, SASL_BAD},
        {"cancelled later", "am9l", "*", SASL_CHALLENGE, SASL_CANCELLED},
        {"no base64", "joe", NULL, SASL_BAD, SASL_BAD},
        {"no base64 later", "am9l", "secret", SASL_CHALLENGE, SASL_BAD},
        {"a NUL in the user", "agBl", "c2VjcmV0", SASL_CHALLENGE, SASL_BAD},
        {"a NUL in the password", "am9l", "cwBy", SASL_CHALLENGE, SASL_BAD},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sasl s = {0};
        struct credentials c = {0};
        const char *challenge = NULL;
        cr_assert_eq(sasl_start(&s, SPAN("LOGIN")), 0);
        cr_expect_str_eq(sasl_first_challenge(&s), "VXNlcm5hbWU6");
        cr_expect_eq(sasl_step(&s, span_of(rows[i].first), &challenge, &c), rows[i].after_first, "%s", rows[i].name);
        if (rows[i].after_first == SASL_CHALLENGE) {
            cr_expect_str_eq(challenge, "UGFzc3dvcmQ6");
            cr_expect_eq(sasl_step(&s, span_of(rows[i].second), &challenge, &c), rows[i].after_second, "%s", rows[i].name);
        }
        if (rows[i].after_second == SASL_DONE) {
            cr_expect_str_eq(c.user, "joe");
            cr_expect(same_bytes(secret_span(&c), "secret", rows[i].second[0] != '\0' ? 6 : 0));
            cr_expect_str_eq(c.method, "LOGIN");
        } else {
            cr_expect_null(c.user, "%s", rows[i].name);
        }
        credentials_clear(&c);
        sasl_clear(&s);
        cr_expect(s.user.bytes == NULL && s.mechanism == NULL);
    }
}

Test(sasl, plain_message_is_what_plain_reads)
{
    static const struct {
        const char *user, *authorize, *password, *want;
    } rows[] = {
        {"joe", "", "secret", "AGpvZQBzZWNyZXQ="},
        {"joe", "admin", "secret", "YWRtaW4Aam9lAHNlY3JldA=="},
        {"joe", "", "", "AGpvZQA="},
        {"j\xc3\xb6", "", "\r\n\"\\\xff", "AGrDtgANCiJc/w=="},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct credentials c = {0};
        struct buffer out = {0};
        cr_assert_eq(credentials_set(&c, "LOGIN", span_of(rows[i].user), span_of(rows[i].authorize), span_of(rows[i].password)), 0);
        cr_assert_eq(buffer_append(&out, "x ", 2, 100), 0);
        cr_assert_eq(sasl_plain_message(&c, &out, 100), 0);
        struct span got = {buffer_data(&out) + 2, out.len - 2};
        cr_expect(same_bytes(got, rows[i].want, strlen(rows[i].want)), "got %s", show(got));
        cr_expect_eq(sasl_plain_message(&c, &out, 8), -1, "it does not fit");
        buffer_clear(&out);
        credentials_clear(&c);
    }
}

Test(sasl, a_message_as_long_as_a_line_is_read)
{
    static uint8_t response[8192];
    struct sasl s = {0};
    struct credentials c = {0};
    const char *challenge;
    memset(response, 'A', sizeof response); /* NULs: bad, but decoded without harm */
    cr_assert_eq(sasl_start(&s, SPAN("PLAIN")), 0);
    cr_expect_eq(sasl_step(&s, (struct span){response, sizeof response}, &challenge, &c), SASL_BAD);
    memset(response, 'e', sizeof response); /* "{...": no NUL, and too long for a user name */
    sasl_clear(&s);
    cr_assert_eq(sasl_start(&s, SPAN("LOGIN")), 0);
    cr_expect_eq(sasl_step(&s, (struct span){response, sizeof response}, &challenge, &c), SASL_CHALLENGE);
    sasl_clear(&s);
}
