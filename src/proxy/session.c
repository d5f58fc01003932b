/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/admission.h"
#include "proxy/backend_state.h"
#include "proxy/balancer.h"
#include "proxy/client.h"
#include "proxy/login.h"
#include "proxy/login_verdict.h"
#include "proxy/relay.h"
#include "proxy/session_log.h"
#include "proxy/tarpit.h"
#include "proxy/waiting.h"

enum { LINGER_MS = 1000 }; /* how long close_notify and the rest of a goodbye are waited for */

typedef struct step handler(struct session *s);

static handler linger_begin, linger_flushed, linger_read, linger_expired;
static ev_tstamp linger_deadline(const struct session *s);

#define TO(state) (1u << STATE_##state)
#define ENDS (TO(LINGER))

/* What belongs to a state. Every state that waits has a deadline; a NULL handler is never needed there. */
/* clang-format off */
static const struct state_row {
    const char *name;
    unsigned reads;     /* sides that are read */
    bool relays;        /* copies each side to the other: a side is not read while octets for the other are unsent */
    bool before_login;  /* limits.login_timeout applies, and BYE says why the session ends */
    bool keeps_record;  /* one record of the client's is read ahead and kept for a later state */
    handler *enter;
    handler *client;    /* the client can be read */
    handler *backend;   /* the backend can be read, or has connected */
    handler *flushed;   /* a side has taken all that waited for it */
    ev_tstamp (*deadline)(const struct session *s); /* NULL: the login timeout alone */
    handler *expired;
    uint32_t next;      /* states that may follow; at the end LINGER, or where that is none of them DEAD */
    handler *unwatched; /* the kernel cannot watch the backend's socket; NULL: the session ends */
} rows[STATE_COUNT] = {
    [STATE_NEW] = {.name = "NEW", .next = TO(PROXY_HEADER) | TO(TARPIT) | TO(CLEARTEXT) | TO(HANDSHAKE)},
    [STATE_PROXY_HEADER] = {"PROXY_HEADER", SIDE_CLIENT, false, true, false,
        NULL, balancer_read, NULL, NULL, balancer_deadline, balancer_expired,
        TO(TARPIT) | TO(CLEARTEXT) | TO(HANDSHAKE) | ENDS, NULL},
    [STATE_TARPIT] = {"TARPIT", SIDE_CLIENT, false, false, false,
        tarpit_enter, tarpit_discard, NULL, NULL, tarpit_deadline, tarpit_expired,
        TO(DEAD), NULL},
    [STATE_CLEARTEXT] = {"CLEARTEXT", SIDE_CLIENT, false, true, false,
        client_greet, client_talk, NULL, NULL, NULL, NULL,
        TO(STARTTLS) | ENDS, NULL},
    [STATE_STARTTLS] = {"STARTTLS", 0, false, true, false,
        client_starttls, NULL, NULL, client_starttls, NULL, NULL,
        TO(HANDSHAKE) | ENDS, NULL},
    [STATE_HANDSHAKE] = {"HANDSHAKE", SIDE_CLIENT, false, true, false,
        NULL, client_handshake, NULL, NULL, client_handshake_deadline, client_handshake_expired,
        TO(NOT_AUTHENTICATED) | ENDS, NULL},
    [STATE_NOT_AUTHENTICATED] = {"NOT_AUTHENTICATED", SIDE_CLIENT, false, true, false,
        NULL, client_talk, NULL, NULL, NULL, NULL,
        TO(QUEUED) | TO(CONNECT) | TO(PENALTY) | ENDS, NULL},
    [STATE_QUEUED] = {"QUEUED", SIDE_CLIENT, false, true, true,
        waiting_enter, client_wait, NULL, NULL, NULL, NULL,
        TO(CONNECT) | TO(BACKEND_LOGIN) | TO(PENALTY) | ENDS, NULL},
    [STATE_CONNECT] = {"CONNECT", SIDE_CLIENT | SIDE_BACKEND, false, true, true,
        login_connect, client_wait, login_dial, NULL, login_deadline, login_connect_expired,
        TO(CONNECT) | TO(BACKEND_LOGIN) | TO(PENALTY) | TO(NOT_AUTHENTICATED) | ENDS, login_watch_failed},
    [STATE_BACKEND_LOGIN] = {"BACKEND_LOGIN", SIDE_CLIENT | SIDE_BACKEND, false, true, true,
        login_send, client_wait, login_read, NULL, login_deadline, login_expired,
        TO(CONNECT) | TO(CHALLENGE) | TO(RELAY) | TO(PENALTY) | TO(NOT_AUTHENTICATED) | TO(ABANDONED) | TO(QUEUED) | ENDS, NULL},
    [STATE_CHALLENGE] = {"CHALLENGE", SIDE_CLIENT, false, true, false,
        client_challenged, client_talk, NULL, NULL, client_challenge_deadline, client_challenge_expired,
        TO(BACKEND_LOGIN) | TO(QUEUED) | TO(PENALTY) | TO(NOT_AUTHENTICATED) | ENDS, NULL},
    [STATE_ABANDONED] = {"ABANDONED", SIDE_BACKEND, false, false, false,
        NULL, NULL, login_read, NULL, login_deadline, login_expired,
        ENDS, NULL},
    [STATE_PENALTY] = {"PENALTY", SIDE_CLIENT, false, true, true,
        NULL, client_wait, NULL, NULL, login_penalty_deadline, login_penalty_over,
        TO(NOT_AUTHENTICATED) | ENDS, NULL},
    [STATE_RELAY] = {"RELAY", SIDE_CLIENT | SIDE_BACKEND, true, false, false,
        relay_begin, relay_client, relay_backend, relay_flushed, relay_deadline, relay_expired,
        TO(DRAIN) | ENDS, NULL},
    [STATE_DRAIN] = {"DRAIN", SIDE_CLIENT | SIDE_BACKEND, true, false, false,
        relay_drain_begin, relay_client, relay_backend, relay_drain, relay_drain_deadline, relay_drain_expired,
        TO(ORPHAN) | ENDS, NULL},
    [STATE_ORPHAN] = {"ORPHAN", SIDE_CLIENT, false, false, false,
        relay_orphan, relay_orphan_client, NULL, NULL, relay_orphan_deadline, relay_orphan_expired,
        ENDS, NULL},
    [STATE_LINGER] = {"LINGER", SIDE_CLIENT, false, false, false,
        linger_begin, linger_read, NULL, linger_flushed, linger_deadline, linger_expired,
        TO(DEAD), NULL},
    [STATE_DEAD] = {.name = "DEAD"},
};
/* clang-format on */

