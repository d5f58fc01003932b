/* SPDX-License-Identifier: BSD-2-Clause */
/* What the master's children, workers and monitor, have in common: how they begin, and how they end. */
#ifndef IMAPGUARD_PROC_CHILD_H
#define IMAPGUARD_PROC_CHILD_H

#include "proc/account.h"

/* Exit statuses. */
enum {
    CHILD_STOPPED = 0, /* it was told to stop */
    CHILD_UNABLE = 70, /* it cannot do its work, and neither could a successor */
};

/* Gives up all privileges, and ends with the master from here on. 0, or -1 with errno set. */
int child_begin(const struct account *account);

/*
 * Lets signals come, which were blocked since the fork: the watchers for them are there. The master handles what the
 * terminal sends; a child that stopped by itself would be started again.
 */
void child_take_signals(void);

/* Blocks them again: told to stop twice, it still ends as it was told the first time. */
void child_leave(void);

#endif
