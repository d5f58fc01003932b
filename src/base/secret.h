/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A password or an equivalent, such as a SASL message. It has its own type, so that the compiler refuses to pass it to
 * a log function. It is wiped before its memory is freed.
 */
#ifndef IMAPGUARD_BASE_SECRET_H
#define IMAPGUARD_BASE_SECRET_H

#include <stddef.h>
#include <stdint.h>

/* All zero means no secret. It owns its bytes, which are not terminated. */
struct secret {
    uint8_t *bytes;
    size_t len;
};

/*
 * Copies `len` octets into s, which must be all zero. s owns the copy: secret_clear() frees it. Returns 0, or -1 with s
 * all zero if there is no memory.
 */
int secret_set(struct secret *s, const void *bytes, size_t len);

/* Wipes and frees the bytes of s. s is all zero afterwards. */
void secret_clear(struct secret *s);

/* Overwrites `len` octets with zeros; the compiler cannot optimise it away. `bytes` may be NULL if `len` is 0. */
void secret_wipe(void *bytes, size_t len);

#endif
