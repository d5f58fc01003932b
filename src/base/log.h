/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log. Each line is one event: "event key=value ...". Values from the network are quoted and escaped, and follow
 * the address of the client. A client therefore cannot write a line that a log filter takes for another client's.
 * No function here takes a struct secret.
 *
 * Writing never waits for a reader: pipes, terminals, sockets and syslog are written without blocking. Each process has
 * a queue of 256 KiB for lines that could not be written immediately; their order is kept. When the queue is full, new
 * lines are lost until it is half empty; then "log-lost count=N" is written in their place. Only log_close() waits,
 * LOG_CLOSE_MS at most. A regular file is written with write(): a hanging disk blocks the process.
 *
 * log_end(), log_event() and log_flush() may be called by several threads at once.
 */
#ifndef IMAPGUARD_BASE_LOG_H
#define IMAPGUARD_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/option.h"

/* The choices of `log.level`, in the same order. */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum { LOG_CLOSE_MS = 200 }; /* milliseconds */

struct log_options {
    char *target;      /* "syslog", "stderr" or an absolute path */
    uint32_t level;    /* an enum log_level */
    uint32_t facility; /* a choice of `log.facility`, see log_facility() */
};

extern const struct option_table log_option_table;

/*
 * A line while it is built, usually on the stack: log_begin(), then any number of values, then log_end(). A quoted
 * value or a number that does not fit is left out with its key; other text is cut off.
 */
struct log_line {
    size_t len;
    enum log_level level;
    char text[2048];
};

/*
 * Checks that log_open() could open the target, without opening or creating it. It cannot find every obstacle. Returns
 * 0, or -1 with errno set.
 */
int log_check(const struct log_options *options);

/*
 * Opens the target and copies what it needs of the options. Lines before this call go to standard error, later lines to
 * the target. Call it before the first fork, and ignore SIGPIPE before.
 *
 * A missing file is created with mode 0640. If the process is root, the file is given to the uid `owner`, also if it
 * existed; -1 keeps its owner. If the file takes only a part of a line (a full disk), the line goes to standard error
 * instead; if that is closed or /dev/null, the line is queued for the file. Two lines are never joined: a partial line
 * is ended with a newline, and the line is written again as a whole.
 *
 * syslogd need not run: lines are queued, and a new connection is tried once a second at most.
 *
 * Returns 0, or -1 with errno set and the log unchanged. A FIFO without a reader fails with ENXIO, a symbolic link with
 * ELOOP.
 */
int log_open(const struct log_options *options, int64_t owner);

/* Writes as much of the queue as the target accepts without blocking. Call it about once a second. */
void log_flush(void);

/*
 * Makes the log of a child independent of its parent: discards the queued lines, which the parent writes, and connects
 * to syslog again. Call it in the child after fork(), before any line and before privileges are dropped.
 */
void log_after_fork(void);

/*
 * Opens the file of the log again after a log rotation; does nothing for other targets. `owner` is as in log_open(). If
 * the file cannot be opened, the old one stays in use and "log-reopen-failed" is logged.
 */
void log_reopen(int64_t owner);

/*
 * Closes the target; later lines go to standard error. Waits up to LOG_CLOSE_MS until the queue is written; lines that
 * remain in the queue are lost.
 */
void log_close(void);

/* Returns true if lines of this level are written. A caller can avoid building a line that is not. */
bool log_wants(enum log_level level);

/* Returns the syslog facility (LOG_MAIL, ...) of `choice`, the index of a choice of `log.facility`. */
int log_facility(uint32_t choice);

/* Begins a line with `event`, a literal without spaces. Initialises all of `line`; nothing must be freed. */
void log_begin(struct log_line *line, enum log_level level, const char *event);

/* Adds " key=value". `value` is not escaped: it must not come from the network or contain quotes or spaces. */
void log_word(struct log_line *line, const char *key, const char *value);

/* Adds " key=value" with `value` in decimal; adds nothing if that does not fit. */
void log_number(struct log_line *line, const char *key, uint64_t value);

/*
 * Adds ' key="value"' with `len` octets from the network, of which the first 256 are written. They are quoted and
 * escaped, so that the value cannot end early and cannot end the line.
 */
void log_quoted(struct log_line *line, const char *key, const void *value, size_t len);

/* Writes the line or adds it to the queue. Does nothing if log_wants() is false for its level. */
void log_end(struct log_line *line);

/*
 * Writes a whole line: `event`, then the text of `format`, which is "key=value ..." and 1023 octets at most. Values are
 * not escaped and must not come from the network. May be "" if there are no values.
 */
void log_event(enum log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