struct step step_more(void)
{
    return (struct step){.kind = STEP_MORE};
}

struct step step_go(enum session_state state)
{
    return (struct step){.kind = STEP_GO, .state = state};
}

struct step step_end(enum reason reason)
{
    return (struct step){.kind = STEP_END, .reason = reason};
}

ev_tstamp session_after(ev_tstamp from, uint32_t ms)
{
    return from + ms / 1000.;
}

ev_tstamp session_now(const struct session *s)
{
    return loop_now(s->proxy->loop);
}

void session_leave_backend(struct session *s)
{
    stream_close(&s->backend_stream);
    if (s->backend != NULL) {
        backend_release_session(s->backend);
        s->backend = NULL;
    }
}

/* --- LINGER: a socket that is closed with unread octets sends a reset, and the client may lose the BYE -------- */

static struct step linger_flushed(struct session *s)
{
    bool gone = s->client_stream.write_error != 0 ||
                (s->client_stream.end != STREAM_READY && s->client_stream.end != STREAM_END);
    if (!gone && stream_unsent(&s->client_stream) > 0) {
        return step_more();
    }
    if (!gone) {
        stream_shutdown(&s->client_stream);
    }
    return gone || s->client_stream.end == STREAM_END ? step_go(STATE_DEAD) : step_more();
}

