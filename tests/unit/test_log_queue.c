/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_queue.h"

#include <stdio.h>
#include <string.h>

#include "support.h"

TestSuite(log_queue, .fini = test_over);

static struct log_queue q;
static char record[LOG_RECORD_MAX];

static void add(unsigned number, size_t pad)
{
    char text[LOG_RECORD_MAX];
    int len = snprintf(text, sizeof text, "%u %0*d", number, (int)pad, 0);
    log_queue_add(&q, text, (size_t)len);
}

static void expect(unsigned number, size_t pad)
{
    char want[LOG_RECORD_MAX];
    size_t len = (size_t)snprintf(want, sizeof want, "%u %0*d", number, (int)pad, 0);
    cr_assert_eq(log_queue_first(&q, record), len);
    cr_assert_eq(memcmp(record, want, len), 0, "line %u", number);
    log_queue_remove(&q, len);
}

Test(log_queue, lines_come_out_as_they_went_in)
{
    add(1, 5);
    add(2, LOG_RECORD_MAX - 10);
    add(3, 1);
    expect(1, 5);
    expect(2, LOG_RECORD_MAX - 10);
    expect(3, 1);
    cr_expect(q.used == 0 && q.lost == 0);
}

/* Of each length, so that lines and lengths are split by the end of the ring at every place. */
Test(log_queue, lines_may_lie_across_the_end)
{
    unsigned in = 0, out = 0;
    for (; in < 100; in++) {
        add(in, in % 1000);
    }
    for (; in < 20000; in++, out++) {
        add(in, in % 1000);
        expect(out, out % 1000);
    }
    for (; out < in; out++) {
        expect(out, out % 1000);
    }
    cr_expect(q.used == 0 && q.lost == 0);
}

Test(log_queue, a_line_without_room_is_lost_and_so_is_all_that_follows)
{
    unsigned kept = 0;
    for (; LOG_QUEUE_SIZE - q.used >= 1004; kept++) {
        add(kept % 10, 1000);
    }
    size_t used = q.used;
    add(0, 1000);
    add(1, 1); /* there would be room for this one, but it would stand before those that are missing */
    cr_expect_eq(q.lost, 2);
    cr_expect_eq(q.used, used);
    expect(0, 1000);
    add(1, 1);
    cr_expect_eq(q.lost, 3);
    q.lost = 0;
    add(7, 1);
    for (unsigned i = 1; i < kept; i++) {
        expect(i % 10, 1000);
    }
    expect(7, 1);
    cr_expect_eq(q.used, 0);
}

Test(log_queue, what_is_cleared_is_lost)
{
    for (unsigned i = 0; i < 5; i++) {
        add(i, i);
    }
    q.written = 3;
    log_queue_clear(&q);
    cr_expect_eq(q.lost, 5);
    cr_expect(q.used == 0 && q.written == 0);
}

Test(log_queue, an_empty_queue_begins_at_its_first_page)
{
    for (unsigned i = 0; i < 10000; i++) {
        add(i, 100);
        expect(i, 100);
        cr_assert_eq(q.start, 0);
    }
}
