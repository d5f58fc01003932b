/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/waiting.h"

#include "proxy/attempt.h"

enum { FULL_SLOTS = 256 };

/* How often the sessions are asked: verdicts of other processes leave room, too. */
static const ev_tstamp ROUND_S = 0.05;

/*
 * Asks each session once, except those that must wait longer, and those that wait for a slot which an older session has
 * found full in this round.
 */
static void ask_all(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    struct proxy *proxy = timer->data;
    uint32_t full[FULL_SLOTS] = {0};
    (void)ev, (void)revents;
    for (struct session *s = TAILQ_FIRST(&proxy->waiting.sessions), *next; s != NULL; s = next) {
        next = TAILQ_NEXT(s, waiting_entry);
        uint32_t slot = s->attempt != NULL ? s->attempt->guess.waits : 0;
        ev_tstamp not_before = s->attempt != NULL ? s->attempt->not_before : 0.;
        bool patient = not_before > 0. && not_before <= session_now(s); /* what holds up others does not concern it */
        if (not_before > session_now(s) || (!patient && slot != 0 && full[slot % FULL_SLOTS] == slot)) {
            continue;
        }
        if (session_retry(s)) {
            slot = s->attempt->guess.waits;
            full[slot % FULL_SLOTS] = slot;
        }
    }
}

static void start_timer(struct proxy *proxy, ev_tstamp after)
{
    struct ev_timer *timer = &proxy->waiting.timer;
    ev_timer_stop(proxy->loop->ev, timer);
    ev_timer_set(timer, after, ROUND_S);
    ev_timer_start(proxy->loop->ev, timer);
}

struct step waiting_enter(struct session *s)
{
    struct waiting *w = &s->proxy->waiting;
    if (w->sessions.tqh_last == NULL) {
        TAILQ_INIT(&w->sessions);
        ev_timer_init(&w->timer, ask_all, 0., ROUND_S);
        w->timer.data = s->proxy;
    }
    if (TAILQ_EMPTY(&w->sessions)) {
        start_timer(s->proxy, ROUND_S);
    }
    TAILQ_INSERT_TAIL(&w->sessions, s, waiting_entry);
    return step_more();
}

void waiting_leave(struct session *s)
{
    struct waiting *w = &s->proxy->waiting;
    if (s->waiting_entry.tqe_prev != NULL) {
        TAILQ_REMOVE(&w->sessions, s, waiting_entry);
        s->waiting_entry.tqe_prev = NULL;
        if (TAILQ_EMPTY(&w->sessions)) {
            ev_timer_stop(s->proxy->loop->ev, &w->timer);
        }
    }
}

void waiting_hurry(struct proxy *proxy)
{
    if (proxy->waiting.sessions.tqh_first != NULL) {
        start_timer(proxy, 0.);
    }
}
