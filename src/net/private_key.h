/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private keys in memory. OpenSSL decodes a key through several buffers of its own and frees them as they are, so that a
 * process that frees the key later would still have its numbers on the heap. Here they are wiped.
 */
#ifndef IMAPGUARD_NET_PRIVATE_KEY_H
#define IMAPGUARD_NET_PRIVATE_KEY_H

#include <openssl/evp.h>
#include <stdbool.h>

#include "base/span.h"

enum { PRIVATE_KEY_FILE_MAX = 64 * 1024 };

/*
 * Makes OpenSSL use an allocator that can wipe. Call it before any other function of OpenSSL. Returns 0, or -1 if OpenSSL
 * has allocated memory already: keys work then as well, but their traces stay.
 */
int private_key_init(void);

/* While `on`, each block of memory that OpenSSL frees or moves is wiped. Calls do not nest. */
void private_key_wipe_freed(bool on);

/*
 * Decodes the first private key of a PEM text of at most PRIVATE_KEY_FILE_MAX octets, and leaves no trace of it but the
 * result: it calls private_key_wipe_freed(true), and false at the end. Returns the key, which the caller frees with
 * EVP_PKEY_free(); NULL if there is none. Sets `locked` to whether a passphrase would be needed.
 */
EVP_PKEY *private_key_parse(struct span pem, bool *locked);

#endif
