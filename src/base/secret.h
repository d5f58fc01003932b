/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A password or what is as good as one. It has a type of its own so that no log function takes it, and
 * it is wiped when it is let go.
 */
#ifndef IMAPGUARD_BASE_SECRET_H
#define IMAPGUARD_BASE_SECRET_H

#include <stddef.h>
#include <stdint.h>

/* All zero is "none". Owns its bytes; they are not terminated and may be any but those the parser refused. */
struct secret {
    uint8_t *bytes;
    size_t len;
};

/* Copies `len` octets into a secret that held none. 0, or -1 when memory is short. */
int secret_set(struct secret *s, const void *bytes, size_t len);

/* Wipes and frees; the secret is "none" afterwards. */
void secret_clear(struct secret *s);

/* Overwrites memory in a way that the compiler does not leave out. `bytes` may be NULL when `len` is 0. */
void secret_wipe(void *bytes, size_t len);

#endif
