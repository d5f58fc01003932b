/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker: one event loop, without privileges, that accepts clients and serves their sessions. */
#ifndef IMAPGUARD_PROC_WORKER_H
#define IMAPGUARD_PROC_WORKER_H

#include "proc/child.h"

/* Runs a worker until SIGTERM, in a process just forked with all signals blocked. Returns the exit status, see child.h. */
int worker_run(struct child *child);

#endif
