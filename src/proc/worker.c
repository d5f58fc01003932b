/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "net/loop.h"
#include "proc/child.h"
#include "proxy/admission.h"
#include "proxy/proxy.h"
#include "proxy/shed.h"

enum {
    ACCEPT_BATCH = 64,      /* connections in one callback */
    OTHER_DESCRIPTORS = 32, /* besides two for each session */
};
static const ev_tstamp RETRY_SECONDS = 0.5;     /* after the system ran out of something */
static const ev_tstamp SHUTDOWN_SECONDS = 1.5;  /* for all sessions together, when stopping */
static const ev_tstamp LOG_AGAIN_SECONDS = 60.; /* between two lines about being full */

enum room { ROOM_NONE, ROOM_KEPT, ROOM_FREE };

struct worker {
    struct child *child;
    struct service *service;
    unsigned index;
    struct process_status *status;
    struct loop loop;
    struct proxy proxy;
    struct ev_io *accept_watchers; /* one for each listen_socket */
    size_t capacity;               /* sessions that the descriptor limit carries */
    enum room room;                /* for the client that is being accepted */
    bool paused;                   /* accepts nothing until a session ends or the retry timer fires */
    bool stopping;
    ev_tstamp pause_logged_at;     /* of being full */
    ev_tstamp unwatched_logged_at; /* of a listening socket that the kernel would not watch */
    struct ev_timer retry;
    struct ev_timer goodbye;
};

/* --- accepting ------------------------------------------------------------------------------------------ */

static void publish_count(struct worker *w, size_t count)
{
    atomic_store(&w->status->sessions, (uint32_t)count);
}

/* Which kind of place this worker's session number `own` takes. */
static enum room room_of(const struct worker *w, uint64_t own)
{
    uint64_t capacity = w->capacity, max = w->service->current->config.max_sessions;
    uint64_t all = max > 0 ? service_sessions(w->service) : 0;
    if (own > capacity || all > max) {
        return ROOM_NONE;
    }
    return own > capacity - proxy_kept_places(capacity) || all > max - proxy_kept_places(max) ? ROOM_KEPT : ROOM_FREE;
}

static bool is_crowded(const struct proxy *proxy)
{
    const struct worker *w = proxy->data;
    return room_of(w, atomic_load(&w->status->sessions)) != ROOM_FREE;
}

static bool is_full(const struct worker *w)
{
    uint64_t max = w->service->current->config.max_sessions;
    return w->proxy.count >= w->capacity || (max > 0 && service_sessions(w->service) >= max);
}

/*
 * Counts one session more, and then looks at the sum: of two workers that want the last place, both may fail, but never
 * both succeed. With ROOM_NONE nothing is counted.
 */
static enum room reserve(struct worker *w)
{
    publish_count(w, w->proxy.count + 1);
    enum room room = room_of(w, w->proxy.count + 1);
    if (room == ROOM_NONE) {
        publish_count(w, w->proxy.count);
    }
    return room;
}

static bool make_room(struct proxy *proxy, const struct connection *conn)
{
    struct worker *w = proxy->data;
    if (w->room == ROOM_FREE || (w->room == ROOM_KEPT && conn != NULL && admission_sessions(proxy, conn) == 1)) {
        return true;
    }
    if (conn != NULL ? !shed_idle(proxy, conn, NULL) : !shed_tarpit(proxy)) {
        return false;
    }
    w->room = reserve(w);
    return w->room != ROOM_NONE;
}

/*
 * Stops accepting: new connections wait in the kernel's queue. Accepting goes on when a session ends, or after half a
 * second, since another process may have freed what was short.
 */
static void stop_accepting(struct worker *w)
{
    for (size_t i = 0; i < w->service->listen_socket_count; i++) {
        ev_io_stop(w->loop.ev, &w->accept_watchers[i]);
    }
    w->paused = true;
    ev_timer_stop(w->loop.ev, &w->retry);
    ev_timer_set(&w->retry, RETRY_SECONDS, 0.);
    ev_timer_start(w->loop.ev, &w->retry);
}

