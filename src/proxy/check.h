/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor's look at one backend, again and again: can a login be brought there, and what does it say it can do?
 * It dials as a login does, and then leaves (LOGOUT); it never logs in.
 */
#ifndef IMAPGUARD_PROXY_CHECK_H
#define IMAPGUARD_PROXY_CHECK_H

#include "proxy/dial.h"

struct check {
    struct backend *backend;
    struct loop *loop;
    struct dial_client nobody; /* the dial is for ourselves */
    struct dial dial;
    struct stream stream;
    bool leaving;              /* the backend is well, LOGOUT is on its way */
    bool ended;                /* once at least */
    unsigned successes;        /* in a row, while it is down */
    unsigned failures;         /* in a row */
    struct buffer list;        /* of its capabilities, as it gave them last; empty: it never did */
    struct loop_task again;    /* while there is more to read that the kernel will not tell about */
    struct ev_timer timer;     /* to the next check, or to the end of this one */
    void (*done)(void *data);  /* called when a check has ended */
    void *data;
};

/*
 * Begins: the first check at once, each further one `check_interval` after the one before. What it finds is told to
 * the backend (backend_mark_up(), backend_mark_down()), and then `done` is called. Without checks in the backend's
 * options nothing happens and `ended` is true.
 */
void check_start(struct check *c, struct backend *backend, struct loop *loop, void (*done)(void *data), void *data);

/* Ends, in the middle of a check or between two. */
void check_stop(struct check *c);

/*
 * Once each check has ended at least once: offers clients what all backends have in common. A backend that never answered
 * is left out: nobody can log in there either, and it counts once it is back.
 */
void checks_learn_offer(const struct check *checks, size_t count, struct offer *offer);

#endif