static struct step linger_begin(struct session *s)
{
    stream_close(&s->backend_stream);
    stream_flush(&s->client_stream);
    return linger_flushed(s);
}

static struct step linger_read(struct session *s)
{
    size_t len;
    enum stream_status status = stream_read(&s->client_stream, s->proxy->loop->scratch, LOOP_SCRATCH_SIZE, &len);
    return status == STREAM_READY || status == STREAM_AGAIN ? step_more() : step_go(STATE_DEAD);
}

static struct step linger_expired(struct session *s)
{
    (void)s;
    return step_go(STATE_DEAD);
}

static ev_tstamp linger_deadline(const struct session *s)
{
    return session_after(session_now(s), LINGER_MS);
}

/* --- the only place where a session changes its state, waits and is freed -------------------------------------- */

static ev_tstamp login_time_limit(const struct session *s)
{
    return session_after(s->started, s->connection.generation->limits->login_timeout_ms);
}

static void set_timer(struct session *s)
{
    const struct state_row *row = &rows[s->state];
    ev_tstamp at = row->deadline != NULL ? row->deadline(s) : login_time_limit(s);
    if (row->before_login && at > login_time_limit(s)) {
        at = login_time_limit(s);
    }
    ev_tstamp wait = at - session_now(s);
    ev_timer_stop(s->proxy->loop->ev, &s->timer);
    ev_timer_set(&s->timer, wait > 0. ? wait : 0., 0.);
    ev_timer_start(s->proxy->loop->ev, &s->timer);
}

/* Shows the master which session is being served, in case the process hangs. */
static void publish_activity(struct proxy *proxy, const struct session *s)
{
    struct activity *a = proxy->activity;
    atomic_store_explicit(&a->session, s != NULL ? s->connection.id : 0, memory_order_relaxed);
    atomic_store_explicit(&a->state, s != NULL ? (uint32_t)s->state : (uint32_t)STATE_NEW, memory_order_relaxed);
}

const char *session_state_name(uint32_t state)
{
    return state < STATE_COUNT ? rows[state].name : "?";
}

/* Changes the state and enters it. A change that the table does not allow is a bug: the session ends. */
static struct step move(struct session *s, enum session_state state)
{
    if ((rows[s->state].next & (1u << state)) == 0) {
        log_event(LOG_LEVEL_ERROR, "internal-error", "from=%s to=%s", rows[s->state].name, rows[state].name);
        s->reason = REASON_BUG;
        state = s->state == STATE_LINGER ? STATE_DEAD : STATE_LINGER;
    }
    session_log_state(s, rows[s->state].name, rows[state].name);
    s->state = state;
    publish_activity(s->proxy, s);
    if (state == STATE_DEAD) {
        return step_more();
    }
    struct step step = rows[state].enter != NULL ? rows[state].enter(s) : step_more();
    if (step.kind == STEP_MORE) {
        set_timer(s); /* after enter(), on which the deadline may depend */
    }
    return step;
}

static int error_of(const struct stream *stream)
{
    return stream->write_error != 0 ? stream->write_error : stream->read_error;
}

static struct step end(struct session *s, enum reason reason)
{
    if (s->state == STATE_LINGER) {
        return move(s, STATE_DEAD);
    }
    bool lingers = (rows[s->state].next & TO(LINGER)) != 0;
    s->reason = reason;
    s->error = error_of(&s->client_stream) != 0 ? error_of(&s->client_stream) : error_of(&s->backend_stream);
    if (reason == REASON_TLS_FLOOD) {
        admission_charge_flood(s);
    }
    if (rows[s->state].before_login) {
        client_bye(s, reason);
    }
    return move(s, lingers ? STATE_LINGER : STATE_DEAD);
}

