/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/arena.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

enum { WORKERS = 2, CHILDREN = WORKERS + 1 };

TestSuite(arena, .fini = test_over);

/* The status of a child that does this, as waitpid() gives it. */
static int in_child(int (*run)(void *data), void *data)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* which a sanitizer and Criterion catch */
        _exit(run(data));
    }
    cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid);
    return status;
}

struct attempt {
    struct arena arena;
    const struct region *region;
    unsigned child;
};

static int regains_nothing(void *data)
{
    struct attempt *a = data;
    arena_keep(&a->arena, a->child);
    bool refused = mprotect((void *)a->region->read, a->region->size, PROT_READ | PROT_WRITE) == -1 && errno == EACCES;
    return a->region->write == NULL && refused && strcmp(a->region->read, "before") == 0 ? 0 : 1;
}

Test(arena, a_child_that_may_only_read_cannot_get_the_right_to_write)
{
    struct attempt a = {.child = 1};
    arena_init(&a.arena, WORKERS);
    a.region = arena_map(&a.arena, &(struct arena_options){.name = "test", .size = 4096, .writer = ARENA_MASTER});
    cr_assert_not_null(a.region);
    cr_expect_str_eq((const char *)a.region->read, "", "zeros");
    strcpy(a.region->write, "before");
    cr_expect_eq(in_child(regains_nothing, &a), 0);
    strcpy(a.region->write, "after");
    cr_expect_str_eq((const char *)a.region->read, "after");
    arena_fini(&a.arena);
}

static int writes_where_it_reads(void *data)
{
    struct attempt *a = data;
    void *address = (void *)a->region->read;
    arena_keep(&a->arena, a->child);
    *(volatile char *)address = 1;
    return 0;
}

Test(arena, a_write_without_the_right_ends_the_process)
{
    struct attempt a = {.child = 0};
    arena_init(&a.arena, WORKERS);
    a.region = arena_map(&a.arena, &(struct arena_options){.name = "test", .size = 100, .writer = ARENA_MONITOR});
    cr_assert_not_null(a.region);
    int status = in_child(writes_where_it_reads, &a);
    cr_expect(status != 0, "status %d", status);
    cr_expect_str_eq((const char *)a.region->read, "");
    arena_fini(&a.arena);
}

/* The rights that a child has afterwards: "w" or "r" or "-" for each region. */
static const char *rights_of(struct arena *arena, const struct region *regions, unsigned count, unsigned child)
{
    static char text[CHILDREN + 1];
    arena_keep(arena, child);
    for (unsigned i = 0; i < count; i++) {
        text[i] = regions[i].write != NULL ? 'w' : regions[i].read != NULL ? 'r' : '-';
    }
    text[count] = '\0';
    return text;
}

Test(arena, each_role_has_the_rights_that_were_registered)
{
    static const struct {
        const char *name;
        enum arena_writer writer;
        bool hidden;
        const char *want[CHILDREN];
    } rows[] = {
        {"the master's", ARENA_MASTER, false, {"r", "r", "r"}},   {"the monitor's", ARENA_MONITOR, false, {"r", "r", "w"}},
        {"the workers'", ARENA_WORKERS, false, {"w", "w", "r"}},  {"hidden", ARENA_WORKERS, true, {"w", "w", "-"}},
        {"columns", ARENA_EACH, false, {"wrr", "rwr", "rrw"}},    {"hidden columns", ARENA_EACH, true, {"wrr", "rwr", "---"}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (unsigned child = 0; child < CHILDREN; child++) {
            struct arena arena;
            arena_init(&arena, WORKERS);
            const struct region *regions = arena_map(&arena, &(struct arena_options){
                .name = "test", .size = 100, .writer = rows[i].writer, .not_for_monitor = rows[i].hidden});
            cr_assert_not_null(regions);
            cr_expect_str_eq(rights_of(&arena, regions, (unsigned)strlen(rows[i].want[child]), child), rows[i].want[child],
                             "%s, child %u", rows[i].name, child);
            arena_fini(&arena);
        }
    }
}

static void count_call(void *data, unsigned child)
{
    ((unsigned *)data)[child]++;
}

Test(arena, one_call_takes_back_what_a_dead_child_held_in_each_region)
{
    struct arena arena;
    unsigned first[CHILDREN] = {0}, second[CHILDREN] = {0};
    arena_init(&arena, WORKERS);
    cr_assert_not_null(arena_map(&arena, &(struct arena_options){.name = "a", .size = 1, .take_back = count_call, .data = first}));
    cr_assert_not_null(arena_map(&arena, &(struct arena_options){.name = "b", .size = 1}));
    cr_assert_not_null(arena_map(&arena, &(struct arena_options){
        .name = "c", .size = 1, .writer = ARENA_EACH, .take_back = count_call, .data = second}));
    arena_take_back(&arena, 1);
    cr_expect(first[0] == 0 && first[1] == 1 && first[2] == 0 && second[1] == 1 && second[2] == 0);
    arena_fini(&arena);
}

static int touch_the_last_octet(void *data)
{
    const struct region *r = data;
    return ((const char *)r->read)[r->size - 1];
}

Test(arena, the_last_octet_of_a_region_is_there)
{
    struct arena arena;
    arena_init(&arena, WORKERS);
    const struct region *r = arena_map(&arena, &(struct arena_options){.name = "test", .size = 10000});
    cr_assert_not_null(r);
    cr_expect_eq(in_child(touch_the_last_octet, (void *)r), 0);
    arena_fini(&arena);
}
