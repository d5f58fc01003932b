/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private keys in memory. OpenSSL decodes a key through several buffers and frees them without wiping them, so that the
 * key would stay in the heap of a process that has freed it. These functions wipe the buffers.
 */
#ifndef IMAPGUARD_NET_PRIVATE_KEY_H
#define IMAPGUARD_NET_PRIVATE_KEY_H

#include <openssl/evp.h>
#include <stdbool.h>

#include "base/span.h"

enum { PRIVATE_KEY_FILE_MAX = 64 * 1024 };

/*
 * Makes OpenSSL use an allocator that can wipe. Call it before any other function of OpenSSL. Returns 0, or -1 if
 * OpenSSL has allocated memory already: then the functions below work, but wipe nothing.
 */
int private_key_init(void);

/*
 * Begins (true) or ends (false) wiping each block of memory that OpenSSL frees or moves, in the whole process. Calls do
 * not nest. To free a key without a trace, call it around EVP_PKEY_free().
 */
void private_key_wipe_freed(bool on);

/*
 * Decodes the first private key of a PEM text of at most PRIVATE_KEY_FILE_MAX octets. The text need not be terminated,
 * and the caller wipes it. All other memory that has held the key is wiped: the function calls
 * private_key_wipe_freed(true) at its beginning, and private_key_wipe_freed(false) at its end. Returns the key, which
 * the caller frees with EVP_PKEY_free(). Returns NULL if the text has no private key, there is no memory, or the key
 * needs a passphrase; sets *locked to true in the last case, otherwise to false.
 */
EVP_PKEY *private_key_parse(struct span pem, bool *locked);

#endif
