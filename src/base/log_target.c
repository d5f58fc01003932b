/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

enum { SYSLOG_RETRY_MS = 1000 };

static const int level_priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

/* --- syslog: RFC 3164 to /dev/log, because syslog(3) may block ---------------------------------------------- */

static int connect_to_syslogd(int type)
{
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd != -1 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

bool log_target_connect_syslog(struct log_target *t)
{
    uint64_t now = clock_boot_us() / 1000;
    if (t->channel.fd != -1) {
        return true;
    }
    if (now < t->syslog_retry_ms) {
        return false;
    }
    t->syslog_retry_ms = now + SYSLOG_RETRY_MS;
    t->channel = (struct log_channel){.kind = LOG_CHANNEL_DATAGRAM, .fd = connect_to_syslogd(SOCK_DGRAM)};
    if (t->channel.fd == -1 && errno == EPROTOTYPE) {
        t->channel = (struct log_channel){.kind = LOG_CHANNEL_SOCKET, .fd = connect_to_syslogd(SOCK_STREAM)};
    }
    return t->channel.fd != -1;
}

void log_target_disconnect_syslog(struct log_target *t)
{
    if (t->channel.fd != -1) {
        close(t->channel.fd);
        t->channel.fd = -1;
    }
}

/* --- delivery --------------------------------------------------------------------------------------------- */

/* Writes the line from *written on and advances *written. Returns true if all of the line is written. */
static bool write_rest(struct log_target *t, const struct log_channel *c, const char *record, size_t len,
                       size_t *written)
{
    ssize_t n = log_channel_write(c, record + *written, len - *written);
    if (n >= 0) {
        *written += (size_t)n;
        errno = EAGAIN;
    }
    if (*written < len && log_channel_would_block(errno)) {
        t->stuck_fd = c->fd;
    }
    return *written == len;
}

/* After a restart of syslogd, the old connection fails. The line is then written to a new one. */
static bool deliver_to_syslog(struct log_target *t, const char *record, size_t len, size_t *written)
{
    while (log_target_connect_syslog(t)) {
        /* A NUL ends a message in a stream. A datagram is sent without it. */
        size_t size = t->channel.kind == LOG_CHANNEL_DATAGRAM ? len - 1 : len;
        if (write_rest(t, &t->channel, record, size, written)) {
            return true;
        }
        if (log_channel_would_block(errno)) {
            return false;
        }
        if (errno == EMSGSIZE) {
            t->oversized++;
            return true;
        }
        log_target_disconnect_syslog(t);
        *written = 0;
    }
    return false;
}

static bool deliver_to_file(struct log_target *t, const char *record, size_t len, size_t *written)
{
    if (write_rest(t, &t->channel, record, len, written)) {
        return true;
    }
    if (log_channel_would_block(errno)) { /* a FIFO whose reader is slow: wait for it, do not use standard error */
        return false;
    }
    *written = 0;
    if (log_channel_refresh_stderr(&t->standard_error) != 0) {
        return false;
    }
    size_t instead = 0;
    return write_rest(t, &t->standard_error, record, len, &instead) || instead > 0;
}

bool log_target_deliver(struct log_target *t, const char *record, size_t len, size_t *written)
{
    t->stuck_fd = -1;
    switch (t->kind) {
    case LOG_TARGET_SYSLOG:
        return deliver_to_syslog(t, record, len, written);
    case LOG_TARGET_FILE:
        return deliver_to_file(t, record, len, written);
    case LOG_TARGET_STDERR:
        break;
    }
    return write_rest(t, &t->standard_error, record, len, written);
}

/* Only a regular file takes several lines in one call: elsewhere a call may take a part of them. */
size_t log_target_deliver_lines(struct log_target *t, const char *lines, size_t len, size_t *written)
{
    const struct log_channel *c = t->kind == LOG_TARGET_FILE ? &t->channel : &t->standard_error;
    ssize_t n = c->kind == LOG_CHANNEL_FILE ? log_channel_write(c, lines, len) : 0;
    if (n > 0) {
        return (size_t)n;
    }
    const char *end = memchr(lines, '\n', len);
    size_t first = end != NULL ? (size_t)(end + 1 - lines) : len;
    if (!log_target_deliver(t, lines, first, written)) {
        return 0;
    }
    *written = 0;
    return first;
}

void log_target_record_lost(const struct log_target *t, struct log_queue *q)
{
    struct log_line line;
    char record[LOG_RECORD_MAX];
    if (q->lost == 0 || q->used > LOG_QUEUE_SIZE / 2) {
        return;
    }
    log_begin(&line, LOG_LEVEL_WARNING, "log-lost");
    log_number(&line, "count", q->lost);
    q->lost = 0;
    log_queue_add(q, record, log_target_record(t, record, &line));
}

void log_target_reopen_failed(const struct log_target *t, const char *reason, struct log_line *line)
{
    log_begin(line, LOG_LEVEL_ERROR, "log-reopen-failed");
    log_quoted(line, "path", t->path, strlen(t->path));
    log_quoted(line, "reason", reason, strlen(reason));
}

size_t log_target_record(const struct log_target *t, char *record, const struct log_line *line)
{
    struct timespec now;
    struct tm tm;
    size_t len;
    clock_gettime(CLOCK_REALTIME, &now);
    if (t->kind == LOG_TARGET_SYSLOG) {
        localtime_r(&now.tv_sec, &tm);
        len = (size_t)snprintf(record, LOG_RECORD_MAX, "<%d>", t->facility | level_priorities[line->level]);
        len += strftime(record + len, LOG_RECORD_MAX - len, "%b %e %H:%M:%S", &tm);
    } else {
        gmtime_r(&now.tv_sec, &tm);
        len = strftime(record, LOG_RECORD_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
        len += (size_t)snprintf(record + len, LOG_RECORD_MAX - len, ".%03ldZ", now.tv_nsec / 1000000);
    }
    len += (size_t)snprintf(record + len, LOG_RECORD_MAX - len, " imapguard[%ld]: ", (long)getpid());
    memcpy(record + len, line->text, line->len);
    len += line->len;
    record[len++] = t->kind == LOG_TARGET_SYSLOG ? '\0' : '\n';
    return len;
}

/* --- opening ---------------------------------------------------------------------------------------------- */

/* Gives the file to the account of the workers, because they open it again after a log rotation. */
static int take_file(int fd, int64_t owner)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || file_check_type(st.st_mode) != 0) {
        return -1;
    }
    return owner != -1 && geteuid() == 0 ? fchown(fd, (uid_t)owner, (gid_t)-1) : 0;
}

/* The first check keeps a device from being opened, which may start something; the second one sees what was opened. */
int log_target_open_file(const char *path, int64_t owner)
{
    if (file_check_write(path) != 0) {
        return -1;
    }
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0640);
    if (fd != -1 && take_file(fd, owner) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}
