/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/master.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "policy/ban_file.h"
#include "policy/known_logins.h"
#include "proc/channel.h"
#include "proc/child.h"
#include "proc/monitor.h"
#include "proc/worker.h"
#include "proxy/session_log.h"

static const ev_tstamp RESPAWN_SECONDS = 1.;      /* before a child that died at once is started again ... */
static const ev_tstamp RESPAWN_MAX_SECONDS = 30.; /* ... which doubles up to this while it cannot even begin to serve */
static const ev_tstamp STOP_SECONDS = 5.;         /* then children that have not stopped are killed */

static const ev_tstamp DAY_SECONDS = 24. * 3600.;

static const ev_tstamp SEND_SECONDS = 5.;         /* for a child to take a database, before it is sent again */
static const ev_tstamp SAVE_SECONDS = 5.;         /* between two writings of the state file, which may be long ... */
static const ev_tstamp SAVE_LOGINS_SECONDS = 60.; /* ... and where only known logins are new */
static const ev_tstamp SAVE_SHARE = 0.05;         /* of the master's time that writing may take */
static const ev_tstamp HOUSEKEEPING_SECONDS = 1.; /* between two rounds of housekeeping */
enum { REOPEN_MS = 200 }; /* the master waits so long for the log's disk, then housekeeping looks again */
enum { STALL_MS = 2000 }; /* without such a round: the whole system, or all of us, stood still */

enum { SIGNALS = 4 };

/* The role of a child. */
struct role {
    const char *name;
    int (*run)(struct child *child);
};
static const struct role role_worker = {"worker", worker_run};
static const struct role role_monitor = {"monitor", monitor_run};

/* A child, or the place of a child that is down. */
struct child_slot {
    struct master *master;
    const struct role *role;
    unsigned index;                  /* of the worker; the monitor comes after them all */
    pid_t pid;                       /* 0: no process */
    int channel;                     /* the master's end; -1: no process */
    ev_tstamp started;               /* of clock_monotonic() */
    uint64_t since_ms;               /* the last sign of life, in milliseconds of clock_boot_us() */
    ev_tstamp sent[GEOIP_DATABASES]; /* when a database was sent last, of clock_monotonic(); 0: never */
    bool served;                     /* some process has served in this slot */
    bool hung;                       /* the process was killed because it hung */
    ev_tstamp delay;                 /* before the next start */
    struct ev_child child;
    struct ev_timer respawn;
};

struct master {
    struct service *service;
    struct ev_loop *ev;
    struct child_slot *slots; /* of all workers, and of the monitor */
    unsigned slot_count;
    unsigned running_count;
    bool stopping;
    int status;
    struct ev_signal signals[SIGNALS];
    struct ev_timer rotate;
    struct ev_timer daily;
    struct ev_timer housekeeping;
    uint64_t housekeeping_ms; /* when that was last, of clock_boot_us() */
    uint32_t ban_epoch;       /* of the bans that were written to the state file */
    uint32_t login_epoch;     /* of the known logins that were */
    bool unsaved;             /* the bans have changed since */
    ev_tstamp saved;          /* when it was written last, or that was tried ... */
    ev_tstamp save_took;      /* ... and how long that took */
    bool save_failed;
    bool reopening; /* the log: the children's turn comes when the master's file is open */
    struct ev_timer kill;
};

static void stop(struct master *m, int status);

static void signal_children(const struct master *m, int signal_number)
{
    for (unsigned i = 0; i < m->slot_count; i++) {
        if (m->slots[i].pid != 0) {
            kill(m->slots[i].pid, signal_number);
        }
    }
}

/* --- children ----------------------------------------------------------------------------------------- */

/* "worker-started worker=0 pid=...", "monitor-died pid=... signal=9". */
static void log_child(enum log_level level, const struct child_slot *slot, const char *what, const char *how)
{
    char event[32], number[32] = "";
    snprintf(event, sizeof event, "%s-%s", slot->role->name, what);
    if (slot->role == &role_worker) {
        snprintf(number, sizeof number, "worker=%u ", slot->index);
    }
    log_event(level, event, "%spid=%ld%s", number, (long)slot->pid, how);
}

static void close_channel(struct child_slot *slot)
{
    if (slot->channel != -1) {
        close(slot->channel);
        slot->channel = -1;
    }
}

/* In the child: frees the master's loop, so that a signal to one process does not reach the other. */
static void leave_loop(struct master *m)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        ev_signal_stop(m->ev, &m->signals[i]);
    }
    ev_loop_destroy(m->ev);
    for (unsigned i = 0; i < m->slot_count; i++) {
        close_channel(&m->slots[i]);
    }
}

static void start_later(struct child_slot *slot)
{
    ev_timer_set(&slot->respawn, slot->delay, 0.);
    ev_timer_start(slot->master->ev, &slot->respawn);
}

