/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks options of a configuration that contradict each other or this host. */
#ifndef IMAPGUARD_PROC_CONFIG_CHECK_H
#define IMAPGUARD_PROC_CONFIG_CHECK_H

#include "config.h"
#include "proc/account.h"
#include "proxy/backend.h"

/*
 * Adds an error to `report` for two listeners on the same address and port, for a listener on an address that nobody
 * can connect to or that is IPv4 in the notation of IPv6, for a backend that is a listener of imapguard itself, for TLS
 * options of a backend without TLS, and for a log file that the workers could not open again. TLS options that only
 * have no effect, and a backend that is told the client's address neither by a PROXY header nor by ID, are warnings.
 *
 * The configuration may have errors already. `backends` are those of the configuration, or NULL if they could not be
 * built: then backends with a numeric address are checked, and those with a host name are not. Forks a child that
 * checks the log file as `account`, so it must be called before any thread is started.
 */
void config_check(const struct config *config, const struct backends *backends, const struct account *account,
                  struct option_report *report);

#endif
