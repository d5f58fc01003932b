/* SPDX-License-Identifier: BSD-2-Clause */
/* Files as a whole: their content, their folder, and whether they can be written. */
#ifndef IMAPGUARD_BASE_FILE_H
#define IMAPGUARD_BASE_FILE_H

#include <limits.h>
#include <stddef.h>

enum { FILE_CAUSE_SIZE = 96 };

/*
 * Reads a file, or a pipe up to its end, of at most `max` octets. Returns the content, which the caller frees, with a
 * NUL after its `*len` octets. Returns NULL when it cannot be read, with errno set and the reason in `cause`; a pipe
 * whose writer does nothing for five seconds is such a case. What a secret was read from is the caller's to wipe.
 */
char *file_read(const char *path, size_t max, size_t *len, char cause[FILE_CAUSE_SIZE]);

/*
 * Writes to `folder` the folder that a path lies in: "/" for a file of the root, "." for a path without a slash. Returns
 * 0, or -1 with errno ENAMETOOLONG.
 */
int file_folder(const char *path, char folder[PATH_MAX]);

/* Checks that this process can create files in the folder that a path lies in. Returns 0, or -1 with errno set. */
int file_check_folder(const char *path);

/* Checks that this process can write the file, or create it if it does not exist. Returns 0, or -1 with errno set. */
int file_check_write(const char *path);

#endif
