/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/log_quota.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

TestSuite(log_quota, .fini = test_over);

#define SECOND UINT64_C(1000000)
#define START (1700000000 * SECOND)

enum { FAILED = 3, LEFT = 5 }; /* events */
static const struct option_rate rate = {10, 60000};

static struct log_quota *quota(unsigned workers)
{
    struct log_quota *q = log_quota_new(32, 64, test_arena(workers));
    cr_assert_not_null(q);
    return q;
}

static struct network_address address(const char *text)
{
    union address a;
    cr_assert_eq(address_parse(text, 0, &a), 0);
    return network_address_of(&a);
}

/* How many of so many lines are written. */
static unsigned write_lines(struct log_quota *q, const char *from, unsigned event, unsigned count, uint64_t now)
{
    struct network_address a = address(from);
    unsigned written = 0;
    for (unsigned i = 0; i < count; i++) {
        written += log_quota_take(q, &a, event, &rate, now);
    }
    return written;
}

static char report[4096];

static void note(void *data, const struct log_quota_summary *s)
{
    char text[NETWORK_TEXT_SIZE];
    size_t len = strlen(report);
    (void)data;
    snprintf(report + len, sizeof report - len, "%s/%u/%u ", network_text(&s->network, text), s->event, s->suppressed);
}

static const char *swept(struct log_quota *q, uint64_t now, bool all)
{
    report[0] = '\0';
    log_quota_sweep(q, now, all, note, NULL);
    return report;
}

Test(log_quota, a_network_causes_so_many_lines_of_each_event_and_others_pay_nothing)
{
    struct log_quota *q = quota(1);
    cr_expect_eq(write_lines(q, "2001:db8::1", FAILED, 15, START), 10);
    cr_expect_eq(write_lines(q, "2001:db8::2", FAILED, 15, START), 0, "the same network");
    cr_expect_eq(write_lines(q, "2001:db8::1", LEFT, 15, START), 10, "another event");
    cr_expect_eq(write_lines(q, "2001:db8:0:1::1", FAILED, 15, START), 10, "another network");
    cr_expect_eq(write_lines(q, "2001:db8::1", FAILED, 15, START + 12 * SECOND), 2, "by and by");
    log_quota_free(q);
}

Test(log_quota, what_was_suppressed_is_told_once_a_minute_and_at_the_end)
{
    struct log_quota *q = quota(1);
    cr_expect_str_eq(swept(q, START, true), "");
    (void)write_lines(q, "192.0.2.1", FAILED, 15, START);
    cr_expect_str_eq(swept(q, START + 59 * SECOND, false), "");
    cr_expect_str_eq(swept(q, START + 60 * SECOND, false), "192.0.2.1/3/5 ");
    cr_expect_str_eq(swept(q, START + 130 * SECOND, true), "");
    (void)write_lines(q, "192.0.2.1", FAILED, 100, START + 130 * SECOND);
    cr_expect_str_eq(swept(q, START + 131 * SECOND, true), "192.0.2.1/3/90 ");
    log_quota_free(q);
}

Test(log_quota, networks_without_number_get_their_lines_and_those_who_write_too_much_no_more)
{
    struct log_quota *q = quota(1);
    (void)write_lines(q, "192.0.2.1", FAILED, 11, START);
    unsigned written = 0, more = 0;
    for (unsigned i = 0; i < 100000; i++) {
        char from[32];
        snprintf(from, sizeof from, "2001:db8:%x:%x::1", i >> 16, i & 0xffff);
        written += write_lines(q, from, FAILED, 1, START);
    }
    more = write_lines(q, "192.0.2.1", FAILED, 1000, START);
    cr_expect_geq(written, 99000, "%u", written);
    cr_expect_eq(more, 0, "%u", more);
    log_quota_free(q);
}

Test(log_quota, workers_have_one_quota_together)
{
    struct log_quota *q = quota(4);
    _Atomic unsigned *written = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (unsigned worker = 0; worker < 4; worker++) {
        if (fork() == 0) {
            atomic_fetch_add(written, write_lines(q, "192.0.2.1", FAILED, 10000, START));
            _exit(0);
        }
    }
    while (wait(NULL) != -1) {
    }
    cr_expect_eq(*written, 10);
    cr_expect_str_eq(swept(q, START, true), "192.0.2.1/3/39990 ");
    munmap((void *)written, 4096);
    log_quota_free(q);
}

Test(log_quota, the_first_line_of_a_network_is_written_however_many_others_there_were)
{
    static const struct option_rate minute = {1, 60000};
    struct log_quota *q = quota(1);
    unsigned written = 0;
    for (unsigned i = 0; i < 70000; i++) {
        char from[40];
        snprintf(from, sizeof from, "2001:db8:%x:%x::1", i >> 16, i & 0xffff);
        struct network_address a = address(from);
        written += log_quota_take(q, &a, LEFT, &minute, START);
    }
    cr_expect_eq(written, 70000, "%u", written);
    log_quota_free(q);
}
