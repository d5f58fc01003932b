/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log_writer.h"

static const char *const level_names[] = {"error", "warning", "info", "debug", NULL};

static const char *const facility_names[] = {"mail",   "daemon", "auth",   "authpriv", "user",   "local0", "local1",
                                             "local2", "local3", "local4", "local5",   "local6", "local7", NULL};
static const int facilities[] = {LOG_MAIL,   LOG_DAEMON, LOG_AUTH,   LOG_AUTHPRIV, LOG_USER,   LOG_LOCAL0, LOG_LOCAL1,
                                 LOG_LOCAL2, LOG_LOCAL3, LOG_LOCAL4, LOG_LOCAL5,   LOG_LOCAL6, LOG_LOCAL7};

static const char *check_target(const char *text)
{
    if (strcmp(text, "syslog") == 0 || strcmp(text, "stderr") == 0 || text[0] == '/') {
        return NULL;
    }
    return "\"syslog\", \"stderr\" or a path that begins with /";
}

/* clang-format off */
static const struct option_row rows[] = {
    {.name = "target", .type = OPTION_TEXT, .offset = offsetof(struct log_options, target), .default_value = "syslog",
     .check = check_target},
    {.name = "level", .type = OPTION_CHOICE, .offset = offsetof(struct log_options, level), .default_value = "info",
     .choices = level_names},
    {.name = "facility", .type = OPTION_CHOICE, .offset = offsetof(struct log_options, facility),
     .default_value = "mail", .choices = facility_names},
    {0},
};
/* clang-format on */
const struct option_table log_option_table = {sizeof(struct log_options), rows};

/* The log of this process. It is global, so that every function can log. */
static struct log_shared shared = {.lock = PTHREAD_MUTEX_INITIALIZER};
static enum log_level wanted = LOG_LEVEL_INFO;

static const struct log_target before_open = {
    .kind = LOG_TARGET_STDERR, .channel = {.fd = -1}, .stuck_fd = -1, .standard_error = LOG_CHANNEL_INHERITED};

/* The lock protects it too. While there is a writer, its descriptors are the writer's. */
static struct log_target target = {
    .kind = LOG_TARGET_STDERR, .channel = {.fd = -1}, .stuck_fd = -1, .standard_error = LOG_CHANNEL_INHERITED};

static char path[PATH_MAX]; /* of the target */

static void lock(void)
{
    pthread_mutex_lock(&shared.lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&shared.lock);
}

/* --- without a writer --------------------------------------------------------------------------------------- */

static bool deliver(const char *record, size_t len, size_t *written)
{
    bool done = log_target_deliver(&target, record, len, written);
    shared.queue.lost += target.oversized;
    target.oversized = 0;
    return done;
}

static void flush_queue(void)
{
    char record[LOG_RECORD_MAX];
    while (shared.queue.used > 0) {
        size_t len = log_queue_first(&shared.queue, record);
        if (!deliver(record, len, &shared.queue.written)) {
            return;
        }
        log_queue_remove(&shared.queue, len);
    }
}

static void flush(void)
{
    flush_queue();
    log_target_record_lost(&target, &shared.queue);
    flush_queue();
}

static void write_or_queue(const char *record, size_t len)
{
    struct log_queue *q = &shared.queue;
    size_t written = 0;
    flush();
    if (q->used > 0 || q->lost > 0) {
        log_queue_add(q, record, len);
    } else if (!deliver(record, len, &written)) {
        log_queue_add(q, record, len);
        q->written = written;
    }
}

/* Flushes until the queue is empty or cannot be written, for LOG_CLOSE_MS at most. */
static void drain(void)
{
    uint64_t now, end = clock_boot_us() / 1000 + LOG_CLOSE_MS;
    for (;;) {
        flush();
        struct pollfd stuck = {.fd = shared.queue.used > 0 ? target.stuck_fd : -1, .events = POLLOUT};
        if (stuck.fd == -1 || (now = clock_boot_us() / 1000) >= end) {
            return;
        }
        unlock();
        (void)poll(&stuck, 1, (int)(end - now));
        lock();
    }
}

/* --- fork() -------------------------------------------------------------------------------------------------- */

/* A child begins with the lock free and without a writer, whatever the parent's threads did at the fork(). */
static void unlock_in_child(void)
{
    if (shared.writer != NULL) {
        log_writer_forget(&shared, &target);
    }
    unlock();
}

static void prepare_forks(void)
{
    static bool prepared;
    if (!prepared) {
        prepared = pthread_atfork(lock, unlock, unlock_in_child) == 0;
    }
}

/* --- what others call ---------------------------------------------------------------------------------------- */

int log_facility(uint32_t choice)
{
    return facilities[choice];
}

