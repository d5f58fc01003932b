/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

int account_find(struct account *account, const char *name)
{
    *account = (struct account){.change = geteuid() == 0, .uid = geteuid(), .gid = getegid()};
    if (!account->change) {
        return 0;
    }
    const struct passwd *entry = getpwnam(name);
    if (entry == NULL || entry->pw_uid == 0) {
        return -1;
    }
    account->uid = entry->pw_uid;
    account->gid = entry->pw_gid;
    return 0;
}

int account_become(const struct account *account)
{
    if (account->change) {
        if (setgroups(0, NULL) != 0 || setresgid(account->gid, account->gid, account->gid) != 0 ||
            setresuid(account->uid, account->uid, account->uid) != 0) {
            return -1;
        }
        if (setuid(0) == 0) { /* a kernel or a sandbox that let us back would have lied above */
            errno = EPERM;
            return -1;
        }
    }
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : -1;
}
