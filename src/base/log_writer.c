/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { STACK_SIZE = 64 * 1024, BATCH_SIZE = 16 * 1024, STARVED_ROUNDS = 10 };
_Static_assert(BATCH_SIZE >= (int)LOG_RECORD_MAX, "each line fits");

struct log_writer {
    struct log_shared *log;
    struct log_target target; /* only the thread uses it; its descriptors change under the lock, or before a fork */
    pthread_t thread;
    pthread_cond_t changed; /* `running`, `ended` or `reopened` is */
    bool running, woken, stopping, ended;
    bool calling;               /* it is in a call that may hang, without the lock */
    bool abandoned;             /* nobody else knows the writer any more: it frees itself */
    uint64_t end_ms;            /* when it is abandoned, since boot */
    unsigned reopens, reopened; /* how often that was wanted, and how much of it is done */
    int64_t owner;              /* of the file that is opened again */
    size_t begin, end;          /* of the lines in `text` that are not written yet */
    size_t written;             /* octets of the first one that are already written to a stream */
    char text[BATCH_SIZE];      /* the last member: pages that are never used cost nothing */
};

static uint64_t now_ms(void)
{
    return clock_boot_us() / 1000;
}

/* Before a call that may hang, and after it. */
static void leave_lock(struct log_writer *w)
{
    w->calling = true;
    pthread_mutex_unlock(&w->log->lock);
}

static void take_lock(struct log_writer *w)
{
    pthread_mutex_lock(&w->log->lock);
    w->calling = false;
}

/* Takes lines from the queue, if all that were taken before are written. Returns true if there are lines to write. */
static bool take_lines(struct log_writer *w)
{
    struct log_queue *q = &w->log->queue;
    if (w->begin == w->end) {
        w->begin = w->end = 0;
        w->written = q->written;
        while (q->used > 0 && w->end + LOG_RECORD_MAX <= sizeof w->text) {
            size_t len = log_queue_first(q, w->text + w->end);
            log_queue_remove(q, len);
            w->end += len;
        }
    }
    return w->begin < w->end;
}

/* Returns true if the target took some of the lines. */
static bool write_lines(struct log_writer *w)
{
    leave_lock(w);
    size_t n = log_target_deliver_lines(&w->target, w->text + w->begin, w->end - w->begin, &w->written);
    take_lock(w);
    w->begin += n;
    return n > 0;
}

static void log_reopen_failed(struct log_writer *w, const char *reason)
{
    struct log_line line;
    char record[LOG_RECORD_MAX];
    log_target_reopen_failed(&w->target, reason, &line);
    log_queue_add(&w->log->queue, record, log_target_record(&w->target, record, &line));
}

static void reopen(struct log_writer *w)
{
    unsigned reopens = w->reopens;
    int64_t owner = w->owner;
    leave_lock(w);
    int fd = log_target_open_file(w->target.path, owner);
    int error = errno, old = fd;
    struct log_channel channel = log_channel_file(fd);
    take_lock(w);
    if (fd == -1) {
        log_reopen_failed(w, strerror(error));
    } else {
        old = w->target.channel.fd;
        w->target.channel = channel;
        w->written = 0;
    }
    w->reopened = reopens;
    pthread_cond_broadcast(&w->changed);
    leave_lock(w);
    if (old != -1) {
        close(old);
    }
    take_lock(w);
}

/* When the writer has to end: returns true if a slow reader took something in time. */
static bool wait_for_reader(struct log_writer *w)
{
    struct pollfd stuck = {.fd = w->target.stuck_fd, .events = POLLOUT};
    uint64_t now = now_ms();
    if (stuck.fd == -1 || now >= w->end_ms) {
        return false;
    }
    leave_lock(w);
    (void)poll(&stuck, 1, (int)(w->end_ms - now));
    take_lock(w);
    return true;
}

/* Returns true if the writer has more to do, false if it ends. Waits until one of them is sure. */
static bool wait_for_work(struct log_writer *w, bool blocked)
{
    if (w->stopping) {
        return blocked && wait_for_reader(w);
    }
    if (!w->woken) {
        w->log->sleeping = true;
        pthread_mutex_unlock(&w->log->lock);
        while (sem_wait(&w->log->wake) != 0) {
        }
        pthread_mutex_lock(&w->log->lock);
    }
    return true;
}

static void close_target(struct log_target *t)
{
    if (t->channel.fd != -1) {
        close(t->channel.fd);
    }
    log_channel_close_stderr(&t->standard_error);
}

