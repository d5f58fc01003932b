/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log. Each line is one event: "event key=value ...". Values from the network are quoted and escaped, and follow
 * the address of the client. A client therefore cannot write a line that a log filter takes for another client's.
 * No function here takes a struct secret.
 *
 * Logging waits for no reader and no disk. Pipes, terminals, sockets and syslog are written without blocking. A target
 * that is a path, and a standard error that is a regular file, are written and opened again by a thread of each
 * process, the writer: log_start() starts it, and log_end() only hands it the line. Each process has a queue of 256 KiB
 * for lines that are not written yet; their order is kept. When the queue is full, new lines are lost until it is half
 * empty; then "log-lost count=N" is written in their place. Only log_close() and log_wait_reopened() wait, for a
 * limited time.
 *
 * Before log_start(), if that fails, and after log_close(), each thread that logs writes a regular file itself: a disk
 * that hangs blocks it. A write that hangs in the kernel may outlast the process: whether by exit(), _exit() or
 * SIGKILL, the process ends, and its parent hears of it, when the kernel gives that write up. NFS does so at once, for
 * a process that is killed or ends; a local disk when its driver reports an error.
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
 * Checks what log_open() checks before it opens the target. Creates nothing and opens no FIFO, so that it does not find
 * a FIFO without a reader. Returns 0, or -1 with errno set.
 */
int log_check(const struct log_options *options);

/*
 * Opens the target and copies what it needs of the options, which may be freed afterwards. Before this call, lines of
 * LOG_LEVEL_INFO and above go to standard error; later lines go to the target. A target that was open before is closed
 * by log_close(), which may wait. The process must ignore SIGPIPE, and must not have forked yet. Opening may block.
 *
 * A missing file is created with mode 0640. If the process is root, `owner` is the uid that becomes the owner of the
 * file, also of a file that existed; -1 keeps the owner. If the file cannot take a line, or takes only a part of it (a
 * full disk), the whole line goes to standard error; if that is closed, full or /dev/null, the line is queued for the
 * file. Two lines are never joined: after a partial line, the next line in the file begins with a newline.
 *
 * syslogd need not run: lines are queued, and a new connection is tried once a second at most.
 *
 * Returns 0, or -1 with errno set, and the log and the target unchanged. A FIFO without a reader fails with ENXIO, a
 * symbolic link with ELOOP, a device or a socket with ENOTSUP.
 */
int log_open(const struct log_options *options, int64_t owner);

/*
 * Starts the writer, if the target needs one and has none. Call it after log_open() once the process has gone to the
 * background, and in a child after log_after_fork(): a thread keeps the privileges that the process had when it started
 * it, so these must be dropped before. If there is no thread, "log-writer-failed" is logged.
 */
void log_start(void);

/* Writes as much of the queue as the target accepts without blocking. Call it about once a second. */
void log_flush(void);

/*
 * Makes the log of a child independent of its parent: discards the queued lines, which the parent writes, and connects
 * to syslog again. Call it in the child after fork(), before any line and before privileges are dropped. The child has
 * no writer before log_start(), whatever the parent's writer was doing. Never blocks.
 */
void log_after_fork(void);

/*
 * Opens the file of the log again after a log rotation; does nothing for other targets. `owner` is as in log_open().
 * Queued lines go to the old or the new file. If it cannot be opened, the old one stays in use and "log-reopen-failed"
 * is logged. With a writer, log_reopen() returns at once, and the writer opens the file.
 */
void log_reopen(int64_t owner);

/* Waits `ms` milliseconds at most. Returns true if the file is opened again after log_reopen(), or could not be. */
bool log_wait_reopened(unsigned ms);

/*
 * Closes the target; later lines go to standard error, at the same level. Waits up to LOG_CLOSE_MS until the queue is
 * written. Lines that remain are lost, and the next line is preceded by "log-lost". Can be called again. If the writer
 * hangs, it is left behind after LOG_CLOSE_MS, and after ten times that if it gets no processor: it may still write the
 * lines that it has in its hands, closes the file, and ends.
 */
void log_close(void);

/* Returns true if lines of this level are written. A caller can avoid building a line that is not. */
bool log_wants(enum log_level level);

/*
 * Returns the facility as syslog(3) expects it (LOG_MAIL, ...). `choice` is the index of a choice of `log.facility`, as
 * in struct log_options; it is not checked.
 */
int log_facility(uint32_t choice);

/*
 * Begins a line with `event`, a literal without spaces. `line` may have any content before. Its first `len` octets of
 * `text` are valid afterwards; they are not terminated. `line` owns no memory and may be dropped without log_end().
 */
void log_begin(struct log_line *line, enum log_level level, const char *event);

/*
 * Adds " key=value". `value` is a terminated string. It is not escaped: it must not come from the network or contain
 * quotes or spaces.
 */
void log_word(struct log_line *line, const char *key, const char *value);

/* Adds " key=value" with `value` in decimal; adds nothing if that does not fit. */
void log_number(struct log_line *line, const char *key, uint64_t value);

/*
 * Adds ' key="value"' with `len` octets, of which the first 256 are written. They may come from anywhere: they are
 * quoted and escaped, so that the value cannot end early and cannot end the line. Adds nothing if that does not fit.
 */
void log_quoted(struct log_line *line, const char *key, const void *value, size_t len);

/*
 * Writes the line or adds it to the queue; if the queue is full, the line is lost. Does nothing if log_wants() is false
 * for its level. `line` is unchanged. Never blocks, once log_start() has been called.
 */
void log_end(struct log_line *line);

/*
 * Writes a whole line, as log_end() does: `event`, a literal without spaces, then the text of `format`, which has pairs
 * "key=value". The text may be empty, and is cut off after 1023 octets. Nothing in it is escaped: values must not come
 * from the network, the caller quotes those that contain spaces, and a path of the configuration goes to log_quoted().
 */
void log_event(enum log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
