/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: one event a line, "event key=value ...". Values that come from outside are quoted and escaped,
 * and are written after the address, so that no client can write a line that a filter takes for another's.
 * There is no function here that takes a struct secret.
 *
 * Writing never waits for a reader: pipes, terminals, sockets and syslog are written without blocking. Each process has
 * a queue of 256 KiB for lines that were not taken at once; their order is kept. When the queue is full, new lines are
 * lost until it is half empty; then "log-lost count=N" is written in their place. Only log_close() waits, LOG_CLOSE_MS
 * at most. A regular file is written as any file is: a disk that hangs holds the process up.
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
 * Opens the target. Lines go there from then on; before, they go to standard error. A line that a file does not take (a
 * full disk) goes to standard error instead; if that is /dev/null, the line waits for the file. Two lines are never
 * joined: half a line is ended with a newline, and written again as a whole. Lines for syslog wait for syslogd, which
 * need not run: a new connection is tried once a second at most. A file is created if need be, for `owner` (-1: whoever
 * runs this). A FIFO without a reader cannot be opened. The caller ignores SIGPIPE. Returns 0, or -1 with errno set and
 * the log as it was.
 */
int log_open(const struct log_options *options, int64_t owner);

/* Writes what the target takes of the queue now; never waits. Call it about once a second. */
void log_flush(void);

/* Empties the queue of a child, whose parent writes what is in it. Call it right after fork(), before any line. */
void log_forked(void);

/* Opens a file target again, after it was rotated away. On failure the old one stays and an error is logged. */
void log_reopen(int64_t owner);

/*
 * Closes the target: lines go to standard error again. Waits LOG_CLOSE_MS at most for a reader to take the queue; what
 * is left of it is lost.
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
