/* SPDX-License-Identifier: BSD-2-Clause */
/* The access rules of a configuration, and the answer to --explain: how the rules decide about a client. */
#ifndef IMAPGUARD_PROC_RULES_H
#define IMAPGUARD_PROC_RULES_H

#include "config.h"
#include "policy/access.h"

/*
 * Compiles the access rules of a configuration, which must outlive the result. The caller owns the result;
 * access_free() frees it. Returns NULL if the call has added an error to `report`.
 */
struct access *rules_load(const struct config *config, struct option_report *report);

/* A client about which an administrator asks. */
struct rules_question {
    const char *address;  /* a numeric IPv4 or IPv6 address */
    const char *user;     /* NULL: explain the decision at connect only */
    const char *listener; /* name of a listener; NULL: the first one of the configuration */
};

/*
 * Reads the configuration at `path` with its networks and databases, and prints to standard output how its rules decide
 * about the client. Returns 0, or -1 if the configuration or the question has an error, which is printed to standard
 * error.
 */
int rules_explain(const char *path, const struct rules_question *question);

#endif
