/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/seqlock.h"

#include <string.h>

enum {
    ALIGNMENT = 64,    /* octets of a cache line */
    TRIES_MAX = 10000, /* an honest writer writes every few seconds */
};

size_t seqlock_space(size_t size)
{
    return (sizeof(struct seqlock) + 2 * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static size_t slot_of(unsigned version, size_t size)
{
    return version % 2 * size;
}

void seqlock_write(struct seqlock *p, const void *value, size_t size)
{
    unsigned next = atomic_load_explicit(&p->version, memory_order_relaxed) + 1;
    /* This slot has the value before last. A reader that still copies it sees the new version and tries again. */
    atomic_thread_fence(memory_order_seq_cst);
    memcpy(p->slots + slot_of(next, size), value, size);
    atomic_store_explicit(&p->version, next, memory_order_release);
}

int seqlock_read(const struct seqlock *p, void *out, size_t size)
{
    unsigned before, after = seqlock_version(p);
    for (int i = 0; i < TRIES_MAX; i++) {
        before = after;
        memcpy(out, p->slots + slot_of(before, size), size);
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&p->version, memory_order_relaxed);
        if (after == before) {
            return 0;
        }
    }
    return -1;
}

unsigned seqlock_version(const struct seqlock *p)
{
    return atomic_load_explicit(&p->version, memory_order_acquire);
}
