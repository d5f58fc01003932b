/* SPDX-License-Identifier: BSD-2-Clause */
/* The credentials of a client, independent of the command or mechanism that carried them. */
#ifndef IMAPGUARD_IMAP_CREDENTIALS_H
#define IMAPGUARD_IMAP_CREDENTIALS_H

#include "base/secret.h"
#include "base/span.h"

struct sasl_mechanism;

/* The forms of a login that has a password. */
enum login_form {
    LOGIN_BY_COMMAND, /* LOGIN */
    LOGIN_BY_PLAIN,   /* AUTHENTICATE PLAIN */
    LOGIN_BY_LOGIN,   /* AUTHENTICATE LOGIN */
    LOGIN_FORMS
};

/* All zero means none. It owns `user`, `authorize` and `secret`. The names may have any octets except NUL. */
struct credentials {
    const char *method;   /* "LOGIN" or the name of the SASL mechanism; static */
    char *user;           /* authentication identity: the password belongs to it */
    char *authorize;      /* authorization identity, if it is another one; NULL if it is `user` */
    struct secret secret; /* the password without NUL; with `passthrough`, the decoded first message of the client */
    enum login_form form; /* that the client chose; without a meaning if `passthrough` is set */
    const struct sasl_mechanism *passthrough; /* mechanism that the backend requires; NULL for any */
};

enum credentials_result {
    CREDENTIALS_SET,
    CREDENTIALS_BAD,    /* `user` is empty, or one of the arguments contains NUL */
    CREDENTIALS_MEMORY, /* no memory */
};

/*
 * Copies the arguments into c, which must be all zero; `method` is static and is not copied. An `authorize` that is
 * empty or equal to `user` is stored as NULL. c owns the copies: credentials_clear() frees them. On any other result
 * than CREDENTIALS_SET, c stays all zero.
 */
enum credentials_result credentials_set(struct credentials *c, const char *method, struct span user,
                                        struct span authorize, struct span password);

/* Frees all that c owns and wipes the secret. c is all zero afterwards. */
void credentials_clear(struct credentials *c);

#endif
