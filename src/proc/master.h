/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master: forks the workers and the monitor, replaces a child that dies or hangs, and passes signals on. It reads
 * nothing from the network.
 */
#ifndef IMAPGUARD_PROC_MASTER_H
#define IMAPGUARD_PROC_MASTER_H

#include "proc/service.h"

/*
 * Runs the service until SIGTERM or SIGINT. service_open() and log_open() must have succeeded, and SIGPIPE must be
 * ignored. SIGUSR1 makes all processes open their log again; SIGHUP is logged and has no other effect.
 *
 * Returns the exit status of the process, only in the master and after all children have ended; children that do not
 * stop within 5 s are killed. All signals are blocked then, so that none interrupts service_free(), which the caller
 * calls next. The status is 0 after a signal. It is 1 if one worker cannot start its work (CHILD_UNABLE) and no process
 * of this worker has ever served: the other children are then stopped. It is also 1 if there is no memory to begin:
 * then no child was started, and the signals are not blocked.
 */
int master_run(struct service *service);

#endif
