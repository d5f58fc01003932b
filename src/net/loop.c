/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/loop.h"

#include <stdlib.h>

#include "base/clock.h"

/*
 * libev ends the process when it has no memory for a list of its own. This much is put aside for that moment, untouched
 * and therefore free of charge, and put aside anew as soon as there is memory again.
 */
enum { RESERVE = 1024 * 1024 };
static void *reserve;

static void *allocate(void *old, long size)
{
    if (size <= 0) {
        free(old);
        return NULL;
    }
    void *memory = realloc(old, (size_t)size);
    if (memory == NULL) {
        free(reserve);
        reserve = NULL;
        memory = realloc(old, (size_t)size);
    }
    return memory;
}

void loop_put_aside(void)
{
    if (reserve == NULL) {
        reserve = malloc(RESERVE);
    }
    ev_set_allocator(allocate);
}

static void read_clock(struct ev_loop *ev, struct ev_check *check, int revents)
{
    struct loop *loop = check->data;
    (void)ev, (void)revents;
    loop->now = clock_monotonic();
    if (reserve == NULL) {
        reserve = malloc(RESERVE);
    }
}

/* Runs those that are listed now; who lists itself again is served in the next round, after the kernel's events. */
static void run_tasks(struct ev_loop *ev, struct ev_idle *idle, int revents)
{
    struct loop *loop = idle->data;
    struct loop_task *tasks = loop->tasks;
    (void)revents;
    loop->tasks = NULL;
    if (tasks != NULL) {
        tasks->link = &tasks;
    }
    while (tasks != NULL) {
        struct loop_task *task = tasks;
        loop_forget(task);
        task->run(task);
    }
    if (loop->tasks == NULL) {
        ev_idle_stop(ev, idle);
    }
}

int loop_init(struct loop *loop)
{
    *loop = (struct loop){0};
    loop_put_aside();
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
void loop_watch(struct loop *loop, struct ev_io *io)
{
    if (!ev_is_active(io)) {
        ev_io_set(io, io->fd, EV_READ);
        ev_io_start(loop->ev, io);
    }
}

void loop_again(struct loop *loop, struct loop_task *task)
{
    if (task->link != NULL) {
        return;
    }
    task->next = loop->tasks;
    task->link = &loop->tasks;
    if (task->next != NULL) {
        task->next->link = &task->next;
    }
    loop->tasks = task;
    ev_idle_start(loop->ev, &loop->idle);
}

void loop_forget(struct loop_task *task)
{
    if (task->link == NULL) {
        return;
    }
    *task->link = task->next;
    if (task->next != NULL) {
        task->next->link = task->link;
    }
    task->next = NULL;
    task->link = NULL;
}
