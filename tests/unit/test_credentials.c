/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/credentials.h"

#include "support.h"

TestSuite(credentials, .fini = test_over);

Test(credentials, refuse_an_empty_user_and_every_nul)
{
    static const struct {
        const char *name;
        struct span user, authorize, password;
        enum credentials_result want;
    } rows[] = {
        {"plain", {(const uint8_t *)"joe", 3}, {0}, {(const uint8_t *)"x", 1}, CREDENTIALS_SET},
        {"empty password", {(const uint8_t *)"joe", 3}, {0}, {0}, CREDENTIALS_SET},
        {"any octets", {(const uint8_t *)"j\r\n\"\xff", 5}, {0}, {(const uint8_t *)"\r\n\x01\xff", 4}, CREDENTIALS_SET},
        {"empty user", {(const uint8_t *)"", 0}, {0}, {(const uint8_t *)"x", 1}, CREDENTIALS_BAD},
        {"no user", {0}, {0}, {0}, CREDENTIALS_BAD},
        {"NUL in user", {(const uint8_t *)"j\0e", 3}, {0}, {(const uint8_t *)"x", 1}, CREDENTIALS_BAD},
        {"NUL at the end of user", {(const uint8_t *)"joe", 4}, {0}, {(const uint8_t *)"x", 1}, CREDENTIALS_BAD},
        {"NUL in the other identity", {(const uint8_t *)"joe", 3}, {(const uint8_t *)"a\0", 2}, {(const uint8_t *)"x", 1}, CREDENTIALS_BAD},
        {"NUL in password", {(const uint8_t *)"joe", 3}, {0}, {(const uint8_t *)"x\0y", 3}, CREDENTIALS_BAD},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct credentials c = {0};
        cr_expect_eq(credentials_set(&c, "LOGIN", rows[i].user, rows[i].authorize, rows[i].password), rows[i].want, "%s",
                     rows[i].name);
        if (rows[i].want == CREDENTIALS_SET) {
            cr_expect(same_bytes(rows[i].user, c.user, strlen(c.user)), "%s", rows[i].name);
            cr_expect(same_bytes(rows[i].password, c.secret.bytes, c.secret.len), "%s", rows[i].name);
            cr_expect_str_eq(c.method, "LOGIN");
        }
        cr_expect(rows[i].want == CREDENTIALS_SET || (c.user == NULL && c.secret.bytes == NULL), "%s: empty after a failure", rows[i].name);
        credentials_clear(&c);
        cr_expect(c.user == NULL && c.authorize == NULL && c.secret.bytes == NULL && c.method == NULL, "%s", rows[i].name);
    }
}

Test(credentials, another_identity_is_kept_only_if_it_is_another)
{
    static const struct {
        const char *user, *authorize, *want;
    } rows[] = {{"joe", "", NULL}, {"joe", "joe", NULL}, {"joe", "admin", "admin"}, {"joe", "joex", "joex"}, {"joe", "jo", "jo"},
                {"joe", "JOE", "JOE"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct credentials c = {0};
        cr_assert_eq(credentials_set(&c, "PLAIN", span_of(rows[i].user), span_of(rows[i].authorize), SPAN("x")), 0);
        cr_expect(rows[i].want == NULL ? c.authorize == NULL : c.authorize != NULL && strcmp(c.authorize, rows[i].want) == 0,
                  "%s for %s", rows[i].user, rows[i].authorize);
        credentials_clear(&c);
    }
}
