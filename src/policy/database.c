/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/database.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

enum {
    SIZE_MAX_MIB = 1024,
    SETTLE_LOOKS = 2, /* a file that is being written is left alone until it has not changed for so long */
    BLOCK = 1 << 20,
    SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
};

const char database_shortage[] = "this host is short of memory or descriptors";

static bool exists(const struct database *d)
{
    return d->path != NULL && d->path[0] != '\0';
}

static int open_descriptor(int fd, MMDB_s *out)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return MMDB_open(path, MMDB_MODE_MMAP, out);
}

/* --- checking -------------------------------------------------------------------------------------------- */

/* What a check goes through: data that was decoded is not decoded again. */
struct check {
    const struct database *database;
    MMDB_s *mmdb;
    uint64_t *checked; /* the offsets in the data section, as a hash set */
    size_t mask;
    bool has_field;
};

/* Whether the offset is new. A set that is full forgets: that costs time and nothing else. */
static bool mark_checked(struct check *c, uint32_t offset)
{
    uint64_t *place = &c->checked[(offset * UINT64_C(0x9e3779b97f4a7c15) >> 20) & c->mask];
    bool new = *place != (uint64_t)offset + 1;
    *place = (uint64_t)offset + 1;
    return new;
}

static const char *check_entry(struct check *c, MMDB_entry_s *entry)
{
    for (const struct database_field *f = c->database->fields; f->path[0] != NULL; f++) {
        MMDB_entry_data_s data;
        int status = MMDB_aget_value(entry, &data, f->path);
        if (status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR || (status == MMDB_SUCCESS && !data.has_data)) {
            continue;
        }
        if (status != MMDB_SUCCESS || data.type != f->type) {
            return "damaged: a record cannot be read";
        }
        if (f->type == MMDB_DATA_TYPE_UTF8_STRING && data.data_size != 2) {
            return "damaged: a code has not two letters";
        }
        c->has_field = c->has_field || f == c->database->fields;
    }
    return NULL;
}

static const char *check_record(struct check *c, uint64_t record, uint8_t type, MMDB_entry_s *entry)
{
    switch (type) {
    case MMDB_RECORD_TYPE_SEARCH_NODE:
        return record < c->mmdb->metadata.node_count ? NULL : "damaged: a node does not exist";
    case MMDB_RECORD_TYPE_EMPTY:
        return NULL;
    case MMDB_RECORD_TYPE_DATA:
        if (entry->offset >= c->mmdb->data_section_size) {
            return "damaged: a record lies outside";
        }
        return mark_checked(c, entry->offset) ? check_entry(c, entry) : NULL;
    default:
        return "damaged: the search tree";
    }
}

static const char *check_nodes(struct check *c)
{
    for (uint32_t i = 0; i < c->mmdb->metadata.node_count; i++) {
        MMDB_search_node_s node;
        if (MMDB_read_node(c->mmdb, i, &node) != MMDB_SUCCESS) {
            return "damaged: the search tree";
        }
        const char *cause = check_record(c, node.left_record, node.left_record_type, &node.left_record_entry);
        if (cause == NULL) {
            cause = check_record(c, node.right_record, node.right_record_type, &node.right_record_entry);
        }
        if (cause != NULL) {
            return cause;
        }
    }
    return c->has_field ? NULL : "it has no such data";
}

static const char *check(const struct database *d, MMDB_s *mmdb)
{
    enum { SET_BITS = 18 };
    struct check c = {.database = d, .mmdb = mmdb, .mask = ((size_t)1 << SET_BITS) - 1};
    c.checked = calloc((size_t)1 << SET_BITS, sizeof *c.checked);
    if (c.checked == NULL) {
        return "no memory";
    }
    const char *cause = check_nodes(&c);
    free(c.checked);
    return cause;
}

/* --- reading ---------------------------------------------------------------------------------------------- */

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Copies the file into a memory. NULL, or the cause. */
static const char *copy(int from, int to)
{
    char *block = malloc(BLOCK);
    bool empty = true;
    ssize_t n = -1;
    if (block != NULL) {
        while ((n = read(from, block, BLOCK)) > 0) {
            empty = false;
            for (ssize_t done = 0, m; done < n; done += m) {
                m = write(to, block + done, (size_t)(n - done));
                if (m <= 0) {
                    free(block);
                    return "no memory";
                }
            }
        }
    }
    free(block);
    return n != 0 ? strerror(errno) : empty ? "it is empty" : NULL;
}

