/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/command.h"

#include <stddef.h>

/* What the lexer needs while it reads a line. The caller decides later whether the command is allowed before TLS. */
/* clang-format off */
static const struct command commands[] = {
    /* name           id                    line_max             literal before TLS, after TLS */
    {"CAPABILITY",    COMMAND_CAPABILITY,   COMMAND_LINE_MAX,    {LITERAL_NEVER, LITERAL_NEVER}},
    {"NOOP",          COMMAND_NOOP,         COMMAND_LINE_MAX,    {LITERAL_NEVER, LITERAL_NEVER}},
    {"ID",            COMMAND_ID,           COMMAND_ID_LINE_MAX, {LITERAL_INVITE, LITERAL_INVITE}},
    {"LOGOUT",        COMMAND_LOGOUT,       COMMAND_LINE_MAX,    {LITERAL_NEVER, LITERAL_NEVER}},
    {"STARTTLS",      COMMAND_STARTTLS,     COMMAND_LINE_MAX,    {LITERAL_NEVER, LITERAL_NEVER}},
    {"LOGIN",         COMMAND_LOGIN,        COMMAND_LINE_MAX,    {LITERAL_REFUSE, LITERAL_INVITE}},
    {"AUTHENTICATE",  COMMAND_AUTHENTICATE, COMMAND_LINE_MAX,    {LITERAL_REFUSE, LITERAL_NEVER}},
};
/* clang-format on */

const struct command *command_find(struct span name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (span_is(name, commands[i].name)) {
            return &commands[i];
        }
    }
    return NULL;
}
