/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the lines of the log go: standard error, syslog, or a file. Private to the log: only base/log*.c include it.
 */
#ifndef IMAPGUARD_BASE_LOG_TARGET_H
#define IMAPGUARD_BASE_LOG_TARGET_H

#include "base/log.h"
#include "base/log_channel.h"
#include "base/log_queue.h"

struct log_target {
    enum { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG, LOG_TARGET_FILE } kind;
    int facility; /* as in syslog(3) */
    struct log_channel standard_error;
    struct log_channel channel; /* of syslog (fd -1: not connected) or of the file */
    const char *path;           /* of a file; it lives as long as the program */
    uint64_t syslog_retry_ms;   /* earliest time of the next connection, since boot */
    int stuck_fd;               /* the descriptor that would have blocked at the last delivery; -1: none */
    uint64_t oversized;         /* lines that syslogd refused, because they are too long */
};

/*
 * Connects to syslogd, unless that was tried within the last second. Returns true if there is a connection. Never
 * blocks.
 */
bool log_target_connect_syslog(struct log_target *t);

/* Closes the connection to syslogd, if there is one. */
void log_target_disconnect_syslog(struct log_target *t);

/*
 * Writes the line from *written on and advances *written. Returns true if nothing of the line remains to be written.
 * Where a reader is slow, it sets stuck_fd.
 */
bool log_target_deliver(struct log_target *t, const char *record, size_t len, size_t *written);

/*
 * Writes lines of a target without syslog from *written on, as many as one call may write. Returns the octets of the
 * lines of which nothing remains to be written, and sets *written to 0; or 0, and *written is advanced as above.
 */
size_t log_target_deliver_lines(struct log_target *t, const char *lines, size_t len, size_t *written);

/*
 * Adds a line with the number of lost lines, if some are and the queue is half empty: a slow reader sees one gap
 * instead of one after every line. All of them were of a level that is logged, so this one is written at every
 * `log.level`.
 */
void log_target_record_lost(const struct log_target *t, struct log_queue *q);

/* Makes the line that says why the file could not be opened again. */
void log_target_reopen_failed(const struct log_target *t, const char *reason, struct log_line *line);

/* Formats the line as it is written, to `record` of LOG_RECORD_MAX octets. Returns its length. */
size_t log_target_record(const struct log_target *t, char *record, const struct log_line *line);

/* Opens the file of the log; `owner` is as in log_open(). Returns the descriptor, or -1 with errno set. */
int log_target_open_file(const char *path, int64_t owner);

#endif
