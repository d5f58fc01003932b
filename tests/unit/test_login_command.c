/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/login_command.h"

#include <stdio.h>
#include <stdlib.h>

#include "support.h"

TestSuite(login_command, .fini = test_over);

enum { NOTHING = 0, PLAIN = 1, SASL_IR = 2, DISABLED = 4, LOGIN = 8, XOAUTH2 = 16, CRAM = 32 };

static struct capabilities able(unsigned flags)
{
    uint32_t auth = ((flags & PLAIN) != 0 ? capability_bit(SASL_PLAIN) : 0) |
                    ((flags & LOGIN) != 0 ? capability_bit(SASL_LOGIN) : 0) |
                    ((flags & XOAUTH2) != 0 ? capability_bit(SASL_XOAUTH2) : 0) |
                    ((flags & CRAM) != 0 ? capability_bit(SASL_CRAM_MD5) : 0);
    return (struct capabilities){.known = true, .imap = true, .auth = auth,
                                 .sasl_ir = (flags & SASL_IR) != 0, .login_disabled = (flags & DISABLED) != 0};
}

/* All parts, each ended by "|". */
static void cut_parts(struct login_command *m, char got[512])
{
    struct span part;
    got[0] = '\0';
    while (login_command_next(m, &part)) {
        strcat(strcat(got, show(part)), "|");
    }
}

Test(login_command, is_sent_in_the_form_that_the_backend_knows)
{
    static const struct {
        const char *name;
        unsigned able;
        const char *user, *authorize, *password;
        enum login_command_result result;
        const char *parts; /* each ended by "|" */
        enum login_form form; /* the client's */
    } rows[] = {
        {"LOGIN", NOTHING, "joe", "", "secret", LOGIN_COMMAND_READY, "t LOGIN \"joe\" \"secret\"\\r\\n|", LOGIN_BY_COMMAND},
        {"LOGIN with an empty password", NOTHING, "joe", "", "", LOGIN_COMMAND_READY, "t LOGIN \"joe\" \"\"\\r\\n|", LOGIN_BY_COMMAND},
        {"LOGIN, quoted", NOTHING, "j\"o", "", "a\\b", LOGIN_COMMAND_READY, "t LOGIN \"j\\\"o\" \"a\\\\b\"\\r\\n|", LOGIN_BY_COMMAND},
        {"a name with a backslash, as Exchange has it", PLAIN | SASL_IR, "joe@dom\\box", "", "x", LOGIN_COMMAND_READY,
         "t LOGIN \"joe@dom\\\\box\" \"x\"\\r\\n|", LOGIN_BY_COMMAND},
        {"LOGIN, a literal user", NOTHING, "j\xc3\xb6", "", "x", LOGIN_COMMAND_READY, "t LOGIN {3}\\r\\n|j\\xc3\\xb6 \"x\"\\r\\n|", LOGIN_BY_COMMAND},
        {"LOGIN, a literal password", NOTHING, "joe", "", "a\r\nb NOOP\r\n", LOGIN_COMMAND_READY,
         "t LOGIN \"joe\" {11}\\r\\n|a\\r\\nb NOOP\\r\\n\\r\\n|", LOGIN_BY_COMMAND},
        {"LOGIN, both literal", NOTHING, "\xff", "", "\xfe", LOGIN_COMMAND_READY, "t LOGIN {1}\\r\\n|\\xff {1}\\r\\n|\\xfe\\r\\n|", LOGIN_BY_COMMAND},
        {"SASL-IR alone says nothing", SASL_IR, "joe", "", "x", LOGIN_COMMAND_READY, "t LOGIN \"joe\" \"x\"\\r\\n|", LOGIN_BY_COMMAND},
        {"LOGIN stays LOGIN", PLAIN | LOGIN | SASL_IR, "joe", "", "x", LOGIN_COMMAND_READY, "t LOGIN \"joe\" \"x\"\\r\\n|", LOGIN_BY_COMMAND},
        {"unless it is disabled", PLAIN | LOGIN | DISABLED, "joe", "", "", LOGIN_COMMAND_READY, "t AUTHENTICATE PLAIN\\r\\n|AGpvZQA=\\r\\n|", LOGIN_BY_COMMAND},
        {"and PLAIN is not there", LOGIN | SASL_IR | DISABLED, "joe", "", "secret", LOGIN_COMMAND_READY,
         "t AUTHENTICATE LOGIN\\r\\n|am9l\\r\\n|c2VjcmV0\\r\\n|", LOGIN_BY_COMMAND},
        {"PLAIN stays PLAIN", PLAIN, "joe", "", "secret", LOGIN_COMMAND_READY, "t AUTHENTICATE PLAIN\\r\\n|AGpvZQBzZWNyZXQ=\\r\\n|", LOGIN_BY_PLAIN},
        {"PLAIN at once", PLAIN | LOGIN | SASL_IR, "joe", "", "secret", LOGIN_COMMAND_READY, "t AUTHENTICATE PLAIN AGpvZQBzZWNyZXQ=\\r\\n|", LOGIN_BY_PLAIN},
        {"PLAIN becomes LOGIN", LOGIN, "joe", "", "x", LOGIN_COMMAND_READY, "t LOGIN \"joe\" \"x\"\\r\\n|", LOGIN_BY_PLAIN},
        {"or the mechanism LOGIN", LOGIN | DISABLED, "joe", "", "secret", LOGIN_COMMAND_READY,
         "t AUTHENTICATE LOGIN\\r\\n|am9l\\r\\n|c2VjcmV0\\r\\n|", LOGIN_BY_PLAIN},
        {"PLAIN for another", PLAIN | SASL_IR, "joe", "admin", "secret", LOGIN_COMMAND_READY,
         "t AUTHENTICATE PLAIN YWRtaW4Aam9lAHNlY3JldA==\\r\\n|", LOGIN_BY_PLAIN},
        {"the mechanism LOGIN stays what it is", LOGIN | PLAIN | SASL_IR, "joe", "", "secret", LOGIN_COMMAND_READY,
         "t AUTHENTICATE LOGIN\\r\\n|am9l\\r\\n|c2VjcmV0\\r\\n|", LOGIN_BY_LOGIN},
        {"or becomes the command", PLAIN | SASL_IR, "joe", "", "x", LOGIN_COMMAND_READY, "t LOGIN \"joe\" \"x\"\\r\\n|", LOGIN_BY_LOGIN},
        {"or PLAIN", PLAIN | DISABLED | SASL_IR, "joe", "", "", LOGIN_COMMAND_READY, "t AUTHENTICATE PLAIN AGpvZQA=\\r\\n|", LOGIN_BY_LOGIN},
        {"another identity is never dropped", LOGIN, "joe", "admin", "x", LOGIN_COMMAND_NOT_AUTHORIZE, "", LOGIN_BY_PLAIN},
        {"nor where nothing is allowed", DISABLED, "joe", "admin", "x", LOGIN_COMMAND_NOT_AUTHORIZE, "", LOGIN_BY_PLAIN},
        {"nothing is allowed", DISABLED, "joe", "", "x", LOGIN_COMMAND_FORBIDDEN, "", LOGIN_BY_COMMAND},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct credentials c = {0};
        struct login_command m = {0};
        struct capabilities can = able(rows[i].able);
        struct span part;
        char got[512];
        cr_assert_eq(credentials_set(&c, "LOGIN", span_of(rows[i].user), span_of(rows[i].authorize), span_of(rows[i].password)), 0);
        c.form = rows[i].form;
        cr_expect_eq(login_command_build(&m, "t", &c, &can), rows[i].result, "%s", rows[i].name);
        cut_parts(&m, got);
        cr_expect_str_eq(got, rows[i].parts, "%s: %s", rows[i].name, got);
        cr_expect(!login_command_next(&m, &part));
        login_command_clear(&m);
        cr_expect(m.bytes.bytes == NULL && m.parts == 0);
        credentials_clear(&c);
    }
}

