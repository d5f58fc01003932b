/* SPDX-License-Identifier: BSD-2-Clause */
/* The account that workers and the monitor run as. */
#ifndef IMAPGUARD_PROC_ACCOUNT_H
#define IMAPGUARD_PROC_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

struct account {
    bool change; /* false: imapguard was not started as root, and all processes keep the account that started it */
    uid_t uid;
    gid_t gid;
};

/*
 * Looks up the account of that name, unless imapguard was not started as root. Returns 0, or -1 when there is no such
 * account, or it is root.
 */
int account_find(struct account *account, const char *name);

/*
 * Changes to the account for good: drops groups, identities and capabilities, and sets no_new_privs. Then no other process
 * of the account may trace this one or read its memory. Returns 0, or -1 with errno set: the process must not go on.
 */
int account_become(const struct account *account);

#endif
