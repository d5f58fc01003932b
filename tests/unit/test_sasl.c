/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/sasl.h"

#include "support.h"

TestSuite(sasl, .fini = test_over);

static struct span secret_span(const struct credentials *c)
{
    return (struct span){c->secret.bytes, c->secret.len};
}

Test(sasl, mechanisms_are_matched_whole_and_in_any_case)
{
    static const struct {
        const char *name;
        bool known;
    } rows[] = {{"PLAIN", true}, {"plain", true}, {"LOGIN", true}, {"Login", true}, {"xoauth2", true},
                {"OAUTHBEARER", true}, {"cram-md5", true}, {"SCRAM-SHA-1", true}, {"scram-sha-256", true},
                {"PLAINX", false}, {"PLAI", false}, {"", false}, {"EXTERNAL", false}, {"ANONYMOUS", false},
                {"GSSAPI", false}, {"NTLM", false}, {"DIGEST-MD5", false}, {"SCRAM-SHA-1-PLUS", false},
                {"SCRAM-SHA-256-PLUS", false}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(sasl_find(span_of(rows[i].name)) != NULL, rows[i].known, "%s", rows[i].name);
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
        sasl_start(&s, sasl_find(SPAN("plain")));
        cr_expect_str_eq(s.mechanism->first_challenge, "");
        cr_assert_eq(sasl_step(&s, span_of(rows[i].response), &challenge, &c), rows[i].want, "%s", rows[i].name);
        if (rows[i].want == SASL_DONE) {
            cr_expect_str_eq(c.user, rows[i].user, "%s", rows[i].name);
            cr_expect(rows[i].authorize == NULL ? c.authorize == NULL : strcmp(c.authorize, rows[i].authorize) == 0, "%s",
                      rows[i].name);
            cr_expect(same_bytes(secret_span(&c), rows[i].password, strlen(rows[i].password)), "%s", rows[i].name);
            cr_expect_str_eq(c.method, "PLAIN");
        } else {
            cr_expect(c.user == NULL && c.secret.bytes == NULL, "%s: nothing is left", rows[i].name);
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
        sasl_start(&s, sasl_find(SPAN("LOGIN")));
        cr_expect_str_eq(s.mechanism->first_challenge, "VXNlcm5hbWU6");
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
    sasl_start(&s, sasl_find(SPAN("PLAIN")));
    cr_expect_eq(sasl_step(&s, (struct span){response, sizeof response}, &challenge, &c), SASL_BAD);
    memset(response, 'e', sizeof response); /* "{...": no NUL, and too long for a user name */
    sasl_clear(&s);
    sasl_start(&s, sasl_find(SPAN("LOGIN")));
    cr_expect_eq(sasl_step(&s, (struct span){response, sizeof response}, &challenge, &c), SASL_CHALLENGE);
    sasl_clear(&s);
}

/* Where the message passes as it is, only the user is read from it, and it must not be readable in two ways. */
Test(sasl, the_user_is_read_from_messages_that_pass)
{
    static const struct {
        const char *name, *mechanism, *message; 
        const char *user, *authorize;           /* user NULL: refused */
    } rows[] = {
        {"usual", "XOAUTH2", "user=joe@example.org\1auth=Bearer ya29.x\1\1", "joe@example.org", NULL},
        {"no user", "XOAUTH2", "user=\1auth=Bearer x\1\1", NULL, NULL},
        {"no token", "XOAUTH2", "user=joe\1\1", NULL, NULL},
        {"two users", "XOAUTH2", "user=joe\1user=eve\1auth=Bearer x\1\1", NULL, NULL},
        {"two users, the other way", "XOAUTH2", "user=joe\1auth=Bearer x\1user=eve\1\1", NULL, NULL},
        {"something behind it", "XOAUTH2", "user=joe\1auth=Bearer x\1\1x", NULL, NULL},
        {"no end", "XOAUTH2", "user=joe\1auth=Bearer x\1", NULL, NULL},
        {"empty", "XOAUTH2", "", NULL, NULL},
        {"usual", "OAUTHBEARER", "n,a=joe@example.org,\1host=h\1port=143\1auth=Bearer x\1\1", "joe@example.org", NULL},
        {"a comma and an equals sign", "OAUTHBEARER", "n,a=j=2Co=3De,\1auth=Bearer x\1\1", "j,o=e", NULL},
        {"y", "OAUTHBEARER", "y,a=joe,\1auth=Bearer x\1\1", "joe", NULL},
        {"no user", "OAUTHBEARER", "n,,\1auth=Bearer x\1\1", NULL, NULL},
        {"a user in a pair", "OAUTHBEARER", "n,a=joe,\1user=eve\1auth=Bearer x\1\1", NULL, NULL},
        {"two tokens", "OAUTHBEARER", "n,a=joe,\1auth=Bearer x\1auth=Bearer y\1\1", NULL, NULL},
        {"no token", "OAUTHBEARER", "n,a=joe,\1\1", NULL, NULL},
        {"binds the channel", "OAUTHBEARER", "p=tls-exporter,a=joe,\1auth=Bearer x\1\1", NULL, NULL},
        {"a bad escape", "OAUTHBEARER", "n,a=j=41e,\1auth=Bearer x\1\1", NULL, NULL},
        {"an escape that ends", "OAUTHBEARER", "n,a=joe=2,\1auth=Bearer x\1\1", NULL, NULL},
        {"something behind it", "OAUTHBEARER", "n,a=joe,\1auth=Bearer x\1\1x", NULL, NULL},
        {"usual", "SCRAM-SHA-1", "n,,n=joe,r=fyko+d2lbbFgONRv9qkxdawL", "joe", NULL},
        {"usual", "SCRAM-SHA-256", "y,,n=joe,r=abc", "joe", NULL},
        {"for another", "SCRAM-SHA-256", "n,a=admin,n=joe,r=abc", "joe", "admin"},
        {"escaped", "SCRAM-SHA-256", "n,,n=a=3Db=2Cc,r=abc", "a=b,c", NULL},
        {"extensions", "SCRAM-SHA-256", "n,,n=joe,r=abc,x=y", "joe", NULL},
        {"mandatory extension", "SCRAM-SHA-256", "n,,m=x,n=joe,r=abc", NULL, NULL},
        {"no nonce", "SCRAM-SHA-256", "n,,n=joe,", NULL, NULL},
        {"no user", "SCRAM-SHA-256", "n,,n=,r=abc", NULL, NULL},
        {"binds the channel", "SCRAM-SHA-256", "p=tls-unique,,n=joe,r=abc", NULL, NULL},
        {"no header", "SCRAM-SHA-1", "n=joe,r=abc", NULL, NULL},
        {"an empty identity", "SCRAM-SHA-1", "n,a=,n=joe,r=abc", NULL, NULL},
        {"usual", "CRAM-MD5", "tim b913a602c7eda7a495b4e6e7334d3890", "tim", NULL},
        {"a blank in the name", "CRAM-MD5", "tim the b913a602c7eda7a495b4e6e7334d3890", "tim the", NULL},
        {"short", "CRAM-MD5", "tim b913a602c7eda7a495b4e6e7334d389", NULL, NULL},
        {"no digest", "CRAM-MD5", "tim z913a602c7eda7a495b4e6e7334d3890", NULL, NULL},
        {"no user", "CRAM-MD5", " b913a602c7eda7a495b4e6e7334d3890", NULL, NULL},
        {"nothing", "CRAM-MD5", "", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sasl s = {0};
        struct credentials c = {0};
        struct buffer line = {0};
        const char *challenge;
        const struct sasl_mechanism *m = sasl_find(span_of(rows[i].mechanism));
        cr_assert(m != NULL && m->passthrough);
        cr_assert_eq(sasl_encode(span_of(rows[i].message), &line, 1000), 0);
        sasl_start(&s, m);
        enum sasl_result result = sasl_step(&s, (struct span){buffer_data(&line), line.len}, &challenge, &c);
        cr_assert_eq(result, rows[i].user != NULL ? SASL_DONE : SASL_BAD, "%s, %s", rows[i].mechanism, rows[i].name);
        if (rows[i].user != NULL) {
            cr_expect_str_eq(c.user, rows[i].user, "%s, %s", rows[i].mechanism, rows[i].name);
            cr_expect(c.passthrough == m && strcmp(c.method, rows[i].mechanism) == 0);
            cr_expect(rows[i].authorize == NULL ? c.authorize == NULL : strcmp(c.authorize, rows[i].authorize) == 0);
            cr_expect(same_bytes(secret_span(&c), rows[i].message, strlen(rows[i].message)), "the message is whole");
        }
        buffer_clear(&line);
        credentials_clear(&c);
        sasl_clear(&s);
    }
}

Test(sasl, a_later_response_passes_when_it_is_base64)
{
    cr_expect_eq(sasl_check_response(SPAN("")), SASL_DONE);
    cr_expect_eq(sasl_check_response(SPAN("YWJj")), SASL_DONE);
    cr_expect_eq(sasl_check_response(SPAN("*")), SASL_CANCELLED);
    cr_expect_eq(sasl_check_response(SPAN("YWJ")), SASL_BAD);
    cr_expect_eq(sasl_check_response(SPAN("a b=")), SASL_BAD);
}

Test(sasl, what_the_backend_says_to_a_proof_or_a_token_is_a_verdict)
{
    static const struct {
        enum sasl_id id;
        const char *challenge;
        enum sasl_final final;
    } rows[] = {
        {SASL_SCRAM_SHA_1, "dj1ybUY5cHFWOFM3c3VBb1pXamE0ZEpSa0ZzS1E9", SASL_FINAL_RIGHT}, /* v=..., RFC 5802 5 */
        {SASL_SCRAM_SHA_256, "ZT1pbnZhbGlkLXByb29m", SASL_FINAL_WRONG}, /* e=invalid-proof */
        {SASL_SCRAM_SHA_256, "cj1meWtv", SASL_FINAL_NONE}, {SASL_SCRAM_SHA_1, "", SASL_FINAL_NONE},
        {SASL_SCRAM_SHA_1, "dj", SASL_FINAL_NONE}, {SASL_CRAM_MD5, "dj1y", SASL_FINAL_NONE},
        {SASL_XOAUTH2, "eyJzdGF0dXMiOiI0MDEifQ==", SASL_FINAL_WRONG}, {SASL_OAUTHBEARER, "", SASL_FINAL_WRONG},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(sasl_final_of(sasl_mechanism(rows[i].id), span_of(rows[i].challenge)), rows[i].final, "row %zu", i);
    }
}
