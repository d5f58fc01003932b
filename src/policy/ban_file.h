/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file that keeps bans over a restart, and the logins that are spared from them: text, one of them a line. It has the
 * key of their hashes, too, so nobody but the administrator may read it. It is written as a whole beside the old file and
 * renamed. Only the master reads and writes it.
 */
#ifndef IMAPGUARD_POLICY_BAN_FILE_H
#define IMAPGUARD_POLICY_BAN_FILE_H

#include <limits.h>

#include "policy/client_table.h"

/*
 * Checks that the path is free, or has a file that this module has written: a regular file, no link to one, that is
 * empty or begins with our header. What follows the header may be damaged. Returns 0, or -1 with errno set: EEXIST if
 * something else is there.
 */
int ban_file_check(const char *path);

/* Writes the name of the file that ban_file_save() writes first. Returns 0, or -1 with errno ENAMETOOLONG. */
int ban_file_temporary(const char *path, char out[PATH_MAX]);

/* How many bans and logins were taken. */
struct ban_file_counts {
    size_t bans;
    size_t logins;
};

/*
 * The file has wall-clock times, the table has times since boot. ban_file_load() and ban_file_save() are given the two clocks as read at the
 * same moment: `now_us` from clock_boot_us() and `wall_us` from clock_wall_us().
 */

/*
 * Takes the key, the bans and the known logins of the file into the table, which must be empty. Without the key, which
 * files of older versions do not have, it takes no login and no ban of a user. Lines that imapguard did not write are skipped and logged
 * ("ban-file-damaged", warning: path, skipped, line: the number of the first); so is a last line that is missing or
 * states another number of lines. A file that cannot be read, or does not begin with our header, is ignored as a whole
 * and logged ("ban-file-ignored", warning: path, reason). A file that is empty or does not exist is no problem. Bans that
 * are over, and logins that are too long ago, are not taken and not counted.
 */
struct ban_file_counts ban_file_load(struct client_table *t, const char *path, uint64_t now_us, uint64_t wall_us);

/*
 * Writes the key, all bans in force and all known logins to a new file, which then replaces the old one. Replaces, removes and writes nothing that
 * ban_file_check() refuses. Returns 0, or -1 with errno set, with the old file unchanged and nothing left beside it.
 */
int ban_file_save(struct client_table *t, const char *path, uint64_t now_us, uint64_t wall_us);

#endif
