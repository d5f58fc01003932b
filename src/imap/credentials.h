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
    struct secret secret; /* without NUL; with `passes` the client's first message, decoded */
    const struct sasl_mechanism *passthrough; /* how alone the backend can be logged in to; NULL: in any way */
};

enum credentials_result {
    CREDENTIALS_SET,
    CREDENTIALS_BAD,    /* the user is empty, or a NUL is in any of them */
    CREDENTIALS_MEMORY, /* memory is short */
};

/*
 * Copies into empty credentials, which are empty after a failure. `authorize` may be empty or equal to `user`: both mean
 * NULL.
 */
enum credentials_result credentials_set(struct credentials *c, const char *method, struct span user, struct span authorize,
                                        struct span password);

/* Wipes and frees; they are empty afterwards. */
void credentials_clear(struct credentials *c);

#endif
