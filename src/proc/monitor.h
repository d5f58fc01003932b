/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor: one process that checks the backends for all workers. It finds out whether they are up, learns their
 * capabilities, and resolves their names. It has no clients. While it is down, workers use its latest results.
 */
#ifndef IMAPGUARD_PROC_MONITOR_H
#define IMAPGUARD_PROC_MONITOR_H

#include "proc/child.h"

/*
 * Runs the monitor until SIGTERM or the death of the master. Call it in a process just forked, with all signals
 * blocked, and with the fields of `child` that the master sets. Drops the privileges of the process. Returns its exit
 * status, see child.h; the caller exits.
 */
int monitor_run(struct child *child);

#endif
