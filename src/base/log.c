/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

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

enum {
    QUEUE_SIZE = 256 * 1024, /* octets; pages that are never used cost nothing */
    RECORD_MAX = sizeof(((struct log_line *)0)->text) + 128,
    SYSLOG_RETRY_MS = 1000,
};
/* write() to a pipe is atomic up to PIPE_BUF octets: lines of several processes do not mix. */
_Static_assert(RECORD_MAX <= PIPE_BUF, "a line is written in one piece");

/* A descriptor for log lines, and the way to write to it without blocking. */
struct channel {
    enum {
        CHANNEL_POLLED,      /* an inherited descriptor: poll() comes before each write */
        CHANNEL_NONBLOCKING, /* a pipe, a FIFO or a terminal, opened by this process with O_NONBLOCK */
        CHANNEL_SOCKET,      /* a connected stream socket */
        CHANNEL_DATAGRAM,    /* a connected datagram socket */
        CHANNEL_FILE,        /* a regular file: never returns EAGAIN, but may be full */
    } kind;
    int fd;
    unsigned torn; /* index in torn_flags, for a CHANNEL_FILE */
    dev_t dev;     /* device and inode of standard error when the channel was opened */
    ino_t ino;
};

/*
 * A flag is set while the last line of a file is incomplete, because the disk became full. The process that writes the
 * next line writes a newline first. log_open() moves the flags to shared memory.
 */
enum { TORN_STDERR, TORN_FILE, TORN_FLAGS };
static atomic_uchar private_torn[TORN_FLAGS];
static atomic_uchar *torn_flags = private_torn;

static const struct channel inherited_stderr = {.kind = CHANNEL_POLLED, .fd = STDERR_FILENO, .torn = TORN_STDERR};

/* The log of this process. It is global, so that every function can log. */
static struct {
    enum { TARGET_STDERR, TARGET_SYSLOG, TARGET_FILE } target;
    enum log_level level;
    int facility;
    struct channel standard_error;
    struct channel channel; /* of syslog (fd -1: not connected) or of the file */
    char path[PATH_MAX];
    uint64_t syslog_retry_ms; /* earliest time of the next connection, since boot */
    int stuck_fd;             /* the descriptor that would have blocked at the last delivery; -1: none */
    uint64_t lost;            /* lines lost since the queue became full */
} sink = {.target = TARGET_STDERR,
          .level = LOG_LEVEL_INFO,
          .channel = {.fd = -1},
          .stuck_fd = -1,
          .standard_error = {.kind = CHANNEL_POLLED, .fd = STDERR_FILENO, .torn = TORN_STDERR}};

/* A ring buffer of records. A record is two octets of length and a whole line as it is written. */
static struct {
    size_t start, used;
    size_t written; /* octets of the first line that are already written to a stream */
    char octets[QUEUE_SIZE];
} queue;

/* Protects `sink` and `queue`. No thread waits for a reader while it holds the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t now_ms(void)
{
    return clock_boot_us() / 1000;
}

static bool would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == EINTR;
}

/* --- the queue ------------------------------------------------------------------------------------------ */

static void queue_put(const void *octets, size_t len)
{
    size_t at = (queue.start + queue.used) % QUEUE_SIZE;
    size_t first = len < QUEUE_SIZE - at ? len : QUEUE_SIZE - at;
    memcpy(queue.octets + at, octets, first);
    memcpy(queue.octets, (const char *)octets + first, len - first);
    queue.used += len;
}

static void queue_get(size_t offset, void *octets, size_t len)
{
    size_t at = (queue.start + offset) % QUEUE_SIZE;
    size_t first = len < QUEUE_SIZE - at ? len : QUEUE_SIZE - at;
    memcpy(octets, queue.octets + at, first);
    memcpy((char *)octets + first, queue.octets, len - first);
}

static void queue_add(const char *record, size_t len)
{
    uint16_t size = (uint16_t)len;
    if (sink.lost > 0 || sizeof size + len > QUEUE_SIZE - queue.used) {
        sink.lost++;
        return;
    }
    queue_put(&size, sizeof size);
    queue_put(record, len);
}

/* Copies the first line of the queue to `record` of RECORD_MAX octets. Returns its length. The queue is not empty. */
static size_t queue_first(char *record)
{
    uint16_t size;
    queue_get(0, &size, sizeof size);
    queue_get(sizeof size, record, size);
    return size;
}

