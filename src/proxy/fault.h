/* SPDX-License-Identifier: BSD-2-Clause */
/* The faults of connections to backends and of logins there: the rows of fault.def as an enum and a table. */
#ifndef IMAPGUARD_PROXY_FAULT_H
#define IMAPGUARD_PROXY_FAULT_H

#include <stdbool.h>

enum fault {
    FAULT_NONE,
#define FAULT(name, word, origin, down, next, reply) FAULT_##name,
#include "proxy/fault.def"
#undef FAULT
    FAULT_COUNT
};

/* Whose fault it is. */
enum fault_origin { ORIGIN_BACKEND, ORIGIN_NETWORK, ORIGIN_LOCAL, ORIGIN_CLIENT };

struct fault_row {
    const char *word; /* value of `reason` in the log; static */
    enum fault_origin origin;
    bool marks_down;   /* the fault can mark the backend down, see fault.def */
    bool tries_next;   /* the login tries the next backend of its route */
    const char *reply; /* the tagged answer to the client, without its tag; NULL: the answer of the backend */
};

extern const struct fault_row faults[FAULT_COUNT];

/* Returns the static value of `origin` in the log. `fault` is not FAULT_NONE. */
const char *fault_origin_word(enum fault fault);

#endif
