/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/seqlock.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

TestSuite(seqlock, .fini = test_over);

enum { WORDS = 512, READINGS = 20000 };

static struct seqlock *map(size_t size)
{
    struct seqlock *p = mmap(NULL, seqlock_space(size), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(p != MAP_FAILED);
    return p;
}

Test(seqlock, a_value_is_what_was_written_last)
{
    struct seqlock *p = map(sizeof(int));
    int value = -1;
    (void)seqlock_read(p, &value, sizeof value);
    cr_expect_eq(value, 0, "all zero is a value");
    for (int i = 1; i < 5; i++) {
        unsigned version = seqlock_version(p);
        seqlock_write(p, &i, sizeof i);
        (void)seqlock_read(p, &value, sizeof value);
        cr_expect_eq(value, i);
        cr_expect_neq(seqlock_version(p), version);
    }
    munmap(p, seqlock_space(sizeof(int)));
}

/* Every word of a value is its number: a reader that sees two numbers has seen two values. */
static void write_for_ever(struct seqlock *p)
{
    unsigned words[WORDS];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* it ends with its test, however that ends */
    for (unsigned number = 1;; number++) {
        for (size_t i = 0; i < WORDS; i++) {
            words[i] = number;
        }
        seqlock_write(p, words, sizeof words);
    }
}

Test(seqlock, no_reader_sees_two_values_at_once)
{
    struct seqlock *p = map(WORDS * sizeof(unsigned));
    unsigned words[WORDS];
    pid_t writer = fork();
    if (writer == 0) {
        write_for_ever(p);
    }
    cr_assert_gt(writer, 0);
    for (int i = 0; i < READINGS; i++) {
        cr_assert_eq(seqlock_read(p, words, sizeof words), 0);
        cr_assert_eq(words[0], words[WORDS - 1]);
        cr_assert_eq(words[0], words[WORDS / 2]);
    }
    kill(writer, SIGKILL); /* wherever it is: what it has published stays whole */
    waitpid(writer, NULL, 0);
    cr_assert_eq(seqlock_read(p, words, sizeof words), 0);
    for (size_t i = 0; i < WORDS; i++) {
        cr_assert_eq(words[i], words[0]);
    }
    munmap(p, seqlock_space(WORDS * sizeof(unsigned)));
}
