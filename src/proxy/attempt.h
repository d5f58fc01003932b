/* SPDX-License-Identifier: BSD-2-Clause */
/* A login on its way: what the client asked for, and how far the backend has got with it. Heap; made by client.c. */
#ifndef IMAPGUARD_PROXY_ATTEMPT_H
#define IMAPGUARD_PROXY_ATTEMPT_H

#include "imap/response.h"
#include "imap/credentials.h"
#include "imap/login_command.h"
#include "proxy/dial.h"

struct attempt {
    struct buffer tag; /* of the client's command */
    struct credentials credentials;

    /* Where it goes. */
    const struct route *route;                 /* NULL: not known yet */
    uint8_t order[ROUTE_BACKENDS_MAX];         /* of the route's backends, as they are to be tried */
    size_t count;
    uint64_t tried;                            /* a bit for each backend: none is tried twice */
    enum fault fault;                          /* of the backend that was tried last */
    struct buffer said;                        /* ... and its words, where they explain it */

    /* The talk with the backend. */
    struct dial_client client;
    struct dial dial;
    struct login_command command;
    struct response_reader reader;
    unsigned lines; /* read since the login was sent */

    /* For the client. */
    struct buffer answer; /* untagged lines of the backend's, then the tagged line */
    uint32_t penalty_ms;  /* the delay before it */
};

/* Makes one for a command with that tag, with empty credentials. NULL when memory is short. */
struct attempt *attempt_new(struct span tag);

/* Wipes and frees; NULL is fine. */
void attempt_free(struct attempt *a);

#endif