static const char *read_file(const char *path, struct stat *info, int to)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd == -1) {
        const char *reason = strerror(errno);
        (void)stat(path, info); /* it may be there all the same, and database_poll() sees it */
        return reason;
    }
    const char *cause = NULL;
    if (fstat(fd, info) != 0) {
        cause = strerror(errno);
    } else if (!S_ISREG(info->st_mode)) {
        cause = "not a regular file";
    } else if (info->st_size > (off_t)SIZE_MAX_MIB << 20) {
        cause = "larger than 1 GiB";
    } else {
        cause = copy(fd, to);
    }
    close(fd);
    return cause;
}

static void leave(struct database *d)
{
    if (d->open) {
        MMDB_close(&d->mmdb);
        d->open = false;
    }
    if (d->file != -1) {
        close(d->file);
        d->file = -1;
    }
}

/* Maps a sealed file in place of the one before, once all of it has been checked where that is asked for. */
static const char *use(struct database *d, int file, bool checked)
{
    MMDB_s mmdb;
    int status = open_descriptor(file, &mmdb);
    if (status == MMDB_OUT_OF_MEMORY_ERROR || status == MMDB_IO_ERROR || status == MMDB_FILE_OPEN_ERROR) {
        return database_shortage;
    }
    if (status != MMDB_SUCCESS) {
        return "not a MaxMind DB, or not a whole one";
    }
    const char *cause = checked ? NULL : check(d, &mmdb);
    if (cause != NULL) {
        MMDB_close(&mmdb);
        return cause;
    }
    leave(d);
    d->mmdb = mmdb;
    d->open = true;
    d->file = file;
    return NULL;
}

const char *database_load(struct database *d, const char *path)
{
    struct stat info = {0};
    int file = memfd_create("imapguard-geoip", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file == -1) {
        return strerror(errno);
    }
    const char *cause = read_file(path, &info, file);
    if (cause == NULL) {
        cause = fcntl(file, F_ADD_SEALS, SEALS) == 0 ? use(d, file, false) : strerror(errno);
    }
    if (strcmp(path, d->path) == 0) {
        d->taken = d->seen = info;
    }
    if (cause != NULL) {
        close(file);
    } else {
        d->version++;
    }
    return cause;
}

/* Copies the whole anonymous file, and gives the copy the time of the database's own file. */
static int write_copy(const struct database *d, int to)
{
    const struct timespec times[2] = {d->taken.st_mtim, d->taken.st_mtim};
    off_t offset = 0;
    ssize_t n;
    while ((n = sendfile(to, d->file, &offset, BLOCK)) > 0) {
    }
    return n == 0 && futimens(to, times) == 0 && fsync(to) == 0 ? 0 : -1;
}

int database_save(const struct database *d, const char *path)
{
    char beside[PATH_MAX];
    struct stat before;
    if (stat(path, &before) == 0 && before.st_size == d->taken.st_size &&
        before.st_mtim.tv_sec == d->taken.st_mtim.tv_sec && before.st_mtim.tv_nsec == d->taken.st_mtim.tv_nsec) {
        return 0;
    }
    if ((size_t)snprintf(beside, sizeof beside, "%s.new", path) >= sizeof beside) {
        errno = ENAMETOOLONG;
        return -1;
    }
    (void)unlink(beside);
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd == -1) {
        return -1;
    }
    int result = write_copy(d, fd);
    int error = errno;
    close(fd);
    if (result == 0 && rename(beside, path) == 0) {
        return 0;
    }
    error = result == 0 ? errno : error;
    (void)unlink(beside);
    errno = error;
    return -1;
}

const char *database_adopt(struct database *d, int file)
{
    int seals = fcntl(file, F_GET_SEALS);
    const char *cause = seals != -1 && (seals & SEALS) == SEALS ? use(d, file, true) : "it is not sealed";
    if (cause != NULL) {
        close(file);
    }
    return cause;
}

bool database_poll(struct database *d)
{
    struct stat now;
    if (!exists(d)) {
        return false;
    }
    if (stat(d->path, &now) != 0) {
        memset(&now, 0, sizeof now); /* a file that has gone is another file */
    }
    if (!same_file(&now, &d->seen)) {
        d->seen = now;
        d->settling = d->settling > SETTLE_LOOKS ? d->settling : SETTLE_LOOKS;
    }
    if (d->settling > 0) {
        d->settling--;
        return false;
    }
    return !same_file(&d->seen, &d->taken);
}

void database_fini(struct database *d)
{
    leave(d);
}
