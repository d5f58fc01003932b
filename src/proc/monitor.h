/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor: one process that watches the backends for all workers. It checks whether they are up, learns their
 * capabilities, and resolves their names. It has no clients; while it is down, workers use what it published last.
 */
#ifndef IMAPGUARD_PROC_MONITOR_H
#define IMAPGUARD_PROC_MONITOR_H

#include "proc/child.h"

/* Runs the monitor until SIGTERM, in a process just forked with all signals blocked. Returns the exit status, see child.h. */
int monitor_run(struct child *child);

#endif
