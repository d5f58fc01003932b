/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/loop.h"

#include "support.h"

TestSuite(loop, .fini = test_over);

/* A task that counts its runs, and may list or take off another one. */
struct counted {
    struct loop_task task;
    struct loop *loop;
    struct loop_task *list, *forget;
    int runs;
};

static void run(struct loop_task *task)
{
    struct counted *c = (struct counted *)task;
    c->runs++;
    if (c->list != NULL) {
        loop_schedule(c->loop, c->list);
    }
    if (c->forget != NULL) {
        loop_cancel(c->forget);
    }
}

static struct counted counted(struct loop *loop)
{
    return (struct counted){.task.run = run, .loop = loop};
}

Test(loop, a_task_runs_once_and_the_loop_then_sleeps)
{
    struct loop loop;
    cr_assert_eq(loop_init(&loop), 0);
    struct counted a = counted(&loop), b = counted(&loop);
    loop_schedule(&loop, &a.task);
    loop_schedule(&loop, &a.task);
    loop_schedule(&loop, &b.task);
    ev_run(loop.ev, EVRUN_NOWAIT);
    cr_expect(a.runs == 1 && b.runs == 1);
    ev_run(loop.ev, EVRUN_NOWAIT);
    cr_expect(a.runs == 1 && b.runs == 1);
    cr_expect(LIST_EMPTY(&loop.tasks) && !ev_is_active(&loop.idle), "nothing is listed: the loop may sleep");
    loop_fini(&loop);
}

Test(loop, who_lists_itself_again_runs_in_the_next_round)
{
    struct loop loop;
    cr_assert_eq(loop_init(&loop), 0);
    struct counted a = counted(&loop), b = counted(&loop);
    a.list = &a.task;
    loop_schedule(&loop, &a.task);
    loop_schedule(&loop, &b.task);
    for (int round = 1; round <= 5; round++) {
        ev_run(loop.ev, EVRUN_NOWAIT);
        cr_expect_eq(a.runs, round);
        cr_expect_eq(b.runs, 1);
    }
    a.list = NULL;
    ev_run(loop.ev, EVRUN_NOWAIT);
    ev_run(loop.ev, EVRUN_NOWAIT);
    cr_expect_eq(a.runs, 6);
    loop_fini(&loop);
}

Test(loop, a_task_can_be_taken_off_at_any_time)
{
    struct loop loop;
    cr_assert_eq(loop_init(&loop), 0);
    for (int first = 0; first < 3; first++) {
        struct counted tasks[3] = {counted(&loop), counted(&loop), counted(&loop)};
        for (int i = 0; i < 3; i++) {
            tasks[i].forget = &tasks[first].task;
            loop_schedule(&loop, &tasks[i].task);
        }
        ev_run(loop.ev, EVRUN_NOWAIT); /* each takes the same one off, also while the list runs */
        for (int i = 0; i < 3; i++) {
            cr_expect(i == first ? tasks[i].runs <= 1 : tasks[i].runs == 1);
        }
        loop_cancel(&tasks[first].task);
    }
    struct counted a = counted(&loop);
    loop_schedule(&loop, &a.task);
    loop_cancel(&a.task);
    loop_cancel(&a.task);
    ev_run(loop.ev, EVRUN_NOWAIT);
    cr_expect_eq(a.runs, 0);
    loop_fini(&loop);
}

static void tick(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    (void)ev, (void)revents;
    ++*(int *)timer->data;
}

Test(loop, tasks_do_not_starve_events_nor_events_tasks)
{
    struct loop loop;
    struct ev_timer timer;
    int ticks = 0;
    cr_assert_eq(loop_init(&loop), 0);
    struct counted a = counted(&loop);
    a.list = &a.task;
    loop_schedule(&loop, &a.task);
    ev_timer_init(&timer, tick, 0., 0.);
    timer.data = &ticks;
    for (int round = 0; round < 10; round++) {
        ev_timer_set(&timer, 0., 0.);
        ev_timer_start(loop.ev, &timer);
        ev_run(loop.ev, EVRUN_ONCE);
    }
    cr_expect_geq(ticks, 9);
    cr_expect_geq(a.runs, 9);
    ev_timer_stop(loop.ev, &timer);
    loop_cancel(&a.task);
    loop_fini(&loop);
}
