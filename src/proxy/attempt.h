/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The data of one login in progress: its command, its backends, the exchange and the answer. Only login.c,
 * login_verdict.c and admission.c write it.
 */
#ifndef IMAPGUARD_PROXY_ATTEMPT_H
#define IMAPGUARD_PROXY_ATTEMPT_H

#include "imap/credentials.h"
#include "imap/login_command.h"
#include "imap/response.h"
#include "imap/sasl.h"
#include "policy/guess.h"
#include "proxy/dial.h"
#include "proxy/login_verdict.h"
#include "proxy/reason.h"

enum { ATTEMPT_ANSWER_MAX = 128 * 1024 }; /* octets of what the client gets */

struct attempt {
    struct buffer tag; /* of the client's command */
    ev_tstamp began;   /* when the command came */
    struct credentials credentials;
    char *account;        /* the user as rules and limits know it, see route_account(); NULL: not known yet */
    struct guess guess;   /* has no charges if the guess is free */
    ev_tstamp not_before; /* QUEUED: the user is under attack, and may not be guessed at earlier; 0: it is not */
    struct login_verdict refusal; /* of a rule: it is concluded in place of asking a backend; UNDECIDED: none */
    bool exempt;                  /* a rule frees the user of limits, once the backend has accepted the login */
    bool judged;                  /* a backend may have judged the secret, although the login goes on with another */
    enum sasl_final final;        /* what the backend has said by its last challenge */
    bool has_turn;                /* admission_guess() has allowed the secret to be sent */
    enum reason client_reason;    /* ABANDONED: why the client has gone */

    /* The choice of a backend. */
    const struct route *route;         /* NULL: not chosen yet */
    uint8_t order[ROUTE_BACKENDS_MAX]; /* the route's backends, in the order in which they are tried */
    size_t count;
    uint64_t tried;     /* a bit for each backend */
    enum fault fault;   /* of the backend that failed last */
    struct buffer said; /* what the backend or OpenSSL said about it; empty: nothing */

    /* The exchange with the backend. */
    struct dial_client client;
    struct dial dial;
    struct login_command command;
    struct response_reader reader;
    struct buffer response; /* the client's, for a challenge of the backend; not sent yet */
    unsigned responses;     /* that the backend was sent */
    unsigned lines;         /* read since the login was sent */

    /* For the client. */
    struct buffer answer; /* untagged lines of the backend's, then the tagged line */
    uint32_t penalty_ms;  /* the delay before it */
};

/* Returns a new attempt for a command with that tag, which is copied; NULL when memory is short. */
struct attempt *attempt_new(struct span tag);

/* Returns the client's tag. */
struct span attempt_tag(const struct attempt *a);

/* Returns what the backend or OpenSSL said about the last fault or rejection. */
struct span attempt_said(const struct attempt *a);

/* Returns true if the backend has got all that it needs to judge the secret. Before that, a fault is its own. */
bool attempt_is_judged(const struct attempt *a);

/* Wipes and frees an attempt; NULL is fine. */
void attempt_free(struct attempt *a);

#endif
