/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client wants to log in with, whichever way it said it. */
#ifndef IMAPGUARD_IMAP_CREDENTIALS_H
#define IMAPGUARD_IMAP_CREDENTIALS_H

#include "base/secret.h"
#include "base/span.h"

struct sasl_mechanism;

/* Owns all of it. Neither name holds a NUL; both may hold any other octet. All zero is "none". */
struct credentials {
    const char *method;     /* "LOGIN", or the SASL mechanism's name; static */
    char *user;             /* the authentication identity: whose password it is */
    char *authorize;        /* another identity to act as; NULL: the same */
    struct secret password; /* without NUL; with `passes` the client's first message, decoded */
    const struct sasl_mechanism *passes; /* how alone the backend can be logged in to; NULL: in any way */
};

/*
 * Copies into empty credentials. `authorize` may be empty or equal to `user`: both mean NULL.
 * 0, or -1 when the user is empty, a NUL is in any of them, or memory is short; they are empty then.
 */
int credentials_set(struct credentials *c, const char *method, struct span user, struct span authorize,
                    struct span password);

/* Wipes and frees; they are empty afterwards. */
void credentials_clear(struct credentials *c);

#endif
