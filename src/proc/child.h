/* SPDX-License-Identifier: BSD-2-Clause */
/* What the master's children, workers and monitor, have in common: how they begin, live, and end. */
#ifndef IMAPGUARD_PROC_CHILD_H
#define IMAPGUARD_PROC_CHILD_H

#include <ev.h>
#include <stdbool.h>

#include "net/loop.h"
#include "proc/service.h"

/* Exit statuses. */
enum {
    CHILD_STOPPED = 0, /* it was told to stop */
    CHILD_UNABLE = 70, /* it cannot do its work now */
};

struct child {
    struct service *service;
    unsigned index; /* of its column in what is shared: the number of a worker; the monitor's comes after them all */
    pid_t master;
    int channel;    /* from the master, see channel.h */

    /* Set by child_begin(). */
    struct loop *loop;
    bool orphan;                       /* the master has gone */
    void (*stop)(struct child *child); /* on SIGTERM, and when the master has gone */
    void (*housekeeping)(struct child *child); /* about once a second */
    void *data;                        /* of those two */
    struct ev_timer heartbeat;
    struct ev_io signals;
    struct ev_io messages;
};

/*
 * Right after the fork: gives up what other processes have, then all privileges, and ends with the master from here
 * on. 0, or -1 with errno set.
 */
int child_become(struct child *child);

/*
 * Begins to serve: `stop` and `housekeeping` are called from the loop, databases that the master sends are adopted, the log is
 * opened again on SIGUSR1, and the master sees that the loop goes round. Signals stay blocked, as they were since the
 * fork, and are read; those that a terminal sends are the master's. `child` must outlive the loop's run. 0, or -1 with
 * errno set.
 */
int child_begin(struct child *child, struct loop *loop, void (*stop)(struct child *child),
                void (*housekeeping)(struct child *child));

/* True if the master died before child_become() asked for the death signal: then the child must not serve. */
bool child_is_orphan(const struct child *child);

/* Ends what child_begin() began. */
void child_end(struct child *child);

#endif
