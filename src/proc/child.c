/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/channel.h"

static const ev_tstamp HEARTBEAT_SECONDS = 1.;

static void publish_heartbeat(struct child *child)
{
    struct process_status *status = service_writable_status(child->service, child->index);
    atomic_store_explicit(&status->heartbeat_ms, clock_boot_us() / 1000, memory_order_relaxed);
}

/* Publishes the versions in use: the master sends newer ones. */
static void publish_databases(struct child *child)
{
    struct process_status *status = service_writable_status(child->service, child->index);
    for (unsigned i = 0; i < GEOIP_DATABASES && child->service->geoip != NULL; i++) {
        atomic_store(&status->geoip[i], geoip_version(child->service->geoip, i));
    }
}

/* Handles the signals that have arrived. */
static void take_signals(struct child *child)
{
    struct signalfd_siginfo info;
    while (read(child->signals.fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGTERM) {
            child->stop(child);
        } else {
            log_reopen(-1);
        }
    }
}

static void signals_came(struct ev_loop *ev, struct ev_io *io, int revents)
{
    (void)ev, (void)revents;
    take_signals(io->data);
}

/* Reads signals and messages here as well: the kernel may have had no memory to watch their descriptors. */
static void heartbeat(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    struct child *child = timer->data;
    (void)ev, (void)revents;
    publish_heartbeat(child);
    log_flush();
    child->housekeeping(child);
    loop_rearm(child->loop, &child->signals);
    take_signals(child);
    if (!child->master_died) {
        loop_rearm(child->loop, &child->messages);
    }
}

static void receive(struct ev_loop *ev, struct ev_io *io, int revents)
{
    struct child *child = io->data;
    struct channel_message message;
    int descriptor;
    (void)revents;
    switch (channel_receive(io->fd, &message, &descriptor)) {
    case CHANNEL_MESSAGE:
        if (message.kind == CHANNEL_GEOIP && message.which < GEOIP_DATABASES && child->service->geoip != NULL) {
            geoip_adopt(child->service->geoip, message.which, message.version, descriptor);
            publish_databases(child);
        } else {
            close(descriptor);
        }
        break;
    case CHANNEL_NOTHING:
        break;
    case CHANNEL_END:
        ev_io_stop(ev, io);
        child->master_died = true;
        child->stop(child);
        break;
    }
}

int child_become(struct child *child)
{
    service_purge(child->service, child->index);
    if (account_become(&child->service->account) != 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) {
        return -1;
    }
    log_start();
    return 0;
}

bool child_is_orphan(const struct child *child)
{
    return getppid() != child->master;
}

int child_begin(struct child *child, struct loop *loop, void (*stop)(struct child *child),
                void (*housekeeping)(struct child *child))
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGUSR1);
    int signals = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals == -1) {
        return -1;
    }
    child->loop = loop;
    child->stop = stop;
    child->housekeeping = housekeeping;
    ev_timer_init(&child->heartbeat, heartbeat, HEARTBEAT_SECONDS, HEARTBEAT_SECONDS);
    ev_io_init(&child->signals, signals_came, signals, EV_READ);
    ev_io_init(&child->messages, receive, child->channel, EV_READ);
    child->heartbeat.data = child->signals.data = child->messages.data = child;
    ev_timer_start(loop->ev, &child->heartbeat);
    ev_io_start(loop->ev, &child->signals);
    ev_io_start(loop->ev, &child->messages);
    publish_databases(child);
    publish_heartbeat(child);
    return 0;
}

void child_end(struct child *child)
{
    ev_timer_stop(child->loop->ev, &child->heartbeat);
    ev_io_stop(child->loop->ev, &child->signals);
    ev_io_stop(child->loop->ev, &child->messages);
    close(child->signals.fd);
}
