/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor's checks of one backend: dials it again and again as a login does, notes whether that works and which
 * capabilities the backend lists, and sends LOGOUT. A check never logs in.
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
    struct loop_task again;   /* for octets that TLS has decrypted already */
    struct ev_timer timer;    /* the next check, or the deadline of this one */
    void (*done)(void *data); /* called when a check has ended */
    void *data;
};

/*
 * Starts the first check at once, and each further one `check_interval` after the end of the one before. A check marks the
 * backend up or down by `check_rise` and `check_fall`, and then calls `done`. If the backend's options have no checks,
 * `ended` becomes true and `done` is called once.
 */
void check_start(struct check *c, struct backend *backend, struct loop *loop, void (*done)(void *data), void *data);

/* Stops checking, also in the middle of a check, and frees what c owns. */
void check_stop(struct check *c);

/*
 * Once each check has ended at least once: offers clients what all backends have in common. A backend that never answered
 * is left out: nobody can log in there either, and it counts once it is back.
 */
void checks_learn_offer(const struct check *checks, size_t count, struct offer *offer);

#endif
