/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log_queue.h"
#include "base/log_target.h"

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
static struct {
    enum log_level level;
    uint64_t lost;  /* lines lost since the queue became full */
    size_t written; /* octets of the first line in the queue that are already written to a stream */
} sink = {.level = LOG_LEVEL_INFO};

static struct log_target target = {
    .kind = LOG_TARGET_STDERR, .channel = {.fd = -1}, .stuck_fd = -1, .standard_error = LOG_CHANNEL_INHERITED};
static struct log_queue queue;

/* Protects `sink`, `target` and `queue`. No thread waits for a reader while it holds the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t now_ms(void)
{
    return clock_boot_us() / 1000;
}

static void queue_add(const char *record, size_t len)
{
    if (sink.lost > 0 || !log_queue_add(&queue, record, len)) {
        sink.lost++;
    }
}

static bool deliver(const char *record, size_t len, size_t *written)
{
    bool done = log_target_deliver(&target, record, len, written);
    sink.lost += target.oversized;
    target.oversized = 0;
    return done;
}

static void flush_queue(void)
{
    char record[LOG_RECORD_MAX];
    while (queue.used > 0) {
        size_t len = log_queue_first(&queue, record);
        if (!deliver(record, len, &sink.written)) {
            return;
        }
        log_queue_remove(&queue, len);
        sink.written = 0;
    }
}

/*
 * Logs the number of lost lines. All of them were of a level that is logged, so log-lost is written at every
 * `log.level`. It waits until the queue is half empty, so that a slow reader sees one gap instead of one after every
 * line.
 */
static void log_lost(void)
{
    struct log_line line;
    char record[LOG_RECORD_MAX];
    if (sink.lost == 0 || queue.used > LOG_QUEUE_SIZE / 2) {
        return;
    }
    log_begin(&line, LOG_LEVEL_WARNING, "log-lost");
    log_number(&line, "count", sink.lost);
    sink.lost = 0;
    queue_add(record, log_target_record(&target, record, &line));
    flush_queue();
}

static void flush(void)
{
    flush_queue();
    log_lost();
}

/* Flushes until the queue is empty or cannot be written, for LOG_CLOSE_MS at most. */
static void drain(void)
{
    uint64_t end = now_ms() + LOG_CLOSE_MS;
    for (;;) {
        pthread_mutex_lock(&lock);
        flush();
        struct pollfd stuck = {.fd = queue.used > 0 ? target.stuck_fd : -1, .events = POLLOUT};
        pthread_mutex_unlock(&lock);
        uint64_t now = now_ms();
        if (stuck.fd == -1 || now >= end) {
            return;
        }
        (void)poll(&stuck, 1, (int)(end - now));
    }
}

int log_facility(uint32_t choice)
{
    return facilities[choice];
}

int log_check(const struct log_options *options)
{
    if (options->target[0] == '/' && strlen(options->target) >= sizeof target.path) {
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
    pthread_mutex_lock(&lock);
    sink.level = options->level;
    target.facility = log_facility(options->facility);
    if (options->target[0] == '/') {
        target.kind = LOG_TARGET_FILE;
        target.channel = log_channel_file(fd);
        snprintf(target.path, sizeof target.path, "%s", options->target);
    } else if (strcmp(options->target, "syslog") == 0) {
        target.kind = LOG_TARGET_SYSLOG;
        target.syslog_retry_ms = 0;
        tzset(); /* reads /etc/localtime once, before the first line */
        (void)log_target_connect_syslog(&target);
    } else {
        log_channel_open_stderr(&target.standard_error);
    }
    pthread_mutex_unlock(&lock);
    return 0;
}

static void log_reopen_failed(const char *reason)
{
    struct log_line line;
    log_begin(&line, LOG_LEVEL_ERROR, "log-reopen-failed");
    log_quoted(&line, "path", target.path, strlen(target.path));
    log_quoted(&line, "reason", reason, strlen(reason));
    log_end(&line);
}

void log_reopen(int64_t owner)
{
    if (target.kind != LOG_TARGET_FILE) {
        return;
    }
    int fd = log_target_open_file(target.path, owner);
    if (fd == -1) {
        log_reopen_failed(strerror(errno));
        return;
    }
    pthread_mutex_lock(&lock);
    int old = target.channel.fd;
    target.channel = log_channel_file(fd);
    sink.written = 0;
    log_channel_mend(&target.channel);
    pthread_mutex_unlock(&lock);
    close(old);
}

void log_flush(void)
{
    pthread_mutex_lock(&lock);
    flush();
    pthread_mutex_unlock(&lock);
}

/*
 * On a stream that parent and child share, parts of their lines would mix. The child therefore opens its own connection
 * to syslog. It opens standard error while it still has the privileges to do so.
 */
void log_after_fork(void)
{
    pthread_mutex_lock(&lock);
    queue.used = sink.written = 0;
    sink.lost = 0;
    if (target.kind == LOG_TARGET_SYSLOG) {
        log_target_disconnect_syslog(&target);
        target.syslog_retry_ms = 0;
        (void)log_target_connect_syslog(&target);
    } else if (target.kind == LOG_TARGET_FILE) {
        (void)log_channel_refresh_stderr(&target.standard_error);
    }
    pthread_mutex_unlock(&lock);
}

void log_close(void)
{
    drain();
    pthread_mutex_lock(&lock);
    sink.lost += log_queue_clear(&queue);
    sink.written = 0;
    if (target.channel.fd != -1) {
        close(target.channel.fd);
        target.channel.fd = -1;
    }
    log_channel_close_stderr(&target.standard_error);
    target.kind = LOG_TARGET_STDERR;
    pthread_mutex_unlock(&lock);
}

bool log_wants(enum log_level level)
{
    return level <= sink.level;
}

void log_end(struct log_line *line)
{
    char record[LOG_RECORD_MAX];
    size_t written = 0;
    if (!log_wants(line->level)) {
        return;
    }
    pthread_mutex_lock(&lock);
    flush();
    size_t len = log_target_record(&target, record, line);
    if (queue.used > 0 || sink.lost > 0) {
        queue_add(record, len);
    } else if (!deliver(record, len, &written)) {
        queue_add(record, len);
        sink.written = written;
    }
    pthread_mutex_unlock(&lock);
}
