/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/keyed_hash.h"

#include <string.h>
#include <sys/random.h>

#include "base/secret.h"

int keyed_hash_init(struct keyed_hash *h)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    h->mac = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac); /* the context keeps it */
    return h->mac != NULL && getrandom(h->key, sizeof h->key, 0) == sizeof h->key ? 0 : -1;
}

void keyed_hash_fini(struct keyed_hash *h)
{
    EVP_MAC_CTX_free(h->mac);
    h->mac = NULL;
    secret_wipe(h->key, sizeof h->key);
}

bool keyed_hash(const struct keyed_hash *h, const struct span *pieces, size_t count, uint8_t out[KEYED_HASH_SIZE])
{
    size_t len = 0;
    bool good = EVP_MAC_init(h->mac, h->key, sizeof h->key, NULL) == 1;
    for (size_t i = 0; i < count && good; i++) {
        good = EVP_MAC_update(h->mac, (const uint8_t *)&pieces[i].len, sizeof pieces[i].len) == 1 &&
               EVP_MAC_update(h->mac, pieces[i].bytes, pieces[i].len) == 1;
    }
    good = good && EVP_MAC_final(h->mac, out, &len, KEYED_HASH_SIZE) == 1 && len == KEYED_HASH_SIZE;
    if (!good) {
        memset(out, 0, KEYED_HASH_SIZE);
    }
    return good;
}
