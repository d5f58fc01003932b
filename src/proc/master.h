/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master: forks the workers and the monitor, replaces a child that dies or hangs, and passes signals on. It reads
 * nothing from the network.
 */
#ifndef IMAPGUARD_PROC_MASTER_H
#define IMAPGUARD_PROC_MASTER_H

#include "proc/service.h"

/* Runs the service until SIGTERM or SIGINT. Returns the exit status: 0, or 1 when no worker could start its work. */
int master_run(struct service *service);

#endif
