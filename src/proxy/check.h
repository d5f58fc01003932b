/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checks of one backend by the monitor. A check dials the backend as a login does, marks it up or down, keeps its
 * capability list, and sends LOGOUT. It never logs in.
 */
#ifndef IMAPGUARD_PROXY_CHECK_H
#define IMAPGUARD_PROXY_CHECK_H

#include "proxy/dial.h"

struct check {
    struct backend *backend;
    struct loop *loop;
    struct dial_client nobody; /* all zero: the dial is for no client */
    struct dial dial;
    struct stream stream;
    bool leaving;             /* the check has succeeded and LOGOUT was sent */
    bool ended;               /* at least one check has ended */
    unsigned successes;       /* in a row, while it is down */
    unsigned failures;        /* in a row */
    struct buffer list;       /* the capabilities that the backend listed last; empty: none yet */
    bool address_hidden;      /* the latest finding: the backend is not told the clients' addresses; it was logged */
    struct loop_task again;   /* for octets that TLS has decrypted already */
    struct ev_timer timer;    /* the next check, or the deadline of this one */
    void (*done)(void *data); /* called when a check has ended */
    void *data;
};

/*
 * Starts the checks of a backend: the first one in the next iteration of the loop, and each further one
 * check_interval_ms after the end of the one before. `c` may have any content before; it must not move, and `backend`
 * and `loop` must stay valid, until check_stop().
 *
 * A check that succeeds marks the backend up; if the backend was down, only after check_rise successes in a row. A
 * check that fails because of a fault with marks_down marks the backend down after check_fall failures in a row, or
 * immediately if the backend was neither up nor down before. Then `done` is called with `data`. If check_interval_ms is
 * 0, there are no checks: c->ended becomes true, and check_start() calls `done` once itself.
 *
 * Logs "client-address-hidden" if logins do not tell the backend the client's address (backend_is_told_address()):
 * immediately if the options exclude it, else after the first check that finds it, and again only after a check that
 * found the opposite.
 */
void check_start(struct check *c, struct backend *backend, struct loop *loop, void (*done)(void *data), void *data);

/* Stops the checks, also during a check, and frees what c owns. check_start() must have been called. */
void check_stop(struct check *c);

/*
 * Calls offer_learn() with the capability lists of the `count` backends, one for each of `checks`, ROUTE_BACKENDS_MAX
 * at most. Does nothing until each check has ended at least once. A backend that has never answered is left out:
 * clients cannot log in there. A backend without checks counts as one without capabilities.
 */
void checks_learn_offer(const struct check *checks, size_t count, struct offer *offer);

#endif
