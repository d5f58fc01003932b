/* SPDX-License-Identifier: BSD-2-Clause */
/* The arguments of ID (RFC 2971 3.1 and 3.3): who the client says it is. */
#ifndef IMAPGUARD_IMAP_ID_H
#define IMAPGUARD_IMAP_ID_H

#include "imap/lexer.h"

enum { ID_PAIRS_MAX = 30, ID_KEY_MAX = 30, ID_VALUE_MAX = 1024 };

/*
 * Checks a complete ID command: NIL, or a list of at most ID_PAIRS_MAX pairs of strings within the limits
 * above. 0 with the value of "name" written to `name` (empty when it was not given; valid until
 * lexer_next()), or -1 when the command is bad.
 */
int id_parse(const struct lexer *l, struct span *name);

#endif
