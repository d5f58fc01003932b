/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"error", "warning", "info", "debug", NULL};
static const int level_priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

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

static const struct option_row rows[] = {
    {.name = "target", .type = OPTION_TEXT, .offset = offsetof(struct log_options, target), .preset = "syslog",
     .check = check_target},
    {.name = "level", .type = OPTION_CHOICE, .offset = offsetof(struct log_options, level), .preset = "info",
     .choices = level_names},
    {.name = "facility", .type = OPTION_CHOICE, .offset = offsetof(struct log_options, facility), .preset = "mail",
     .choices = facility_names},
    {0},
};
const struct option_table log_option_table = {sizeof(struct log_options), rows};

/* One log for a process: the one thing here that is not handed from caller to callee. */
static struct {
    enum { TARGET_STDERR, TARGET_SYSLOG, TARGET_FILE } target;
    enum log_level level;
    int fd;
    char path[PATH_MAX];
} sink = {TARGET_STDERR, LOG_LEVEL_INFO, STDERR_FILENO, ""};

int log_facility(uint32_t choice)
{
    return facilities[choice];
}

/* The file belongs to the account of the workers, who open it again after a rotation. */
static int open_file(const char *path, int64_t owner)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd != -1 && owner != -1 && geteuid() == 0 && fchown(fd, (uid_t)owner, (gid_t)-1) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int log_check(const struct log_options *options)
{
    char folder[PATH_MAX];
    if (options->target[0] != '/') {
        return 0;
    }
    if (strlen(options->target) >= sizeof folder) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (access(options->target, F_OK) == 0) {
        return access(options->target, W_OK);
    }
    strcpy(folder, options->target);
    *strrchr(folder, '/') = '\0';
    return access(folder[0] != '\0' ? folder : "/", W_OK | X_OK);
}

int log_open(const struct log_options *options, int64_t owner)
{
    int fd = STDERR_FILENO;
    if (options->target[0] == '/') {
        if (strlen(options->target) >= sizeof sink.path) {
            errno = ENAMETOOLONG;
            return -1;
        }
        fd = open_file(options->target, owner);
        if (fd == -1) {
            return -1;
        }
    }
    log_close();
    sink.fd = fd;
    sink.level = options->level;
    if (options->target[0] == '/') {
        sink.target = TARGET_FILE;
        strcpy(sink.path, options->target);
    } else if (strcmp(options->target, "syslog") == 0) {
        sink.target = TARGET_SYSLOG;
        openlog("imapguard", LOG_PID | LOG_NDELAY, log_facility(options->facility));
    }
    return 0;
}

void log_reopen(int64_t owner)
{
    if (sink.target != TARGET_FILE) {
        return;
    }
    int fd = open_file(sink.path, owner);
    if (fd == -1) {
        log_event(LOG_LEVEL_ERROR, "log-reopen-failed", "path=\"%s\" cause=\"%s\"", sink.path, strerror(errno));
        return;
    }
    close(sink.fd);
    sink.fd = fd;
}

void log_close(void)
{
    if (sink.target == TARGET_FILE) {
        close(sink.fd);
    } else if (sink.target == TARGET_SYSLOG) {
        closelog();
    }
    sink.target = TARGET_STDERR;
    sink.fd = STDERR_FILENO;
}

bool log_wants(enum log_level level)
{
    return level <= sink.level;
}

static void put(struct log_line *line, const char *text, size_t len)
{
    size_t room = sizeof line->text - line->len - 1;
    if (len > room) {
        len = room;
    }
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void put_key(struct log_line *line, const char *key)
{
    put(line, " ", 1);
    put(line, key, strlen(key));
    put(line, "=", 1);
}

void log_begin(struct log_line *line, enum log_level level, const char *event)
{
    line->level = level;
    line->len = 0;
    put(line, event, strlen(event));
}

void log_word(struct log_line *line, const char *key, const char *value)
{
    put_key(line, key);
    put(line, value, strlen(value));
}

void log_number(struct log_line *line, const char *key, uint64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    put_key(line, key);
    put(line, text, (size_t)len);
}

/*
 * Only printable ASCII goes out as it is, less what quotes, escapes or marks up: a terminal, a filter and a
 * web page that show the line are all safe. At most 256 octets of a value are shown.
 */
void log_quoted(struct log_line *line, const char *key, const void *value, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *in = value;
    char out[4 * 256 + 3];
    size_t n = 0;
    out[n++] = '"';
    for (size_t i = 0; i < len && i < 256; i++) {
        unsigned char c = in[i];
        if (c > 0x20 && c < 0x7f && strchr("\"\\<>'", c) == NULL) {
            out[n++] = (char)c;
        } else if (c == ' ') {
            out[n++] = ' ';
        } else {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        }
    }
    out[n++] = '"';
    if (n + strlen(key) + 2 < sizeof line->text - line->len) { /* a value is whole or absent: never an open quote */
        put_key(line, key);
        put(line, out, n);
    }
}

static void write_stamped(const struct log_line *line)
{
    struct timespec now;
    struct tm tm;
    char stamp[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t len = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    len += (size_t)snprintf(stamp + len, sizeof stamp - len, ".%03ldZ imapguard[%ld]: ", now.tv_nsec / 1000000,
                            (long)getpid());
    /* One call, so that lines of several processes do not mix. */
    struct iovec parts[] = {{stamp, len}, {(char *)line->text, line->len}, {"\n", 1}};
    if (writev(sink.fd, parts, 3) < 0 && sink.fd != STDERR_FILENO && writev(STDERR_FILENO, parts, 3) < 0) {
        return; /* there is nobody left to tell */
    }
}

void log_end(struct log_line *line)
{
    if (!log_wants(line->level)) {
        return;
    }
    line->text[line->len] = '\0';
    if (sink.target == TARGET_SYSLOG) {
        syslog(level_priorities[line->level], "%s", line->text);
    } else {
        write_stamped(line);
    }
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    struct log_line line;
    char rest[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(rest, sizeof rest, format, ap);
    va_end(ap);
    log_begin(&line, level, event);
    if (rest[0] != '\0') {
        put(&line, " ", 1);
        put(&line, rest, strlen(rest));
    }
    log_end(&line);
}
