/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/region.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

TestSuite(region, .fini = test_over);

/* The exit status of a child that does this. */
static int in_child(int (*run)(void *data), void *data)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(run(data));
    }
    cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid);
    return status;
}

static int try_to_write_again(void *data)
{
    struct region *r = data;
    region_keep_read(r);
    bool refused = mprotect((void *)r->read, r->size, PROT_READ | PROT_WRITE) == -1 && errno == EACCES;
    return r->write == NULL && refused && strcmp(r->read, "before") == 0 ? 0 : 1;
}

Test(region, who_has_given_up_writing_cannot_have_it_back)
{
    struct region r;
    cr_assert_eq(region_map(&r, "test", 4096), 0);
    cr_expect_str_eq((const char *)r.read, "", "zeros");
    strcpy(r.write, "before");
    cr_expect_eq(in_child(try_to_write_again, &r), 0);
    strcpy(r.write, "after");
    cr_expect_str_eq((const char *)r.read, "after");
    region_unmap(&r);
    cr_expect(r.write == NULL && r.read == NULL);
}

static int write_own(void *data)
{
    struct columns *c = data;
    columns_keep_write(c, 1);
    strcpy(c->each[1].write, "child");
    return c->each[0].write == NULL && c->each[2].write == NULL ? 0 : 1;
}

Test(region, each_writes_its_own_column_and_all_read_it)
{
    struct columns c;
    cr_assert_eq(columns_map(&c, "test", 3, 100), 0);
    cr_expect_eq(in_child(write_own, &c), 0);
    cr_expect_str_eq((const char *)c.each[1].read, "child");
    cr_expect_str_eq((const char *)c.each[0].read, "");
    strcpy(c.each[1].write, "");
    cr_expect_str_eq((const char *)c.each[1].read, "", "the first process may still clear it");
    columns_unmap(&c);
}

static int touch_behind_the_end(void *data)
{
    struct region *r = data;
    return ((const char *)r->read)[r->size - 1];
}

Test(region, its_last_octet_is_there)
{
    struct region r;
    cr_assert_eq(region_map(&r, "test", 10000), 0);
    cr_expect_eq(in_child(touch_behind_the_end, &r), 0);
    region_unmap(&r);
}