static void *run(void *data)
{
    struct log_writer *w = data;
    pthread_mutex_t *lock = &w->log->lock;
    bool more = true;
    pthread_mutex_lock(lock);
    w->running = true;
    pthread_cond_broadcast(&w->changed);
    while (more && !w->abandoned) {
        w->woken = false;
        if (w->reopened != w->reopens) {
            reopen(w);
            continue;
        }
        if (w->log->queue.lost > 0) { /* else a page of the stack stays unused */
            log_target_record_lost(&w->target, &w->log->queue);
        }
        bool lines = take_lines(w);
        if (!lines || !write_lines(w)) {
            more = wait_for_work(w, lines);
        }
    }
    w->ended = true;
    pthread_cond_broadcast(&w->changed);
    bool abandoned = w->abandoned;
    pthread_mutex_unlock(lock);
    if (abandoned) {
        close_target(&w->target);
        free(w);
    }
    return NULL;
}

/* All signals are blocked in the thread: those of the process are for others. */
static int start_thread(struct log_writer *w)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE); /* where that is too little, it stays the default */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&w->thread, &attributes, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (error == 0) {
        (void)pthread_setname_np(w->thread, "imapguard-log");
    }
    return error;
}

int log_writer_start(struct log_shared *log, const struct log_target *target)
{
    pthread_condattr_t attributes;
    struct log_writer *w = malloc(sizeof *w);
    if (w == NULL) {
        return ENOMEM;
    }
    memset(w, 0, offsetof(struct log_writer, text));
    w->log = log;
    w->target = *target;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    log->sleeping = false;
    sem_init(&log->wake, 0, 0);
    int error = start_thread(w);
    if (error != 0) {
        free(w);
        return error;
    }
    log->writer = w;
    while (!w->running) { /* a child does not inherit what a thread that only begins has locked in libraries */
        pthread_cond_wait(&w->changed, &log->lock);
    }
    return 0;
}

bool log_writer_wake(struct log_shared *log)
{
    bool sleeping = log->sleeping;
    log->writer->woken = true;
    log->sleeping = false;
    return sleeping;
}

static void wake_now(struct log_shared *log)
{
    if (log_writer_wake(log)) {
        sem_post(&log->wake);
    }
}

void log_writer_retry(struct log_shared *log)
{
    if (log->writer->begin < log->writer->end || log->queue.used > 0) {
        wake_now(log);
    }
}

void log_writer_reopen(struct log_shared *log, int64_t owner)
{
    log->writer->reopens++;
    log->writer->owner = owner;
    wake_now(log);
}

static struct timespec moment_in(unsigned ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

bool log_writer_wait_reopened(struct log_shared *log, unsigned ms)
{
    struct timespec end = moment_in(ms);
    struct log_writer *w = log->writer;
    while (w->reopened != w->reopens) {
        if (pthread_cond_timedwait(&w->changed, &log->lock, &end) != 0) {
            return false;
        }
    }
    return true;
}

/* Returns the number of lines that were taken and are not written. */
static uint64_t lines_left(const struct log_writer *w)
{
    uint64_t count = 0;
    for (size_t i = w->begin; i < w->end; i++) {
        count += w->text[i] == '\n';
    }
    return count;
}

/* A writer that hangs gets LOG_CLOSE_MS; one that only waits for a processor, more. */
static void wait_for_end(struct log_writer *w)
{
    for (unsigned i = 0; i < STARVED_ROUNDS && (i == 0 || !w->calling); i++) {
        struct timespec end = moment_in(LOG_CLOSE_MS);
        while (!w->ended && pthread_cond_timedwait(&w->changed, &w->log->lock, &end) == 0) {
        }
        if (w->ended) {
            return;
        }
    }
}

bool log_writer_stop(struct log_shared *log, struct log_target *target)
{
    struct log_writer *w = log->writer;
    w->end_ms = now_ms() + LOG_CLOSE_MS;
    w->stopping = true;
    wake_now(log);
    wait_for_end(w);
    log->writer = NULL;
    log->queue.lost += lines_left(w);
    if (!w->ended) {
        w->abandoned = true;
        pthread_detach(w->thread);
        return false;
    }
    pthread_mutex_unlock(&log->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_lock(&log->lock);
    *target = w->target;
    free(w);
    return true;
}

void log_writer_forget(struct log_shared *log, struct log_target *target)
{
    *target = log->writer->target;
    free(log->writer);
    log->writer = NULL;
}
