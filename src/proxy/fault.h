/* SPDX-License-Identifier: BSD-2-Clause */
/* What can go wrong on the way to a backend and at the login there: the rows of fault.def as an enum and a table. */
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
    const char *word; /* the value of `reason` in the log */
    enum fault_origin origin;
    bool marks_down;   /* before the login was sent, it marks the backend down */
    bool tries_next;   /* the login goes on with the next backend of its route */
    const char *reply; /* the text of the tagged answer to the client; NULL: the backend's own answer */
};

extern const struct fault_row faults[FAULT_COUNT];

/* Returns the value of `origin` in the log. */
const char *fault_origin_word(enum fault fault);

#endif
