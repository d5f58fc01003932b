/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A value in shared memory that one process writes and all others read, without a lock: two slots, of which the
 * version tells the one that holds. A writer that dies in the middle has changed nothing. A hostile writer can publish
 * any octets; it cannot change the size, and a reader does not wait for it without end.
 */
#ifndef IMAPGUARD_BASE_SEQLOCK_H
#define IMAPGUARD_BASE_SEQLOCK_H

#include <stdatomic.h>
#include <stddef.h>

/* Lies in shared memory, with 2 * size octets of slots behind it. All zero: a value of zeros. */
struct seqlock {
    atomic_uint version;
    _Alignas(16) unsigned char slots[];
};

/* The octets that a value of `size` octets needs in shared memory, rounded up so that another may follow. */
size_t seqlock_space(size_t size);

/* Replaces the value of `size` octets; never from two processes or threads at one time. */
void seqlock_write(struct seqlock *p, const void *value, size_t size);

/* Copies the value as it was at one moment to `out`. 0, or -1 if the value kept changing. */
int seqlock_read(const struct seqlock *p, void *out, size_t size);

/* Changes with each writing. */
unsigned seqlock_version(const struct seqlock *p);

#endif
