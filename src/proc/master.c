/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/master.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "policy/state.h"
#include "proc/child.h"
#include "proc/monitor.h"
#include "proc/worker.h"

static const ev_tstamp RESPAWN_SECONDS = 1.; /* between two starts of a child that dies at once */
static const ev_tstamp STOP_SECONDS = 5.;    /* then children that have not stopped are killed */

static const ev_tstamp EXPIRY_SECONDS = 24. * 3600.; /* between two looks at the certificates' dates */

static const ev_tstamp SAVE_SECONDS = 5.;      /* between two writings of the state file, which may be long */
static const ev_tstamp CARE_SECONDS = 1.;      /* between two rounds of the care for what is shared */

enum { SIGNALS = 4 };

/* What a child is for. */
struct role {
    const char *name;
    int (*run)(struct service *service, unsigned index);
};
static const struct role role_worker = {"worker", worker_run};
static const struct role role_monitor = {"monitor", monitor_run};

/* A place for a child, and the process that has it. */
struct seat {
    struct master *master;
    const struct role *role;
    unsigned index; /* of the worker; the monitor comes after them all */
    pid_t pid; /* 0: nobody */
    ev_tstamp started;
    struct ev_child child;
    struct ev_timer respawn;
};

struct master {
    struct service *service;
    struct ev_loop *ev;
    struct seat *seats; /* of all workers, and of the monitor */
    unsigned seat_count;
    unsigned seated;
    bool stopping;
    int status;
    struct ev_signal signals[SIGNALS];
    struct ev_timer rotate;
    struct ev_timer expiry;
    struct ev_timer care;
    uint32_t ban_epoch; /* of the bans that were written to the state file */
    bool unsaved;       /* they have changed since */
    ev_tstamp saved;    /* when it was written last, or that was tried */
    bool save_failed;
    struct ev_timer kill;
};

static void stop(struct master *m, int status);

static void tell_children(const struct master *m, int signal_number)
{
    for (unsigned i = 0; i < m->seat_count; i++) {
        if (m->seats[i].pid != 0) {
            kill(m->seats[i].pid, signal_number);
        }
    }
}

/* --- children ----------------------------------------------------------------------------------------- */

/* "worker-started worker=0 pid=...", "monitor-died pid=... signal=9". */
static void log_child(enum log_level level, const struct seat *seat, const char *what, const char *how)
{
    char event[32], number[32] = "";
    snprintf(event, sizeof event, "%s-%s", seat->role->name, what);
    if (seat->role == &role_worker) {
        snprintf(number, sizeof number, "worker=%u ", seat->index);
    }
    log_event(level, event, "%spid=%ld%s", number, (long)seat->pid, how);
}

/* In the child: nothing of the master's loop may be left, or a signal to the one would reach the other. */
static void leave_loop(struct master *m)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        ev_signal_stop(m->ev, &m->signals[i]);
    }
    ev_loop_destroy(m->ev);
}

static void start_child(struct seat *seat)
{
    struct master *m = seat->master;
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); /* what comes meanwhile is for the worker's own handlers */
    pid_t pid = fork();
    if (pid == 0) {
        log_forked();
        leave_loop(m);
        int status = seat->role->run(m->service, seat->index);
        log_close();
        exit(status);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid == -1) {
        log_event(LOG_LEVEL_ERROR, "fork-failed", "%s=%u cause=\"%s\"", seat->role->name, seat->index, strerror(errno));
        ev_timer_set(&seat->respawn, RESPAWN_SECONDS, 0.);
        ev_timer_start(m->ev, &seat->respawn);
        return;
    }
    seat->pid = pid;
    seat->started = clock_monotonic();
    m->seated++;
    ev_child_set(&seat->child, pid, 0);
    ev_child_start(m->ev, &seat->child);
    log_child(LOG_LEVEL_INFO, seat, "started", "");
}

static void respawn(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    (void)ev, (void)revents;
    start_child(timer->data);
}

