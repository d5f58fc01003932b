/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A database in MaxMind's format, in an anonymous file that is sealed once it is filled (fcntl(2), F_SEAL_WRITE,
 * F_SEAL_SHRINK): libmaxminddb maps the file, and a process that could truncate it would kill all readers. A newer
 * version is in another anonymous file.
 */
#ifndef IMAPGUARD_POLICY_DATABASE_H
#define IMAPGUARD_POLICY_DATABASE_H

#include <maxminddb.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum { DATABASE_PATH_MAX = 3 }; /* elements of database_field.path, with the NULL */

/* A field that is read from the records of a database. */
struct database_field {
    const char *path[DATABASE_PATH_MAX]; /* ends with NULL */
    uint32_t type;                       /* MMDB_DATA_TYPE_... */
};

/* The caller sets `name`, `path`, `fields` and file = -1, and all other fields to zero. */
struct database {
    const char *name;                    /* for the log; static */
    char *path;                          /* of the database's own file; NULL or "": none; the caller owns it */
    const struct database_field *fields; /* ends with a field without a path; some record must have the first field */
    int file;                            /* descriptor of the anonymous file; -1: none */
    uint32_t version;                    /* number of versions used so far; in a worker, that of the master */
    bool open;                           /* a database is in use */
    MMDB_s mmdb;                         /* of `file`, if `open` is true */
    struct stat seen;                    /* the own file at the last database_poll() */
    struct stat taken;                   /* the own file when it was last read */
    unsigned settling;                   /* calls of database_poll() until the file counts as settled */
};

/*
 * Reads the file at `path`, of at most 1 GiB, checks all of it, and uses it in place of the database before. Returns
 * NULL, or a static text with the cause of the failure; the database before then stays in use. `path` is d->path, or
 * that of a copy; a copy is used until d->path changes, see database_poll().
 */
const char *database_load(struct database *d, const char *path);

/*
 * Writes a copy of the database in use, of which there must be one, to the file at `path`: writes `path`.new and
 * renames it. The copy gets the modification time of the database's own file; if the file at `path` has this time and
 * size already, nothing is written. Returns 0, or -1 with errno set and an old copy unchanged.
 */
int database_save(const struct database *d, const char *path);

/*
 * Checks the database's own file for a change, with one stat(). Call it about once a second. Returns true if the file
 * is not the one that database_load() read last, and has not changed for two calls; the caller then loads it.
 */
bool database_poll(struct database *d);

/* The result of database_adopt() if this host has no memory or descriptor: the caller may try again. */
extern const char database_shortage[];

/*
 * Uses an anonymous file that database_load() has filled and checked in another process. d owns the descriptor `file`
 * afterwards, also on failure. Returns NULL, or a static text with the cause of the failure, for example that the file
 * is not sealed; the database before then stays in use. d->version is unchanged in both cases.
 */
const char *database_adopt(struct database *d, int file);

/* Closes the database and its descriptor. The caller frees d->path. */
void database_fini(struct database *d);

#endif
