/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master: forks the workers, starts again one that dies, and passes signals on. It reads no byte from the
 * network.
 */
#ifndef IMAPGUARD_PROC_MASTER_H
#define IMAPGUARD_PROC_MASTER_H

#include "proc/service.h"

/*
 * Runs the service until SIGTERM or SIGINT, and returns the exit status: 0 after a clean stop, 1 when no
 * worker could do its work.
 */
int master_run(struct service *service);

#endif