/* Starts the child later; each failure in a row doubles the delay. */
static void back_off(struct child_slot *slot)
{
    slot->delay = slot->delay < RESPAWN_SECONDS           ? RESPAWN_SECONDS
                  : slot->delay * 2 < RESPAWN_MAX_SECONDS ? slot->delay * 2
                                                          : RESPAWN_MAX_SECONDS;
    start_later(slot);
}

static void start_failed(struct child_slot *slot, const char *what)
{
    log_event(LOG_LEVEL_ERROR, "fork-failed", "%s=%u reason=\"%s: %s\"", slot->role->name, slot->index, what,
              strerror(errno));
    back_off(slot);
}

static void start_child(struct child_slot *slot)
{
    struct master *m = slot->master;
    struct child self = {.service = m->service, .index = slot->index, .master = getpid()};
    int ends[2];
    sigset_t all, before;
    if (channel_open(ends) != 0) {
        start_failed(slot, "no channel");
        return;
    }
    self.channel = ends[1];
    if (slot->role == &role_worker) {
        service_replace_dead_sockets(m->service, slot->index);
    }
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); /* the child reads its signals once it has begun */
    pid_t pid = fork();
    if (pid == 0) {
        log_after_fork();
        close(ends[0]);
        leave_loop(m);
        int status = slot->role->run(&self);
        log_close();
        exit(status);
    }
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (pid == -1) {
        close(ends[0]);
        errno = error;
        start_failed(slot, "no process");
        return;
    }
    slot->channel = ends[0];
    slot->pid = pid;
    slot->hung = false;
    slot->started = clock_monotonic();
    slot->since_ms = clock_boot_us() / 1000;
    m->running_count++;
    ev_child_set(&slot->child, pid, 0);
    ev_child_start(m->ev, &slot->child);
    log_child(LOG_LEVEL_INFO, slot, "started", "");
}

static void respawn(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    (void)ev, (void)revents;
    start_child(timer->data);
}

