/* SPDX-License-Identifier: BSD-2-Clause */
/* The account that workers and the monitor run as. */
#ifndef IMAPGUARD_PROC_ACCOUNT_H
#define IMAPGUARD_PROC_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

struct account {
    bool change; /* false: imapguard was not started as root, and all processes keep the account that started it */
    uid_t uid;   /* the account's, or without `change` the present one */
    gid_t gid;
};

/*
 * If the process is root, looks up the account `name`, a terminated string; otherwise `name` is ignored. Fills
 * `account`, whose content before does not matter. Returns 0, or -1 if there is no such account, it cannot be looked
 * up, or its uid is 0; `account` must not be used then.
 */
int account_find(struct account *account, const char *name);

/*
 * Changes to the account for good: if account->change is true, drops all supplementary groups, user and group ids, and
 * with them the capabilities. In any case sets no_new_privs, and forbids other processes of the account to trace this
 * one or to read its memory (prctl(2), PR_SET_DUMPABLE). Returns 0, or -1 with errno set; the process must then exit,
 * because it may still have privileges.
 */
int account_become(const struct account *account);

#endif
