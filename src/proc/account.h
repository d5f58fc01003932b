/* SPDX-License-Identifier: BSD-2-Clause */
/* The account that workers run as, and how they become it. */
#ifndef IMAPGUARD_PROC_ACCOUNT_H
#define IMAPGUARD_PROC_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

struct account {
    bool change; /* false: not started as root, everything runs as whoever started it */
    uid_t uid;
    gid_t gid;
};

/* Looks the account up. 0; -1 when there is none of that name, or it is root. Not asked when not started as root. */
int account_find(struct account *account, const char *name);

/*
 * Gives up all privileges for good: groups, identities, capabilities, and whatever exec could give back. Then
 * nobody else may trace the process or read its memory. 0, or -1 with errno set: the process must not go on.
 */
int account_become(const struct account *account);

#endif
