/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/published.h"

#include <string.h>

enum { ALIGNMENT = 64 }; /* a line of the cache */

size_t published_space(size_t size)
{
    return (sizeof(struct published) + 2 * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

void published_init(struct published *p, size_t size)
{
    p->size = (unsigned)size;
}

static size_t slot_of(const struct published *p, unsigned version)
{
    return version % 2 * (size_t)p->size;
}

void published_write(struct published *p, const void *value)
{
    unsigned next = atomic_load_explicit(&p->version, memory_order_relaxed) + 1;
    /* Whoever still copies the value before last sees by the version that it must do so again. */
    atomic_thread_fence(memory_order_seq_cst);
    memcpy(p->slots + slot_of(p, next), value, p->size);
    atomic_store_explicit(&p->version, next, memory_order_release);
}

void published_read(const struct published *p, void *out)
{
    unsigned before, after = published_version(p);
    do {
        before = after;
        memcpy(out, p->slots + slot_of(p, before), p->size);
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&p->version, memory_order_relaxed);
    } while (after != before);
}

unsigned published_version(const struct published *p)
{
    return atomic_load_explicit(&p->version, memory_order_acquire);
}
