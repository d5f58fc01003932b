/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of commands that imapguard itself handles, before a login. RFC 9051 6.1 and 6.2, RFC 2971 (ID). */
#ifndef IMAPGUARD_IMAP_COMMAND_H
#define IMAPGUARD_IMAP_COMMAND_H

#include <stdint.h>

#include "base/span.h"

enum command_id {
    COMMAND_CAPABILITY,
    COMMAND_NOOP,
    COMMAND_ID,
    COMMAND_LOGOUT,
    COMMAND_STARTTLS,
    COMMAND_LOGIN,
    COMMAND_AUTHENTICATE,
};

/* The phase of a session before the login: without TLS, or with it. */
enum command_phase { PHASE_CLEARTEXT, PHASE_TLS, PHASE_COUNT };

/*
 * How a literal among the arguments of a command is handled. A client sends {n} only after a "+" from the server, and
 * {n+} immediately. RFC 7888.
 */
enum command_literal {
    LITERAL_NEVER,  /* a literal is a fatal error: no IMAP client sends one here */
    LITERAL_REFUSE, /* {n} gets no "+" and ends the command; {n+} is read, because it follows in any case */
    LITERAL_INVITE, /* {n} gets "+"; {n+} is read */
};

enum {
    COMMAND_LINE_MAX = 8 * 1024,     /* octets of a line without its literals */
    COMMAND_ID_LINE_MAX = 64 * 1024, /* the same for ID: 30 pairs of the sizes of RFC 2971 3.3 */
};

struct command {
    const char *name;
    enum command_id id;
    uint32_t line_max; /* octets of a line without its literals */
    enum command_literal literal[PHASE_COUNT];
};

/* Returns the static row of the command `name`, without regard to case; NULL if there is no such command. */
const struct command *command_find(struct span name);

#endif