static void destroy(struct session *s)
{
    struct proxy *proxy = s->proxy;
    login_end(s);
    session_log_disconnect(s);
    admission_end(proxy, &s->connection);
    tarpit_leave(s);
    waiting_leave(s);
    free(s->proxy_header);
    ev_timer_stop(proxy->loop->ev, &s->timer);
    loop_cancel(&s->again);
    stream_close(&s->client_stream);
    session_leave_backend(s);
    lexer_fini(&s->lexer);
    sasl_clear(&s->sasl);
    buffer_clear(&s->client_id);
    free(s->client_name);
    free(s->user);
    LIST_REMOVE(s, entry);
    generation_release(s->connection.generation);
    free(s);
    proxy->count--;
    proxy->ended(proxy);
}

static struct stream *stream_of(struct session *s, enum side side)
{
    return side == SIDE_CLIENT ? &s->client_stream : &s->backend_stream;
}

/* Returns true if the state reads that side now, and the other side has taken all that was sent before. */
static bool is_readable(struct session *s, enum side side)
{
    const struct state_row *row = &rows[s->state];
    const struct stream *sink = row->relays && side == SIDE_CLIENT ? &s->backend_stream : &s->client_stream;
    /* Before the relay, a client that does not read does not hold up the backend, whose answers are short. */
    bool waits_for_sink = row->relays || side == SIDE_CLIENT;
    if (row->keeps_record && side == SIDE_CLIENT && s->client_stream.in.len > 0) {
        return false;
    }
    return (row->reads & side) != 0 && stream_is_open(stream_of(s, side)) &&
           !(waits_for_sink && stream_unsent(sink) > 0);
}

/*
 * Watches a side as the state and the streams' buffers demand; nothing else decides that. Returns true if there is
 * something to read for which the kernel reports no event.
 */
static bool wait_for_side(struct session *s, enum side side)
{
    struct stream *stream = stream_of(s, side);
    if (!stream_is_open(stream)) {
        return false;
    }
    bool readable = is_readable(s, side) && !stream->connecting;
    stream_watch(stream, readable ? EV_READ : 0);
    return readable && stream_pending(stream);
}

static struct step flush_side(struct session *s, struct stream *stream)
{
    size_t before = stream_unsent(stream);
    stream_flush(stream);
    if (stream_unsent(stream) < before) {
        s->active = session_now(s);
    }
    return before > 0 && stream_unsent(stream) == 0 && rows[s->state].flushed != NULL ? rows[s->state].flushed(s)
                                                                                      : step_more();
}

/* Carries out a handler's step and the steps that follow. May free the session. */
static void carry_out(struct session *s, struct step step)
{
    struct proxy *proxy = s->proxy;
    do {
        while (step.kind != STEP_MORE) {
            step = step.kind == STEP_GO ? move(s, step.state) : end(s, step.reason);
        }
        if (!rows[s->state].relays && s->state != STATE_LINGER && s->state != STATE_DEAD) {
            step = flush_side(s, &s->client_stream); /* all replies of this round in one packet */
        }
    } while (step.kind != STEP_MORE);
    if (s->state == STATE_DEAD) {
        destroy(s);
        publish_activity(proxy, NULL);
        return;
    }
    bool client = wait_for_side(s, SIDE_CLIENT), backend = wait_for_side(s, SIDE_BACKEND);
    if (client || backend) {
        loop_schedule(s->proxy->loop, &s->again);
    } else {
        loop_cancel(&s->again);
    }
    publish_activity(proxy, NULL);
}

bool session_retry(struct session *s)
{
    struct step step = step_more();
    publish_activity(s->proxy, s);
    if (s->state == STATE_QUEUED) {
        step = login_take_turn(s);
        if (step.kind == STEP_MORE) {
            publish_activity(s->proxy, NULL);
            return true;
        }
    }
    waiting_leave(s);
    carry_out(s, step);
    return false;
}

