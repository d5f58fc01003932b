/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file that keeps bans over a restart: text, one ban a line. It is written as a whole beside the old file and renamed.
 * Only the master reads and writes it.
 */
#ifndef IMAPGUARD_POLICY_BAN_FILE_H
#define IMAPGUARD_POLICY_BAN_FILE_H

#include "policy/client_table.h"

/*
 * The file has wall-clock times, the table has times since boot. Both functions are given the two clocks as read at the
 * same moment: `now_us` from clock_boot_us() and `wall_us` from clock_wall_us().
 */

/*
 * Takes the bans of the file into the table. A file that cannot be read, or is damaged (a line that imapguard did not
 * write, or a missing end), is ignored as a whole and logged ("ban-file-ignored", warning: path, reason); a file that does
 * not exist is not worth a line. Returns how many bans were taken, 0 in all these cases.
 */
size_t ban_file_load(struct client_table *t, const char *path, uint64_t now_us, uint64_t wall_us);

/*
 * Writes all bans in force to a new file, which then replaces the old one. Returns 0, or -1 with errno set, with the old
 * file unchanged and nothing left beside it.
 */
int ban_file_save(const struct client_table *t, const char *path, uint64_t now_us, uint64_t wall_us);

#endif
