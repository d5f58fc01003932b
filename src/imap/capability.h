/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of capabilities (RFC 9051 7.2.2): what clients are told, and what a backend says of itself. */
#ifndef IMAPGUARD_IMAP_CAPABILITY_H
#define IMAPGUARD_IMAP_CAPABILITY_H

#include "base/buffer.h"
#include "base/span.h"

/* What clients are told before TLS: nothing that they could not use now (RFC 9051 6.1.1). */
#define CAPABILITY_PLAIN "IMAP4rev1 ID STARTTLS LOGINDISABLED"

/* What they are told after TLS and before the login, whatever the backend knows: all of it is answered here. */
#define CAPABILITY_SECURE "IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN"

/* What matters of a backend's list to log in there. */
struct capabilities {
    bool known;          /* a list was seen */
    bool imap;           /* IMAP4 of some revision */
    bool login_disabled;
    bool auth_plain;
    bool sasl_ir;        /* RFC 4959 */
};

/* Reads a list, blanks between the words, into `out` (what an earlier list said is forgotten). */
void capability_parse(struct span list, struct capabilities *out);

/*
 * Appends the list to `out` (at most `limit` octets) less what is not true of a connection through
 * imapguard: STARTTLS and LOGINDISABLED. Words with octets that no capability has are left out. 0, or -1
 * when it does not fit.
 */
int capability_pass(struct span list, struct buffer *out, size_t limit);

#endif
