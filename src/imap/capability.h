/* SPDX-License-Identifier: BSD-2-Clause */
/* Capability lists: the ones that clients get, and the ones that backends send. RFC 9051 7.2.2. */
#ifndef IMAPGUARD_IMAP_CAPABILITY_H
#define IMAPGUARD_IMAP_CAPABILITY_H

#include "base/buffer.h"
#include "base/span.h"
#include "imap/sasl.h"

/* The capabilities of imapguard before TLS: only those that a client may use then. RFC 9051 6.1.1. */
#define CAPABILITY_CLEARTEXT "IMAP4rev1 ID STARTTLS LOGINDISABLED"

/* The capabilities after TLS and before the login that do not depend on the backends: imapguard implements them. */
#define CAPABILITY_TLS "IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN"

/* Octets of the longest list that clients get before the login, with a terminator. */
enum { CAPABILITY_OFFER_MAX = 2048 };

/* The capabilities of a backend that affect a login. All zero means unknown. */
struct capabilities {
    bool known; /* the backend has sent a list */
    bool imap;  /* IMAP4 of some revision */
    bool login_disabled;
    bool starttls;
    bool id;       /* RFC 2971 */
    bool sasl_ir;  /* RFC 4959 */
    uint32_t auth; /* set of mechanisms, see capability_bit() */
};

/* Returns the bit of a mechanism in a set of mechanisms, such as struct capabilities.auth. */
uint32_t capability_bit(enum sasl_id id);

/* Parses a list of words separated by spaces. Replaces the content of `out`. Unknown words are ignored. */
void capability_parse(struct span list, struct capabilities *out);

/* Returns true if one of the words of the list equals `word`, without regard to the case of ASCII letters. */
bool capability_has(struct span list, struct span word);

/*
 * Returns true if clients to which `list` was announced may use the mechanism. PLAIN and LOGIN are always allowed, also
 * without a word in the list, because imapguard translates them for the backend. Every other mechanism needs its
 * "AUTH=" word in the list.
 */
bool capability_allows_mechanism(struct span list, const struct sasl_mechanism *mechanism);

/*
 * Appends to `out` the capabilities that clients get after TLS and before the login, as one list of words separated by
 * single spaces:
 * - CAPABILITY_TLS, and so always AUTH=PLAIN;
 * - the AUTH= words that all `count` lists have in common, if their bit is in `mechanisms`, in the order of enum
 *   sasl_id;
 * - the extensions that all lists have in common and that take effect only after the login, in the order of lists[0].
 *
 * If `count` is 0, the result is CAPABILITY_TLS alone. Extensions that change the dialogue before the login are left
 * out (STARTTLS, LOGINDISABLED, LITERAL+, COMPRESS, LOGIN-REFERRALS, LANGUAGE ...). Words that capability.c does not
 * list are left out too, because they might.
 *
 * Returns 0, or -1 if `out` would exceed `limit` octets or there is no memory. A part may have been appended then.
 */
int capability_offer(const struct span lists[], size_t count, uint32_t mechanisms, struct buffer *out, size_t limit);

/*
 * Appends to `out` the list that a backend sent with or after the OK of a login, without the words that are wrong for a
 * connection through imapguard: STARTTLS, LOGINDISABLED, and UNAUTHENTICATE (RFC 8437), because a second login would
 * not pass through imapguard's checks. Malformed words are left out. The words are separated by single spaces; nothing
 * is appended if no word is left.
 *
 * Returns 0, or -1 if `out` would exceed `limit` octets or there is no memory. A part may have been appended then.
 */
int capability_append_filtered(struct span list, struct buffer *out, size_t limit);

/*
 * Checks a word of the option `capabilities`. Returns NULL if the word may be announced to clients, or a static
 * description of the expected text.
 */
const char *capability_check(const char *word);

#endif
