/* SPDX-License-Identifier: BSD-2-Clause */
/* What no single option of a configuration can tell: options that contradict each other, or this host. */
#ifndef IMAPGUARD_PROC_CONFIG_CHECK_H
#define IMAPGUARD_PROC_CONFIG_CHECK_H

#include "config.h"
#include "proc/account.h"
#include "proxy/backend.h"

/*
 * Reports listeners that are in each other's way, backends that are a listener of imapguard itself, options for TLS of
 * a backend without TLS, and a log file that the workers could not open again. `backends` are those of the
 * configuration, or NULL when they could not be made: then only addresses that are no names are checked. Forks, to ask
 * the kernel as the account: call it before any thread is started.
 */
void config_check(const struct config *config, const struct backends *backends, const struct account *account,
                  struct option_report *report);

#endif
