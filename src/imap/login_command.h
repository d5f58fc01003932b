/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The login as a backend gets it. Of PLAIN, LOGIN and the LOGIN command, whichever the client used, the backend gets
 * what it knows: AUTHENTICATE PLAIN (RFC 4616), otherwise LOGIN, with literals for what a quoted string cannot carry,
 * otherwise AUTHENTICATE LOGIN. Every other mechanism stays what it is. Pure: credentials in, octets with the places to
 * wait at out.
 */
#ifndef IMAPGUARD_IMAP_LOGIN_COMMAND_H
#define IMAPGUARD_IMAP_LOGIN_COMMAND_H

#include "base/buffer.h"
#include "base/span.h"
#include "imap/capability.h"
#include "imap/credentials.h"

enum { LOGIN_COMMAND_PARTS_MAX = 3 };

/* The octets in parts: the backend invites each but the first by "+". All zero is "none". */
struct login_command {
    struct buffer bytes;
    size_t end[LOGIN_COMMAND_PARTS_MAX]; /* where each part ends */
    size_t parts;
    size_t next;                 /* the part to send next */
};

enum login_command_result {
    LOGIN_COMMAND_READY,
    LOGIN_COMMAND_FORBIDDEN,     /* the backend takes no password in any of these ways */
    LOGIN_COMMAND_NO_MECHANISM,  /* it does not know the one that the client used */
    LOGIN_COMMAND_NOT_AUTHORIZE, /* it cannot log in as somebody else: only AUTHENTICATE PLAIN can say that */
    LOGIN_COMMAND_TOO_BIG,       /* or memory is short for it */
    LOGIN_COMMAND_MEMORY,        /* memory is short for the names; login_command_build() does not return it */
};

/*
 * Builds the message under `tag` for a backend that can do what `able` says. When all parts of a mechanism that passes
 * are sent, the backend's "+" are challenges for the client. What was built is let go by login_command_clear().
 */
enum login_command_result login_command_build(struct login_command *m, const char *tag, const struct credentials *c,
                              const struct capabilities *able);

/* Cuts off the next part; false when none is left. Valid until login_command_clear(). */
bool login_command_next(struct login_command *m, struct span *part);

/* Wipes and frees. */
void login_command_clear(struct login_command *m);

#endif