static struct step read_side(struct session *s, enum side side)
{
    handler *read = side == SIDE_CLIENT ? rows[s->state].client : rows[s->state].backend;
    return is_readable(s, side) && read != NULL ? read(s) : step_more();
}

void session_event(struct ev_loop *ev, struct ev_io *io, int revents)
{
    struct session *s = io->data;
    enum side side = io == &s->client_stream.io ? SIDE_CLIENT : SIDE_BACKEND;
    struct stream *stream = stream_of(s, side);
    struct step step = step_more();
    (void)ev;
    publish_activity(s->proxy, s);

    if ((revents & EV_ERROR) != 0) {
        /* libev could not watch the socket, for want of memory in the kernel, and has given it up. */
        handler *unwatched = side == SIDE_BACKEND ? rows[s->state].unwatched : NULL;
        carry_out(s, unwatched != NULL ? unwatched(s) : step_end(REASON_MEMORY));
        return;
    }
    bool talks = (revents & EV_READ) != 0 || stream->connecting;
    if ((revents & EV_WRITE) != 0 && stream_unsent(stream) > 0) {
        step = flush_side(s, stream);
    }
    if (step.kind == STEP_MORE && talks) {
        step = read_side(s, side);
    }
    carry_out(s, step);
}

#ifndef NDEBUG
/* Changes with everything that a session can do with its streams. */
static uint64_t work_of(const struct session *s)
{
    const struct stream *c = &s->client_stream, *b = &s->backend_stream;
    return 5 * c->received + c->sent + c->in.len + c->eof_seen + c->drained + 5 * b->received + b->sent + b->in.len +
           b->eof_seen + b->drained;
}
#endif

/* The kernel reports no event for octets that TLS has decrypted or buffered already. */
static void run_again(struct loop_task *task)
{
    struct session *s = (struct session *)((char *)task - offsetof(struct session, again));
    struct step step = step_more();
#ifndef NDEBUG
    uint64_t before = work_of(s);
#endif
    publish_activity(s->proxy, s);
    if (stream_pending(&s->client_stream)) {
        step = read_side(s, SIDE_CLIENT);
    }
    if (step.kind == STEP_MORE && stream_is_open(&s->backend_stream) && stream_pending(&s->backend_stream)) {
        step = read_side(s, SIDE_BACKEND);
    }
    assert(step.kind != STEP_MORE || work_of(s) != before); /* or it would run again, and spin */
    carry_out(s, step);
}

static void run_timer(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    struct session *s = timer->data;
    const struct state_row *row = &rows[s->state];
    struct step step;
    (void)ev, (void)revents;
    publish_activity(s->proxy, s);
    if (row->before_login && (row->expired == NULL || session_now(s) >= login_time_limit(s))) {
        step = login_client_gone(s, REASON_LOGIN_TIMEOUT); /* not without the verdict on a guess */
    } else {
        step = row->expired(s);
    }
    if (step.kind == STEP_MORE) {
        set_timer(s); /* something moved meanwhile: timers are not reset for every byte */
    }
    carry_out(s, step);
}

static struct session *session_new(struct proxy *proxy, int fd, const struct connection *conn)
{
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->proxy = proxy;
    s->connection = *conn;
    (void)generation_hold(s->connection.generation);
    s->started = session_now(s);
    s->again.run = run_again;
    lexer_init(&s->lexer, PHASE_CLEARTEXT);
    ev_timer_init(&s->timer, run_timer, 0., 0.);
    s->timer.data = s;
    stream_init(&s->client_stream, proxy->loop, fd, session_event, s);

    LIST_INSERT_HEAD(&proxy->sessions, s, entry);
    proxy->count++;
    return s;
}

enum session_state session_first_state(const struct listener *listener)
{
    return listener->options->tls == LISTENER_IMPLICIT ? STATE_HANDSHAKE : STATE_CLEARTEXT;
}

