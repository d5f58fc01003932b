/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker: one event loop that accepts clients and serves their sessions, without privileges. */
#ifndef IMAPGUARD_PROC_WORKER_H
#define IMAPGUARD_PROC_WORKER_H

#include "proc/child.h"

/*
 * Serves until SIGTERM, in a process just forked, with all signals blocked and no event loop. Returns the exit status,
 * see child.h.
 */
int worker_run(struct child *child);

#endif
