/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of networks: one in CIDR notation on each line; "#" begins a comment; blank lines are skipped. */
#ifndef IMAPGUARD_POLICY_NETWORKS_FILE_H
#define IMAPGUARD_POLICY_NETWORKS_FILE_H

#include <stddef.h>

#include "base/network.h"
#include "base/span.h"

/*
 * Adds all networks of a file's text to the set, which is not sealed. 0; otherwise the number of the first line
 * that is no network, with what is wrong in `cause` (static), or -1 when memory is short.
 */
long networks_file_parse(struct span text, struct network_set *set, const char **cause);

/* Reads the file and adds its networks. As above, and -1 with `cause` when it cannot be read. */
long networks_file_read(const char *path, struct network_set *set, const char **cause);

#endif
