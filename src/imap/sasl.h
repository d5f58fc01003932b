/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SASL mechanisms that clients may use: one row and one function for each. Pure: responses in, challenges or
 * credentials out.
 *
 * Of PLAIN (RFC 4616) and LOGIN (never standardised; as Dovecot and Exchange speak it) user and password are known
 * here, so that the backend may get them in any way that it knows. The messages of the others pass as they are, line
 * by line: nobody but the client can make them. Only the user is read from them, before the backend sees the line.
 * What binds the channel (*-PLUS, EXTERNAL) or is bound to the host (GSSAPI, NTLM) cannot pass a proxy.
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
    SASL_CHALLENGE, /* send `challenge` (base64, may be empty) behind "+ " and wait for the next response */
    SASL_DONE,      /* the credentials are complete; where the mechanism passes: the user is known, see credentials.h */
    SASL_CANCELLED, /* the client said "*" */
    SASL_BAD,       /* no base64, or not what the mechanism asks for */
    SASL_MEMORY,    /* memory is short */
};

enum sasl_id {
    SASL_PLAIN,
    SASL_LOGIN,
    SASL_XOAUTH2,       /* Google's */
    SASL_OAUTHBEARER,   /* RFC 7628 */
    SASL_CRAM_MD5,      /* RFC 2195 */
    SASL_SCRAM_SHA_1,   /* RFC 5802 */
    SASL_SCRAM_SHA_256, /* RFC 7677 */
    SASL_COUNT
};

struct sasl_mechanism {
    const char *name;
    enum sasl_id id;
    bool passthrough;                 /* its messages go to the backend as they are */
    bool backend_first;          /* the first word is the backend's: who the user is, is told only to a backend */
    const char *first_challenge; /* base64: what to ask first when the client gave no initial response */
    /* Takes a decoded response. */
    enum sasl_result (*step)(struct sasl *s, struct span response, const char **challenge, struct credentials *out);
};

/* An exchange on its way. All zero is "none". */
struct sasl {
    const struct sasl_mechanism *mechanism;
    struct buffer user; /* LOGIN: the first answer, decoded */
    unsigned steps;     /* responses taken */
};

/* The mechanism of that name, in any case of letters; NULL when there is none. */
const struct sasl_mechanism *sasl_find(struct span name);

/* The mechanism with that id. */
const struct sasl_mechanism *sasl_mechanism(enum sasl_id id);

/* Begins an exchange. */
void sasl_start(struct sasl *s, const struct sasl_mechanism *mechanism);

/*
 * Takes one response as it stands in the line (base64; "=" is an empty initial response, RFC 4959).
 * On SASL_CHALLENGE the next challenge (static) is written to `challenge`, on SASL_DONE the credentials to
 * `out`, which must be empty and which the caller owns from then on.
 */
enum sasl_result sasl_step(struct sasl *s, struct span response, const char **challenge, struct credentials *out);

/* What a later response to a challenge of the backend's is: SASL_DONE (it may pass), SASL_CANCELLED or SASL_BAD. */
enum sasl_result sasl_look(struct span response);

/* Whether the text is base64 as RFC 4648 section 4 has it: whole groups, padding at the end only. */
bool sasl_is_base64(struct span text);

/* Wipes what is left of an exchange. */
void sasl_clear(struct sasl *s);

/* Appends octets in base64, without a line end, to `out` of at most `limit` octets. 0, or -1 when it does not fit. */
int sasl_encode(struct span octets, struct buffer *out, size_t limit);

/*
 * Appends PLAIN's message for these credentials, in base64 and without a line end, to `out` of at most
 * `limit` octets. 0, or -1 when it does not fit.
 */
int sasl_plain_message(const struct credentials *c, struct buffer *out, size_t limit);

#endif
