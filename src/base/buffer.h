/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes that could not be handled at once. A buffer that is empty owns no memory, so that what only
 * waits costs nothing; and every buffer is wiped before its memory is given back, because what passes
 * through here before a login may hold a password.
 */
#ifndef IMAPGUARD_BASE_BUFFER_H
#define IMAPGUARD_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/* All zero is an empty buffer. The content is bytes[start .. start + len). */
struct buffer {
    uint8_t *bytes;
    uint32_t start;
    uint32_t len;
    uint32_t size;
};

/* The first octet of the content; NULL when it is empty and never held anything. */
uint8_t *buffer_data(const struct buffer *b);

/*
 * Appends `len` octets. 0, or -1 with the content unchanged when it would grow over `limit` octets or
 * memory is short. Old memory is wiped when the content moves.
 */
int buffer_append(struct buffer *b, const void *bytes, size_t len, size_t limit);

/* Takes `len` octets (at most what it holds) off the front; the memory goes with the last of them. */
void buffer_consume(struct buffer *b, size_t len);

/* Wipes the content and gives the memory back. The buffer is empty and usable afterwards. */
void buffer_clear(struct buffer *b);

#endif
