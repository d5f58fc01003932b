/* SPDX-License-Identifier: BSD-2-Clause */
/* What workers and monitor have in common: their start, signals, heartbeat, messages from the master, and end. */
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
    struct service *service;
    unsigned index; /* its number in the arena: worker N is N, the monitor comes after all workers */
    pid_t master;
    int channel; /* its end of the channel from the master */

    /* Set by child_begin(). */
    struct loop *loop;
    bool master_died;                          /* which a child outlives only to end */
    void (*stop)(struct child *child);         /* called on SIGTERM, and when the master has died */
    void (*housekeeping)(struct child *child); /* about once a second */
    void *data;                                /* for those two */
    struct ev_timer heartbeat;
    struct ev_io signals;
    struct ev_io messages;
};

/*
 * Right after the fork: drops what the child's role must not have, then all privileges, and asks the kernel for SIGTERM
 * when the master dies. Returns 0, or -1 with errno set: the process must not go on.
 */
int child_become(struct child *child);

/*
 * Starts the watchers that every child has in its loop: they call `stop` and `housekeeping`, adopt databases that the
 * master sends, reopen the log on SIGUSR1, and update the heartbeat that the master looks at. All signals stay blocked as
 * they were at the fork; SIGTERM and SIGUSR1 are read from a descriptor. `child` must outlive the loop's run. Returns 0,
 * or -1 with errno set.
 */
int child_begin(struct child *child, struct loop *loop, void (*stop)(struct child *child),
                void (*housekeeping)(struct child *child));

/* Returns true if the master died before child_become() asked for the signal: then the child must not serve. */
bool child_is_orphan(const struct child *child);

/* Stops the watchers of child_begin() and closes their descriptor. */
void child_end(struct child *child);

#endif
