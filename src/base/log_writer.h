/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The thread that writes the log to a file, so that a disk that hangs holds up nobody else. Private to the log: only
 * base/log.c and base/log_writer.c include it.
 *
 * The writer has a copy of the target, and alone writes to it. It takes lines from the queue, as many as fit into its
 * own buffer, and writes them without the lock.
 */
#ifndef IMAPGUARD_BASE_LOG_WRITER_H
#define IMAPGUARD_BASE_LOG_WRITER_H

#include <pthread.h>
#include <semaphore.h>

#include "base/log_queue.h"
#include "base/log_target.h"

struct log_writer;

/* What those that log share with the writer. No thread holds the lock while it waits for a reader or a disk. */
struct log_shared {
    pthread_mutex_t lock; /* protects all of it */
    struct log_queue queue;
    struct log_writer *writer; /* NULL: the target is written by each thread that logs */
    sem_t wake;                /* the writer waits for it while it sleeps */
    bool sleeping;
};

/* The caller of these functions holds the lock. `log->writer` is the writer; only log_writer_start() makes one. */

/*
 * Starts the writer and waits until it runs. It has the descriptors of `target` from then on; the caller keeps the
 * rest, to make records. Returns 0, or an error number and nothing changed.
 */
int log_writer_start(struct log_shared *log, const struct log_target *target);

/*
 * Makes the writer look at the queue, and try again what the target did not take. Returns true if it sleeps: then the
 * caller calls sem_post(&log->wake), best without the lock, for which the writer would have to wait.
 */
bool log_writer_wake(struct log_shared *log);

/* The same with sem_post(), unless there is nothing to write. */
void log_writer_retry(struct log_shared *log);

/* Makes the writer open the file again; `owner` is as in log_open(). */
void log_writer_reopen(struct log_shared *log, int64_t owner);

/* Waits `ms` milliseconds at most, without the lock. Returns true if the file is opened again, or could not be. */
bool log_writer_wait_reopened(struct log_shared *log, unsigned ms);

/*
 * Ends the writer once it has written all lines; waits LOG_CLOSE_MS at most, without the lock; ten times that if the
 * thread gets no processor. Then there is no writer. Lines that it still had count as lost. Returns true if `target`
 * has the descriptors back. If the disk hangs, returns false: the thread keeps them and closes them when its call
 * returns.
 */
bool log_writer_stop(struct log_shared *log, struct log_target *target);

/* In a child after fork(), which has no such thread: drops the parent's lines and gives `target` the descriptors. */
void log_writer_forget(struct log_shared *log, struct log_target *target);

#endif
