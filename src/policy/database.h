/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One database in MaxMind's format, in an anonymous file that is sealed once it is filled (fcntl(2), F_SEAL_WRITE,
 * F_SEAL_SHRINK): libmaxminddb maps the file, and a process that could cut it short would kill all readers. A newer
 * database is another file.
 */
#ifndef IMAPGUARD_POLICY_DATABASE_H
#define IMAPGUARD_POLICY_DATABASE_H

#include <maxminddb.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum { DATABASE_PATH_MAX = 3 }; /* of the fields below */

/* A field of a record that a database is for. */
struct database_field {
    const char *path[DATABASE_PATH_MAX]; /* ends with NULL */
    uint32_t type;                       /* MMDB_DATA_TYPE_... */
};

struct database {
    const char *name;                    /* for the log */
    char *path;                          /* of the file; NULL or "": there is none; the owner frees it */
    const struct database_field *fields; /* ends with one without a path; the first is the one that it must have */
    int file;                            /* the anonymous one; -1: none */
    uint32_t version;                    /* how often there was a new one */
    bool open;
    MMDB_s mmdb;       /* of `file` */
    struct stat seen;  /* the file, when it was last looked at ... */
    struct stat taken; /* ... and when it was last read */
    unsigned settling; /* looks to let pass before the file is read */
};

/*
 * Reads the file at `path`, checks all of it and uses it. Returns NULL, or what is wrong (static); then what was used before
 * stays. If `path` is not the database's own, database_poll() takes the database's own file as soon as it changes.
 */
const char *database_load(struct database *d, const char *path);

/*
 * Writes the database in use to a file, whole beside the old one and renamed, with the time of the database's own file.
 * Does nothing if the file at `path` has that time and size already. Returns 0, or -1 with errno set.
 */
int database_save(const struct database *d, const char *path);

/* Looks at the file, once a second. Returns true if it is not the one that was read last, and has stopped changing. */
bool database_poll(struct database *d);

/* What database_adopt() returns when it can be tried again. */
extern const char database_shortage[];

/*
 * Uses an anonymous file that database_load() has filled in another process, and owns the descriptor from then on, also
 * on failure. NULL, or what is wrong (static), and the one before stays: a file that is not sealed is not believed.
 */
const char *database_adopt(struct database *d, int file);

/* Frees what d owns. */
void database_fini(struct database *d);

#endif
