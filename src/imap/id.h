/* SPDX-License-Identifier: BSD-2-Clause */
/* The arguments of ID (RFC 2971 3.1 and 3.3): who the client says it is. */
#ifndef IMAPGUARD_IMAP_ID_H
#define IMAPGUARD_IMAP_ID_H

#include "base/buffer.h"
#include "imap/lexer.h"

enum { ID_PAIRS_MAX = 30, ID_KEY_MAX = 30, ID_VALUE_MAX = 1024, ID_FORWARD_PAIRS_MAX = 20 };

/*
 * Checks a complete ID command: NIL, or a list of at most ID_PAIRS_MAX pairs of strings within the limits
 * above. 0 with the value of "name" written to `name` (empty when it was not given; valid until
 * lexer_next()), or -1 when the command is bad.
 */
int id_parse(const struct lexer *l, struct span *name);

/*
 * Appends the first ID_FORWARD_PAIRS_MAX pairs of a complete and well-formed ID command, each as ` "key" "value"`, to
 * `out`: what a backend may be told of the client. Left out is what would make `out` grow over `limit` octets, so that
 * no client can make a backend refuse the whole; the keys by which proxies tell a server where a client is (Dovecot's
 * x-originating-*, x-connected-*, x-proxy-ttl, x-session-*, x-forward-*), since anybody could claim that; NIL values, and
 * strings that no quoted string carries.
 */
void id_forward(const struct lexer *l, struct buffer *out, size_t limit);

/* Appends one pair in that form. 0, or -1 when it does not fit or no quoted string carries it. */
int id_pair_append(struct span key, struct span value, struct buffer *out, size_t limit);

#endif