static void queue_remove(size_t len)
{
    queue.start = (queue.start + sizeof(uint16_t) + len) % QUEUE_SIZE;
    queue.used -= sizeof(uint16_t) + len;
    queue.written = 0;
}

/* Returns the number of lines discarded. */
static uint64_t queue_clear(void)
{
    char record[RECORD_MAX];
    uint64_t count = 0;
    for (; queue.used > 0; count++) {
        queue_remove(queue_first(record));
    }
    return count;
}

/* --- channels ------------------------------------------------------------------------------------------- */

/*
 * Another process may write the next line, so the rest of a partial line cannot follow later. A partial line counts as
 * not written, and sets the flag.
 */
static ssize_t write_file(const struct channel *c, const char *octets, size_t len)
{
    bool torn = atomic_exchange(&torn_flags[c->torn], 0) != 0; /* other processes write it too */
    struct iovec parts[] = {{"\n", 1}, {(char *)octets, len}};
    ssize_t n = torn ? writev(c->fd, parts, 2) : write(c->fd, octets, len);
    if (n == (ssize_t)(len + torn)) {
        return (ssize_t)len;
    }
    if (n > (ssize_t)torn || (torn && n <= 0)) {
        atomic_store(&torn_flags[c->torn], true);
    }
    if (n >= 0) {
        errno = ENOSPC;
    }
    return -1;
}

/* Returns the number of octets written, or -1 with errno set. Does not block. */
static ssize_t channel_write(const struct channel *c, const char *octets, size_t len)
{
    struct pollfd ready = {.fd = c->fd, .events = POLLOUT};
    switch (c->kind) {
    case CHANNEL_FILE:
        return write_file(c, octets, len);
    case CHANNEL_SOCKET:
    case CHANNEL_DATAGRAM:
        return send(c->fd, octets, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    case CHANNEL_POLLED:
        if (poll(&ready, 1, 0) != 1) {
            errno = EAGAIN;
            return -1;
        }
        break;
    case CHANNEL_NONBLOCKING:
        break;
    }
    return write(c->fd, octets, len);
}

/*
 * The open file description of standard error is shared with other processes, such as the shell. O_NONBLOCK on it would
 * affect them, so the file is opened again.
 */
static void open_stderr(void)
{
    struct channel *c = &sink.standard_error;
    struct stat st;
    if (c->fd != STDERR_FILENO) {
        close(c->fd);
    }
    *c = inherited_stderr;
    if (fstat(STDERR_FILENO, &st) != 0) {
        return;
    }
    c->dev = st.st_dev;
    c->ino = st.st_ino;
    if (S_ISREG(st.st_mode)) {
        c->kind = CHANNEL_FILE;
    } else if (S_ISSOCK(st.st_mode)) {
        c->kind = CHANNEL_SOCKET;
    } else {
        int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (fd != -1) {
            c->kind = CHANNEL_NONBLOCKING;
            c->fd = fd;
        }
    }
}

static void close_stderr(void)
{
    if (sink.standard_error.fd != STDERR_FILENO) {
        close(sink.standard_error.fd);
    }
    sink.standard_error = inherited_stderr;
}

/*
 * Opens standard error again if it is another file than before: daemon() replaces it after log_open(). A copy of the
 * old one must not stay open, because the starting shell may wait for its end. Returns 0, or -1 if standard error is
 * closed or /dev/null.
 */
static int refresh_stderr(void)
{
    struct stat st;
    if (fstat(STDERR_FILENO, &st) != 0 || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))) {
        return -1;
    }
    if (st.st_dev != sink.standard_error.dev || st.st_ino != sink.standard_error.ino) {
        open_stderr();
    }
    return 0;
}

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

static bool connect_syslog(void)
{
    uint64_t now = now_ms();
    if (sink.channel.fd != -1) {
        return true;
    }
    if (now < sink.syslog_retry_ms) {
        return false;
    }
    sink.syslog_retry_ms = now + SYSLOG_RETRY_MS;
    sink.channel = (struct channel){.kind = CHANNEL_DATAGRAM, .fd = connect_to_syslogd(SOCK_DGRAM)};
    if (sink.channel.fd == -1 && errno == EPROTOTYPE) {
        sink.channel = (struct channel){.kind = CHANNEL_SOCKET, .fd = connect_to_syslogd(SOCK_STREAM)};
    }
    return sink.channel.fd != -1;
}

