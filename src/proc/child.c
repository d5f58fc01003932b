/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/channel.h"

static const ev_tstamp BEAT_SECONDS = 1.;

static void show_life(struct child *child)
{
    struct process_share *share = service_own_share(child->service, child->index);
    atomic_store_explicit(&share->beat_ms, clock_boot_us() / 1000, memory_order_relaxed);
}

/* The master sends what this process has not. */
static void show_databases(struct child *child)
{
    struct process_share *share = service_own_share(child->service, child->index);
    for (unsigned i = 0; i < GEOIP_DATABASES; i++) {
        atomic_store(&share->geoip[i], geoip_version(child->service->geoip, i));
    }
}

static void beat(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    struct child *child = timer->data;
    (void)ev, (void)revents;
    show_life(child);
    log_flush();
    child->tend(child);
}

static void stop_signal(struct ev_loop *ev, struct ev_signal *signal, int revents)
{
    struct child *child = signal->data;
    (void)ev, (void)revents;
    child->stop(child);
}

static void reopen_signal(struct ev_loop *ev, struct ev_signal *signal, int revents)
{
    (void)ev, (void)signal, (void)revents;
    log_reopen(-1);
}

static void receive(struct ev_loop *ev, struct ev_io *io, int revents)
{
    struct child *child = io->data;
    struct channel_message message;
    int descriptor;
    (void)revents;
    switch (channel_receive(io->fd, &message, &descriptor)) {
    case CHANNEL_MESSAGE:
        if (message.kind == CHANNEL_GEOIP && message.which < GEOIP_DATABASES) {
            geoip_adopt(child->service->geoip, message.which, message.version, descriptor);
            show_databases(child);
        } else {
            close(descriptor);
        }
        break;
    case CHANNEL_NOTHING:
        break;
    case CHANNEL_END:
        ev_io_stop(ev, io);
        child->stop(child);
        break;
    }
}

int child_become(struct child *child)
{
    service_keep(child->service, child->index);
    return account_become(&child->service->account) == 0 && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 ? 0 : -1;
}

bool child_is_orphan(const struct child *child)
{
    return getppid() != child->master;
}

void child_begin(struct child *child, struct loop *loop, void (*stop)(struct child *child),
                 void (*tend)(struct child *child))
{
    sigset_t none;
    child->loop = loop;
    child->stop = stop;
    child->tend = tend;
    ev_signal_init(&child->term, stop_signal, SIGTERM);
    ev_signal_init(&child->usr1, reopen_signal, SIGUSR1);
    ev_timer_init(&child->beat, beat, BEAT_SECONDS, BEAT_SECONDS);
    ev_io_init(&child->messages, receive, child->channel, EV_READ);
    child->term.data = child->beat.data = child->messages.data = child;
    ev_signal_start(loop->ev, &child->term);
    ev_signal_start(loop->ev, &child->usr1);
    ev_timer_start(loop->ev, &child->beat);
    ev_io_start(loop->ev, &child->messages);
    show_databases(child);
    show_life(child);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void child_end(struct child *child)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    ev_signal_stop(child->loop->ev, &child->term);
    ev_signal_stop(child->loop->ev, &child->usr1);
    ev_timer_stop(child->loop->ev, &child->beat);
    ev_io_stop(child->loop->ev, &child->messages);
}
