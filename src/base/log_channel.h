/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A descriptor for log lines, and the way to write to it without blocking. Private to the log: only base/log*.c include
 * it.
 */
#ifndef IMAPGUARD_BASE_LOG_CHANNEL_H
#define IMAPGUARD_BASE_LOG_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

enum { LOG_TORN_STDERR, LOG_TORN_FILE, LOG_TORN_FLAGS };

struct log_channel {
    enum {
        LOG_CHANNEL_POLLED,      /* an inherited descriptor: poll() comes before each write */
        LOG_CHANNEL_NONBLOCKING, /* a pipe, a FIFO or a terminal, opened by this process with O_NONBLOCK */
        LOG_CHANNEL_SOCKET,      /* a connected stream socket */
        LOG_CHANNEL_DATAGRAM,    /* a connected datagram socket */
        LOG_CHANNEL_FILE,        /* a regular file: never returns EAGAIN, but may be full */
    } kind;
    int fd;
    unsigned torn; /* the flag of a LOG_CHANNEL_FILE: its last line is incomplete */
    dev_t dev;     /* device and inode of standard error when the channel was opened */
    ino_t ino;
};

/* Standard error as this process got it. */
#define LOG_CHANNEL_INHERITED                                                                                          \
    {                                                                                                                  \
        .kind = LOG_CHANNEL_POLLED, .fd = STDERR_FILENO, .torn = LOG_TORN_STDERR                                       \
    }

/* Must be called before the first fork. If there is no memory, each process has its own flags. */
void log_channel_share_torn(void);

/* Returns true if the write may succeed later. */
bool log_channel_would_block(int error);

/*
 * Writes a line, or the rest of one; to a LOG_CHANNEL_FILE also several lines. Returns the number of octets written, or
 * -1 with errno set. A LOG_CHANNEL_FILE gives the octets of whole lines only, and may block; the others do not block.
 */
ssize_t log_channel_write(const struct log_channel *c, const char *octets, size_t len);

/* Returns the channel of the log's file, a regular file or a FIFO that `fd` has open. */
struct log_channel log_channel_file(int fd);

/* Opens standard error. `c` is LOG_CHANNEL_INHERITED, or was opened here before. */
void log_channel_open_stderr(struct log_channel *c);

/* Makes `c` LOG_CHANNEL_INHERITED again. */
void log_channel_close_stderr(struct log_channel *c);

/*
 * Opens standard error again if it is another file than before: daemon() replaces it after log_open(). A copy of the
 * old one must not stay open, because the starting shell may wait for its end. Returns 0, or -1 if standard error is
 * closed or /dev/null.
 */
int log_channel_refresh_stderr(struct log_channel *c);

#endif
