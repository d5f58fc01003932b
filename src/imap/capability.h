/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of capabilities (RFC 9051 7.2.2): what clients are told, and what a backend says of itself. */
#ifndef IMAPGUARD_IMAP_CAPABILITY_H
#define IMAPGUARD_IMAP_CAPABILITY_H

#include "base/buffer.h"
#include "base/span.h"
#include "imap/sasl.h"

/* What clients are told before TLS: nothing that they could not use now (RFC 9051 6.1.1). */
#define CAPABILITY_CLEARTEXT "IMAP4rev1 ID STARTTLS LOGINDISABLED"

/* What they are told after TLS and before the login, whatever the backends know: all of it is answered here. */
#define CAPABILITY_TLS "IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN"

/* Octets of a list that clients are told, and of one that a backend may say before its login. */
enum { CAPABILITY_OFFER_MAX = 2048 };

/* What matters of a backend's list to log in there. */
struct capabilities {
    bool known;          /* a list was seen */
    bool imap;           /* IMAP4 of some revision */
    bool login_disabled;
    bool starttls;
    bool id;             /* RFC 2971 */
    bool sasl_ir;        /* RFC 4959 */
    uint32_t auth;       /* mechanisms: capability_bit() of each */
};

/* The bit of a mechanism in struct capabilities, and wherever a set of mechanisms is needed. */
uint32_t capability_bit(enum sasl_id id);

/* Reads a list, blanks between the words, into `out` (what an earlier list said is forgotten). */
void capability_parse(struct span list, struct capabilities *out);

/* Whether the word stands in the list. */
bool capability_has(struct span list, struct span word);

/* Whether a list offers the mechanism: PLAIN and LOGIN always, since they are translated. */
bool capability_offers(struct span list, const struct sasl_mechanism *mechanism);

/*
 * Appends what clients are told after TLS and before the login: CAPABILITY_TLS, and what all of `lists` have in
 * common as far as it is true of a connection through imapguard. These are the AUTH= mechanisms that are in the set
 * `mechanisms`, and the extensions known here whose meaning only starts after the login: not what changes the talk
 * before it (STARTTLS, LOGINDISABLED, LITERAL+, COMPRESS, LOGIN-REFERRALS, LANGUAGE ...), and no word that is unknown,
 * since it may. 0, or -1 when `out` would grow over `limit` octets.
 */
int capability_offer(const struct span lists[], size_t count, uint32_t mechanisms, struct buffer *out, size_t limit);

/*
 * Appends a list that a backend gave with or after its OK to `out` (at most `limit` octets) less what is not true of
 * a connection through imapguard: STARTTLS, LOGINDISABLED, and UNAUTHENTICATE (RFC 8437), after which a client
 * would have to log in without us. Words with octets that no capability has are left out. 0, or -1 when it does not fit.
 */
int capability_pass(struct span list, struct buffer *out, size_t limit);

/* For `capabilities` of the configuration: NULL when the word may be told to clients, or what was expected. */
const char *capability_check(const char *word);

#endif
