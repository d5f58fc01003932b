/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker: one event loop, without privileges, that accepts clients and serves their sessions. */
#ifndef IMAPGUARD_PROC_WORKER_H
#define IMAPGUARD_PROC_WORKER_H

#include "proc/child.h"

/*
 * Runs a worker until SIGTERM or the death of the master. Call it in a process just forked, with all signals blocked,
 * and with the fields of `child` that the master sets. Drops the privileges of the process. Returns its exit status,
 * see child.h; the caller exits.
 */
int worker_run(struct child *child);

#endif
