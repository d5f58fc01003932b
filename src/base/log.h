/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: one event a line, "event key=value ...". Values that come from outside are quoted and escaped,
 * and are written after the address, so that no client can write a line that a filter takes for another's.
 * There is no function here that takes a struct secret.
 *
 * No function here waits for a reader: a pipe, a terminal and syslog are written without blocking. Lines that are not
 * taken at once wait, in their order, in a queue that each process has for itself. When the queue is full, new lines
 * are lost until it is half empty; then the line "log-lost count=N" stands in their place. Only a file on a disk that
 * hangs can hold a process up.
 *
 * log_end(), log_event() and log_flush() may be called by several threads at once.
 */
#ifndef IMAPGUARD_BASE_LOG_H
#define IMAPGUARD_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/option.h"

/* In the order of the choices of `log.level`. */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum { LOG_CLOSE_MS = 200 };

struct log_options {
    char *target; /* "syslog", "stderr" or an absolute path */
    uint32_t level;
    uint32_t facility;
};

extern const struct option_table log_option_table;

/* A line in the making; lives on the stack. What does not fit is cut off at the end of a value. */
struct log_line {
    size_t len;
    enum log_level level;
    char text[2048];
};

/* Whether the target can be opened, as far as that can be told without doing it: 0, or -1 with errno set. */
int log_check(const struct log_options *options);

/*
 * Opens the target; from then on lines go there. Before, they go to standard error. So does each line that a file does
 * not take (a full disk), unless standard error is /dev/null: then it waits for the file. A line that only begins in
 * the file is written again in whole; no other line is joined to it. Lines for syslog wait for syslogd, which need not
 * run; it is looked for once a second. A file is made if need be, for `owner` (-1: whoever runs this); a FIFO needs a
 * reader. The caller ignores SIGPIPE. 0, or -1 with errno set and the log as it was.
 */
int log_open(const struct log_options *options, int64_t owner);

/* Writes what waits in the queue, as far as the target takes it now. To be called about once a second. */
void log_flush(void);

/* To be called in a child after fork(): what waits in the queue is forgotten here. The parent writes it. */
void log_forked(void);

/* Opens a file target again, after it was rotated away. On failure the old one stays and an error is logged. */
void log_reopen(int64_t owner);

/*
 * Closes the target: lines go to standard error again. Waits LOG_CLOSE_MS at most until lines of the queue are taken;
 * those that are not are lost.
 */
void log_close(void);

/* Whether lines of that level are written: asked before a line is made on a busy path. */
bool log_wants(enum log_level level);

/* The numeric syslog facility of a `log.facility` choice. */
int log_facility(uint32_t choice);

/* Begins a line with its event, a word of our own. */
void log_begin(struct log_line *line, enum log_level level, const char *event);

/* Adds a value of our own or of the configuration: no quotes, no blanks in it. */
void log_word(struct log_line *line, const char *key, const char *value);

/* Adds a number. */
void log_number(struct log_line *line, const char *key, uint64_t value);

/* Adds `len` octets from outside, quoted and escaped: nothing in them can end the value or the line. */
void log_quoted(struct log_line *line, const char *key, const void *value, size_t len);

/* Writes the line, or adds it to the queue, if its level is wanted. */
void log_end(struct log_line *line);

/*
 * A whole line at once, for what processes have to say: the rest of the line is `format`, "key=value ..."
 * with values of our own only.
 */
void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
