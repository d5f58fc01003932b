/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop of a worker and what all its streams share: the clock, one scratch buffer, through which every byte
 * passes, one buffer for TLS records on their way out, and the list of those who have something left to do that the
 * kernel will not tell about.
 */
#ifndef IMAPGUARD_NET_LOOP_H
#define IMAPGUARD_NET_LOOP_H

#include <ev.h>
#include <sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Three full TLS records. What a peer does not take is kept, at most this much in each direction, and with
 * OpenSSL's own record a session that is held up stays under 128 KiB.
 */
enum { LOOP_SCRATCH_SIZE = 48 * 1024 };

/* The records of a full scratch buffer, and a few small ones. */
enum { LOOP_WIRE_SIZE = 52 * 1024 };

/* Something to do in the next round of the loop; embedded in whoever has to do it. All zero is "not listed". */
struct loop_task {
    LIST_ENTRY(loop_task) entry;
    void (*run)(struct loop_task *task);
};

struct loop {
    struct ev_loop *ev;
    struct ev_check check;   /* reads the clock */
    ev_tstamp now;           /* see loop_now() */
    struct ev_idle idle;     /* runs while tasks are listed */
    LIST_HEAD(loop_tasks, loop_task) tasks;
    uint8_t *scratch;        /* LOOP_SCRATCH_SIZE octets, free to use between two calls into the loop */
    uint8_t *wire;           /* LOOP_WIRE_SIZE octets: the records of the stream that is writing ... */
    size_t wire_len;         /* ... which hands them to the kernel before its function returns: 0 between two calls */
};

/* Makes the loop and its buffer. 0, or -1 when the system has no memory or descriptor for it. */
int loop_init(struct loop *loop);

/*
 * Puts memory aside for the lists of libev, which ends the process when it gets none. loop_init() does it as well; it is
 * to be called before a loop that libev itself makes.
 */
void loop_reserve_memory(void);

/* Frees both; no watcher may be active. */
void loop_fini(struct loop *loop);

/*
 * The time at the beginning of this iteration, in seconds that only ever go forward. Deadlines are moments of it; it
 * says nothing of the time of day (libev's own ev_now() does, and jumps when that is set).
 */
ev_tstamp loop_now(const struct loop *loop);

/*
 * Watches a descriptor for reading, unless that is being done. A watcher that libev has given up because the kernel
 * could not watch its descriptor (EV_ERROR) is really begun anew, which ev_io_start() alone does not do.
 */
void loop_rearm(struct loop *loop, struct ev_io *io);

/* Runs the task once, after the other sessions had their turn. Listing it twice is listing it once. */
void loop_schedule(struct loop *loop, struct loop_task *task);

/* Takes the task off the list, if it is on it. */
void loop_cancel(struct loop_task *task);

#endif