int log_check(const struct log_options *options)
{
    if (options->target[0] == '/' && strlen(options->target) >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return options->target[0] == '/' ? file_check_write(options->target) : 0;
}

int log_open(const struct log_options *options, int64_t owner)
{
    int fd = -1;
    if (log_check(options) != 0) {
        return -1;
    }
    if (options->target[0] == '/') {
        fd = log_target_open_file(options->target, owner);
        if (fd == -1) {
            return -1;
        }
    }
    log_close();
    log_channel_share_torn();
    prepare_forks();
    lock();
    wanted = options->level;
    target.facility = log_facility(options->facility);
    if (options->target[0] == '/') {
        target.kind = LOG_TARGET_FILE;
        target.channel = log_channel_file(fd);
        snprintf(path, sizeof path, "%s", options->target);
        target.path = path;
    } else if (strcmp(options->target, "syslog") == 0) {
        target.kind = LOG_TARGET_SYSLOG;
        target.syslog_retry_ms = 0;
        tzset(); /* reads /etc/localtime once, before the first line */
        (void)log_target_connect_syslog(&target);
    } else {
        log_channel_open_stderr(&target.standard_error);
    }
    unlock();
    return 0;
}

/* Only a file can hang. What a path leads to may change with a rotation. */
static bool needs_writer(void)
{
    return target.kind == LOG_TARGET_FILE ||
           (target.kind == LOG_TARGET_STDERR && target.standard_error.kind == LOG_CHANNEL_FILE);
}

void log_start(void)
{
    int error = 0;
    lock();
    if (shared.writer == NULL && needs_writer()) {
        error = log_writer_start(&shared, &target);
    }
    unlock();
    if (error != 0) {
        log_event(LOG_LEVEL_WARNING, "log-writer-failed", "reason=\"%s\"", strerror(error));
    }
}

static void reopen(int64_t owner)
{
    struct log_line line;
    int fd = log_target_open_file(target.path, owner);
    if (fd == -1) {
        log_target_reopen_failed(&target, strerror(errno), &line);
        log_end(&line);
        return;
    }
    lock();
    int old = target.channel.fd;
    target.channel = log_channel_file(fd);
    shared.queue.written = 0;
    unlock();
    close(old);
}

void log_reopen(int64_t owner)
{
    lock();
    bool direct = shared.writer == NULL, file = target.kind == LOG_TARGET_FILE;
    if (file && !direct) {
        log_writer_reopen(&shared, owner);
    }
    unlock();
    if (file && direct) {
        reopen(owner);
    }
}

bool log_wait_reopened(unsigned ms)
{
    lock();
    bool done = shared.writer == NULL || log_writer_wait_reopened(&shared, ms);
    unlock();
    return done;
}

void log_flush(void)
{
    lock();
    if (shared.writer != NULL) {
        log_writer_retry(&shared);
    } else {
        flush();
    }
    unlock();
}

/*
 * On a stream that parent and child share, parts of their lines would mix. The child therefore opens its own connection
 * to syslog. It opens a pipe or terminal of standard error while it still has the privileges to do so; a regular file
 * is left to the writer, since its disk may hang. lseek() asks no disk.
 */
void log_after_fork(void)
{
    lock();
    log_queue_clear(&shared.queue);
    shared.queue.lost = 0;
    if (target.kind == LOG_TARGET_SYSLOG) {
        log_target_disconnect_syslog(&target);
        target.syslog_retry_ms = 0;
        (void)log_target_connect_syslog(&target);
    } else if (target.kind == LOG_TARGET_FILE && lseek(STDERR_FILENO, 0, SEEK_CUR) == -1 && errno == ESPIPE) {
        log_channel_open_stderr(&target.standard_error);
    }
    unlock();
}

void log_close(void)
{
    lock();
    if (shared.writer == NULL) {
        drain();
    } else if (!log_writer_stop(&shared, &target)) {
        target = before_open;
    }
    log_queue_clear(&shared.queue);
    if (target.channel.fd != -1) {
        close(target.channel.fd);
        target.channel.fd = -1;
    }
    log_channel_close_stderr(&target.standard_error);
    target.kind = LOG_TARGET_STDERR;
    unlock();
}

bool log_wants(enum log_level level)
{
    return level <= wanted;
}

void log_end(struct log_line *line)
{
    char record[LOG_RECORD_MAX];
    bool wake = false;
    if (!log_wants(line->level)) {
        return;
    }
    lock();
    size_t len = log_target_record(&target, record, line);
    if (shared.writer != NULL) {
        log_queue_add(&shared.queue, record, len);
        wake = log_writer_wake(&shared);
    } else {
        write_or_queue(record, len);
    }
    unlock();
    if (wake) {
        sem_post(&shared.wake);
    }
}
