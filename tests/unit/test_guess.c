/* SPDX-License-Identifier: BSD-2-Clause */
/* What guesses cost. Each row is one call; the limits are 3 guesses and 4 faults a minute. */
#include "policy/guess.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

TestSuite(guess, .fini = test_over);

#define SECOND UINT64_C(1000000)
#define START (1700000000 * SECOND)

static const struct client_table_limits limits = {
    .ipv4_prefix = 32, .ipv6_prefix = 64, .sessions = 1000, .connection_rate = {1000000, 1000}, .login_failures = {3, 60000},
    .login_faults = {4, 60000}, .private_addresses = CLIENT_TABLE_CLIENT, .ban_time_ms = 10000, .ban_time_max_ms = 40000, .table_size = 1024};

enum { IN_FLIGHT_MAX = 8 };

struct rig {
    struct arena *arena;
    struct client_table *table;
    struct network_address address;
    struct client_table_ref ref;
    struct guess guesses[IN_FLIGHT_MAX];
    struct client_table_ban ban;
};

static struct network_address address(const char *text)
{
    union address a;
    cr_assert_eq(address_parse(text, 0, &a), 0);
    return network_address_of(&a);
}

static void rig_init(struct rig *r, unsigned workers)
{
    *r = (struct rig){.arena = test_arena(workers), .address = address("192.0.2.1")};
    r->table = client_table_new(&limits, r->arena);
    cr_assert_not_null(r->table);
    client_table_set_worker(r->table, 0);
    cr_assert_eq(client_table_enter(r->table, &r->address, START, &r->ref), CLIENT_TABLE_ENTERED);
}

static enum guess_permission charge(struct rig *r, unsigned number, const char *user, const char *password, uint64_t now,
                                    bool *begun)
{
    struct secret secret = {(uint8_t *)(uintptr_t)password, password != NULL ? strlen(password) : 0};
    return guess_charge(r->table, r->ref, &r->address, user, password != NULL ? &secret : NULL, now,
                        &r->guesses[number], &r->ban, begun);
}

/* "?" charges guess `number`; otherwise it is settled. */
struct row {
    char what; /* '?', or the verdict: R(ight), W(rong), U(nknown), N(ot sent) */
    unsigned number;
    const char *user, *password; /* NULL: a mechanism that hides it */
    enum guess_permission permission;
    char ban; /* begins: N(etwork), U(ser), 0 none */
    unsigned at; /* seconds */
};

static void play(const char *name, const struct row *rows, size_t count)
{
    struct rig r;
    rig_init(&r, 1);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        uint64_t now = START + row->at * SECOND;
        bool begun;
        if (row->what == '?') {
            enum guess_permission p = charge(&r, row->number, row->user, row->password, now, &begun);
            cr_expect_eq(p, row->permission, "%s, row %zu: %d", name, i, (int)p);
        } else {
            enum guess_verdict v = row->what == 'R' ? GUESS_RIGHT : row->what == 'W' ? GUESS_WRONG
                                 : row->what == 'U' ? GUESS_UNKNOWN : GUESS_UNSENT;
            guess_settle(r.table, &r.guesses[row->number], v, now);
            begun = false;
        }
        cr_expect_eq(begun, row->ban != 0, "%s, row %zu: ban", name, i);
        cr_expect(!begun || r.ban.user == (row->ban == 'U'), "%s, row %zu: whose ban", name, i);
    }
    client_table_free(r.table);
}

#define ASK(n, user, password) {'?', n, user, password, GUESS_ALLOWED, 0, 0}
#define WAITS(n, user, password) {'?', n, user, password, GUESS_WAITS, 0, 0}
#define END(verdict, n) {verdict, n, NULL, NULL, GUESS_ALLOWED, 0, 0}
#define WRONG(user, password) ASK(0, user, password), END('W', 0)
#define PLAY(...) \
    do { \
        static const struct row rows[] = {__VA_ARGS__}; \
        play(__func__, rows, COUNT(rows)); \
    } while (0)

Test(guess, as_many_are_judged_as_the_limit_says_and_the_next_begins_a_ban)
{
    PLAY(WRONG("a", "1"), WRONG("b", "2"), WRONG("c", "3"), {'?', 0, "d", "4", GUESS_NETWORK_BANNED, 'N', 0},
         {'?', 0, "d", "4", GUESS_NETWORK_BANNED, 0, 9}, {'?', 0, "d", "4", GUESS_ALLOWED, 0, 10});
}

Test(guess, those_in_flight_count_and_others_wait_for_their_verdict)
{
    PLAY(ASK(0, "a", "1"), ASK(1, "a", "2"), ASK(2, "a", "3"), WAITS(3, "a", "4"), WAITS(3, "b", "4"), END('R', 1),
         ASK(1, "b", "4"), WAITS(3, "c", "5"), END('W', 0), END('W', 1), WAITS(3, "c", "5"), END('W', 2),
         {'?', 3, "c", "5", GUESS_NETWORK_BANNED, 'N', 0});
}

Test(guess, only_a_right_one_and_one_that_was_not_sent_are_free)
{
    PLAY(ASK(0, "a", "1"), END('R', 0), ASK(0, "b", "1"), END('R', 0), ASK(0, "c", "1"), END('N', 0), ASK(0, "d", "1"),
         END('N', 0), WRONG("e", "1"), WRONG("e", "2"), WRONG("e", "3"), {'?', 0, "e", "4", GUESS_NETWORK_BANNED, 'N', 0});
}

