/* SPDX-License-Identifier: BSD-2-Clause */
/* Files as a whole: their content, their folder, and whether they can be written. */
#ifndef IMAPGUARD_BASE_FILE_H
#define IMAPGUARD_BASE_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { FILE_CAUSE_SIZE = 96 };

/*
 * Reads a regular file, or a pipe up to its end, of at most `max` octets. Returns the content, and writes its length in
 * octets to *len; a NUL follows the content. The caller frees it with free(), and wipes it before if it is a secret.
 * Returns NULL with errno set and the reason, terminated, in `cause`; *len is undefined then, and what was read is wiped.
 * A folder or a device fails with EINVAL, a file of more than `max` octets with EFBIG, a pipe whose writer writes nothing
 * for five seconds with ETIMEDOUT. It may wait for a pipe: do not call it in an event loop.
 */
char *file_read(const char *path, size_t max, size_t *len, char cause[FILE_CAUSE_SIZE]);

/*
 * Writes the folder of a path to `folder`, terminated: "/" for a path in the root folder, "." for a path without a
 * slash. Does not look at the file system. Returns 0, or -1 with errno ENAMETOOLONG.
 */
int file_folder(const char *path, char folder[PATH_MAX]);

/*
 * Checks that this process can create files in the folder that a path lies in. Returns 0, or -1 with errno set: ENOTDIR
 * if a part of the path is no folder, EROFS also for /proc and /sys.
 */
int file_check_folder(const char *path);

/*
 * Returns what an inode of that mode is, for messages: "a file", "a folder", "a symbolic link", "a FIFO", "a socket", or
 * "a device" for all else. The text is static.
 */
const char *file_type_text(mode_t mode);

/*
 * Checks that lines can be written to an inode of that mode: a regular file or a FIFO. Returns 0, or -1 with errno
 * EISDIR for a folder, ELOOP for a symbolic link, and ENOTSUP for a device or a socket.
 */
int file_check_type(mode_t mode);

/*
 * Checks that this process can write lines to the path, or create a file there if nothing exists. Creates nothing, and
 * opens neither a device nor a FIFO. A symbolic link at the path itself always fails with ELOOP, even if it leads to a
 * file. Returns 0, or -1 with errno set: as of file_check_type(), or of file_check_folder() if nothing exists.
 */
int file_check_write(const char *path);

/*
 * Returns true if both paths lead to the same file: one inode, or, if a file does not exist, one name in one folder.
 * False also if that cannot be told.
 */
bool file_is_same(const char *a, const char *b);

#endif
