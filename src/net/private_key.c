/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/private_key.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

static bool wiping;

static void *allocate(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return malloc(size);
}

static void release(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    if (wiping && memory != NULL) {
        secret_wipe(memory, malloc_usable_size(memory));
    }
    free(memory);
}

static void *resize(void *memory, size_t size, const char *file, int line)
{
    if (size == 0) {
        release(memory, file, line);
        return NULL;
    }
    if (!wiping || memory == NULL) {
        return realloc(memory, size);
    }
    void *moved = malloc(size);
    if (moved != NULL) {
        size_t old = malloc_usable_size(memory);
        memcpy(moved, memory, old < size ? old : size);
        release(memory, file, line);
    }
    return moved;
}

int private_key_init(void)
{
    return CRYPTO_set_mem_functions(allocate, resize, release) == 1 ? 0 : -1;
}

void private_key_wipe_freed(bool on)
{
    wiping = on;
}

/* A key with a passphrase would make a server wait at a prompt that nobody sees. */
static int no_passphrase(char *buf, int size, int writing, void *data)
{
    (void)buf, (void)size, (void)writing;
    *(bool *)data = true;
    return -1;
}

EVP_PKEY *private_key_parse(struct span pem, bool *locked)
{
    EVP_PKEY *key = NULL;
    *locked = false;
    private_key_wipe_freed(true);
    BIO *in = BIO_new_mem_buf(pem.bytes, (int)pem.len);
    if (in != NULL) {
        key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, locked);
    }
    BIO_free(in);
    private_key_wipe_freed(false);
    return key;
}
