/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands that imapguard answers itself, before a login: RFC 9051 6.1 and 6.2, and ID (RFC 2971).
 * One row for each, with what it may do before TLS and after it.
 */
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

/* What the client may do with what it says, which TLS alone decides. */
enum command_phase { PHASE_CLEARTEXT, PHASE_TLS, PHASE_COUNT };

/* What becomes of a literal among a command's arguments. */
enum command_literal {
    LITERAL_NEVER,  /* it may not have one: whoever sends it is no IMAP client */
    LITERAL_REFUSE, /* {n} is not invited and ends the command; {n+} is read, since it comes anyway */
    LITERAL_INVITE, /* {n} is invited, {n+} is read */
};

enum {
    COMMAND_LINE_MAX = 8 * 1024,    /* octets of a line without its literals */
    COMMAND_ID_LINE_MAX = 64 * 1024, /* 30 pairs of the sizes that RFC 2971 3.3 allows */
};

struct command {
    const char *name;
    enum command_id id;
    uint32_t line_max;
    enum command_literal literal[PHASE_COUNT];
};

/* The row of that name, matched whole and without regard to case; NULL for any other command. */
const struct command *command_find(struct span name);

#endif
