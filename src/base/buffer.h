/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A queue of octets that could not be processed immediately. An empty buffer owns no memory, so idle connections
 * cost nothing. A buffer is wiped before its memory is freed, because the octets before a login may contain a password.
 */
#ifndef IMAPGUARD_BASE_BUFFER_H
#define IMAPGUARD_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/*
 * All zero is an empty buffer. The content is bytes[start .. start + len), and the buffer owns `size` octets of memory.
 */
struct buffer {
    uint8_t *bytes;
    uint32_t start;
    uint32_t len;
    uint32_t size;
};

/* Returns the first octet of the content; NULL if b is empty. The pointer is valid until b is changed. */
uint8_t *buffer_data(const struct buffer *b);

/*
 * Appends a copy of `len` octets to b. `bytes` must not point into b. The content may have `limit` octets at most; a
 * limit above 2 GiB counts as 2 GiB. Old memory is wiped when the content moves. Returns 0, or -1 with b unchanged if
 * the content would exceed the limit or there is no memory.
 */
int buffer_append(struct buffer *b, const void *bytes, size_t len, size_t limit);

/* Removes the first `len` octets, or all if there are fewer. Wipes and frees the memory if b is empty afterwards. */
void buffer_consume(struct buffer *b, size_t len);

/* Wipes and frees the memory. b is empty afterwards and can be used again. */
void buffer_clear(struct buffer *b);

#endif
