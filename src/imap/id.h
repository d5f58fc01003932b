/* SPDX-License-Identifier: BSD-2-Clause */
/* The arguments of ID, with which a client describes itself. RFC 2971 3.1 and 3.3. */
#ifndef IMAPGUARD_IMAP_ID_H
#define IMAPGUARD_IMAP_ID_H

#include "base/buffer.h"
#include "imap/lexer.h"

enum { ID_PAIRS_MAX = 30, ID_KEY_MAX = 30, ID_VALUE_MAX = 1024, ID_FORWARD_PAIRS_MAX = 20 };

/*
 * Checks the arguments of the complete ID command in l: NIL, or a list of at most ID_PAIRS_MAX pairs of strings, with
 * keys of ID_KEY_MAX octets and values of ID_VALUE_MAX octets at most. Writes the value of the key "name" to `name`;
 * empty if there is none. `name` is valid until lexer_next(). Returns 0, or -1 if the arguments are malformed.
 * RFC 2971 3.3.
 */
int id_parse(const struct lexer *l, struct span *name);

/*
 * Appends to `out` the pairs of a client's ID command that may be forwarded to a backend, each as ` "key" "value"`. The
 * command must be complete and id_parse() must have accepted it. Only the first ID_FORWARD_PAIRS_MAX pairs are used.
 * Left out are:
 * - pairs that might make `out` exceed `limit` octets, so that the backend does not refuse the whole command;
 * - keys with which a proxy reports the address of a client (Dovecot's x-originating-*, x-connected-*, x-proxy-ttl,
 *   x-session-*, x-forward-*), because any client could forge them;
 * - NIL values, pairs for which quote_fits() is false, and pairs for which there is no memory.
 */
void id_forward(const struct lexer *l, struct buffer *out, size_t limit);

/*
 * Appends one pair to `out` as ` "key" "value"`. Returns 0, or -1 if `out` would exceed `limit` octets, there is no
 * memory, or quote_fits() is false. A part of the pair may have been appended unless quote_fits() is false.
 */
int id_pair_append(struct span key, struct span value, struct buffer *out, size_t limit);

#endif
