/* SPDX-License-Identifier: BSD-2-Clause */
/* Strings for a backend: quoted where RFC 9051's grammar can carry them, as a literal where it cannot. */
#ifndef IMAPGUARD_IMAP_QUOTE_H
#define IMAPGUARD_IMAP_QUOTE_H

#include "base/buffer.h"
#include "base/span.h"

/* Whether a quoted string carries it to the oldest of servers: 7-bit, no CR, LF or NUL (RFC 3501, QUOTED-CHAR). */
bool quote_fits(struct span s);

/* Appends it as a quoted string, which must fit, to `out` of at most `limit` octets. 0 or -1. */
int quote_append(struct span s, struct buffer *out, size_t limit);

#endif
