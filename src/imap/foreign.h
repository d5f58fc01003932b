/* SPDX-License-Identifier: BSD-2-Clause */
/* Other protocols, known by how a client of theirs begins: scanners, and clients on the wrong port. */
#ifndef IMAPGUARD_IMAP_FOREIGN_H
#define IMAPGUARD_IMAP_FOREIGN_H

#include "base/span.h"

/*
 * Names the protocol whose client began with the words `first` and `second` (empty when there is none),
 * or NULL when it may be IMAP. A second word that is an IMAP command makes it IMAP: a tag may be any word.
 */
const char *foreign_protocol(struct span first, struct span second);

#endif
