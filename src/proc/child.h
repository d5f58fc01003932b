/* SPDX-License-Identifier: BSD-2-Clause */
/* The common part of workers and the monitor: their start, signals, heartbeat, messages from the master, and end. */
#ifndef IMAPGUARD_PROC_CHILD_H
#define IMAPGUARD_PROC_CHILD_H

#include <ev.h>
#include <stdbool.h>

#include "net/loop.h"
#include "proc/service.h"

/* Exit statuses. */
enum {
    CHILD_STOPPED = 0, /* stopped by SIGTERM or by the end of the master */
    CHILD_UNABLE = 70, /* could not start its work */
};

struct child {
    /* Set by the master. */
    struct service *service;
    unsigned index; /* number of the child in the arena: worker N is N, the monitor comes after all workers */
    pid_t master;   /* process of the master */
    int channel;    /* the child's end of the channel from the master */

    void *data; /* for `stop` and `housekeeping`; set by the worker or the monitor */

    /* Set by child_begin(). */
    struct loop *loop;
    bool master_died;                          /* the other end of `channel` is closed */
    void (*stop)(struct child *child);         /* called for each SIGTERM, and when the master has died */
    void (*housekeeping)(struct child *child); /* called about once a second */
    struct ev_timer heartbeat;
    struct ev_io signals;
    struct ev_io messages;
};

/*
 * Call it once, right after the fork. Calls service_purge(), then account_become(), makes the kernel send SIGTERM when
 * the master dies, and calls log_start(). Returns 0, or -1 with errno set; the process must then exit, because it may
 * still have privileges.
 */
int child_become(struct child *child);

/*
 * Starts the watchers that every child has in its loop: they call `stop` and `housekeeping`, adopt databases that the
 * master sends, reopen the log on SIGUSR1, flush the log, and update the heartbeat that the master checks. All signals
 * must be blocked and stay so; SIGTERM and SIGUSR1 are read from a descriptor. `stop` may be called more than once.
 * From this call on, the child counts as serving. `child` and `loop` must stay valid until child_end(). Returns 0, or
 * -1 with errno set and nothing to end.
 */
int child_begin(struct child *child, struct loop *loop, void (*stop)(struct child *child),
                void (*housekeeping)(struct child *child));

/*
 * Returns true if the master has died. Call it once after child_become(), and exit if it is true: a master that died
 * before causes no SIGTERM.
 */
bool child_is_orphan(const struct child *child);

/* Stops the watchers of child_begin(), which must have returned 0, and closes the descriptor of the signals. */
void child_end(struct child *child);

#endif
