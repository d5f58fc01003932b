/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens a regular file and tells its size. The descriptor, or -1 with errno set, and `cause` where that is too little. */
static int open_regular(const char *path, size_t max, size_t *size, char cause[FILE_CAUSE_SIZE])
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd == -1) {
        return -1;
    }
    int error = 0;
    if (fstat(fd, &info) != 0) {
        error = errno;
    } else if (!S_ISREG(info.st_mode)) {
        error = EINVAL;
        snprintf(cause, FILE_CAUSE_SIZE, "it is %s, not a regular file",
                 S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe");
    } else if ((uintmax_t)info.st_size > max) {
        error = EFBIG;
        snprintf(cause, FILE_CAUSE_SIZE, "it is larger than %zu MiB", max >> 20);
    }
    if (error != 0) {
        close(fd);
        errno = error;
        return -1;
    }
    *size = (size_t)info.st_size;
    return fd;
}

/* 0, or -1 with errno set. */
static int read_whole(int fd, char *into, size_t len, char cause[FILE_CAUSE_SIZE])
{
    while (len > 0) {
        ssize_t n = read(fd, into, len);
        if (n == 0) {
            errno = EIO;
            snprintf(cause, FILE_CAUSE_SIZE, "it became shorter while it was read");
        }
        if (n <= 0) {
            return -1;
        }
        into += n;
        len -= (size_t)n;
    }
    return 0;
}

char *file_read(const char *path, size_t max, size_t *len, char cause[FILE_CAUSE_SIZE])
{
    char *text = NULL;
    cause[0] = '\0';
    int fd = open_regular(path, max, len, cause);
    if (fd != -1 && (text = malloc(*len + 1)) != NULL && read_whole(fd, text, *len, cause) == 0) {
        close(fd);
        text[*len] = '\0';
        return text;
    }
    int error = errno;
    if (cause[0] == '\0') {
        snprintf(cause, FILE_CAUSE_SIZE, "%s", strerror(error));
    }
    free(text);
    if (fd != -1) {
        close(fd);
    }
    errno = error;
    return NULL;
}

int file_folder(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL || slash == path ? 1 : (size_t)(slash - path);
    if (len >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(folder, slash == NULL ? "." : path, len);
    folder[len] = '\0';
    return 0;
}

int file_check_folder(const char *path)
{
    char folder[PATH_MAX];
    return file_folder(path, folder) == 0 ? access(folder, W_OK | X_OK) : -1;
}

int file_check_write(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return file_check_folder(path);
    }
    if (S_ISDIR(info.st_mode)) {
        errno = EISDIR;
        return -1;
    }
    return access(path, W_OK);
}