static void log_rarely(struct worker *w, ev_tstamp *last, const char *event, const char *cause)
{
    ev_tstamp now = loop_now(&w->loop);
    if (now - *last > LOG_AGAIN_SECONDS) {
        *last = now;
        log_event(LOG_LEVEL_WARNING, event, "worker=%u sessions=%zu reason=\"%s\"", w->index, w->proxy.count, cause);
    }
}

static void pause_accepting(struct worker *w, const char *cause)
{
    log_rarely(w, &w->pause_logged_at, "accept-paused", cause);
    stop_accepting(w);
}

static void resume_accepting(struct worker *w)
{
    w->paused = false;
    ev_timer_stop(w->loop.ev, &w->retry);
    for (size_t i = 0; i < w->service->listen_socket_count; i++) {
        loop_rearm(&w->loop, &w->accept_watchers[i]);
    }
}

static void retry_now(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    (void)ev, (void)revents;
    resume_accepting(timer->data); /* if it is full, the next client that comes finds out who may make room */
}

/* Returns true if an error of accept() concerns one connection only: accept() may be called again at once. */
static bool is_transient(int error)
{
    switch (error) {
    case ECONNABORTED:
    case EINTR:
    case ENETDOWN: /* errors of the connection itself, which Linux reports here: accept(2) */
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM: /* a firewall rule */
        return true;
    default:
        return false;
    }
}

/* Accepts one connection. Returns false when there is none, or no place. */
static bool accept_one(struct worker *w, struct ev_io *watcher)
{
    const struct listen_socket *listen_socket = &w->service->listen_sockets[watcher - w->accept_watchers];
    union address peer = {0}, local = listen_socket->address;
    socklen_t len = sizeof peer;
    w->room = reserve(w);
    if (w->room == ROOM_NONE && !shed_is_possible(&w->proxy)) {
        pause_accepting(w, "max_sessions");
        return false;
    }
    int fd = accept4(watcher->fd, &peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd == -1) {
        int error = errno;
        publish_count(w, w->proxy.count);
        if ((error == EMFILE || error == ENFILE) && shed_idle(&w->proxy, NULL, NULL)) {
            return true;
        }
        if (error != EAGAIN && error != EWOULDBLOCK && !is_transient(error)) {
            pause_accepting(w, strerror(error));
        }
        return is_transient(error);
    }
    len = sizeof local;
    (void)getsockname(fd, &local.sa, &len);
    int result = session_start(&w->proxy, fd, listen_socket->listener, &peer, &local);
    publish_count(w, w->proxy.count);
    if (result != 0) {
        pause_accepting(w, "out of memory");
    }
    return result == 0;
}

static void accept_cb(struct ev_loop *ev, struct ev_io *watcher, int revents)
{
    struct worker *w = watcher->data;
    (void)ev;
    if ((revents & EV_ERROR) != 0) {
        /* libev could not watch the socket, for want of memory in the kernel, and has given it up. */
        log_rarely(w, &w->unwatched_logged_at, "listener-unwatched", "watched again after a moment");
        stop_accepting(w);
        return;
    }
    for (int i = 0; i < ACCEPT_BATCH && accept_one(w, watcher);) {
        i++;
    }
}

/* --- ends ------------------------------------------------------------------------------------------------ */

static void session_ended(struct proxy *proxy)
{
    struct worker *w = proxy->data;
    publish_count(w, proxy->count);
    if (w->stopping) {
        if (proxy->count == 0) {
            ev_break(w->loop.ev, EVBREAK_ALL);
        }
    } else if (w->paused && !is_full(w)) {
        resume_accepting(w);
    }
}

static bool claim_shared_address_warning(struct proxy *proxy)
{
    struct worker *w = proxy->data;
    for (unsigned i = 0; i < w->service->workers; i++) {
        if (atomic_load(&service_status(w->service, i)->shared_address_logged)) {
            return false;
        }
    }
    atomic_store(&w->status->shared_address_logged, true);
    return true;
}

static void shutdown_over(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    (void)timer, (void)revents;
    ev_break(ev, EVBREAK_ALL);
}

