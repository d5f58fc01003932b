/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Builds the login command for a backend. A password goes on in the form in which the client has sent it (the LOGIN
 * command, AUTHENTICATE PLAIN of RFC 4616, AUTHENTICATE LOGIN) if the backend takes that, since servers tell them apart:
 * Exchange knows "user@domain\mailbox" by LOGIN alone. Otherwise it is translated to the first form that the backend
 * takes. The LOGIN command has literals for strings that cannot be quoted. Other mechanisms are not translated. These
 * functions do no I/O.
 */
#ifndef IMAPGUARD_IMAP_LOGIN_COMMAND_H
#define IMAPGUARD_IMAP_LOGIN_COMMAND_H

#include "base/buffer.h"
#include "base/span.h"
#include "imap/capability.h"
#include "imap/credentials.h"

enum { LOGIN_COMMAND_PARTS_MAX = 3 };

/* A command in parts. Every part except the first is sent after a "+" from the backend. All zero means none. */
struct login_command {
    struct buffer bytes;
    size_t end[LOGIN_COMMAND_PARTS_MAX]; /* the offset in `bytes` at which each part ends */
    size_t parts;
    size_t next; /* index of the part to send next */
};

enum login_command_result {
    LOGIN_COMMAND_READY,
    LOGIN_COMMAND_FORBIDDEN,     /* the backend supports none of the commands for a password */
    LOGIN_COMMAND_NO_MECHANISM,  /* the backend does not support the mechanism that the client used */
    LOGIN_COMMAND_NOT_AUTHORIZE, /* an authorization identity needs AUTHENTICATE PLAIN, which the backend lacks */
    LOGIN_COMMAND_TOO_BIG,       /* the command is too long, or there is no memory for it */
    LOGIN_COMMAND_MEMORY,        /* no memory; for callers of login_command_build(), which does not return it */
};

/*
 * Builds in m the command with the tag `tag` for the credentials c and a backend with the capabilities `able`. Replaces
 * the content of m without freeing it. If c->passthrough is set, every "+" of the backend after the last part is a
 * challenge for the client. On LOGIN_COMMAND_READY, m owns memory that login_command_clear() frees. On any other
 * result, m is all zero.
 */
enum login_command_result login_command_build(struct login_command *m, const char *tag, const struct credentials *c,
                                              const struct capabilities *able);

/*
 * Writes the next part to `part` and advances m. The part is valid until login_command_clear(). Returns true, or false
 * if no part is left.
 */
bool login_command_next(struct login_command *m, struct span *part);

/* Wipes and frees the octets of m. m is all zero afterwards. */
void login_command_clear(struct login_command *m);

#endif
