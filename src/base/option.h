/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of options. Each module describes its options in one table, next to the struct that they fill. config.c reads
 * the file by these tables and has no option's name in its code. Nothing here depends on libconfig.
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

/* A rate: `count` events in `ms` milliseconds. */
struct option_rate {
    uint32_t count;
    uint32_t ms;
};

/*
 * The `count` elements of an OPTION_LIST, OPTION_TEXTS or OPTION_COUNTS, owned by the list. All zero is an empty list.
 */
struct option_list {
    void *items;
    size_t count;
};

struct option_table;

struct option_row {
    const char *name;
    enum option_type type;
    size_t offset;                    /* of the field in the struct */
    const char *default_value;        /* the default as text ("" for an empty list); NULL: the option is mandatory */
    uint32_t min, max;                /* of a count, of the count of a rate, or of a duration in milliseconds */
    const char *const *choices;       /* of an OPTION_CHOICE; ends with NULL */
    const struct option_table *group; /* of an OPTION_GROUP or OPTION_LIST */
    /*
     * Checks an OPTION_TEXT, or each text of an OPTION_TEXTS. Returns NULL if the text is valid, or a static
     * description of the expected text. NULL: every text is valid.
     */
    const char *(*check)(const char *text);
};

struct option_table {
    size_t size;                   /* octets of the struct that the rows fill */
    const struct option_row *rows; /* ends with a row without a name */
};

/*
 * Receives the problems of a configuration. `path` is the option in libconfig's notation ("tls.certificates.[0].key"),
 * which the receiver turns into a file and a line.
 */
struct option_report {
    /* Called for each problem. `path` and `text` are valid until it returns. */
    void (*take)(struct option_report *to, bool fatal, const char *path, const char *text);
    uint32_t errors; /* number of calls of option_error() so far */
};

/*
 * Reports a problem that forbids the configuration: increments to->errors and calls to->take with the path and the
 * formatted text, which is cut off after 511 octets.
 */
void option_error(struct option_report *to, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reports a problem that does not forbid the configuration, otherwise as option_error(). Counts nothing. */
void option_warning(struct option_report *to, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Returns the row of the table with this name; case matters. Returns NULL if there is none. */
const struct option_row *option_find(const struct option_table *table, const char *name);

/*
 * Returns the name in the table that is nearest to a misspelt `name`, at most two insertions, deletions or
 * substitutions away; NULL if there is none.
 */
const char *option_nearest(const struct option_table *table, const char *name);

/*
 * Writes the names in the table to `out`, separated by ", " and terminated; cuts them off if they exceed `size` octets.
 * `size` is not 0. Returns `out`.
 */
const char *option_names(const struct option_table *table, char *out, size_t size);

/*
 * Sets the option `o` of the struct `into` from `text`, the value as text. A text that the option had before is freed:
 * it must be NULL or come from this function. Returns NULL if the option is set. Otherwise the struct is unchanged, and
 * the result describes the expected value; it is static, or it is `expected`, where up to `size` octets are written.
 * An option of type TEXTS, COUNTS, GROUP or LIST cannot be set. If there is no memory, the result says so.
 */
const char *option_set(const struct option_row *o, void *into, const char *text, char *expected, size_t size);

/* Appends one value to an option of type TEXTS or COUNTS. Arguments and result are as in option_set(). */
const char *option_add(const struct option_row *o, void *into, const char *text, char *expected, size_t size);

/*
 * Sets the options of the struct `into`, and of the groups in it, to their defaults. The struct must be all zero:
 * lists, and options without a default, stay so. A text stays NULL if there is no memory.
 */
void option_set_defaults(const struct option_table *table, void *into);

/*
 * Frees all texts and lists of the struct `into`, of its groups and of the elements of its lists, and sets them to NULL
 * and to empty lists. Other options stay as they are. The caller frees the struct itself.
 */
void option_free(const struct option_table *table, void *into);

/*
 * Checks a name, for the `check` of a row: 1 to 32 ASCII letters, digits, "-", "_" and ".", so that it needs no quotes
 * in a log line.
 */
const char *option_check_name(const char *text);

/* Checks a path, for the `check` of a row: an absolute path, or "" for none. */
const char *option_check_path(const char *text);

/*
 * Parses a duration: up to 9 digits, directly followed by one of the units "ms", "s", "m", "h" and "d". Writes it to
 * *ms in milliseconds. Returns 0, or -1 with *ms unchanged if the text has another form or exceeds UINT32_MAX
 * milliseconds (49 days).
 */
int option_duration(const char *text, uint32_t *ms);

#endif
