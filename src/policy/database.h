/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One database in MaxMind's format, in memory that is shared with processes forked later: two anonymous files, of
 * which one is used while the other waits to be filled anew. libmaxminddb maps a database; were that the
 * administrator's own file, cutting it short would kill whoever reads it.
 */
#ifndef IMAPGUARD_POLICY_DATABASE_H
#define IMAPGUARD_POLICY_DATABASE_H

#include <maxminddb.h>
#include <stdatomic.h>
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
    const char *name; /* for the log */
    const char *path; /* of the file; NULL or "": there is none */
    const struct database_field *fields; /* ends with one without a path; the first is the one that it must have */
    _Atomic uint32_t *version; /* shared: how often one was published; its lowest bit says in which memory it is */
    int memory[2];
    uint32_t adopted;          /* the version that `mmdb` is of */
    bool open;
    MMDB_s mmdb;
    struct stat seen;          /* the file, when it was last looked at ... */
    struct stat taken;         /* ... and when it was last read */
    unsigned settling;         /* looks to let pass before the file is read */
};

/*
 * Makes the memories, for a `d` whose first four members are set; before the processes are forked that will use it. 0,
 * or -1 with errno set; database_fini() is to be called either way.
 */
int database_init(struct database *d);

/* Reads the file, checks all of it and uses it. NULL, or what is wrong (static); then what was used before stays. */
const char *database_load(struct database *d);

/* Whether the file is another than that which was read last, and has stopped changing. To be asked once a second. */
bool database_is_due(struct database *d);

/* Uses the newest version that was published. 0, or -1 when that is not possible, and the old one stays. */
int database_adopt(struct database *d);

/* Frees what it owns. */
void database_fini(struct database *d);

#endif
