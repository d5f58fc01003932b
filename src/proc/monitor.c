/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/monitor.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "net/loop.h"
#include "proc/child.h"
#include "proxy/check.h"

struct monitor {
    struct service *service;
    struct loop loop;
    struct check *checks;
    struct ev_signal term;
    struct ev_signal usr1;
};

/* --- what clients are told --------------------------------------------------------------------------------- */

/*
 * What all backends have in common. One that never answered is left out: nobody can log in there either, and it
 * counts once it is back. One that is not checked might know nothing.
 */
static void combine(void *data)
{
    struct monitor *m = data;
    struct backends *backends = m->service->backends;
    struct span lists[ROUTE_BACKENDS_MAX];
    struct buffer offer = {0};
    size_t count = 0;
    for (size_t i = 0; i < backends->count; i++) {
        const struct check *c = &m->checks[i];
        if (!c->ended) {
            return;
        }
        if (c->list.len > 0 || c->backend->options->check_interval_ms == 0) {
            lists[count++] = (struct span){buffer_data(&c->list), c->list.len};
        }
    }
    if (count > 0 && capability_offer(lists, count, backends->mechanisms, &offer, CAPABILITY_OFFER_MAX - 1) == 0 &&
        buffer_append(&offer, "", 1, CAPABILITY_OFFER_MAX) == 0) {
        backends_publish_offer(backends, (const char *)buffer_data(&offer));
    }
    buffer_clear(&offer);
}

/* --- names: one thread for each, which may wait for the DNS as long as that takes ------------------------------ */

static void log_resolve_failed(const struct backend *backend, const char *cause)
{
    log_event(LOG_LEVEL_WARNING, "resolve-failed", "backend=%s address=%s cause=\"%s\"", backend->options->name,
              backend->options->address, cause);
}

/* An answer replaces the one before; while there is none, that one holds. */
static void *look_up(void *data)
{
    struct backend *backend = data;
    const struct backend_options *o = backend->options;
    const struct timespec interval = {o->resolve_interval_ms / 1000, o->resolve_interval_ms % 1000 * 1000000};
    bool failed = false;
    for (;;) {
        struct endpoint before, now = {0};
        const char *cause = endpoint_resolve(o->address, &now, NULL);
        backend_endpoint(backend, &before);
        if (cause != NULL && !failed) {
            log_resolve_failed(backend, cause);
        }
        if (cause == NULL && memcmp(&before, &now, sizeof now) != 0) {
            backend_publish_endpoint(backend, &now);
            log_event(LOG_LEVEL_DEBUG, "resolved", "backend=%s addresses=%zu", o->name, now.count);
        }
        failed = cause != NULL;
        nanosleep(&interval, NULL);
    }
    return NULL;
}

static int start_looking_up(struct backend *backend)
{
    pthread_t thread;
    int error = endpoint_is_name(backend->options->address) ? pthread_create(&thread, NULL, look_up, backend) : 0;
    if (error != 0) {
        errno = error;
        return -1;
    }
    return 0;
}

/* --- the process -------------------------------------------------------------------------------------------- */

static void stop(struct ev_loop *ev, struct ev_signal *signal, int revents)
{
    (void)signal, (void)revents;
    ev_break(ev, EVBREAK_ALL);
}

static void reopen_log(struct ev_loop *ev, struct ev_signal *signal, int revents)
{
    (void)ev, (void)signal, (void)revents;
    log_reopen(-1);
}

static int prepare(struct monitor *m)
{
    struct service *service = m->service;
    service_keep_entrances(service, service->workers);
    (void)prctl(PR_SET_NAME, "imapguard-mon");
    if (child_begin(&service->account) != 0) {
        log_event(LOG_LEVEL_ERROR, "monitor-unable", "cause=\"cannot drop privileges: %s\"", strerror(errno));
        return -1;
    }
    m->checks = calloc(service->backends->count, sizeof *m->checks);
    if (m->checks == NULL || loop_init(&m->loop) != 0) {
        log_event(LOG_LEVEL_ERROR, "monitor-unable", "cause=\"no memory\"");
        return -1;
    }
    return 0;
}

/* All signals are blocked until here, and stay so in the threads. */
static int watch(struct monitor *m)
{
    struct backends *backends = m->service->backends;
    for (size_t i = 0; i < backends->count; i++) {
        if (start_looking_up(&backends->items[i]) != 0) {
            log_event(LOG_LEVEL_ERROR, "monitor-unable", "cause=\"no thread: %s\"", strerror(errno));
            return -1;
        }
    }
    for (size_t i = 0; i < backends->count; i++) {
        check_start(&m->checks[i], &backends->items[i], &m->loop, combine, m);
    }
    ev_signal_init(&m->term, stop, SIGTERM);
    ev_signal_init(&m->usr1, reopen_log, SIGUSR1);
    ev_signal_start(m->loop.ev, &m->term);
    ev_signal_start(m->loop.ev, &m->usr1);
    child_take_signals();
    return 0;
}

int monitor_run(struct service *service, unsigned index)
{
    struct monitor m = {.service = service};
    pid_t master = getppid();
    (void)index;
    if (prepare(&m) != 0 || watch(&m) != 0) {
        return CHILD_UNABLE;
    }
    if (getppid() == master) { /* otherwise it died before PR_SET_PDEATHSIG could tell */
        ev_run(m.loop.ev, 0);
    }
    child_leave();
    for (size_t i = 0; i < service->backends->count; i++) {
        check_stop(&m.checks[i]);
    }
    ev_signal_stop(m.loop.ev, &m.term);
    ev_signal_stop(m.loop.ev, &m.usr1);
    loop_fini(&m.loop);
    free(m.checks);
    return CHILD_STOPPED;
}
