/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop of a process, and what all its streams share: the clock, a scratch buffer for octets that are read, a
 * buffer for TLS records that are written, and a list of tasks for which the kernel reports no event.
 */
#ifndef IMAPGUARD_NET_LOOP_H
#define IMAPGUARD_NET_LOOP_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 * Octets of the scratch buffer: three full TLS records. A session keeps at most as many unsent octets in each
 * direction. With OpenSSL's own buffer, a session with slow peers needs less than 128 KiB.
 */
enum { LOOP_SCRATCH_SIZE = 48 * 1024 };

/* Octets of the buffer for outgoing records: room for those of a full scratch buffer, and a few small ones. */
enum { LOOP_WIRE_SIZE = 52 * 1024 };

/*
 * A function to be called in the next iteration of the loop. It is embedded in the object that it works on, which sets
 * `run`. `entry` belongs to the loop, and must be all zero at first.
 */
struct loop_task {
    LIST_ENTRY(loop_task) entry;
    void (*run)(struct loop_task *task);
};

struct loop {
    struct ev_loop *ev;
    struct ev_check check;                  /* reads the clock */
    ev_tstamp now;                          /* see loop_now() */
    struct ev_idle idle;                    /* active while tasks are scheduled */
    LIST_HEAD(loop_tasks, loop_task) tasks; /* the scheduled tasks */
    uint8_t *scratch;                       /* LOOP_SCRATCH_SIZE octets; a callback may use them until it returns */
    uint8_t *wire;                          /* LOOP_WIRE_SIZE octets: TLS records of the stream that is writing */
    size_t wire_len;                        /* octets in `wire`; 0 after every call of a stream function */
};

/*
 * Creates the loop and its buffers. `loop` may have any content before. loop_fini() frees it. Returns 0, or -1 if there
 * is no memory or no descriptor; nothing must be freed then.
 */
int loop_init(struct loop *loop);

/*
 * Makes libev take memory from a reserve when malloc() fails. Without it, libev aborts the process. loop_init() calls
 * it. A caller that creates a loop with libev's own functions must call it before.
 */
void loop_reserve_memory(void);

/* Frees the loop and its buffers. No watcher may be active and no task may be scheduled. */
void loop_fini(struct loop *loop);

/*
 * Returns the time at the beginning of this iteration, in seconds of CLOCK_MONOTONIC. It never goes backwards; use it
 * for deadlines. Do not use ev_now() of libev for them: it returns wall-clock time, which jumps when the clock is set.
 */
ev_tstamp loop_now(const struct loop *loop);

/*
 * Makes io watch its descriptor for reading; does nothing if io is active. If the kernel could not watch a descriptor,
 * libev stops the watcher with EV_ERROR, and ev_io_start() alone does not register the descriptor again. This function
 * does.
 */
void loop_rearm(struct loop *loop, struct ev_io *io);

/*
 * Schedules the task: task->run is called once, in the next iteration of the loop, so that other sessions run before.
 * The caller owns the task, and must call loop_cancel() before it frees a scheduled task. Does nothing if the task is
 * scheduled already.
 */
void loop_schedule(struct loop *loop, struct loop_task *task);

/* Cancels the task. Does nothing if it is not scheduled. */
void loop_cancel(struct loop_task *task);

#endif
