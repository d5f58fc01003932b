/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shared memory that only its writer can change, also when another process was taken over. A region is an anonymous file
 * that cannot change its size and cannot be mapped for writing again (fcntl(2), F_SEAL_FUTURE_WRITE): the master maps it
 * twice before it forks, once for writing and once for reading, and a child that drops the first mapping can never get
 * it back. A reader still trusts nothing that it finds there: sizes and shapes are its own, values are checked.
 *
 * Columns are regions of the same shape, one for each process that writes.
 */
#ifndef IMAPGUARD_BASE_REGION_H
#define IMAPGUARD_BASE_REGION_H

#include <stddef.h>

struct region {
    void *write;      /* NULL: this process may only read */
    const void *read; /* the same octets */
    size_t size;
};

/*
 * Maps `size` octets of zeros for this process and those forked later. `name` is shown in /proc/PID/maps as
 * "/memfd:imapguard-NAME". 0, or -1 with errno set.
 */
int region_map(struct region *r, const char *name, size_t size);

/* Drops write access for good. */
void region_keep_read(struct region *r);

/* Unmaps the region. All zero is a region that is not mapped, also afterwards. */
void region_unmap(struct region *r);

struct columns {
    unsigned count;
    struct region *each;
};

/* Maps so many regions of `size` octets. 0, or -1 with errno set; columns_unmap() is to be called either way. */
int columns_map(struct columns *c, const char *name, unsigned count, size_t size);

/* In a child: from here on it may write to that column only (to none, when there is none of that number). */
void columns_keep_write(struct columns *c, unsigned own);

void columns_unmap(struct columns *c);

#endif
