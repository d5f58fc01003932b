/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a module can be told. Each module describes its options in one table, next to the struct that they
 * fill; config.c reads the file by these tables and knows no option by name. Nothing here knows libconfig.
 */
#ifndef IMAPGUARD_BASE_OPTION_H
#define IMAPGUARD_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_FLAG,     /* true or false             -> bool */
    OPTION_COUNT,    /* integer in min..max       -> uint32_t; decimal or "0x", "L" may end it */
    OPTION_DURATION, /* "90s", "15m", "24h", "7d" -> uint32_t, milliseconds, in min..max */
    OPTION_TEXT,     /* string                    -> char *, owned by the struct */
    OPTION_CHOICE,   /* one of `choices`          -> uint32_t, its index */
    OPTION_RATE,     /* "120/1m"                  -> struct option_rate; its count in min..max */
    OPTION_TEXTS,    /* [ "...", ... ]            -> struct option_list of char *, owned by the list */
    OPTION_COUNTS,   /* [ 1, 2, ... ]             -> struct option_list of uint32_t, each in min..max */
    OPTION_GROUP,    /* { ... }                   -> a struct, described by `group` */
    OPTION_LIST,     /* ( {...}, ... )            -> struct option_list of structs described by `group` */
};

/* So many in so long a time. */
struct option_rate {
    uint32_t count;
    uint32_t ms;
};

/* The elements of an OPTION_LIST, OPTION_TEXTS or OPTION_COUNTS: `count` of them, owned by the list. */
struct option_list {
    void *items;
    size_t count;
};

struct option_table;

struct option_row {
    const char *name;
    enum option_type type;
    size_t offset;
    const char *default_value;  /* the default as text ("" for an empty list); NULL: must be given */
    uint32_t min, max;          /* of a count, or of a duration in milliseconds */
    const char *const *choices; /* ends with NULL */
    const struct option_table *group;
    /* For OPTION_TEXT and each of OPTION_TEXTS: NULL when the text will do, or what was expected instead. */
    const char *(*check)(const char *text);
};

struct option_table {
    size_t size;                   /* of the struct that the rows fill */
    const struct option_row *rows; /* ends with a row without a name */
};

/*
 * Where problems of a configuration go: `path` is the option in libconfig's notation
 * ("tls.certificates.[0].key"), which the receiver turns into a file and a line.
 */
struct option_report {
    void (*take)(struct option_report *to, bool fatal, const char *path, const char *text);
    uint32_t errors; /* fatal ones so far, counted by the two functions below */
};

/* Reports a problem that forbids the configuration. `path` and the text are formatted and copied. */
void option_error(struct option_report *to, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reports something that an administrator should know and that does not forbid the configuration. */
void option_warning(struct option_report *to, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The row of that name, matched exactly; NULL when there is none. */
const struct option_row *option_find(const struct option_table *table, const char *name);

/* The name in the table that `name` was probably meant to be (two edits away at most); NULL when none is near. */
const char *option_nearest(const struct option_table *table, const char *name);

/* Writes the names in the table, with commas between, cut where `size` octets are full. Returns `out`. */
const char *option_names(const struct option_table *table, char *out, size_t size);

/*
 * Sets one option (not TEXTS, COUNTS, GROUP or LIST) of the struct `into` from the text form of its value.
 * NULL when it was set; otherwise what was expected, written to `expected` (of `size` octets), and the
 * struct is unchanged. Memory shortage counts as a value that does not fit.
 */
const char *option_set(const struct option_row *o, void *into, const char *text, char *expected, size_t size);

/* Adds one value to an option of type TEXTS or COUNTS; otherwise as option_set(). */
const char *option_add(const struct option_row *o, void *into, const char *text, char *expected, size_t size);

/* Sets every option of the struct that has a default to it, groups within included; lists become empty. */
void option_set_defaults(const struct option_table *table, void *into);

/* Frees all that option_set() and a list within allocated for `into`, not the struct itself. */
void option_free(const struct option_table *table, void *into);

/* A check for OPTION_TEXT: a name that can stand in a log line and in a metric, letters, digits, "-", "_", ".". */
const char *option_check_name(const char *text);

/* A check for OPTION_TEXT: an absolute path, or "" for none. */
const char *option_check_path(const char *text);

/* Parses a duration: digits and one unit of ms, s, m, h, d. 0 or -1 (malformed, or over 49 days). */
int option_duration(const char *text, uint32_t *ms);

#endif
