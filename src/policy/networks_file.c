/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/networks_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 64 * 1024 * 1024 };

/* The line without its comment and the blanks around what is left. */
static struct span trim(struct span line)
{
    const uint8_t *comment = memchr(line.bytes, '#', line.len);
    if (comment != NULL) {
        line.len = (size_t)(comment - line.bytes);
    }
    while (line.len > 0 && (line.bytes[0] == ' ' || line.bytes[0] == '\t')) {
        line.bytes++;
        line.len--;
    }
    while (line.len > 0 && memchr(" \t\r", line.bytes[line.len - 1], 3) != NULL) {
        line.len--;
    }
    return line;
}

long networks_file_parse(struct span text, struct network_set *set, const char **cause)
{
    long number = 0;
    while (text.len > 0) {
        const uint8_t *lf = memchr(text.bytes, '\n', text.len);
        size_t len = lf != NULL ? (size_t)(lf - text.bytes) : text.len;
        struct span line = trim((struct span){text.bytes, len});
        struct network n;
        number++;
        if (line.len > 0) {
            if (network_parse((const char *)line.bytes, line.len, &n) != 0) {
                *cause = "expected a network such as 192.0.2.0/24 or 2001:db8::/32, or an address";
                return number;
            }
            if (network_set_add(set, &n) != 0) {
                *cause = "no memory";
                return -1;
            }
        }
        len += lf != NULL;
        text = (struct span){text.bytes + len, text.len - len};
    }
    return 0;
}

/* Reads so many octets. 0, or -1 with errno set; a file that became shorter meanwhile is an error. */
static int read_whole(int fd, uint8_t *into, size_t len)
{
    while (len > 0) {
        ssize_t n = read(fd, into, len);
        if (n == 0) {
            errno = EIO;
        }
        if (n <= 0) {
            return -1;
        }
        into += n;
        len -= (size_t)n;
    }
    return 0;
}

long networks_file_read(const char *path, struct network_set *set, const char **cause)
{
    struct stat info;
    long result = -1;
    uint8_t *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd == -1 || fstat(fd, &info) != 0) {
        *cause = strerror(errno);
    } else if (!S_ISREG(info.st_mode)) {
        *cause = "not a regular file";
    } else if (info.st_size > FILE_MAX) {
        *cause = "larger than 64 MiB";
    } else if ((text = malloc((size_t)info.st_size + 1)) == NULL || read_whole(fd, text, (size_t)info.st_size) != 0) {
        *cause = strerror(errno);
    } else {
        result = networks_file_parse((struct span){text, (size_t)info.st_size}, set, cause);
    }
    free(text);
    if (fd != -1) {
        close(fd);
    }
    return result;
}
