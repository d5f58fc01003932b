/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/secret.h"

enum { PIPE_PATIENCE_S = 5 };

static int open_readable(const char *path, struct stat *info, char cause[FILE_CAUSE_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd == -1) {
        return -1;
    }
    int error = 0;
    if (fstat(fd, info) != 0) {
        error = errno;
    } else if (!S_ISREG(info->st_mode) && !S_ISFIFO(info->st_mode)) {
        error = EINVAL;
        snprintf(cause, FILE_CAUSE_SIZE, "it is a %s, not a file", S_ISDIR(info->st_mode) ? "folder" : "device");
    }
    if (error != 0) {
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* read(), which waits for the writer of a pipe, but not for ever. */
static ssize_t read_patiently(int fd, char *into, size_t size)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    int n = poll(&readable, 1, PIPE_PATIENCE_S * 1000);
    if (n == 0) {
        errno = ETIMEDOUT;
    }
    return n > 0 ? read(fd, into, size) : -1;
}

/* Reads up to the end, or up to `size` octets. 0, or -1 with errno set. */
static int read_up_to(int fd, char *into, size_t size, size_t *len)
{
    for (*len = 0; *len < size;) {
        ssize_t n = read_patiently(fd, into + *len, size - *len);
        if (n == 0) {
            break;
        }
        if (n == -1) {
            return -1;
        }
        *len += (size_t)n;
    }
    return 0;
}

/* What the descriptor gives, which the caller frees; NULL with errno set. */
static char *read_whole(int fd, const struct stat *info, size_t max, size_t *len, char cause[FILE_CAUSE_SIZE])
{
    bool regular = S_ISREG(info->st_mode);
    size_t size = regular ? (size_t)info->st_size : max + 1; /* one octet tells that a pipe has too many */
    if (regular && size > max) {
        errno = EFBIG;
        return NULL;
    }
    char *text = malloc(size + 1);
    if (text == NULL) {
        return NULL;
    }
    if (read_up_to(fd, text, size, len) != 0) {
        goto fail;
    }
    if ((*len == size) != regular) {
        errno = regular ? EIO : EFBIG;
        if (regular) {
            snprintf(cause, FILE_CAUSE_SIZE, "it became shorter while it was read");
        }
        goto fail;
    }
    text[*len] = '\0';
    return text;
fail:
    secret_wipe(text, *len); /* it may be a part of a key */
    free(text);
    return NULL;
}

char *file_read(const char *path, size_t max, size_t *len, char cause[FILE_CAUSE_SIZE])
{
    struct stat info;
    cause[0] = '\0';
    int fd = open_readable(path, &info, cause);
    char *text = fd == -1 ? NULL : read_whole(fd, &info, max, len, cause);
    int error = errno;
    if (text == NULL && error == EFBIG) {
        bool large = max >= 1 << 20;
        snprintf(cause, FILE_CAUSE_SIZE, "it is larger than %zu %s", large ? max >> 20 : max >> 10,
                 large ? "MiB" : "KiB");
    } else if (text == NULL && error == ETIMEDOUT) {
        snprintf(cause, FILE_CAUSE_SIZE, "nothing was written into the pipe for %d s", PIPE_PATIENCE_S);
    } else if (text == NULL && cause[0] == '\0') {
        snprintf(cause, FILE_CAUSE_SIZE, "%s", strerror(error));
    }
    if (fd != -1) {
        close(fd);
    }
    errno = error;
    return text;
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

/* The files of these mounts are the kernel's, and nobody can create one, root included, whatever the modes say. */
static bool is_kernel_mount(const char *path)
{
    struct statfs mount;
    return statfs(path, &mount) == 0 && (mount.f_type == PROC_SUPER_MAGIC || mount.f_type == SYSFS_MAGIC);
}

int file_check_folder(const char *path)
{
    char folder[PATH_MAX];
    struct stat info;
    if (file_folder(path, folder) != 0 || stat(folder, &info) != 0) {
        return -1;
    }
    if (!S_ISDIR(info.st_mode)) {
        errno = ENOTDIR;
        return -1;
    }
    if (is_kernel_mount(folder)) {
        errno = EROFS;
        return -1;
    }
    return access(folder, W_OK | X_OK);
}

const char *file_type_text(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "a file";
    case S_IFDIR:
        return "a folder";
    case S_IFLNK:
        return "a symbolic link";
    case S_IFIFO:
        return "a FIFO";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a device";
    }
}

int file_check_type(mode_t mode)
{
    if (S_ISREG(mode) || S_ISFIFO(mode)) {
        return 0;
    }
    errno = S_ISDIR(mode) ? EISDIR : S_ISLNK(mode) ? ELOOP : ENOTSUP;
    return -1;
}

/* An open for writing finds more than access(): a program that runs, for example. It changes nothing. */
static int try_open(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd == -1) {
        return -1;
    }
    close(fd);
    return 0;
}

int file_check_write(const char *path)
{
    struct stat info;
    if (lstat(path, &info) != 0) {
        return errno == ENOENT ? file_check_folder(path) : -1;
    }
    if (file_check_type(info.st_mode) != 0) {
        return -1;
    }
    if (is_kernel_mount(path)) {
        errno = EROFS;
        return -1;
    }
    return S_ISREG(info.st_mode) ? try_open(path) : access(path, W_OK);
}

static bool same_inode(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

bool file_is_same(const char *a, const char *b)
{
    char here[PATH_MAX], there[PATH_MAX];
    if (strcmp(a, b) == 0 || same_inode(a, b)) {
        return true;
    }
    return strcmp(last_part(a), last_part(b)) == 0 && file_folder(a, here) == 0 && file_folder(b, there) == 0 &&
           same_inode(here, there);
}
