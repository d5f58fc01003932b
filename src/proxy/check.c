/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/check.h"

#include "base/log.h"
#include "proxy/backend_state.h"

#define LOGOUT "guard-logout LOGOUT\r\n"

static const ev_tstamp LEAVE_SECONDS =
    1.; /* until the connection is closed though the backend has not answered LOGOUT */
enum { MESSAGE_MAX = 1024 };

static void run_timer(struct ev_loop *ev, struct ev_timer *timer, int revents);

static void wait_until(struct check *c, ev_tstamp at)
{
    ev_tstamp wait = at - loop_now(c->loop);
    ev_timer_stop(c->loop->ev, &c->timer);
    ev_timer_set(&c->timer, wait > 0. ? wait : 0., 0.);
    ev_timer_start(c->loop->ev, &c->timer);
}

/* Closes the connection and waits for the next check. */
static void rest(struct check *c)
{
    loop_cancel(&c->again);
    stream_close(&c->stream);
    dial_clear(&c->dial);
    c->leaving = false;
    wait_until(c, loop_now(c->loop) + c->backend->options->check_interval_ms / 1000.);
}

/* Logs that the backend sees one address for all clients, unless the finding before was the same. */
static void note_address_hidden(struct check *c, bool hidden, const char *reason)
{
    const char *name = c->backend->options->name;
    if (hidden && !c->address_hidden) {
        log_event(LOG_LEVEL_WARNING, "client-address-hidden", "backend=%s reason=\"%s\"", name, reason);
    }
    c->address_hidden = hidden;
}

/* What the options exclude, no capability can change. */
static void check_options(struct check *c)
{
    note_address_hidden(c, !backend_is_told_address(c->backend->options, NULL),
                        "neither proxy_protocol nor forward_id is set: to the server all clients are one, and when one "
                        "guesses passwords it may hold back all; set one of them");
}

static void check_capabilities(struct check *c)
{
    note_address_hidden(c, !backend_is_told_address(c->backend->options, &c->dial.able),
                        "the server does not list ID: to it all clients are one, and when one guesses passwords it may "
                        "hold back all; set proxy_protocol if it knows that, or exempt imapguard from its limits");
}

static void succeeded(struct check *c)
{
    check_capabilities(c);
    c->failures = 0;
    /* While all are down, no login finds out that one is back: the first good check says so. */
    if (backend_is_up(c->backend) || ++c->successes >= c->backend->options->check_rise ||
        backends_are_down(c->backend->all)) {
        c->successes = 0;
        backend_mark_up(c->backend);
    }
}

static void failed(struct check *c)
{
    const struct backend_options *o = c->backend->options;
    log_event(LOG_LEVEL_DEBUG, "check-failed", "backend=%s reason=%s origin=%s", o->name, faults[c->dial.fault].word,
              fault_origin_word(c->dial.fault));
    if (!faults[c->dial.fault].marks_down) {
        return; /* the fault says nothing about the backend */
    }
    c->successes = 0;
    c->failures++;
    if (c->failures >= o->check_fall || !backend_is_known(c->backend)) {
        backend_mark_down(c->backend, c->dial.fault, span_of(c->dial.said));
    }
}

static void leave(struct check *c)
{
    struct buffer *list = &c->dial.list;
    buffer_clear(&c->list);
    (void)buffer_append(&c->list, buffer_data(list), list->len, RESPONSE_LINE_MAX); /* the next check tries again */
    c->leaving = true;
    loop_cancel(&c->again);
    (void)stream_send(&c->stream, LOGOUT, sizeof LOGOUT - 1, MESSAGE_MAX);
    wait_until(c, loop_now(c->loop) + LEAVE_SECONDS);
}

static void carry_on(struct check *c, enum dial_result result)
{
    if (result == DIAL_MORE) {
        stream_watch(&c->stream, c->stream.connecting ? 0 : EV_READ);
        wait_until(c, dial_deadline(&c->dial));
        if (stream_pending(&c->stream)) {
            loop_schedule(c->loop, &c->again);
        }
        return;
    }
    if (result == DIAL_READY) {
        succeeded(c);
        leave(c);
        stream_watch(&c->stream, EV_READ);
    } else {
        failed(c);
        rest(c);
    }
    c->ended = true;
    c->done(c->data);
}

static void read_goodbye(struct check *c)
{
    size_t len;
    enum stream_status status = stream_read(&c->stream, c->loop->scratch, LOOP_SCRATCH_SIZE, &len);
    if (status != STREAM_READY && status != STREAM_AGAIN) {
        rest(c);
    }
}

static void take_event(struct ev_loop *ev, struct ev_io *io, int revents)
{
    struct check *c = io->data;
    (void)ev;
    if ((revents & EV_WRITE) != 0) {
        stream_flush(&c->stream);
    }
    if (c->leaving) {
        read_goodbye(c);
    } else if ((revents & EV_ERROR) != 0) {
        carry_on(c, dial_watch_failed(&c->dial));
    } else {
        carry_on(c, dial_event(&c->dial, &c->stream));
    }
}

/* The kernel reports no event for octets that TLS has decrypted or buffered already. */
static void run_again(struct loop_task *task)
{
    struct check *c = (struct check *)((char *)task - offsetof(struct check, again));
    carry_on(c, dial_event(&c->dial, &c->stream));
}

static void run_timer(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    struct check *c = timer->data;
    (void)ev, (void)revents;
    if (c->leaving) {
        rest(c);
    } else if (c->dial.backend == NULL) {
        carry_on(c, dial_begin(&c->dial, c->backend, &c->nobody, &c->stream, c->loop, take_event, c));
    } else {
        carry_on(c, dial_expired(&c->dial, &c->stream));
    }
}

void check_start(struct check *c, struct backend *backend, struct loop *loop, void (*done)(void *data), void *data)
{
    *c = (struct check){.backend = backend, .loop = loop, .done = done, .data = data};
    ev_timer_init(&c->timer, run_timer, 0., 0.);
    c->timer.data = c;
    c->again.run = run_again;
    check_options(c);
    if (backend->options->check_interval_ms == 0) {
        c->ended = true;
        done(data);
    } else {
        ev_timer_start(loop->ev, &c->timer);
    }
}

void check_stop(struct check *c)
{
    ev_timer_stop(c->loop->ev, &c->timer);
    loop_cancel(&c->again);
    stream_close(&c->stream);
    dial_clear(&c->dial);
    buffer_clear(&c->list);
}

void checks_learn_offer(const struct check *checks, size_t count, struct offer *offer)
{
    struct span lists[ROUTE_BACKENDS_MAX];
    size_t known = 0;
    for (size_t i = 0; i < count; i++) {
        const struct check *c = &checks[i];
        if (!c->ended) {
            return;
        }
        /* A backend that is not checked might have no capability at all. */
        if (c->list.len > 0 || c->backend->options->check_interval_ms == 0) {
            lists[known++] = (struct span){buffer_data(&c->list), c->list.len};
        }
    }
    offer_learn(offer, lists, known);
}
