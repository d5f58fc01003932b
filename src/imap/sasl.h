/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SASL mechanisms that clients may use: PLAIN (RFC 4616) and LOGIN (never standardised; as Dovecot and
 * Exchange speak it). One row and one function for each. Pure: responses in, challenges or credentials out.
 */
#ifndef IMAPGUARD_IMAP_SASL_H
#define IMAPGUARD_IMAP_SASL_H

#include "base/buffer.h"
#include "base/span.h"
#include "imap/credentials.h"

struct sasl_mechanism;

/* An exchange on its way. All zero is "none". */
struct sasl {
    const struct sasl_mechanism *mechanism;
    struct buffer user; /* LOGIN: the first answer, decoded */
    unsigned steps;     /* responses taken */
};

enum sasl_result {
    SASL_CHALLENGE, /* send `challenge` (base64, may be empty) behind "+ " and wait for the next response */
    SASL_DONE,      /* the credentials are complete */
    SASL_CANCELLED, /* the client said "*" */
    SASL_BAD,       /* no base64, or not what the mechanism asks for */
};

/* Begins the mechanism of that name, in any case of letters. 0, or -1 when there is none. */
int sasl_start(struct sasl *s, struct span name);

/* What to ask first when the client gave no initial response: base64, static, may be empty. */
const char *sasl_first_challenge(const struct sasl *s);

/*
 * Takes one response as it stands in the line (base64; "=" is an empty initial response, RFC 4959).
 * On SASL_CHALLENGE the next challenge (static) is written to `challenge`, on SASL_DONE the credentials to
 * `out`, which the caller owns from then on.
 */
enum sasl_result sasl_step(struct sasl *s, struct span response, const char **challenge, struct credentials *out);

/* Wipes what is left of an exchange. */
void sasl_clear(struct sasl *s);

/*
 * Appends PLAIN's message for these credentials, in base64 and without a line end, to `out` of at most
 * `limit` octets. 0, or -1 when it does not fit.
 */
int sasl_plain_message(const struct credentials *c, struct buffer *out, size_t limit);

#endif
