/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ticket.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_LEN = 16, CIPHER_KEY_LEN = 32, MAC_KEY_LEN = 32 };

struct key {
    unsigned char name[NAME_LEN];
    unsigned char cipher[CIPHER_KEY_LEN];
    unsigned char mac[MAC_KEY_LEN];
};

/*
 * Workers look at the current slot and the one before. A rotation writes the next slot, which nobody looks
 * at, and then moves `current`: no lock, and no reader ever sees half a key.
 */
enum { SLOTS = 4 };

struct ring {
    _Atomic unsigned current;
    struct key slot[SLOTS];
};

struct ticket_keys {
    const struct region *region; /* of struct ring */
};

static const struct ring *ring_of(const struct ticket_keys *keys)
{
    return keys->region->read;
}

/* Shared by all processes, and so are the contexts that point here: one for each index. */
static int keys_index = -1;

static int fill(struct key *k)
{
    return RAND_bytes(k->name, NAME_LEN) == 1 && RAND_priv_bytes(k->cipher, CIPHER_KEY_LEN) == 1 &&
                   RAND_priv_bytes(k->mac, MAC_KEY_LEN) == 1
               ? 0
               : -1;
}

struct ticket_keys *ticket_keys_new(struct arena *arena)
{
    struct arena_options options = {.name = "tickets",
                                    .size = sizeof(struct ring),
                                    .writer = ARENA_MASTER,
                                    .not_for_monitor = true,
                                    .secret = true};
    struct ticket_keys *keys = calloc(1, sizeof *keys);
    if (keys == NULL || (keys->region = arena_map(arena, &options)) == NULL) {
        free(keys);
        return NULL;
    }
    struct ring *ring = keys->region->write;
    /* The slot before the first is filled as well: a name of all zeroes would be one that anybody can guess. */
    if (fill(&ring->slot[0]) != 0 || fill(&ring->slot[SLOTS - 1]) != 0) {
        free(keys);
        return NULL;
    }
    return keys;
}

void ticket_keys_free(struct ticket_keys *keys)
{
    free(keys);
}

int ticket_keys_rotate(struct ticket_keys *keys)
{
    struct ring *ring = keys->region->write;
    unsigned next = atomic_load(&ring->current) + 1;
    if (fill(&ring->slot[next % SLOTS]) != 0) {
        return -1;
    }
    atomic_store(&ring->current, next);
    return 0;
}

static int use_mac(EVP_MAC_CTX *mac, const struct key *k)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)k->mac, MAC_KEY_LEN),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params);
}

static int seal(const struct key *k, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    memcpy(name, k->name, NAME_LEN);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1 ||
        EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv) != 1 || use_mac(mac, k) != 1) {
        return -1;
    }
    return 1;
}

static int unseal(const struct key *k, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    return EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv) == 1 && use_mac(mac, k) == 1 ? 1 : -1;
}

/* See SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 0 is "unknown key", 1 "go on", 2 "go on and issue a new one". */
static int ticket_callback(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                           int sealing)
{
    const struct ring *ring = ring_of(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_index));
    unsigned current = atomic_load(&ring->current);
    if (sealing) {
        return seal(&ring->slot[current % SLOTS], name, iv, cipher, mac);
    }
    for (unsigned age = 0; age < 2; age++) {
        const struct key *k = &ring->slot[(current - age) % SLOTS];
        if (CRYPTO_memcmp(name, k->name, NAME_LEN) == 0) {
            int result = unseal(k, iv, cipher, mac);
            return result == 1 && age > 0 ? 2 : result;
        }
    }
    return 0;
}

int ticket_keys_use(struct ticket_keys *keys, SSL_CTX *ctx)
{
    if (keys_index == -1) {
        keys_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    }
    if (keys_index == -1 || SSL_CTX_set_ex_data(ctx, keys_index, keys) != 1) {
        return -1;
    }
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_callback) == 1 ? 0 : -1;
}
