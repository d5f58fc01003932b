/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A value in shared memory that one process writes and all others read, without a lock. There are two slots; the
 * version selects the current one. If the writer dies while it writes, the old value stays. A hostile writer can
 * publish any octets, but it cannot change the size. It cannot block a reader either: the number of tries is limited.
 */
#ifndef IMAPGUARD_BASE_SEQLOCK_H
#define IMAPGUARD_BASE_SEQLOCK_H

#include <stdatomic.h>
#include <stddef.h>

/*
 * The value in shared memory, followed by two slots of `size` octets each. All zero is a value of zeros. Every call for
 * one seqlock must pass the same `size`.
 */
struct seqlock {
    atomic_uint version;
    _Alignas(16) unsigned char slots[];
};

/*
 * Returns the octets of shared memory that a value of `size` octets needs. The result is rounded up to a cache line, so
 * that another seqlock can follow.
 */
size_t seqlock_space(size_t size);

/* Replaces the value with a copy of `size` octets. Only one thread of all processes may write at a time. */
void seqlock_write(struct seqlock *p, const void *value, size_t size);

/*
 * Copies a consistent value of `size` octets to `out`. Returns 0, or -1 if the value changed at every try; the content
 * of `out` is then undefined.
 */
int seqlock_read(const struct seqlock *p, void *out, size_t size);

/* Returns the version: 0 at first, incremented by every write, with overflow to 0. */
unsigned seqlock_version(const struct seqlock *p);

#endif
