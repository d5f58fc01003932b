/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SASL mechanisms that clients may use. These functions do no I/O: they parse responses of clients, and return
 * challenges or credentials. RFC 4422.
 *
 * PLAIN (RFC 4616) and LOGIN (no standard; as Dovecot and Exchange implement it) reveal user and password. The backend
 * may therefore get them by another command, see login_command.h. The other mechanisms are passed through: their
 * messages go to the backend unchanged, because only the client can compute them. Only the user is read from them,
 * before the backend gets the message. Mechanisms with channel binding (*-PLUS, EXTERNAL) and mechanisms that are bound
 * to a host (GSSAPI, NTLM) do not work through a proxy.
 */
#ifndef IMAPGUARD_IMAP_SASL_H
#define IMAPGUARD_IMAP_SASL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/span.h"
#include "imap/credentials.h"

struct sasl;
enum sasl_result {
    SASL_CHALLENGE, /* send "+ " and `challenge` (base64, may be empty), then wait for the next response */
    SASL_DONE,      /* the credentials are complete; in a passthrough mechanism, user and first message are */
    SASL_CANCELLED, /* the client sent "*" */
    SASL_BAD,       /* no base64, or malformed for this mechanism */
    SASL_MEMORY,    /* no memory */
};

enum sasl_id {
    SASL_PLAIN,
    SASL_LOGIN,
    SASL_XOAUTH2,       /* by Google, no RFC */
    SASL_OAUTHBEARER,   /* RFC 7628 */
    SASL_CRAM_MD5,      /* RFC 2195 */
    SASL_SCRAM_SHA_1,   /* RFC 5802 */
    SASL_SCRAM_SHA_256, /* RFC 7677 */
    SASL_COUNT
};

struct sasl_mechanism {
    const char *name;
    enum sasl_id id;
    bool passthrough;            /* its messages go to the backend unchanged */
    bool hides_password;         /* the client proves that it knows the password, and never sends it */
    bool backend_first;          /* server-first: the user is unknown until the client has answered the challenge */
    const char *first_challenge; /* base64: the challenge if the client sent no initial response; NULL: backend_first */
    /* Parses a decoded response; otherwise as sasl_step(). */
    enum sasl_result (*step)(struct sasl *s, struct span response, const char **challenge, struct credentials *out);
};

/* The state of an exchange. All zero means none. */
struct sasl {
    const struct sasl_mechanism *mechanism;
    struct buffer user; /* LOGIN: the first response, decoded */
    unsigned steps;     /* number of responses parsed */
};

/* Returns the static mechanism `name`, without regard to case; NULL if there is no such mechanism. */
const struct sasl_mechanism *sasl_find(struct span name);

/* Returns the static mechanism with this id. */
const struct sasl_mechanism *sasl_mechanism(enum sasl_id id);

/* Begins an exchange in s. Replaces the content of s without freeing it. sasl_clear() ends the exchange. */
void sasl_start(struct sasl *s, const struct sasl_mechanism *mechanism);

/*
 * Parses one response of the client, as it is in the line: base64, or "=" for an empty initial response. On
 * SASL_CHALLENGE, the next challenge, a static string, is written to `challenge`. On SASL_DONE, the credentials are
 * written to `out`, which must be all zero; the caller owns them and calls credentials_clear(). `out` stays all zero on
 * any other result. RFC 4422, RFC 4959.
 */
enum sasl_result sasl_step(struct sasl *s, struct span response, const char **challenge, struct credentials *out);

/*
 * Checks a later response of the client in a passthrough mechanism, a line of base64 that may be empty. Returns
 * SASL_DONE if it may go to the backend, SASL_CANCELLED if it is "*" (RFC 9051 6.2.2), or SASL_BAD.
 */
enum sasl_result sasl_check_response(struct span response);

/* Returns true if the text is base64 with whole groups and with padding at the end only. RFC 4648 4. */
bool sasl_is_base64(struct span text);

/* Wipes and frees the state of an exchange. s is all zero afterwards. */
void sasl_clear(struct sasl *s);

/*
 * Appends `octets` to `out` in base64, without a line end. Returns 0, or -1 if `out` would exceed `limit` octets or
 * there is no memory; `out` is unchanged then.
 */
int sasl_encode(struct span octets, struct buffer *out, size_t limit);

/*
 * Appends the PLAIN message for these credentials to `out` in base64, without a line end. c->passthrough must be NULL.
 * Returns 0, or -1 if `out` would exceed `limit` octets or there is no memory; `out` is unchanged then. RFC 4616.
 */
int sasl_plain_message(const struct credentials *c, struct buffer *out, size_t limit);

enum sasl_final {
    SASL_FINAL_NONE, /* no verdict */
    SASL_FINAL_RIGHT,
    SASL_FINAL_WRONG,
};

/*
 * Returns what a challenge of the backend says, which it sends after the client's proof or token: SCRAM has "v=" or
 * "e=" there (RFC 5802 7), and a challenge to a token is an error (RFC 7628 3.2.2). `challenge` is base64.
 */
enum sasl_final sasl_final_of(const struct sasl_mechanism *mechanism, struct span challenge);

#endif
