/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * A flag is set while the last line of a file is incomplete, because the disk became full. The process that writes the
 * next line writes a newline first. log_channel_share_torn() moves the flags to shared memory.
 */
static atomic_uchar private_torn[LOG_TORN_FLAGS];
static atomic_uchar *torn_flags = private_torn;

void log_channel_share_torn(void)
{
    if (torn_flags == private_torn) {
        void *shared = mmap(NULL, sizeof private_torn, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared != MAP_FAILED) {
            torn_flags = shared;
        }
    }
}

bool log_channel_would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == EINTR;
}

/* Returns how many of the octets are in whole lines. */
static size_t whole_lines(const char *octets, size_t len)
{
    const char *last = len > 0 ? memrchr(octets, '\n', len) : NULL;
    return last != NULL ? (size_t)(last + 1 - octets) : 0;
}

/*
 * Another process may write the next line, so the rest of a partial line cannot follow later. A partial line counts as
 * not written, and sets the flag.
 */
static ssize_t write_file(const struct log_channel *c, const char *octets, size_t len)
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
    if (n < 0) {
        return -1;
    }
    size_t whole = n > (ssize_t)torn ? whole_lines(octets, (size_t)n - torn) : 0;
    if (whole > 0) {
        atomic_store(&torn_flags[c->torn], whole + torn < (size_t)n);
        return (ssize_t)whole;
    }
    errno = ENOSPC;
    return -1;
}

ssize_t log_channel_write(const struct log_channel *c, const char *octets, size_t len)
{
    struct pollfd ready = {.fd = c->fd, .events = POLLOUT};
    switch (c->kind) {
    case LOG_CHANNEL_FILE:
        return write_file(c, octets, len);
    case LOG_CHANNEL_SOCKET:
    case LOG_CHANNEL_DATAGRAM:
        return send(c->fd, octets, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    case LOG_CHANNEL_POLLED:
        if (poll(&ready, 1, 0) != 1) {
            errno = EAGAIN;
            return -1;
        }
        break;
    case LOG_CHANNEL_NONBLOCKING:
        break;
    }
    return write(c->fd, octets, len);
}

struct log_channel log_channel_file(int fd)
{
    struct stat st;
    bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    return (struct log_channel){
        .kind = regular ? LOG_CHANNEL_FILE : LOG_CHANNEL_NONBLOCKING, .fd = fd, .torn = LOG_TORN_FILE};
}

/*
 * The open file description of standard error is shared with other processes, such as the shell. O_NONBLOCK on it would
 * affect them, so the file is opened again.
 */
void log_channel_open_stderr(struct log_channel *c)
{
    struct stat st;
    log_channel_close_stderr(c);
    if (fstat(STDERR_FILENO, &st) != 0) {
        return;
    }
    c->dev = st.st_dev;
    c->ino = st.st_ino;
    if (S_ISREG(st.st_mode)) {
        c->kind = LOG_CHANNEL_FILE;
    } else if (S_ISSOCK(st.st_mode)) {
        c->kind = LOG_CHANNEL_SOCKET;
    } else {
        int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (fd != -1) {
            c->fd = fd;
            c->kind = LOG_CHANNEL_NONBLOCKING;
        }
    }
}

void log_channel_close_stderr(struct log_channel *c)
{
    int fd = c->fd;
    *c = (struct log_channel)LOG_CHANNEL_INHERITED; /* first: a child that is forked now does not take it for open */
    if (fd != STDERR_FILENO) {
        close(fd);
    }
}

int log_channel_refresh_stderr(struct log_channel *c)
{
    struct stat st;
    if (fstat(STDERR_FILENO, &st) != 0 || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))) {
        return -1;
    }
    if (st.st_dev != c->dev || st.st_ino != c->ino) {
        log_channel_open_stderr(c);
    }
    return 0;
}