Test(guess, without_a_verdict_it_is_charged_more_loosely)
{
    PLAY(ASK(0, "a", "1"), END('U', 0), ASK(0, "a", "2"), END('U', 0), ASK(0, "a", "3"), END('U', 0), ASK(0, "a", "4"),
         WAITS(1, "a", "5"), END('U', 0), {'?', 0, "a", "5", GUESS_NETWORK_BANNED, 'N', 1},
         {'?', 0, "a", "6", GUESS_NETWORK_BANNED, 0, 2});
}

Test(guess, the_same_wrong_password_counts_once_where_it_is_in_hand)
{
    PLAY(WRONG("a", "1"), WRONG("a", "1"), WRONG("a", "1"), WRONG("a", "1"), ASK(0, "a", "1"), ASK(1, "a", "1"),
         ASK(2, "a", "1"), ASK(3, "a", "1"), END('W', 0), END('W', 1), END('W', 2), END('W', 3), WRONG("b", "1"),
         WRONG("c", "1"), {'?', 0, "d", "1", GUESS_NETWORK_BANNED, 'N', 0});
}

Test(guess, a_user_who_has_logged_in_there_neither_waits_nor_shuts_others_out)
{
    PLAY(ASK(0, "a", "1"), END('R', 0), ASK(0, "x", "1"), ASK(1, "x", "2"), ASK(2, "x", "3"), WAITS(3, "y", "1"),
         ASK(3, "a", "1"), END('W', 3), ASK(3, "a", "2"), END('W', 3), ASK(3, "a", "3"), END('W', 3),
         {'?', 3, "a", "4", GUESS_USER_BANNED, 'U', 0}, {'?', 3, "a", "1", GUESS_USER_BANNED, 0, 0}, END('N', 0),
         ASK(3, "y", "1"));
}

Test(guess, a_hidden_password_counts_each_time_and_bans_the_user)
{
    PLAY(WRONG("phone", NULL), WRONG("phone", NULL), WRONG("phone", NULL), {'?', 0, "phone", NULL, GUESS_USER_BANNED, 'U', 0},
         WRONG("other", "1"), {'?', 0, "phone", "1", GUESS_USER_BANNED, 0, 0});
}

Test(guess, users_who_fail_with_a_hidden_password_ban_the_network)
{
    PLAY(WRONG("a", NULL), WRONG("b", NULL), WRONG("c", NULL), {'?', 0, "d", NULL, GUESS_NETWORK_BANNED, 'N', 0});
}

Test(guess, those_with_a_hidden_password_count_for_the_network_while_they_are_in_flight)
{
    PLAY(ASK(0, "a", NULL), ASK(1, "b", NULL), ASK(2, "c", NULL), WAITS(3, "d", NULL), WAITS(3, "e", "1"), END('N', 0),
         ASK(0, "e", "1"), END('U', 1), END('U', 2), END('W', 0), ASK(1, "b", NULL), ASK(2, "c", NULL), END('U', 1),
         WAITS(1, "f", NULL), END('U', 2), {'?', 1, "f", NULL, GUESS_NETWORK_BANNED, 'N', 0});
}

/* --- several processes ------------------------------------------------------------------------------------- */

enum { WORKERS = 4 };

struct counts {
    _Atomic unsigned judged, bans;
};

/* Guesses in parallel, each wrong, until the ban. */
static void guess_wildly(struct rig *r, unsigned worker, struct counts *counts)
{
    bool banned = false, begun;
    client_table_set_worker(r->table, worker);
    for (unsigned i = 0; !banned && i < 100000; i++) {
        char password[32];
        snprintf(password, sizeof password, "%u.%u", worker, i);
        switch (charge(r, 0, "joe", password, START, &begun)) {
        case GUESS_ALLOWED:
            atomic_fetch_add(&counts->judged, 1);
            guess_settle(r->table, &r->guesses[0], GUESS_WRONG, START);
            break;
        case GUESS_WAITS:
            break;
        default:
            banned = true;
            atomic_fetch_add(&counts->bans, begun);
        }
    }
}

Test(guess, of_four_workers_the_limit_is_that_of_one)
{
    struct counts *counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (unsigned round = 0; round < 20; round++) {
        struct rig r;
        rig_init(&r, WORKERS);
        *counts = (struct counts){0};
        for (unsigned worker = 0; worker < WORKERS; worker++) {
            if (fork() == 0) {
                guess_wildly(&r, worker, counts);
                _exit(0);
            }
        }
        while (wait(NULL) != -1) {
        }
        cr_expect_eq(counts->judged, 3, "round %u: %u", round, counts->judged);
        cr_expect_eq(counts->bans, 1, "round %u: %u bans", round, counts->bans);
        client_table_free(r.table);
    }
    munmap(counts, sizeof *counts);
}

Test(guess, what_a_killed_worker_had_in_flight_comes_back)
{
    struct rig r;
    bool begun;
    rig_init(&r, 2);
    client_table_set_worker(r.table, 1);
    cr_assert_eq(charge(&r, 0, "a", "1", START, &begun), GUESS_ALLOWED);
    cr_assert_eq(charge(&r, 1, "a", "2", START, &begun), GUESS_ALLOWED);
    client_table_set_worker(r.table, 0);
    cr_assert_eq(charge(&r, 2, "b", "1", START, &begun), GUESS_ALLOWED);
    cr_assert_eq(charge(&r, 3, "b", "2", START, &begun), GUESS_WAITS);
    arena_take_back(r.arena, 1);
    /* Of three failures there is room for two again; of four faults, those two stay charged. */
    cr_expect_eq(charge(&r, 3, "b", "2", START, &begun), GUESS_ALLOWED);
    cr_expect_eq(charge(&r, 4, "b", "3", START, &begun), GUESS_WAITS);
    client_table_free(r.table);
}
