/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum { BUFFER_SIZE_MIN = 64 };

uint8_t *buffer_data(const struct buffer *b)
{
    return b->bytes == NULL ? NULL : b->bytes + b->start;
}

/* realloc() would leave copies of a password in freed memory. */
static int buffer_grow(struct buffer *b, size_t need, size_t limit)
{
    size_t size = b->size < BUFFER_SIZE_MIN ? BUFFER_SIZE_MIN : b->size;
    while (size < need) {
        size *= 2;
    }
    if (size > limit) {
        size = limit;
    }
    uint8_t *bytes = malloc(size);
    if (bytes == NULL) {
        return -1;
    }
    uint32_t len = b->len;
    if (len > 0) {
        memcpy(bytes, buffer_data(b), len);
    }
    buffer_clear(b);
    b->bytes = bytes;
    b->len = len;
    b->size = (uint32_t)size;
    return 0;
}

int buffer_append(struct buffer *b, const void *bytes, size_t len, size_t limit)
{
    if (len == 0) {
        return 0;
    }
    if (limit > UINT32_MAX / 2) {
        limit = UINT32_MAX / 2;
    }
    if (len > limit || b->len > limit - len) {
        return -1;
    }
    if ((size_t)b->start + b->len + len > b->size && buffer_grow(b, b->len + len, limit) != 0) {
        return -1;
    }
    memcpy(b->bytes + b->start + b->len, bytes, len);
    b->len += (uint32_t)len;
    return 0;
}

void buffer_consume(struct buffer *b, size_t len)
{
    if (len >= b->len) {
        buffer_clear(b);
        return;
    }
    b->start += (uint32_t)len;
    b->len -= (uint32_t)len;
}

void buffer_clear(struct buffer *b)
{
    secret_wipe(b->bytes, b->size);
    free(b->bytes);
    *b = (struct buffer){0};
}
