/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of networks. Each line has one network in CIDR notation; "#" begins a comment; blank lines are skipped. */
#ifndef IMAPGUARD_POLICY_NETWORKS_FILE_H
#define IMAPGUARD_POLICY_NETWORKS_FILE_H

#include <stddef.h>

#include "base/file.h"
#include "base/network.h"
#include "base/span.h"

enum { NETWORKS_FILE_BAD_MAX = 20, NETWORKS_FILE_FOUND_SIZE = 64 };

/* The lines of a file that are no network. All of them are counted, and the first NETWORKS_FILE_BAD_MAX are kept. */
struct networks_file_bad {
    size_t count; /* may exceed NETWORKS_FILE_BAD_MAX */
    struct {
        size_t line;                         /* number of the line, from 1 */
        char text[NETWORKS_FILE_FOUND_SIZE]; /* the line, terminated and cut off; "?" replaces unprintable octets */
    } lines[NETWORKS_FILE_BAD_MAX];
};

/*
 * Parses the text of a file and adds its networks to the set, which network_set_seal() must seal before it is searched.
 * The text need not be terminated. Replaces the content of `bad` with the lines that are no network; they are no
 * failure. Returns 0, or -1 if there is no memory; the set then has the networks of the lines before.
 */
int networks_file_parse(struct span text, struct network_set *set, struct networks_file_bad *bad);

/*
 * Reads the file at `path`, of at most 64 MiB, and adds its networks to the set as networks_file_parse() does. Returns
 * 0; bad lines are no failure. Returns -1 if the file cannot be read or there is no memory, with the reason,
 * terminated, in `cause`. If the file cannot be read, the set is unchanged, and `bad` counts no line.
 */
int networks_file_read(const char *path, struct network_set *set, struct networks_file_bad *bad,
                       char cause[FILE_CAUSE_SIZE]);

#endif
