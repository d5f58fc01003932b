/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/loop.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/*
 * libev ends the process when it gets no memory for a list of its own. Then it gets some of this, which costs nothing
 * until it is used and is never given back: the lists only grow.
 */
enum { ASIDE_SIZE = 1024 * 1024, ALIGNMENT = 16 };
static _Alignas(16) char aside[ASIDE_SIZE];
static size_t aside_used;

static bool is_aside(const void *memory)
{
    return (uintptr_t)memory >= (uintptr_t)aside && (uintptr_t)memory < (uintptr_t)(aside + ASIDE_SIZE);
}

/* The octets that may be read there; a block of ours has its size in front of it. */
static size_t size_of(void *memory)
{
    size_t size = 0;
    if (is_aside(memory)) {
        memcpy(&size, (char *)memory - ALIGNMENT, sizeof size);
    } else if (memory != NULL) {
        size = malloc_usable_size(memory);
    }
    return size;
}

static void *take_aside(size_t size)
{
    size_t whole = ALIGNMENT + (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > ASIDE_SIZE / 2 || whole > ASIDE_SIZE - aside_used) {
        return NULL;
    }
    char *block = aside + aside_used;
    aside_used += whole;
    memcpy(block, &size, sizeof size);
    return block + ALIGNMENT;
}

/* As realloc(), and free() for a size of 0: see ev_set_allocator() in ev(3). */
static void *allocate(void *old, long wanted)
{
    size_t size = wanted > 0 ? (size_t)wanted : 0;
    void *memory = NULL;
    if (size > 0 && !is_aside(old) && (memory = realloc(old, size)) != NULL) {
        return memory;
    }
    if (size > 0) {
        memory = is_aside(old) ? malloc(size) : NULL;
        memory = memory != NULL ? memory : take_aside(size);
        if (memory == NULL) {
            return NULL;
        }
        size_t kept = size_of(old) < size ? size_of(old) : size;
        if (kept > 0) {
            memcpy(memory, old, kept);
        }
    }
    if (!is_aside(old)) {
        free(old);
    }
    return memory;
}

void loop_reserve_memory(void)
{
    ev_set_allocator(allocate);
}

static void read_clock(struct ev_loop *ev, struct ev_check *check, int revents)
{
    struct loop *loop = check->data;
    (void)ev, (void)revents;
    loop->now = clock_monotonic();
}

/*
 * Runs the tasks that are listed now; a task that lists itself again runs in the next iteration, after the kernel's
 * events.
 */
static void run_tasks(struct ev_loop *ev, struct ev_idle *idle, int revents)
{
    struct loop *loop = idle->data;
    struct loop_tasks tasks;
    struct loop_task *task;
    (void)revents;
    LIST_INIT(&tasks);
    if (!LIST_EMPTY(&loop->tasks)) {
        LIST_FIRST(&tasks) = LIST_FIRST(&loop->tasks); /* glibc has no macro that moves a list */
        LIST_FIRST(&tasks)->entry.le_prev = &LIST_FIRST(&tasks);
        LIST_INIT(&loop->tasks);
    }
    while ((task = LIST_FIRST(&tasks)) != NULL) {
        loop_cancel(task);
        task->run(task);
    }
    if (LIST_EMPTY(&loop->tasks)) {
        ev_idle_stop(ev, idle);
    }
}

int loop_init(struct loop *loop)
{
    *loop = (struct loop){0};
    loop_reserve_memory();
    loop->scratch = malloc(LOOP_SCRATCH_SIZE + LOOP_WIRE_SIZE);
    if (loop->scratch == NULL) {
        return -1;
    }
    loop->wire = loop->scratch + LOOP_SCRATCH_SIZE;
    loop->ev = ev_loop_new(EVFLAG_AUTO);
    if (loop->ev == NULL) {
        free(loop->scratch);
        return -1;
    }
    loop->now = clock_monotonic();
    ev_check_init(&loop->check, read_clock);
    ev_set_priority(&loop->check, EV_MAXPRI);
    loop->check.data = loop;
    ev_check_start(loop->ev, &loop->check);
    ev_unref(loop->ev); /* it keeps no loop running */
    ev_idle_init(&loop->idle, run_tasks);
    ev_set_priority(&loop->idle, EV_MAXPRI); /* a lower one would starve while others have events */
    loop->idle.data = loop;
    return 0;
}

void loop_fini(struct loop *loop)
{
    ev_idle_stop(loop->ev, &loop->idle);
    ev_ref(loop->ev);
    ev_check_stop(loop->ev, &loop->check);
    ev_loop_destroy(loop->ev);
    free(loop->scratch);
    *loop = (struct loop){0};
}

ev_tstamp loop_now(const struct loop *loop)
{
    return loop->now;
}

/* Setting it makes libev tell the kernel, whatever it thinks that the kernel knows. */
void loop_rearm(struct loop *loop, struct ev_io *io)
{
    if (!ev_is_active(io)) {
        ev_io_set(io, io->fd, EV_READ);
        ev_io_start(loop->ev, io);
    }
}

void loop_schedule(struct loop *loop, struct loop_task *task)
{
    if (task->entry.le_prev == NULL) {
        LIST_INSERT_HEAD(&loop->tasks, task, entry);
        ev_idle_start(loop->ev, &loop->idle);
    }
}

void loop_cancel(struct loop_task *task)
{
    if (task->entry.le_prev != NULL) {
        LIST_REMOVE(task, entry);
        task->entry.le_prev = NULL;
    }
}