Test(login_command, that_is_too_big_is_refused_and_leaves_nothing)
{
    size_t len = 70000;
    char *big = malloc(len);
    memset(big, 'x', len);
    for (unsigned flags = 0; flags < 4; flags++) {
        struct credentials c = {0};
        struct login_command m = {0};
        struct capabilities can = able(flags);
        cr_assert_eq(credentials_set(&c, "LOGIN", SPAN("joe"), (struct span){0}, (struct span){(uint8_t *)big, len}), 0);
        c.form = flags & 1 ? LOGIN_BY_PLAIN : LOGIN_BY_COMMAND;
        cr_expect_eq(login_command_build(&m, "t", &c, &can), LOGIN_COMMAND_TOO_BIG);
        cr_expect_null(m.bytes.bytes);
        login_command_clear(&m);
        credentials_clear(&c);
    }
    free(big);
}

Test(login_command, by_a_mechanism_that_passes_stays_what_it_is)
{
    static const struct {
        const char *name, *mechanism;
        unsigned able;
        enum login_command_result result;
        const char *parts;
    } rows[] = {
        {"at once", "XOAUTH2", XOAUTH2 | SASL_IR, LOGIN_COMMAND_READY, "t AUTHENTICATE XOAUTH2 bWVzc2FnZQ==\\r\\n|"},
        {"when asked", "XOAUTH2", XOAUTH2, LOGIN_COMMAND_READY, "t AUTHENTICATE XOAUTH2\\r\\n|bWVzc2FnZQ==\\r\\n|"},
        {"not known there", "XOAUTH2", PLAIN | SASL_IR, LOGIN_COMMAND_NO_MECHANISM, ""},
        {"the backend speaks first", "CRAM-MD5", CRAM | SASL_IR, LOGIN_COMMAND_READY, "t AUTHENTICATE CRAM-MD5\\r\\n|"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct credentials c = {0};
        struct login_command m = {0};
        struct capabilities can = able(rows[i].able);
        char got[512];
        cr_assert_eq(credentials_set(&c, "x", SPAN("joe"), (struct span){0}, SPAN("message")), 0);
        c.passthrough = sasl_find(span_of(rows[i].mechanism));
        cr_expect_eq(login_command_build(&m, "t", &c, &can), rows[i].result, "%s", rows[i].name);
        cut_parts(&m, got);
        cr_expect_str_eq(got, rows[i].parts, "%s: %s", rows[i].name, got);
        login_command_clear(&m);
        credentials_clear(&c);
    }
}
