/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file that keeps bans over a restart: text, one ban a line. It is written as a whole beside the old file and renamed.
 * Only the master reads and writes it.
 */
#ifndef IMAPGUARD_POLICY_BAN_FILE_H
#define IMAPGUARD_POLICY_BAN_FILE_H

#include "policy/client_table.h"

/*
 * The file goes by wall-clock time, the table by the time since boot: both are asked for as they are at one moment
 * (base/clock.h).
 *
 * Takes the bans of the file into the table. No file is no bans. A damaged file (any line that is not one of ours,
 * or an end that is missing) is logged ("ban-file-ignored", warning: path, reason) and ignored whole. Returns how many
 * bans were taken.
 */
size_t ban_file_load(struct client_table *t, const char *path, uint64_t now_us, uint64_t wall_us);

/* Writes all bans in force. 0, or -1 with errno set, the old file as it was and nothing left beside it. */
int ban_file_save(const struct client_table *t, const char *path, uint64_t now_us, uint64_t wall_us);

#endif
