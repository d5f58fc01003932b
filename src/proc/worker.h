/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker: one event loop that accepts clients and serves their sessions, without privileges. */
#ifndef IMAPGUARD_PROC_WORKER_H
#define IMAPGUARD_PROC_WORKER_H

#include "proc/service.h"

/* Exit statuses of a worker, and of the monitor. */
enum {
    WORKER_STOPPED = 0, /* it was told to stop */
    WORKER_UNABLE = 70, /* it cannot do its work, and neither could a successor */
};

/*
 * Serves as worker number `index` until SIGTERM, in a process just forked, with all signals blocked and no
 * event loop. Returns the exit status.
 */
int worker_run(struct service *service, unsigned index);

#endif
