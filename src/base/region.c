/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

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

int region_map(struct region *r, const char *name, size_t size)
{
    char whole[64];
    *r = (struct region){0};
    snprintf(whole, sizeof whole, "imapguard-%s", name);
    int fd = memfd_create(whole, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd == -1) {
        return -1;
    }
    int result = map_twice(r, fd, size), error = errno;
    close(fd);
    if (result != 0) {
        region_unmap(r);
        errno = error;
    }
    return result;
}

void region_keep_read(struct region *r)
{
    if (r->write != NULL) {
        munmap(r->write, r->size);
        r->write = NULL;
    }
}

void region_unmap(struct region *r)
{
    region_keep_read(r);
    if (r->read != NULL) {
        munmap((void *)r->read, r->size);
    }
    *r = (struct region){0};
}

int columns_map(struct columns *c, const char *name, unsigned count, size_t size)
{
    *c = (struct columns){.count = count, .each = calloc(count, sizeof *c->each)};
    if (c->each == NULL) {
        c->count = 0;
        return -1;
    }
    for (unsigned i = 0; i < count; i++) {
        char numbered[48];
        snprintf(numbered, sizeof numbered, "%s-%u", name, i);
        if (region_map(&c->each[i], numbered, size) != 0) {
            return -1;
        }
    }
    return 0;
}

void columns_keep_write(struct columns *c, unsigned own)
{
    for (unsigned i = 0; i < c->count; i++) {
        if (i != own) {
            region_keep_read(&c->each[i]);
        }
    }
}

void columns_unmap(struct columns *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        region_unmap(&c->each[i]);
    }
    free(c->each);
    *c = (struct columns){0};
}
