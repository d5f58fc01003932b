/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue of the log: a ring buffer of lines. Private to the log: only base/log*.c and their unit test include it.
 * Nothing here locks.
 */
#ifndef IMAPGUARD_BASE_LOG_QUEUE_H
#define IMAPGUARD_BASE_LOG_QUEUE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

enum {
    LOG_QUEUE_SIZE = 256 * 1024, /* octets; pages that are never used cost nothing */
    LOG_RECORD_MAX = sizeof(((struct log_line *)0)->text) + 128,
};
/* write() to a pipe is atomic up to PIPE_BUF octets: lines of several processes do not mix. */
_Static_assert(LOG_RECORD_MAX <= PIPE_BUF, "a line is written in one piece");

/* A record is two octets of length and a whole line as it is written. All zero is an empty queue. */
struct log_queue {
    size_t start, used;
    size_t written; /* octets of the first line that are already written to a stream */
    uint64_t lost;  /* lines that found no room since the queue became full */
    char octets[LOG_QUEUE_SIZE];
};

/*
 * Adds a line of up to LOG_RECORD_MAX octets. If there is no room for it, it is lost; so are all that follow, until the
 * caller has told how many these are and set `lost` to 0.
 */
void log_queue_add(struct log_queue *q, const char *record, size_t len);

/* Copies the first line to `record` of LOG_RECORD_MAX octets. Returns its length. The queue is not empty. */
size_t log_queue_first(const struct log_queue *q, char *record);

/* Removes the first line, which has `len` octets. */
void log_queue_remove(struct log_queue *q, size_t len);

/* Removes all lines, which count as lost. */
void log_queue_clear(struct log_queue *q);

#endif
