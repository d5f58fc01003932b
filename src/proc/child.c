/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/child.h"

#include <signal.h>
#include <sys/prctl.h>

int child_begin(const struct account *account)
{
    return account_become(account) == 0 && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 ? 0 : -1;
}

void child_take_signals(void)
{
    sigset_t none;
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void child_leave(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}
