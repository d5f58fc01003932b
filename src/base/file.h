/* SPDX-License-Identifier: BSD-2-Clause */
/* Files as a whole: their content, their folder, and whether they can be written. */
#ifndef IMAPGUARD_BASE_FILE_H
#define IMAPGUARD_BASE_FILE_H

#include <limits.h>
#include <stddef.h>

enum { FILE_CAUSE_SIZE = 96 };

/*
 * Reads a regular file of at most `max` octets. Returns its content, which the caller frees, with a NUL behind its
 * `*len` octets. NULL when it cannot be read, with errno set and the reason in `cause`.
 */
char *file_read(const char *path, size_t max, size_t *len, char cause[FILE_CAUSE_SIZE]);

/* Copies the folder that a path lies in: "/" at the root, "." without a slash. 0, or -1 with errno set: too long. */
int file_folder(const char *path, char folder[PATH_MAX]);

/* Whether this process can make files in the folder that a path lies in. 0, or -1 with errno set. */
int file_check_folder(const char *path);

/* Whether this process can write the file, or make it where there is none. 0, or -1 with errno set. */
int file_check_write(const char *path);

#endif