/* A BYE is for a listener whose clients read cleartext. */
static void refuse(int fd, const struct listener *listener, enum reason reason)
{
    char text[128];
    if (reason_is_told_at_connect(reason) && listener->options->tls == LISTENER_STARTTLS) {
        int len = snprintf(text, sizeof text, "* BYE %s\r\n", reasons[reason].bye);
        (void)!send(fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL); /* an empty socket buffer takes it whole */
    }
    close(fd);
}

/*
 * Decides about a client that was just accepted. Nobody has to make room for one that is refused, and for one that goes
 * to the tarpit only another one there.
 */
static enum reason admit(struct proxy *proxy, struct connection *conn)
{
    enum reason reason = admission_connect(proxy, conn);
    if (reason == REASON_NONE && !proxy->make_room(proxy, conn)) {
        return admission_crowded(proxy, conn);
    }
    return reason == REASON_TARPIT && !proxy->make_room(proxy, NULL) ? REASON_DENIED : reason;
}

/* A client that is refused costs no session, unless it goes to the tarpit or a PROXY header has to be read first. */
int session_start(struct proxy *proxy, int fd, const struct listener *listener, const union address *peer,
                  const union address *local)
{
    struct connection conn = {.generation = proxy->generation,
                              .listener = listener,
                              .log_quota = proxy->log_quota,
                              .id = proxy->next_id++,
                              .peer = *peer,
                              .local = *local};
    struct network_address address = network_address_of(peer);
    enum session_state first = session_first_state(listener);
    enum reason reason;
    if (network_set_has(&listener->proxies, &address)) {
        conn.facts = facts_at_connect(&address, listener->options->name, proxy->geoip);
        first = STATE_PROXY_HEADER;
        reason = proxy->make_room(proxy, &conn) ? REASON_NONE : admission_crowded(proxy, &conn);
    } else {
        reason = admit(proxy, &conn);
    }
    if (reason == REASON_TARPIT) {
        first = STATE_TARPIT;
    } else if (reason != REASON_NONE) {
        refuse(fd, listener, reason);
        return 0;
    }
    struct session *s = session_new(proxy, fd, &conn);
    if (s == NULL) {
        admission_end(proxy, &conn);
        close(fd);
        return -1;
    }
    carry_out(s, step_go(first));
    return 0;
}

void session_end(struct session *s, enum reason reason)
{
    if (s->state != STATE_LINGER) {
        carry_out(s, step_end(reason));
    }
}

bool session_is_before_login(const struct session *s)
{
    return rows[s->state].before_login;
}

void session_drop(struct session *s, enum reason reason)
{
    s->reason = reason;
    if (rows[s->state].before_login) {
        client_bye(s, reason);
        stream_flush(&s->client_stream);
    }
    destroy(s);
}

void session_end_all(struct proxy *proxy, enum reason reason)
{
    for (struct session *s = LIST_FIRST(&proxy->sessions), *next; s != NULL; s = next) {
        next = LIST_NEXT(s, entry);
        session_end(s, reason);
    }
}

void session_end_banned(struct proxy *proxy)
{
    uint32_t epoch = client_table_ban_epoch(proxy->table);
    if (epoch == proxy->ban_epoch) {
        return;
    }
    proxy->ban_epoch = epoch;
    for (struct session *s = LIST_FIRST(&proxy->sessions), *next; s != NULL; s = next) {
        next = LIST_NEXT(s, entry);
        if (rows[s->state].before_login && admission_is_banned(s)) {
            session_end(s, REASON_BANNED);
        }
    }
}

void session_drop_all(struct proxy *proxy)
{
    struct session *s;
    while ((s = LIST_FIRST(&proxy->sessions)) != NULL) {
        if (s->state != STATE_LINGER) { /* NOLINT(clang-analyzer-unix.Malloc): destroy() has unlinked the last one */
            s->reason = REASON_SHUTDOWN;
        }
        destroy(s);
    }
}
