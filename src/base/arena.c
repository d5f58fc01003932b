/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/secret.h"

enum { NAME_SIZE = 64 };

struct arena_entry {
    SLIST_ENTRY(arena_entry) next;
    struct arena_options options;
    unsigned count;
    struct region regions[];
};

/* --- a region -------------------------------------------------------------------------------------------------- */

/* The mapping for reading comes after the seal, or mprotect() could make it one for writing. */
static int map_twice(struct region *r, int fd, size_t size)
{
    if (ftruncate(fd, (off_t)size) != 0) {
        return -1;
    }
    void *write = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (write == MAP_FAILED) {
        return -1;
    }
    r->write = write;
    r->size = size;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0) {
        return -1;
    }
    const void *read = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (read == MAP_FAILED) {
        return -1;
    }
    r->read = read;
    return 0;
}

static int map_region(struct region *r, const char *name, size_t size)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd == -1) {
        return -1;
    }
    int result = map_twice(r, fd, size), error = errno;
    close(fd);
    errno = error;
    return result;
}

static void drop_write(struct region *r)
{
    if (r->write != NULL) {
        munmap(r->write, r->size);
        r->write = NULL;
    }
}

static void unmap_region(struct region *r)
{
    drop_write(r);
    if (r->read != NULL) {
        munmap((void *)r->read, r->size);
    }
    *r = (struct region){0};
}

/* --- the arena ------------------------------------------------------------------------------------------------- */

void arena_init(struct arena *a, unsigned workers)
{
    *a = (struct arena){.children = workers + 1};
    SLIST_INIT(&a->entries);
}

static void free_entry(struct arena_entry *e)
{
    for (unsigned i = 0; i < e->count; i++) {
        if (e->options.secret && e->regions[i].write != NULL) {
            secret_wipe(e->regions[i].write, e->regions[i].size);
        }
        unmap_region(&e->regions[i]);
    }
    free(e);
}

const struct region *arena_map(struct arena *a, const struct arena_options *o)
{
    unsigned count = o->writer == ARENA_EACH ? a->children : 1;
    struct arena_entry *e = calloc(1, sizeof *e + count * sizeof e->regions[0]);
    if (e == NULL) {
        return NULL;
    }
    e->options = *o;
    e->count = count;
    for (unsigned i = 0; i < count; i++) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, o->writer == ARENA_EACH ? "imapguard-%s-%u" : "imapguard-%s", o->name, i);
        if (map_region(&e->regions[i], name, o->size) != 0) {
            int error = errno;
            free_entry(e);
            errno = error;
            return NULL;
        }
        if (o->secret) {
            (void)madvise(e->regions[i].write, o->size, MADV_DONTDUMP);
            (void)madvise((void *)e->regions[i].read, o->size, MADV_DONTDUMP);
        }
    }
    SLIST_INSERT_HEAD(&a->entries, e, next);
    return e->regions;
}

static bool may_write(const struct arena *a, enum arena_writer writer, unsigned region, unsigned child)
{
    unsigned monitor = a->children - 1;
    switch (writer) {
    case ARENA_MONITOR:
        return child == monitor;
    case ARENA_WORKERS:
        return child < monitor;
    case ARENA_EACH:
        return child == region;
    case ARENA_MASTER:
        break;
    }
    return false;
}

void arena_keep(struct arena *a, unsigned child)
{
    struct arena_entry *e;
    SLIST_FOREACH (e, &a->entries, next) {
        for (unsigned i = 0; i < e->count; i++) {
            if (e->options.not_for_monitor && child == a->children - 1) {
                unmap_region(&e->regions[i]);
            } else if (!may_write(a, e->options.writer, i, child)) {
                drop_write(&e->regions[i]);
            }
        }
    }
}

void arena_take_back(struct arena *a, unsigned child)
{
    struct arena_entry *e;
    SLIST_FOREACH (e, &a->entries, next) {
        if (e->options.take_back != NULL) {
            e->options.take_back(e->options.data, child);
        }
    }
}

void arena_fini(struct arena *a)
{
    struct arena_entry *e;
    while ((e = SLIST_FIRST(&a->entries)) != NULL) {
        SLIST_REMOVE_HEAD(&a->entries, next);
        free_entry(e);
    }
    *a = (struct arena){0};
}
