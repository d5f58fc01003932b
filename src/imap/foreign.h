/* SPDX-License-Identifier: BSD-2-Clause */
/* Detects clients of other protocols by their first words: scanners, and clients on the wrong port. */
#ifndef IMAPGUARD_IMAP_FOREIGN_H
#define IMAPGUARD_IMAP_FOREIGN_H

#include "base/span.h"

/*
 * Returns the static name of the protocol whose clients begin with the words `first` and `second` ("http", "smtp",
 * "tls", ...), or NULL if it may be IMAP. The case of ASCII letters does not matter. `second` is empty if there is no
 * second word. If `second` is a command of command_find(), the result is NULL, because an IMAP tag may be any word.
 */
const char *foreign_protocol(struct span first, struct span second);

#endif