static void log_death(const struct seat *seat, int status)
{
    char how[32];
    snprintf(how, sizeof how, WIFSIGNALED(status) ? " signal=%d" : " status=%d",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    log_child(LOG_LEVEL_ERROR, seat, "died", how);
}

static void child_gone(struct ev_loop *ev, struct ev_child *child, int revents)
{
    struct seat *seat = child->data;
    struct master *m = seat->master;
    (void)revents;
    ev_child_stop(ev, child);
    /* What it has counted it cannot take back itself any more. */
    if (seat->role == &role_worker) {
        atomic_store(&m->service->share->workers[seat->index].sessions, 0);
        table_clear_worker(m->service->table, seat->index);
        backends_clear_worker(m->service->backends, seat->index);
    }
    m->seated--;
    /* Who sends SIGTERM to the whole group stops a worker before we hear of it: that is no death. */
    bool stopped = WIFEXITED(child->rstatus) && WEXITSTATUS(child->rstatus) == CHILD_STOPPED;
    if (!stopped) {
        log_death(seat, child->rstatus);
    }
    seat->pid = 0;
    if (m->stopping) {
        if (m->seated == 0) {
            ev_break(ev, EVBREAK_ALL);
        }
        return;
    }
    if (WIFEXITED(child->rstatus) && WEXITSTATUS(child->rstatus) == CHILD_UNABLE) {
        stop(m, 1);
        return;
    }
    ev_tstamp lived = clock_monotonic() - seat->started;
    ev_timer_set(&seat->respawn, stopped || lived < RESPAWN_SECONDS ? RESPAWN_SECONDS : 0., 0.);
    ev_timer_start(ev, &seat->respawn);
}

/* --- stopping, signals, timers -------------------------------------------------------------------------- */

static void kill_rest(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    struct master *m = timer->data;
    (void)ev, (void)revents;
    tell_children(m, SIGKILL);
}

static void stop(struct master *m, int status)
{
    if (m->stopping) {
        return;
    }
    m->stopping = true;
    m->status = status;
    log_event(LOG_LEVEL_INFO, "stopping", "sessions=%u", service_sessions(m->service));
    for (unsigned i = 0; i < m->seat_count; i++) {
        ev_timer_stop(m->ev, &m->seats[i].respawn);
    }
    tell_children(m, SIGTERM);
    ev_timer_set(&m->kill, STOP_SECONDS, 0.);
    ev_timer_start(m->ev, &m->kill);
    if (m->seated == 0) {
        ev_break(m->ev, EVBREAK_ALL);
    }
}

static void stop_signal(struct ev_loop *ev, struct ev_signal *signal, int revents)
{
    (void)ev, (void)revents;
    stop(signal->data, 0);
}

static void reload_signal(struct ev_loop *ev, struct ev_signal *signal, int revents)
{
    (void)ev, (void)signal, (void)revents;
    log_event(LOG_LEVEL_WARNING, "reload", "result=unsupported");
}

/* The master opens it first: it may make the file, and give it to the account of the workers. */
static void reopen_signal(struct ev_loop *ev, struct ev_signal *signal, int revents)
{
    struct master *m = signal->data;
    (void)ev, (void)revents;
    log_reopen(m->service->account.uid);
    tell_children(m, SIGUSR1);
}

static void rotate_tickets(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    struct master *m = timer->data;
    (void)ev, (void)revents;
    if (ticket_keys_rotate(m->service->tickets) != 0) {
        log_event(LOG_LEVEL_ERROR, "ticket-rotation-failed", "%s", "");
    }
}

static void look_at_certificates(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    const struct master *m = timer->data;
    (void)ev, (void)revents;
    tls_warn(m->service->tls);
    backends_warn(m->service->backends);
}

static void log_unbanned(void *data, const struct table_ban *ban)
{
    char text[NETWORK_TEXT_SIZE];
    struct master *m = data;
    m->unsaved = true;
    log_event(LOG_LEVEL_INFO, "unbanned", "network=%s", network_text(&ban->network, text));
}

static bool has_state_file(const struct master *m)
{
    return m->service->config.limits.state_file[0] != '\0';
}

/* A file that cannot be written is told once, until it can be again. */
static void save_bans(struct master *m)
{
    const char *path = m->service->config.limits.state_file;
    bool saved = state_save(m->service->table, path, clock_boot_us(), clock_wall_us()) == 0;
    if (!saved && !m->save_failed) {
        log_event(LOG_LEVEL_ERROR, "state-failed", "path=%s cause=\"%s\"", path, strerror(errno));
    }
    m->save_failed = !saved;
    m->unsaved = !saved;
    m->saved = clock_monotonic();
}

static void care(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    struct master *m = timer->data;
    (void)ev, (void)revents;
    log_flush();
    geoip_refresh(m->service->geoip);
    (void)table_sweep(m->service->table, clock_boot_us(), log_unbanned, m);
    uint32_t epoch = table_ban_epoch(m->service->table);
    m->unsaved = m->unsaved || epoch != m->ban_epoch;
    m->ban_epoch = epoch;
    if (m->unsaved && has_state_file(m) && clock_monotonic() - m->saved >= SAVE_SECONDS) {
        save_bans(m);
    }
}

static void load_bans(struct master *m)
{
    const char *path = m->service->config.limits.state_file;
    if (has_state_file(m)) {
        size_t count = state_load(m->service->table, path, clock_boot_us(), clock_wall_us());
        log_event(LOG_LEVEL_INFO, "bans-restored", "count=%zu path=%s", count, path);
    }
    m->ban_epoch = table_ban_epoch(m->service->table);
}

static void watch(struct master *m)
{
    static const struct {
        int number;
        void (*callback)(struct ev_loop *ev, struct ev_signal *signal, int revents);
    } wanted[SIGNALS] = {
        {SIGTERM, stop_signal}, {SIGINT, stop_signal}, {SIGHUP, reload_signal}, {SIGUSR1, reopen_signal}};
    for (size_t i = 0; i < SIGNALS; i++) {
        ev_signal_init(&m->signals[i], wanted[i].callback, wanted[i].number);
        m->signals[i].data = m;
        ev_signal_start(m->ev, &m->signals[i]);
    }
    ev_tstamp rotation = m->service->config.tls.ticket_rotation_ms / 1000.;
    ev_timer_init(&m->rotate, rotate_tickets, rotation, rotation);
    m->rotate.data = m;
    ev_timer_start(m->ev, &m->rotate);
    ev_timer_init(&m->expiry, look_at_certificates, 0., EXPIRY_SECONDS);
    m->expiry.data = m;
    ev_timer_start(m->ev, &m->expiry);
    ev_timer_init(&m->care, care, CARE_SECONDS, CARE_SECONDS);
    m->care.data = m;
    ev_timer_start(m->ev, &m->care);
    ev_timer_init(&m->kill, kill_rest, STOP_SECONDS, 0.);
    m->kill.data = m;
}

int master_run(struct service *service)
{
    struct master m = {.service = service, .ev = ev_default_loop(EVFLAG_AUTO), .seat_count = service->workers + 1};
    m.seats = calloc(m.seat_count, sizeof *m.seats);
    if (m.ev == NULL || m.seats == NULL) {
        log_event(LOG_LEVEL_ERROR, "no-memory", "workers=%u", service->workers);
        free(m.seats);
        return 1;
    }
    watch(&m);
    load_bans(&m);
    for (unsigned i = 0; i < m.seat_count; i++) {
        struct seat *seat = &m.seats[i];
        *seat = (struct seat){.master = &m, .index = i, .role = i < service->workers ? &role_worker : &role_monitor};
        ev_child_init(&seat->child, child_gone, 0, 0);
        ev_timer_init(&seat->respawn, respawn, RESPAWN_SECONDS, 0.);
        seat->child.data = seat;
        seat->respawn.data = seat;
        start_child(seat);
    }
    log_event(LOG_LEVEL_INFO, "started", "workers=%u", service->workers);
    ev_run(m.ev, 0);
    if (has_state_file(&m)) {
        save_bans(&m);
    }
    log_event(LOG_LEVEL_INFO, "stopped", "status=%d", m.status);
    leave_loop(&m);
    free(m.seats);
    return m.status;
}
