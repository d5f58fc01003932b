/* SPDX-License-Identifier: BSD-2-Clause */
/* A login on its way: what the client asked for, and how far the backend has got with it. Heap; made by client.c. */
#ifndef IMAPGUARD_PROXY_ATTEMPT_H
#define IMAPGUARD_PROXY_ATTEMPT_H

#include <ev.h>

#include "imap/answer.h"
#include "imap/capability.h"
#include "imap/credentials.h"
#include "imap/login.h"

struct attempt {
    struct buffer tag; /* of the client's command */
    struct credentials credentials;

    /* The talk with the backend. */
    size_t address;    /* the next of the endpoint's addresses to try */
    ev_tstamp connected;
    struct answer_reader reader;
    unsigned lines;    /* read so far */
    bool greeted;
    struct capabilities able;
    struct login_message message;

    /* For the client. */
    struct buffer untagged; /* what the backend said besides, passed on with its OK */
    struct buffer answer;   /* the tagged line that waits for the end of PENALTY ... */
    uint32_t penalty_ms;    /* ... which takes so long */
};

/* Makes one for a command with that tag, with empty credentials. NULL when memory is short. */
struct attempt *attempt_new(struct span tag);

/* Wipes and frees; NULL is fine. */
void attempt_free(struct attempt *a);

#endif
