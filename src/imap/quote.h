/* SPDX-License-Identifier: BSD-2-Clause */
/* Quoted strings for a backend. RFC 9051 9. */
#ifndef IMAPGUARD_IMAP_QUOTE_H
#define IMAPGUARD_IMAP_QUOTE_H

#include "base/buffer.h"
#include "base/span.h"

/*
 * Returns true if s can be sent as a quoted string, even to old servers: it has 7-bit octets only, without CR, LF and
 * NUL. RFC 3501 9 (QUOTED-CHAR).
 */
bool quote_fits(struct span s);

/*
 * Appends s to `out` as a quoted string. quote_fits(s) must be true. Returns 0, or -1 if `out` would exceed `limit`
 * octets or there is no memory. A part may have been appended then.
 */
int quote_append(struct span s, struct buffer *out, size_t limit);

#endif
