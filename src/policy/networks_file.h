/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of networks: one in CIDR notation on each line; "#" begins a comment; blank lines are skipped. */
#ifndef IMAPGUARD_POLICY_NETWORKS_FILE_H
#define IMAPGUARD_POLICY_NETWORKS_FILE_H

#include <stddef.h>

#include "base/file.h"
#include "base/network.h"
#include "base/span.h"

enum { NETWORKS_FILE_BAD_MAX = 20, NETWORKS_FILE_FOUND_SIZE = 64 };

/* The lines that are no network: all are counted, the first ones are kept. */
struct networks_file_bad {
    size_t count;
    struct {
        size_t line;                         /* its number, from 1 */
        char text[NETWORKS_FILE_FOUND_SIZE]; /* its text, cut to fit, with "?" for each octet that cannot be printed */
    } lines[NETWORKS_FILE_BAD_MAX];
};

/* Adds all networks of a file's text to the set, which is not sealed. 0, or -1 when memory is short. */
int networks_file_parse(struct span text, struct network_set *set, struct networks_file_bad *bad);

/* Reads the file and adds its networks. As above; -1 with the reason in `cause` when it cannot be read. */
int networks_file_read(const char *path, struct network_set *set, struct networks_file_bad *bad,
                       char cause[FILE_CAUSE_SIZE]);

#endif