static void disconnect_syslog(void)
{
    if (sink.channel.fd != -1) {
        close(sink.channel.fd);
        sink.channel.fd = -1;
    }
}

/* --- delivery --------------------------------------------------------------------------------------------- */

/* Writes the line from *written on and advances *written. Returns true if all of the line is written. */
static bool write_rest(const struct channel *c, const char *record, size_t len, size_t *written)
{
    ssize_t n = channel_write(c, record + *written, len - *written);
    if (n >= 0) {
        *written += (size_t)n;
        errno = EAGAIN;
    }
    if (*written < len && would_block(errno)) {
        sink.stuck_fd = c->fd;
    }
    return *written == len;
}

/* After a restart of syslogd, the old connection fails. The line is then written to a new one. */
static bool deliver_to_syslog(const char *record, size_t len, size_t *written)
{
    while (connect_syslog()) {
        /* A NUL ends a message in a stream. A datagram is sent without it. */
        size_t size = sink.channel.kind == CHANNEL_DATAGRAM ? len - 1 : len;
        if (write_rest(&sink.channel, record, size, written)) {
            return true;
        }
        if (would_block(errno)) {
            return false;
        }
        if (errno == EMSGSIZE) {
            sink.lost++;
            return true;
        }
        disconnect_syslog();
        *written = 0;
    }
    return false;
}

static bool deliver_to_file(const char *record, size_t len, size_t *written)
{
    if (write_rest(&sink.channel, record, len, written)) {
        return true;
    }
    if (would_block(errno)) { /* a FIFO whose reader is slow: wait for it, do not use standard error */
        return false;
    }
    *written = 0;
    if (refresh_stderr() != 0) {
        return false;
    }
    size_t instead = 0;
    return write_rest(&sink.standard_error, record, len, &instead) || instead > 0;
}

static bool deliver(const char *record, size_t len, size_t *written)
{
    sink.stuck_fd = -1;
    switch (sink.target) {
    case TARGET_SYSLOG:
        return deliver_to_syslog(record, len, written);
    case TARGET_FILE:
        return deliver_to_file(record, len, written);
    case TARGET_STDERR:
        break;
    }
    return write_rest(&sink.standard_error, record, len, written);
}

