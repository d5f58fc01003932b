/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor: one process that looks after the backends for all workers. It checks whether they are up, learns what
 * they can do, and looks their names up. It serves nobody; while it is gone, workers go on with what it found last.
 */
#ifndef IMAPGUARD_PROC_MONITOR_H
#define IMAPGUARD_PROC_MONITOR_H

#include "proc/child.h"

/*
 * Runs until SIGTERM, in a process just forked, with all signals blocked and no event loop. Returns the exit status, see
 * child.h.
 */
int monitor_run(struct child *child);

#endif
