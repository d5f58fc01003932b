/* SPDX-License-Identifier: BSD-2-Clause */
/* The access rules of a configuration, and --explain, which says how they come to a verdict. */
#ifndef IMAPGUARD_PROC_RULES_H
#define IMAPGUARD_PROC_RULES_H

#include "config.h"
#include "policy/access.h"

/* Compiles the rules of a configuration that outlives them. NULL after an error, which is in `report`. */
struct access *rules_load(const struct config *config, struct option_report *report);

/* A question of an administrator: what would the rules say of this client? */
struct rules_question {
    const char *address;
    const char *user;     /* NULL: at connect */
    const char *listener; /* NULL: the first */
};

/*
 * Answers it on standard output, by the rules and databases of the file at `path`; what is wrong with that or
 * with the question is printed to standard error. 0 or -1.
 */
int rules_explain(const char *path, const struct rules_question *question);

#endif