/* Formats the line as it is written, to `record` of RECORD_MAX octets. Returns its length. */
static size_t make_record(char *record, const struct log_line *line)
{
    struct timespec now;
    struct tm tm;
    size_t len;
    clock_gettime(CLOCK_REALTIME, &now);
    if (sink.target == TARGET_SYSLOG) {
        localtime_r(&now.tv_sec, &tm);
        len = (size_t)snprintf(record, RECORD_MAX, "<%d>", sink.facility | level_priorities[line->level]);
        len += strftime(record + len, RECORD_MAX - len, "%b %e %H:%M:%S", &tm);
    } else {
        gmtime_r(&now.tv_sec, &tm);
        len = strftime(record, RECORD_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
        len += (size_t)snprintf(record + len, RECORD_MAX - len, ".%03ldZ", now.tv_nsec / 1000000);
    }
    len += (size_t)snprintf(record + len, RECORD_MAX - len, " imapguard[%ld]: ", (long)getpid());
    memcpy(record + len, line->text, line->len);
    len += line->len;
    record[len++] = sink.target == TARGET_SYSLOG ? '\0' : '\n';
    return len;
}

static void flush_queue(void)
{
    char record[RECORD_MAX];
    while (queue.used > 0) {
        size_t len = queue_first(record);
        if (!deliver(record, len, &queue.written)) {
            return;
        }
        queue_remove(len);
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
    char record[RECORD_MAX];
    if (sink.lost == 0 || queue.used > QUEUE_SIZE / 2) {
        return;
    }
    log_begin(&line, LOG_LEVEL_WARNING, "log-lost");
    log_number(&line, "count", sink.lost);
    sink.lost = 0;
    queue_add(record, make_record(record, &line));
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
        struct pollfd stuck = {.fd = queue.used > 0 ? sink.stuck_fd : -1, .events = POLLOUT};
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
static int open_file(const char *path, int64_t owner)
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

int log_check(const struct log_options *options)
{
    if (options->target[0] == '/' && strlen(options->target) >= sizeof sink.path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return options->target[0] == '/' ? file_check_write(options->target) : 0;
}

static struct channel file_channel(int fd)
{
    struct stat st;
    bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    return (struct channel){.kind = regular ? CHANNEL_FILE : CHANNEL_NONBLOCKING, .fd = fd, .torn = TORN_FILE};
}

/* Must be called before the first fork. If there is no memory, each process has its own flags. */
static void share_torn_flags(void)
{
    if (torn_flags == private_torn) {
        void *shared = mmap(NULL, sizeof private_torn, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared != MAP_FAILED) {
            torn_flags = shared;
        }
    }
}

int log_open(const struct log_options *options, int64_t owner)
{
    int fd = -1;
    if (log_check(options) != 0) {
        return -1;
    }
    if (options->target[0] == '/') {
        fd = open_file(options->target, owner);
        if (fd == -1) {
            return -1;
        }
    }
    log_close();
    share_torn_flags();
    pthread_mutex_lock(&lock);
    sink.level = options->level;
    sink.facility = log_facility(options->facility);
    if (options->target[0] == '/') {
        sink.target = TARGET_FILE;
        sink.channel = file_channel(fd);
        snprintf(sink.path, sizeof sink.path, "%s", options->target);
    } else if (strcmp(options->target, "syslog") == 0) {
        sink.target = TARGET_SYSLOG;
        sink.syslog_retry_ms = 0;
        tzset(); /* reads /etc/localtime once, before the first line */
        (void)connect_syslog();
    } else {
        open_stderr();
    }
    pthread_mutex_unlock(&lock);
    return 0;
}

static void log_reopen_failed(const char *reason)
{
    struct log_line line;
    log_begin(&line, LOG_LEVEL_ERROR, "log-reopen-failed");
    log_quoted(&line, "path", sink.path, strlen(sink.path));
    log_quoted(&line, "reason", reason, strlen(reason));
    log_end(&line);
}

void log_reopen(int64_t owner)
{
    if (sink.target != TARGET_FILE) {
        return;
    }
    int fd = open_file(sink.path, owner);
    if (fd == -1) {
        log_reopen_failed(strerror(errno));
        return;
    }
    pthread_mutex_lock(&lock);
    int old = sink.channel.fd;
    sink.channel = file_channel(fd);
    queue.written = 0;
    atomic_store(&torn_flags[TORN_FILE], false);
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
    queue.used = queue.written = 0;
    sink.lost = 0;
    if (sink.target == TARGET_SYSLOG) {
        disconnect_syslog();
        sink.syslog_retry_ms = 0;
        (void)connect_syslog();
    } else if (sink.target == TARGET_FILE) {
        (void)refresh_stderr();
    }
    pthread_mutex_unlock(&lock);
}

void log_close(void)
{
    drain();
    pthread_mutex_lock(&lock);
    sink.lost += queue_clear();
    if (sink.channel.fd != -1) {
        close(sink.channel.fd);
        sink.channel.fd = -1;
    }
    close_stderr();
    sink.target = TARGET_STDERR;
    pthread_mutex_unlock(&lock);
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

/* Returns true if " key=value" fits whole, with a value of `len` octets. */
static bool fits(const struct log_line *line, const char *key, size_t len)
{
    return len + strlen(key) + 2 < sizeof line->text - line->len;
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
    size_t len = (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    if (fits(line, key, len)) { /* a number that was cut off would be another number */
        put_key(line, key);
        put(line, text, len);
    }
}

/*
 * Writes printable ASCII unchanged, except quotes, backslashes and angle brackets. All other octets are escaped, so
 * that the line is safe in terminals, log filters and web pages.
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
    if (fits(line, key, n)) { /* a value that was cut off would leave a quote open */
        put_key(line, key);
        put(line, out, n);
    }
}

void log_end(struct log_line *line)
{
    char record[RECORD_MAX];
    size_t written = 0;
    if (!log_wants(line->level)) {
        return;
    }
    pthread_mutex_lock(&lock);
    flush();
    size_t len = make_record(record, line);
    if (queue.used > 0 || sink.lost > 0) {
        queue_add(record, len);
    } else if (!deliver(record, len, &written)) {
        queue_add(record, len);
        queue.written = written;
    }
    pthread_mutex_unlock(&lock);
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
