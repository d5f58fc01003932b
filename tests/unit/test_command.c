/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/command.h"

#include "support.h"

TestSuite(command, .fini = test_over);

Test(command, names_are_matched_whole_and_in_any_case)
{
    static const struct {
        const char *name;
        int id; /* -1: none of ours */
    } rows[] = {
        {"CAPABILITY", COMMAND_CAPABILITY}, {"noop", COMMAND_NOOP},     {"Id", COMMAND_ID},
        {"LOGOUT", COMMAND_LOGOUT},         {"starttls", COMMAND_STARTTLS}, {"LoGiN", COMMAND_LOGIN},
        {"authenticate", COMMAND_AUTHENTICATE}, {"LOGI", -1},           {"LOGINX", -1},
        {"", -1},                           {"SELECT", -1},             {"UID", -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct command *got = command_find(span_of(rows[i].name));
        cr_expect_eq(got == NULL ? -1 : (int)got->id, rows[i].id, "%s", rows[i].name);
    }
}

Test(command, a_password_is_never_invited_before_tls)
{
    static const char *const names[] = {"LOGIN", "AUTHENTICATE"};
    for (size_t i = 0; i < COUNT(names); i++) {
        cr_expect_eq(command_find(span_of(names[i]))->literal[PHASE_CLEARTEXT], LITERAL_REFUSE, "%s", names[i]);
    }
}
