/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor: one process that looks after the backends for all workers. It checks whether they are up, learns what
 * they can do, and looks their names up. It serves nobody; while it is gone, workers go on with what it found last.
 */
#ifndef IMAPGUARD_PROC_MONITOR_H
#define IMAPGUARD_PROC_MONITOR_H

#include "proc/service.h"

/*
 * Runs until SIGTERM, in a process just forked, with all signals blocked and no event loop. Returns the exit status, as
 * worker_run() does; `index` is not used.
 */
int monitor_run(struct service *service, unsigned index);

#endif
