/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory that the master and its children share. A module registers its regions before the first fork, each with a
 * name, a size and the processes that may write to it. A child then calls arena_keep() to give up all access but its
 * own, and the master calls arena_take_back() to clean up after a child that has died. The children are numbered:
 * worker N is child N, and the monitor comes after all workers.
 *
 * Only its writers can change a region, even if an attacker controls another process: a region is an anonymous file
 * that cannot change its size and cannot be mapped for writing again (fcntl(2), F_SEAL_FUTURE_WRITE). The master maps
 * it twice, once for writing and once for reading, and a child that drops the first mapping can never get it back. A
 * reader trusts nothing that it finds in a region: sizes and shapes are the reader's own, and values are checked.
 * Regions hold offsets and indexes, no pointers.
 */
#ifndef IMAPGUARD_BASE_ARENA_H
#define IMAPGUARD_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

/* Who may write to a region, besides the master. */
enum arena_writer {
    ARENA_MASTER, /* nobody */
    ARENA_MONITOR,
    ARENA_WORKERS, /* every worker, to all of it */
    ARENA_EACH,    /* every child has a region of its own, a column, that only it writes to */
};

struct arena_options {
    const char *name; /* shown in /proc/PID/maps as "/memfd:imapguard-NAME", or "...-NAME-CHILD" (static) */
    size_t size;      /* octets; of each column with ARENA_EACH */
    enum arena_writer writer;
    bool not_for_monitor; /* the monitor may not even read it */
    bool secret;          /* left out of core dumps, and wiped when the arena ends */
    /* Called by arena_take_back() with `data` and the number of the dead child; NULL: there is nothing to do. */
    void (*take_back)(void *data, unsigned child);
    void *data;
};

struct region {
    void *write;      /* NULL: this process may only read */
    const void *read; /* the same octets; NULL: this process may not even read them */
    size_t size;
};

struct arena {
    unsigned children; /* the workers and the monitor */
    SLIST_HEAD(, arena_entry) entries;
};

/* Makes `a` an empty arena for `workers` workers and a monitor. `a` may have any content before. */
void arena_init(struct arena *a, unsigned workers);

/*
 * Maps a region of zeros for this process and the processes that it forks later, or with ARENA_EACH an array of
 * a->children regions, one for each child. The options are copied. Returns the region, or the first of the array; both
 * are valid until arena_fini(), which frees them. On failure, returns NULL with errno
 * set and the arena unchanged.
 */
const struct region *arena_map(struct arena *a, const struct arena_options *options);

/*
 * Called once by a child: gives up for good the access that child number `child` must not have. The pointers in struct
 * region are NULL afterwards where the child may not write or read.
 */
void arena_keep(struct arena *a, unsigned child);

/*
 * Called by the master after child number `child` has died: calls `take_back` of every region that has one, so that
 * nothing there counts as held by the child any longer.
 */
void arena_take_back(struct arena *a, unsigned child);

/*
 * Unmaps all regions in this process. Secret regions that it may write to are wiped first, for every process that
 * shares them, so a child that goes on beside others must not call it. The arena is empty afterwards; all zero is an
 * empty arena.
 */
void arena_fini(struct arena *a);

#endif
