/* SPDX-License-Identifier: BSD-2-Clause */
/* Files as a whole: their content, their folder, and whether they can be written. */
#ifndef IMAPGUARD_BASE_FILE_H
#define IMAPGUARD_BASE_FILE_H

#include <limits.h>
#include <stddef.h>

enum { FILE_CAUSE_SIZE = 96 };

/*
 * Reads a regular file, or a pipe up to its end, of at most `max` octets. Returns the content, and writes its length in
 * octets to *len; a NUL follows the content. The caller frees it with free(), and wipes it before if it is a secret.
 * Returns NULL with errno set and the reason, terminated, in `cause`; *len is undefined then. A file of more than `max`
 * octets fails with EFBIG, a pipe whose writer writes nothing for five seconds with ETIMEDOUT.
 */
char *file_read(const char *path, size_t max, size_t *len, char cause[FILE_CAUSE_SIZE]);

/*
 * Writes the folder of a path to `folder`, terminated: "/" for a path in the root folder, "." for a path without a
 * slash. Does not look at the file system. Returns 0, or -1 with errno ENAMETOOLONG.
 */
int file_folder(const char *path, char folder[PATH_MAX]);

/* Checks that this process can create files in the folder of the path. Returns 0, or -1 with errno set. */
int file_check_folder(const char *path);

/* Checks that this process can write the file, or create it if it does not exist. Returns 0, or -1 with errno set. */
int file_check_write(const char *path);

#endif