static void stop(struct child *child)
{
    struct worker *w = child->data;
    if (w->stopping) {
        return;
    }
    w->stopping = true;
    ev_timer_stop(w->loop.ev, &w->retry);
    for (size_t i = 0; i < w->service->listen_socket_count; i++) {
        ev_io_stop(w->loop.ev, &w->accept_watchers[i]);
    }
    ev_timer_set(&w->goodbye, SHUTDOWN_SECONDS, 0.);
    ev_timer_start(w->loop.ev, &w->goodbye);
    session_end_all(&w->proxy, REASON_SHUTDOWN);
    if (w->proxy.count == 0) {
        ev_break(w->loop.ev, EVBREAK_ALL);
    }
}

/* Applies bans that other workers have begun. */
static void housekeeping(struct child *child)
{
    struct worker *w = child->data;
    session_end_banned(&w->proxy);
}

/* --- start --------------------------------------------------------------------------------------------- */

static size_t descriptor_capacity(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < OTHER_DESCRIPTORS + 2) {
        return 1;
    }
    return (limit.rlim_cur - OTHER_DESCRIPTORS) / 2;
}

/* Session identifiers are unique over workers and restarts: 40 bits at random, and room to count behind them. */
static uint64_t first_id(void)
{
    uint64_t id;
    if (getrandom(&id, sizeof id, 0) != sizeof id) {
        id = (uint64_t)getpid() << 32;
    }
    return id & ~(uint64_t)0xffffff;
}

static bool has_databases(const struct geoip_options *options)
{
    return options->country[0] != '\0' || options->asn[0] != '\0';
}

static int prepare(struct worker *w)
{
    struct service *service = w->service;
    if (child_become(w->child) != 0) {
        log_event(LOG_LEVEL_ERROR, "worker-failed", "worker=%u reason=\"cannot drop privileges: %s\"", w->index,
                  strerror(errno));
        return -1;
    }
    w->accept_watchers = calloc(service->listen_socket_count, sizeof *w->accept_watchers);
    if (w->accept_watchers == NULL || loop_init(&w->loop) != 0) {
        log_event(LOG_LEVEL_ERROR, "worker-failed", "worker=%u reason=\"no memory\"", w->index);
        return -1;
    }
    client_table_set_worker(service->table, w->index);
    w->child->data = w;
    w->status = service_writable_status(service, w->index);
    w->capacity = descriptor_capacity();
    w->pause_logged_at = w->unwatched_logged_at = loop_now(&w->loop) - LOG_AGAIN_SECONDS - 1.;
    w->proxy = (struct proxy){
        .loop = &w->loop,
        .generation = &service->current->generation,
        .geoip = has_databases(&service->current->config.geoip) ? service->geoip : NULL,
        .table = service->table,
        .log_quota = service->log_quota,
        .activity = &w->status->activity,
        .next_id = first_id(),
        .ended = session_ended,
        .make_room = make_room,
        .is_crowded = is_crowded,
        .claim_shared_address_warning = claim_shared_address_warning,
        .data = w,
    };
    publish_count(w, 0);
    return 0;
}

static void watch(struct worker *w)
{
    ev_timer_init(&w->retry, retry_now, RETRY_SECONDS, 0.);
    ev_timer_init(&w->goodbye, shutdown_over, SHUTDOWN_SECONDS, 0.);
    w->retry.data = w;
    for (size_t i = 0; i < w->service->listen_socket_count; i++) {
        ev_io_init(&w->accept_watchers[i], accept_cb, w->service->listen_sockets[i].fds[w->index], EV_READ);
        w->accept_watchers[i].data = w;
    }
    resume_accepting(w);
}

int worker_run(struct child *child)
{
    struct worker w = {.child = child, .service = child->service, .index = child->index};
    if (prepare(&w) != 0) {
        return CHILD_UNABLE;
    }
    if (child_is_orphan(child)) {
        return CHILD_STOPPED;
    }
    watch(&w);
    if (child_begin(child, &w.loop, stop, housekeeping) != 0) {
        log_event(LOG_LEVEL_ERROR, "worker-failed", "worker=%u reason=\"%s\"", w.index, strerror(errno));
        return CHILD_UNABLE;
    }
    ev_run(w.loop.ev, 0);
    child_end(child);
    session_drop_all(&w.proxy);
    loop_fini(&w.loop);
    free(w.accept_watchers);
    return CHILD_STOPPED;
}
