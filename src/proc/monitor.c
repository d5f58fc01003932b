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
#include "proxy/backend_state.h"
#include "proxy/check.h"

struct monitor {
    struct child *child;
    struct service *service;
    struct loop loop;
    struct check *checks;
    uint64_t resolver_threads; /* a bit for each backend whose thread runs */
    bool no_thread_logged;
};

static void check_ended(void *data)
{
    struct monitor *m = data;
    struct backends *backends = m->service->current->generation.backends;
    checks_learn_offer(m->checks, backends->count, &backends->offer);
}

/* --- names: one thread for each, since a look-up may block for long ------------------------------ */

static void log_resolve_failed(const struct backend *backend, const char *cause)
{
    const struct backend_options *o = backend->options;
    struct log_line line;
    log_begin(&line, LOG_LEVEL_WARNING, "resolve-failed");
    log_word(&line, "backend", o->name);
    log_quoted(&line, "address", o->address, strlen(o->address));
    log_quoted(&line, "reason", cause, strlen(cause));
    log_end(&line);
}

/* Looks up a backend's name again and again. While the DNS does not answer, the last addresses hold. */
static void *resolve_thread(void *data)
{
    struct backend *backend = data;
    const struct backend_options *o = backend->options;
    const struct timespec interval = {o->resolve_interval_ms / 1000, (long)(o->resolve_interval_ms % 1000) * 1000000};
    bool failed = false;
    for (;;) {
        struct endpoint before, now = {0};
        const char *cause = endpoint_resolve(o->address, &now, NULL);
        backend_endpoint(backend, &before);
        if (cause != NULL && !failed) {
            log_resolve_failed(backend, cause);
        }
        if (cause == NULL && !endpoint_is_equal(&before, &now)) {
            backend_publish_endpoint(backend, &now);
            log_event(LOG_LEVEL_DEBUG, "resolved", "backend=%s addresses=%zu", o->name, now.count);
        }
        failed = cause != NULL;
        nanosleep(&interval, NULL);
    }
    return NULL;
}

/* Starts the threads that do not run yet; a failure is tried again a second later. */
static void start_resolvers(struct monitor *m)
{
    struct backends *backends = m->service->current->generation.backends;
    for (size_t i = 0; i < backends->count; i++) {
        pthread_t thread;
        struct backend *backend = &backends->items[i];
        if ((m->resolver_threads >> i & 1) != 0 || !endpoint_is_name(backend->options->address)) {
            continue;
        }
        int error = pthread_create(&thread, NULL, resolve_thread, backend);
        if (error == 0) {
            m->resolver_threads |= (uint64_t)1 << i;
        } else if (!m->no_thread_logged) {
            m->no_thread_logged = true;
            log_resolve_failed(backend, strerror(error));
        }
    }
}

/* --- the process -------------------------------------------------------------------------------------------- */

static void stop(struct child *child)
{
    ev_break(child->loop->ev, EVBREAK_ALL);
}

static void housekeeping(struct child *child)
{
    start_resolvers(child->data);
}

static int prepare(struct monitor *m)
{
    struct service *service = m->service;
    (void)prctl(PR_SET_NAME, "imapguard-mon");
    if (child_become(m->child) != 0) {
        log_event(LOG_LEVEL_ERROR, "monitor-failed", "reason=\"cannot drop privileges: %s\"", strerror(errno));
        return -1;
    }
    m->child->data = m;
    m->checks = calloc(service->current->generation.backends->count, sizeof *m->checks);
    if (m->checks == NULL || loop_init(&m->loop) != 0) {
        log_event(LOG_LEVEL_ERROR, "monitor-failed", "reason=\"no memory\"");
        return -1;
    }
    return 0;
}

int monitor_run(struct child *child)
{
    struct monitor m = {.child = child, .service = child->service};
    struct backends *backends = child->service->current->generation.backends;
    if (prepare(&m) != 0) {
        return CHILD_UNABLE;
    }
    if (child_is_orphan(child)) {
        return CHILD_STOPPED;
    }
    start_resolvers(&m); /* signals are blocked, and stay so in the threads */
    for (size_t i = 0; i < backends->count; i++) {
        check_start(&m.checks[i], &backends->items[i], &m.loop, check_ended, &m);
    }
    if (child_begin(child, &m.loop, stop, housekeeping) != 0) {
        log_event(LOG_LEVEL_ERROR, "monitor-failed", "reason=\"%s\"", strerror(errno));
        return CHILD_UNABLE;
    }
    ev_run(m.loop.ev, 0);
    child_end(child);
    for (size_t i = 0; i < backends->count; i++) {
        check_stop(&m.checks[i]);
    }
    loop_fini(&m.loop);
    free(m.checks);
    return CHILD_STOPPED;
}