static void log_death(const struct child_slot *slot, int status)
{
    char how[32];
    snprintf(how, sizeof how, WIFSIGNALED(status) ? " signal=%d" : " status=%d",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    log_child(LOG_LEVEL_ERROR, slot, "died", how);
}

/* Such sessions have no "disconnect" of their own. */
static void log_lost_sessions(const struct child_slot *slot, uint32_t count)
{
    if (count > 0) {
        log_event(LOG_LEVEL_WARNING, "sessions-lost", "worker=%u count=%u", slot->index, count);
    }
}

static void child_ended(struct ev_loop *ev, struct ev_child *child, int revents)
{
    struct child_slot *slot = child->data;
    struct master *m = slot->master;
    (void)revents;
    ev_child_stop(ev, child);
    close_channel(slot);
    const struct process_status *status = service_status(m->service, slot->index);
    bool served = atomic_load(&status->heartbeat_ms) != 0;
    uint32_t sessions = atomic_load(&status->sessions);
    slot->served = slot->served || served;
    arena_take_back(&m->service->arena, slot->index);
    m->running_count--;
    /* SIGTERM to the whole process group may stop a worker before the master: that is no death. */
    bool stopped = WIFEXITED(child->rstatus) && WEXITSTATUS(child->rstatus) == CHILD_STOPPED;
    if (!stopped) {
        log_death(slot, child->rstatus);
        log_lost_sessions(slot, sessions);
    }
    slot->pid = 0;
    if (m->stopping) {
        if (m->running_count == 0) {
            ev_break(ev, EVBREAK_ALL);
        }
        return;
    }
    /* A worker that cannot start where none ever served is a mistake of the installation; later it is a shortage. */
    if (WIFEXITED(child->rstatus) && WEXITSTATUS(child->rstatus) == CHILD_UNABLE && !slot->served &&
        slot->role == &role_worker) {
        stop(m, 1);
        return;
    }
    if (!served) {
        back_off(slot);
        return;
    }
    slot->delay = stopped || clock_monotonic() - slot->started < RESPAWN_SECONDS ? RESPAWN_SECONDS : 0.;
    start_later(slot);
    slot->delay = 0.;
}

/*
 * Kills each child without a heartbeat for hang_timeout. If the master itself did not run for a while, because it was
 * stopped or the system was suspended, each child gets that time once more.
 */
static void kill_hung_children(struct master *m)
{
    uint64_t now = clock_boot_us() / 1000, limit = m->service->current->config.hang_timeout_ms;
    bool stalled = now - m->housekeeping_ms > STALL_MS;
    m->housekeeping_ms = now;
    for (unsigned i = 0; i < m->slot_count; i++) {
        struct child_slot *slot = &m->slots[i];
        const struct process_status *status = service_status(m->service, slot->index);
        uint64_t heartbeat = atomic_load(&status->heartbeat_ms);
        if (stalled) {
            slot->since_ms = now;
        } else if (heartbeat > slot->since_ms && heartbeat <= now) {
            slot->since_ms = heartbeat;
        }
        if (slot->pid == 0 || slot->hung || now - slot->since_ms <= limit) {
            continue;
        }
        char how[96];
        uint64_t session = atomic_load(&status->activity.session);
        int len = snprintf(how, sizeof how, " silent=%llu", (unsigned long long)(now - slot->since_ms) / 1000);
        if (session != 0) {
            snprintf(how + len, sizeof how - (size_t)len, " state=%s session=%016llx",
                     session_state_name(atomic_load(&status->activity.state)), (unsigned long long)session);
        }
        log_child(LOG_LEVEL_ERROR, slot, "hung", how);
        slot->hung = true;
        kill(slot->pid, SIGKILL);
    }
}

/* Sends each worker the databases that it lacks: it was forked before them, or had no descriptor left. */
static void send_databases(struct master *m)
{
    for (unsigned i = 0; i < m->service->workers; i++) {
        const struct process_status *status = service_status(m->service, i);
        for (unsigned j = 0; j < GEOIP_DATABASES && m->slots[i].channel != -1; j++) {
            struct channel_message message = {CHANNEL_GEOIP, j, geoip_version(m->service->geoip, j)};
            bool wanted = atomic_load(&status->heartbeat_ms) != 0 && atomic_load(&status->geoip[j]) != message.version;
            if (wanted && clock_monotonic() - m->slots[i].sent[j] >= SEND_SECONDS &&
                channel_send(m->slots[i].channel, &message, geoip_descriptor(m->service->geoip, j)) == 0) {
                m->slots[i].sent[j] = clock_monotonic();
            }
        }
    }
}

/* --- stopping, signals, timers -------------------------------------------------------------------------- */

static void kill_rest(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    struct master *m = timer->data;
    (void)ev, (void)revents;
    signal_children(m, SIGKILL);
}

static void stop(struct master *m, int status)
{
    if (m->stopping) {
        return;
    }
    m->stopping = true;
    m->status = status;
    log_event(LOG_LEVEL_INFO, "stopping", "sessions=%llu", (unsigned long long)service_sessions(m->service));
    for (unsigned i = 0; i < m->slot_count; i++) {
        ev_timer_stop(m->ev, &m->slots[i].respawn);
    }
    signal_children(m, SIGTERM);
    ev_timer_set(&m->kill, STOP_SECONDS, 0.);
    ev_timer_start(m->ev, &m->kill);
    if (m->running_count == 0) {
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

/* The master reopens the log first: it may create the file and give it to the workers' account. */
static void pass_reopen_on(struct master *m, unsigned patience_ms)
{
    if (m->reopening && log_wait_reopened(patience_ms)) {
        m->reopening = false;
        signal_children(m, SIGUSR1);
    }
}

static void reopen_signal(struct ev_loop *ev, struct ev_signal *signal, int revents)
{
    struct master *m = signal->data;
    (void)ev, (void)revents;
    log_reopen(m->service->account.uid);
    m->reopening = true;
    pass_reopen_on(m, REOPEN_MS);
}

static void rotate_tickets(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    struct master *m = timer->data;
    (void)ev, (void)revents;
    if (ticket_keys_rotate(m->service->tickets) != 0) {
        log_event(LOG_LEVEL_ERROR, "ticket-rotation-failed", "%s", "");
    }
}

/* What is done once a day. */
static void daily(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    struct master *m = timer->data;
    (void)ev, (void)revents;
    known_logins_forget(client_table_logins(m->service->table), clock_boot_us());
    m->unsaved = true; /* the times of logins that were known before */
    tls_warn(m->service->current->generation.tls);
    backends_warn(m->service->current->generation.backends);
}

static void unbanned(void *data, const struct client_table_ban *ban)
{
    struct master *m = data;
    m->unsaved = true;
    client_table_log_unbanned(ban);
}

static bool has_state_file(const struct master *m)
{
    return m->service->current->config.limits.state_file[0] != '\0';
}

static void log_unsaved(const char *path, const char *reason)
{
    struct log_line line;
    log_begin(&line, LOG_LEVEL_ERROR, "ban-file-failed");
    log_quoted(&line, "path", path, strlen(path));
    log_quoted(&line, "reason", reason, strlen(reason));
    log_end(&line);
}

/* A failure is logged once, until the file could be written again. */
static void save_bans(struct master *m)
{
    const char *path = m->service->current->config.limits.state_file;
    uint32_t logins = known_logins_epoch(client_table_logins(m->service->table));
    ev_tstamp began = clock_monotonic();
    bool saved = ban_file_save(m->service->table, path, clock_boot_us(), clock_wall_us()) == 0;
    if (!saved && !m->save_failed) {
        log_unsaved(path, strerror(errno));
    }
    m->save_failed = !saved;
    m->unsaved = !saved;
    m->login_epoch = saved ? logins : m->login_epoch;
    m->saved = clock_monotonic();
    m->save_took = m->saved - began;
}

static void housekeeping(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    struct master *m = timer->data;
    (void)ev, (void)revents;
    log_flush();
    pass_reopen_on(m, 0);
    kill_hung_children(m);
    geoip_refresh(m->service->geoip);
    send_databases(m);
    (void)client_table_sweep(m->service->table, clock_boot_us(), unbanned, m);
    log_quota_sweep(m->service->log_quota, clock_boot_us(), false, session_log_suppressed, NULL);
    uint32_t epoch = client_table_ban_epoch(m->service->table);
    m->unsaved = m->unsaved || epoch != m->ban_epoch;
    m->ban_epoch = epoch;
    bool new_logins = known_logins_epoch(client_table_logins(m->service->table)) != m->login_epoch;
    ev_tstamp since = clock_monotonic() - m->saved;
    bool due = (m->unsaved && since >= SAVE_SECONDS) || (new_logins && since >= SAVE_LOGINS_SECONDS);
    if (has_state_file(m) && due && since >= m->save_took / SAVE_SHARE) {
        save_bans(m);
    }
}

static void load_bans(struct master *m)
{
    const char *path = m->service->current->config.limits.state_file;
    if (has_state_file(m)) {
        struct ban_file_counts taken = ban_file_load(m->service->table, path, clock_boot_us(), clock_wall_us());
        struct log_line line;
        log_begin(&line, LOG_LEVEL_INFO, "bans-restored");
        log_number(&line, "count", taken.bans);
        log_number(&line, "logins", taken.logins);
        log_quoted(&line, "path", path, strlen(path));
        log_end(&line);
    }
    m->ban_epoch = client_table_ban_epoch(m->service->table);
    m->login_epoch = known_logins_epoch(client_table_logins(m->service->table));
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
    ev_tstamp rotation = m->service->current->config.tls.ticket_rotation_ms / 1000.;
    ev_timer_init(&m->rotate, rotate_tickets, rotation, rotation);
    m->rotate.data = m;
    ev_timer_start(m->ev, &m->rotate);
    ev_timer_init(&m->daily, daily, 0., DAY_SECONDS);
    m->daily.data = m;
    ev_timer_start(m->ev, &m->daily);
    ev_timer_init(&m->housekeeping, housekeeping, HOUSEKEEPING_SECONDS, HOUSEKEEPING_SECONDS);
    m->housekeeping.data = m;
    ev_timer_start(m->ev, &m->housekeeping);
    ev_timer_init(&m->kill, kill_rest, STOP_SECONDS, 0.);
    m->kill.data = m;
}

int master_run(struct service *service)
{
    struct master m = {.service = service, .slot_count = service->workers + 1};
    if (!service->account.change) {
        (void)prctl(PR_SET_DUMPABLE, 0); /* the children have our account, and must not have our memory */
    }
    loop_reserve_memory();
    m.ev = ev_default_loop(EVFLAG_AUTO);
    m.slots = calloc(m.slot_count, sizeof *m.slots);
    if (m.ev == NULL || m.slots == NULL) {
        log_event(LOG_LEVEL_ERROR, "out-of-memory", "workers=%u", service->workers);
        free(m.slots);
        return 1;
    }
    watch(&m);
    m.housekeeping_ms = clock_boot_us() / 1000;
    load_bans(&m);
    geoip_begin(service->geoip);
    for (unsigned i = 0; i < m.slot_count; i++) {
        struct child_slot *slot = &m.slots[i];
        *slot = (struct child_slot){
            .master = &m, .index = i, .channel = -1, .role = i < service->workers ? &role_worker : &role_monitor};
        ev_child_init(&slot->child, child_ended, 0, 0);
        ev_timer_init(&slot->respawn, respawn, RESPAWN_SECONDS, 0.);
        slot->child.data = slot;
        slot->respawn.data = slot;
    }
    for (unsigned i = 0; i < m.slot_count; i++) {
        start_child(&m.slots[i]);
    }
    log_event(LOG_LEVEL_INFO, "started", "workers=%u", service->workers);
    ev_run(m.ev, 0);
    if (has_state_file(&m)) {
        save_bans(&m);
    }
    log_quota_sweep(m.service->log_quota, clock_boot_us(), true, session_log_suppressed, NULL);
    log_event(LOG_LEVEL_INFO, "stopped", "status=%d", m.status);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL); /* a second signal does not interrupt the cleanup, which wipes keys */
    leave_loop(&m);
    free(m.slots);
    return m.status;
}
