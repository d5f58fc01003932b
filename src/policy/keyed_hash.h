/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-2-4 with a random key (Aumasson and Bernstein, 2012): nobody who does not know the key can choose inputs that
 * collide, or tell from a hash what was hashed.
 */
#ifndef IMAPGUARD_POLICY_KEYED_HASH_H
#define IMAPGUARD_POLICY_KEYED_HASH_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum { KEYED_HASH_KEY_SIZE = 16, KEYED_HASH_SIZE = 16 };

struct keyed_hash {
    uint8_t key[KEYED_HASH_KEY_SIZE];
    EVP_MAC_CTX *mac; /* scratch: one thread at a time may hash */
};

/*
 * Makes `h`, which may have any content before, with a random key. Returns 0; or -1 if there is no memory or no
 * randomness: keyed_hash_fini() may follow then, too.
 */
int keyed_hash_init(struct keyed_hash *h);

/* Frees what h owns, and wipes the key. All zero is fine. */
void keyed_hash_fini(struct keyed_hash *h);

/*
 * Hashes the lengths and octets of `count` pieces. Returns true; or false if OpenSSL fails: then `out` is all zero, and
 * the caller must not let the client gain by it.
 */
bool keyed_hash(const struct keyed_hash *h, const struct span *pieces, size_t count, uint8_t out[KEYED_HASH_SIZE]);

#endif
