/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/client_table.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy/ban.h"
#include "policy/guess.h"
#include "policy/rate.h"
#include "support.h"

TestSuite(client_table, .fini = test_over);

#define SECOND UINT64_C(1000000)
#define START (1700000000 * SECOND)

static struct client_table_limits limits_of(uint32_t sessions, uint32_t size)
{
    return (struct client_table_limits){.ipv4_prefix = 32, .ipv6_prefix = 64, .sessions = sessions,
                                 .connection_rate = {1000000, 1000}, .login_failures = {3, 60000}, .login_faults = {5, 60000}, .user_failures = {1000000, 1000},
                                 .private_addresses = CLIENT_TABLE_CLIENT, .ban_time_ms = 10000, .ban_time_max_ms = 40000, .table_size = size};
}

static struct client_table *table_of(const struct client_table_limits *limits, unsigned workers)
{
    struct client_table *t = client_table_new(limits, test_arena(workers));
    cr_assert_not_null(t);
    client_table_set_worker(t, 0);
    return t;
}

static struct network_address address(const char *text)
{
    union address a;
    cr_assert_eq(address_parse(text, 0, &a), 0);
    return network_address_of(&a);
}

static struct network_address numbered(uint32_t number)
{
    union address a = {.in = {.sin_family = AF_INET, .sin_addr = {htonl(0x0a000000 + number)}}};
    return network_address_of(&a);
}

enum failure { FAILURE_COUNTED, FAILURE_KNOWN, FAILURE_BANNED, FAILURE_REFUSED };

/* A guess that is judged at once, and wrong. */
static enum failure fail(struct client_table *t, struct client_table_ref ref, const struct network_address *a,
                         const char *user, const char *password, uint64_t now, struct client_table_ban *ban)
{
    struct secret secret = {(uint8_t *)(uintptr_t)password, strlen(password)};
    struct guess g = {0};
    struct guess_news news;
    struct guesser guesser = {.ref = ref, .address = a, .user = user, .password = &secret};
    if (guess_charge(t, &guesser, now, &g, &news) != GUESS_ALLOWED) {
        *ban = news.bans[0];
        return news.ban_count == 1 ? FAILURE_BANNED : FAILURE_REFUSED;
    }
    bool charged = g.charges[GUESS_NETWORK].slot != 0 || ref.slot == 0;
    guess_settle(t, &g, GUESS_WRONG, now);
    return charged ? FAILURE_COUNTED : FAILURE_KNOWN;
}

/* Fails until a ban begins. */
static struct client_table_ban ban(struct client_table *t, const struct network_address *a, uint64_t now)
{
    static unsigned number;
    struct client_table_ban begun = {0};
    struct client_table_ref ref;
    char password[16];
    cr_assert_eq(client_table_enter(t, a, now, &ref), CLIENT_TABLE_ENTERED);
    for (int i = 0; i < 4; i++) {
        snprintf(password, sizeof password, "%u", number++);
        cr_assert_eq(fail(t, ref, a, "u", password, now, &begun),
                     i < 3 ? FAILURE_COUNTED : FAILURE_BANNED);
    }
    cr_expect(client_table_shuts_out(t, ref, a, now));
    client_table_leave(t, &ref);
    return begun;
}

Test(client_table, sessions_of_a_network_are_limited_and_given_back)
{
    struct client_table_limits limits = limits_of(2, 1024);
    struct client_table *t = table_of(&limits, 2);
    struct network_address a = address("2001:db8::1"), neighbour = address("2001:db8::ffff:2"), b = address("2001:db8:0:1::1");
    struct client_table_ref refs[4];
    cr_expect_eq(client_table_enter(t, &a, START, &refs[0]), CLIENT_TABLE_ENTERED);
    cr_expect_eq(client_table_enter(t, &neighbour, START, &refs[1]), CLIENT_TABLE_ENTERED);
    cr_expect_eq(client_table_enter(t, &a, START, &refs[2]), CLIENT_TABLE_SESSIONS);
    cr_expect_eq(refs[2].slot, 0, "nothing to give back");
    cr_expect_eq(client_table_enter(t, &b, START, &refs[3]), CLIENT_TABLE_ENTERED, "another network");
    cr_expect_eq(client_table_sessions(t, &a), 2);
    client_table_leave(t, &refs[0]);
    client_table_leave(t, &refs[0]);
    cr_expect_eq(client_table_sessions(t, &neighbour), 1, "giving back twice is giving back once");
    cr_expect_eq(client_table_enter(t, &a, START, &refs[0]), CLIENT_TABLE_ENTERED);
    client_table_free(t);
}

Test(client_table, ipv4_counts_by_its_own_prefix_mapped_or_not)
{
    struct client_table_limits limits = limits_of(1, 1024);
    limits.ipv4_prefix = 24;
    struct client_table *t = table_of(&limits, 1);
    struct client_table_ref ref;
    struct network_address a = address("192.0.2.1"), mapped = address("::ffff:192.0.2.200"), other = address("192.0.3.1");
    cr_expect_eq(client_table_enter(t, &a, START, &ref), CLIENT_TABLE_ENTERED);
    cr_expect_eq(client_table_enter(t, &mapped, START, &ref), CLIENT_TABLE_SESSIONS);
    cr_expect_eq(client_table_enter(t, &other, START, &ref), CLIENT_TABLE_ENTERED);
    client_table_free(t);
}

Test(client_table, a_rate_allows_so_many_at_once_and_then_evenly)
{
    struct option_rate rate = {4, 8000};
    static const struct {
        uint64_t at; /* milliseconds */
        bool allowed;
    } rows[] = {
        {0, true}, {0, true}, {0, true}, {0, true}, {0, false}, {1999, false}, {2000, true}, {2000, false}, {3999, false},
        {4000, true}, {4001, false}, {8000, true}, {8000, true}, {8000, false}, {60000, true}, {60000, true},
        {60000, true}, {60000, true}, {60000, false},
    };
    _Atomic uint64_t arrival = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(rate_take(&arrival, &rate, START + rows[i].at * 1000), rows[i].allowed, "row %zu", i);
    }
}

Test(client_table, what_another_process_counted_a_moment_later_is_not_forgotten)
{
    struct option_rate rate = {4, 8000};
    _Atomic uint64_t arrival = 0;
    for (int i = 0; i < 4; i++) {
        cr_assert(rate_take(&arrival, &rate, START + 500));
    }
    cr_expect_not(rate_take(&arrival, &rate, START), "its clock was looked at half a millisecond earlier");
}

Test(client_table, a_clock_that_was_set_back_ends_what_it_began)
{
    struct option_rate rate = {1, 8000};
    struct client_table_limits limits = limits_of(9, 1024);
    struct client_table *t = table_of(&limits, 1);
    struct network_address a = address("192.0.2.1");
    struct client_table_ref ref;
    _Atomic uint64_t arrival = 0;
    cr_assert(rate_take(&arrival, &rate, START + 86400 * SECOND));
    cr_expect(rate_take(&arrival, &rate, START));
    ban(t, &a, START + 86400 * SECOND);
    cr_expect_eq(client_table_enter(t, &a, START, &ref), CLIENT_TABLE_ENTERED);
    client_table_free(t);
}

Test(client_table, over_a_minute_four_processes_get_the_rate_to_one_percent)
{
    struct option_rate rate = {600, 60000};
    struct counts {
        _Atomic uint64_t arrival, clock;
        _Atomic unsigned allowed;
    } *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    atomic_store(&shared->clock, START);
    for (int i = 0; i < 600; i++) {
        cr_assert(rate_take(&shared->arrival, &rate, START));
    }
    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            uint64_t now;
            while ((now = atomic_fetch_add(&shared->clock, 50)) < START + 60 * SECOND) {
                atomic_fetch_add(&shared->allowed, rate_take(&shared->arrival, &rate, now));
            }
            _exit(0);
        }
    }
    while (wait(NULL) != -1) {
    }
    cr_expect(shared->allowed >= 594 && shared->allowed <= 606, "%u", shared->allowed);
    munmap(shared, sizeof *shared);
}

Test(client_table, refusals_move_nothing)
{
    struct client_table_limits limits = limits_of(9, 1024);
    limits.connection_rate = (struct option_rate){2, 10000};
    struct client_table *t = table_of(&limits, 1);
    struct network_address a = address("192.0.2.1");
    struct client_table_ref ref;
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(client_table_enter(t, &a, START, &ref), CLIENT_TABLE_ENTERED);
    }
    for (int i = 0; i < 100; i++) {
        cr_expect_eq(client_table_enter(t, &a, START, &ref), CLIENT_TABLE_RATE);
    }
    cr_expect_eq(client_table_enter(t, &a, START + 5 * SECOND, &ref), CLIENT_TABLE_ENTERED, "who knocks in vain is not kept out longer");
    cr_expect_eq(client_table_sessions(t, &a), 3);
    client_table_free(t);
}

Test(client_table, bans_double_in_a_row_and_begin_anew_after_a_while)
{
    static const struct {
        uint64_t after_end; /* seconds from the end of the ban before to the next one */
        unsigned level, seconds;
    } rows[] = {{0, 1, 10}, {1, 2, 20}, {40, 3, 40}, {39, 4, 40}, {41, 1, 10}, {0, 2, 20}};
    uint64_t word = 0, now = START;
    for (size_t i = 0; i < COUNT(rows); i++) {
        now += rows[i].after_end * SECOND;
        word = ban_next(word, 10000, 40000, now);
        cr_expect_eq(ban_level(word), rows[i].level, "row %zu: level %u", i, ban_level(word));
        cr_expect_eq(ban_until_us(word), now + rows[i].seconds * SECOND, "row %zu", i);
        cr_expect(ban_is_in_force(word, ban_until_us(word) - 1) && !ban_is_in_force(word, ban_until_us(word)));
        cr_expect(ban_is_pending(word) && !ban_is_pending(ban_mark_logged(word)));
        now = ban_until_us(word);
        word = ban_mark_logged(word);
    }
    for (unsigned i = 0; i < 100; i++) {
        word = ban_next(word, 10000, 40000, now);
    }
    cr_expect_eq(ban_level(word), BAN_LEVEL_MAX);
}

static void count_ban(void *data, const struct client_table_ban *b)
{
    char text[NETWORK_TEXT_SIZE];
    (void)network_text(&b->network, text);
    cr_expect_str_eq(text, "192.0.2.1");
    ++*(unsigned *)data;
}

Test(client_table, more_failures_than_allowed_are_a_ban_that_ends_once)
{
    struct client_table_limits limits = limits_of(9, 1024);
    struct client_table *t = table_of(&limits, 2);
    struct network_address a = address("192.0.2.1"), b = address("192.0.2.2");
    struct client_table_ref ref;
    unsigned over = 0, seen = 0;
    uint32_t epoch = client_table_ban_epoch(t);
    struct client_table_ban begun = ban(t, &a, START);
    cr_expect(begun.level == 1 && begun.until_us == START + 10 * SECOND);
    cr_expect_neq(client_table_ban_epoch(t), epoch, "others hear of it");
    cr_expect_eq(client_table_enter(t, &a, START + 9 * SECOND, &ref), CLIENT_TABLE_BANNED);
    cr_expect_eq(client_table_enter(t, &b, START, &ref), CLIENT_TABLE_ENTERED);
    cr_expect_eq(client_table_sweep(t, START + 9 * SECOND, count_ban, &over), 1);
    client_table_each_ban(t, START + 9 * SECOND, count_ban, &seen);
    cr_expect(over == 0 && seen == 1);
    cr_expect_eq(client_table_sweep(t, START + 10 * SECOND, count_ban, &over), 0);
    cr_expect_eq(client_table_sweep(t, START + 11 * SECOND, count_ban, &over), 0);
    cr_expect_eq(over, 1);
    cr_expect_eq(client_table_enter(t, &a, START + 10 * SECOND, &ref), CLIENT_TABLE_ENTERED);
    client_table_leave(t, &ref);
    cr_expect_eq(ban(t, &a, START + 10 * SECOND).level, 2);
    client_table_free(t);
}

Test(client_table, the_same_wrong_password_of_the_same_user_counts_once)
{
    struct client_table_limits limits = limits_of(9, 1024);
    struct client_table *t = table_of(&limits, 1);
    struct network_address a = address("192.0.2.1"), b = address("192.0.2.2");
    struct client_table_ref here, there;
    struct client_table_ban begun;
    cr_assert_eq(client_table_enter(t, &a, START, &here), CLIENT_TABLE_ENTERED);
    cr_assert_eq(client_table_enter(t, &b, START, &there), CLIENT_TABLE_ENTERED);
    cr_expect_eq(fail(t, here, &a, "anna", "old", START, &begun), FAILURE_COUNTED);
    for (int i = 0; i < 50; i++) {
        cr_expect_eq(fail(t, here, &a, "anna", "old", START, &begun), FAILURE_KNOWN);
    }
    cr_expect_eq(fail(t, here, &a, "bert", "old", START, &begun), FAILURE_COUNTED, "another user");
    cr_expect_eq(fail(t, there, &b, "anna", "old", START, &begun), FAILURE_COUNTED, "another network");
    cr_expect_eq(fail(t, here, &a, "annao", "ld", START, &begun), FAILURE_COUNTED, "where the name ends matters");
    cr_expect_eq(fail(t, here, &a, "anna", "new", START, &begun), FAILURE_BANNED);
    cr_expect_eq(fail(t, (struct client_table_ref){0}, &a, "x", "y", START, &begun), FAILURE_COUNTED, "nowhere is never banned");
    client_table_free(t);
}

Test(client_table, the_least_recent_goes_first_who_is_banned_last_and_who_has_sessions_never)
{
    struct client_table_limits limits = limits_of(9, 1024);
    limits.connection_rate = (struct option_rate){1, 60000};
    struct client_table *t = table_of(&limits, 1);
    struct client_table_ref ref, held[20];
    for (uint32_t i = 0; i < 20; i++) {
        struct network_address a = numbered(i), b = numbered(100 + i);
        cr_assert_eq(client_table_enter(t, &a, START, &held[i]), CLIENT_TABLE_ENTERED);
        ban(t, &b, START);
    }
    for (uint32_t i = 0; i < 100000; i++) {
        struct network_address a = numbered(1000 + i);
        cr_assert_eq(client_table_enter(t, &a, START + i, &ref), CLIENT_TABLE_ENTERED);
        client_table_leave(t, &ref);
    }
    cr_expect_leq(client_table_used(t), 1024);
    for (uint32_t i = 0; i < 20; i++) {
        struct network_address a = numbered(i), b = numbered(100 + i);
        cr_expect_eq(client_table_sessions(t, &a), 1);
        cr_expect_eq(client_table_enter(t, &b, START + 1, &ref), CLIENT_TABLE_BANNED);
        client_table_leave(t, &held[i]);
    }
    struct network_address last = numbered(1000 + 99999);
    cr_expect_eq(client_table_enter(t, &last, START, &ref), CLIENT_TABLE_RATE, "the latest is still known");
    client_table_free(t);
}

Test(client_table, with_sessions_everywhere_clients_come_in_but_share_their_guesses)
{
    struct client_table_limits limits = limits_of(1, 16);
    struct client_table *t = table_of(&limits, 1);
    struct client_table_ref ref, refs[3];
    struct client_table_ban begun;
    for (uint32_t i = 0; i < 16; i++) {
        struct network_address a = numbered(i);
        cr_assert_eq(client_table_enter(t, &a, START, &ref), CLIENT_TABLE_ENTERED);
        cr_assert(!client_table_is_shared(t, ref));
    }
    for (uint32_t i = 0; i < 3; i++) {
        struct network_address a = numbered(17 + i);
        cr_expect_eq(client_table_enter(t, &a, START, &refs[i]), CLIENT_TABLE_ENTERED);
        cr_expect(client_table_is_shared(t, refs[i]));
        char password[] = {(char)('0' + i), '\0'};
        cr_expect_eq(fail(t, refs[i], &a, "anna", password, START, &begun), FAILURE_COUNTED);
    }
    struct network_address more = numbered(20);
    cr_expect_eq(client_table_enter(t, &more, START, &ref), CLIENT_TABLE_ENTERED);
    cr_expect_eq(fail(t, ref, &more, "anna", "more", START, &begun), FAILURE_REFUSED, "three were judged");
    cr_expect_not(client_table_shuts_out(t, ref, &more, START), "but nobody is banned for others");
    cr_expect_eq(fail(t, ref, &more, "anna", "more", START + 20 * SECOND, &begun), FAILURE_COUNTED);
    cr_expect(client_table_claim_full_log(t, START) && !client_table_claim_full_log(t, START + 59 * SECOND) &&
              client_table_claim_full_log(t, START + 60 * SECOND));
    client_table_leave(t, &ref);
    for (uint32_t i = 0; i < 3; i++) {
        client_table_leave(t, &refs[i]);
    }
    client_table_free(t);
}

Test(client_table, an_offence_counts_while_a_guess_is_in_flight)
{
    struct client_table_limits limits = limits_of(10, 1024);
    struct client_table *t = table_of(&limits, 1);
    struct network_address a = address("192.0.2.1");
    struct client_table_ref ref;
    struct client_table_ban begun;
    struct secret secret = {(uint8_t *)(uintptr_t) "x", 1};
    struct guess g = {0};
    struct guess_news news;
    cr_assert_eq(client_table_enter(t, &a, START, &ref), CLIENT_TABLE_ENTERED);
    struct guesser guesser = {.ref = ref, .address = &a, .user = "u", .password = &secret};
    cr_assert_eq(guess_charge(t, &guesser, START, &g, &news), GUESS_ALLOWED);
    for (unsigned i = 0; i < 10; i++) {
        cr_expect_not(client_table_charge(t, ref, &a, START, &begun), "the guess may be right");
    }
    guess_settle(t, &g, GUESS_UNSENT, START);
    cr_expect_not(client_table_charge(t, ref, &a, START, &begun), "it was, so there is room for one more");
    cr_expect(client_table_charge(t, ref, &a, START, &begun));
    client_table_free(t);
}

Test(client_table, a_banned_site_is_shut_out_where_the_table_has_no_place_for_its_networks)
{
    struct client_table_limits limits = limits_of(10, 16);
    limits.ipv6_site_prefix = 48;
    limits.site_failures = limits.site_faults = (struct option_rate){1, 60000};
    struct client_table *t = table_of(&limits, 1);
    struct client_table_ban site = {.until_us = START + 9 * SECOND, .level = 1};
    struct client_table_ref ref;
    cr_assert_eq(network_parse("2001:db8:1::/48", 15, &site.network), 0);
    cr_assert_eq(client_table_restore_ban(t, &site, START), 0, "the ban of a site is one that a file may have");
    for (uint32_t i = 0; i < 15; i++) {
        struct network_address a = numbered(i);
        cr_assert_eq(client_table_enter(t, &a, START, &ref), CLIENT_TABLE_ENTERED);
    }
    struct network_address a = address("2001:db8:1:7::1");
    cr_expect_eq(client_table_enter(t, &a, START, &ref), CLIENT_TABLE_BANNED);
    cr_expect(ref.slot == 0 && ref.site == 0);
    client_table_free(t);
}

Test(client_table, a_ban_that_follows_on_one_whose_end_nobody_has_seen_tells_so)
{
    struct client_table_limits limits = limits_of(10, 1024);
    struct client_table *t = table_of(&limits, 1);
    struct network_address a = address("192.0.2.1");
    cr_expect_not(ban(t, &a, START).follows);
    cr_expect(ban(t, &a, START + 11 * SECOND).follows);
    client_table_free(t);
}

Test(client_table, a_ban_can_be_put_back_if_it_fits)
{
    struct client_table_limits limits = limits_of(9, 1024);
    struct client_table *t = table_of(&limits, 1);
    static const struct {
        const char *network;
        uint64_t until;
        int result;
    } rows[] = {
        {"192.0.2.1", START + 5 * SECOND, 0}, {"192.0.2.2", START, -1}, {"192.0.2.0/24", START + 5 * SECOND, -1},
        {"2001:db8::/64", START + 5 * SECOND, 0}, {"2001:db8::1", START + 5 * SECOND, -1},
        {"192.0.2.3", START + 86400 * SECOND, -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct client_table_ban b = {.until_us = rows[i].until, .level = 3};
        cr_assert_eq(network_parse(rows[i].network, strlen(rows[i].network), &b.network), 0);
        cr_expect_eq(client_table_restore_ban(t, &b, START), rows[i].result, "%s", rows[i].network);
    }
    struct network_address a = address("192.0.2.1");
    struct client_table_ref ref;
    cr_expect_eq(client_table_enter(t, &a, START + 4 * SECOND, &ref), CLIENT_TABLE_BANNED);
    cr_expect_eq(ban(t, &a, START + 6 * SECOND).level, 4, "the row goes on");
    client_table_free(t);
}

/* --- several processes ------------------------------------------------------------------------------------- */

enum { WORKERS = 4, LIMIT = 10 };

struct crowd {
    struct client_table *table;
    _Atomic int inside;       /* sessions of all; never more than there are ... */
    struct arena *arena;
    _Atomic int own[WORKERS]; /* ... and of each worker; never less than it has counted in `inside` */
    _Atomic int most;
    _Atomic unsigned entered;
    _Atomic bool stop;
};

static struct crowd *crowd_new(const struct client_table_limits *limits)
{
    struct crowd *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(a, MAP_FAILED);
    a->arena = test_arena(WORKERS);
    a->table = client_table_new(limits, a->arena);
    cr_assert_not_null(a->table);
    return a;
}

static pid_t run(struct crowd *a, unsigned worker, void (*work)(struct crowd *a, unsigned worker))
{
    pid_t pid = fork();
    if (pid == 0) {
        client_table_set_worker(a->table, worker);
        work(a, worker);
        _exit(0);
    }
    return pid;
}

static void hammer(struct crowd *a, unsigned worker)
{
    struct network_address n = numbered(7);
    struct client_table_ref refs[LIMIT];
    while (!atomic_load(&a->stop)) {
        int count = 0;
        for (int i = 0; i < 4; i++) {
            if (client_table_enter(a->table, &n, START, &refs[count]) != CLIENT_TABLE_ENTERED) {
                continue;
            }
            count++;
            atomic_fetch_add(&a->own[worker], 1);
            int inside = atomic_fetch_add(&a->inside, 1) + 1;
            for (int most = atomic_load(&a->most);
                 inside > most && !atomic_compare_exchange_weak(&a->most, &most, inside);) {
            }
            atomic_fetch_add(&a->entered, 1);
        }
        while (count > 0) {
            atomic_fetch_sub(&a->inside, 1);
            atomic_fetch_sub(&a->own[worker], 1);
            client_table_leave(a->table, &refs[--count]);
        }
    }
}

Test(client_table, four_workers_never_let_more_in_and_a_killed_one_leaves_nothing)
{
    struct client_table_limits limits = limits_of(LIMIT, 1024);
    for (int round = 0; round < 3; round++) {
        struct crowd *a = crowd_new(&limits);
        struct network_address n = numbered(7);
        pid_t pids[WORKERS];
        for (unsigned i = 0; i < WORKERS; i++) {
            pids[i] = run(a, i, hammer);
        }
        while (atomic_load(&a->entered) < 2000) {
            usleep(100);
        }
        usleep((useconds_t)(rand() % 2000));
        kill(pids[0], SIGKILL);
        waitpid(pids[0], NULL, 0);
        atomic_fetch_sub(&a->inside, atomic_load(&a->own[0]));
        arena_take_back(a->arena, 0);
        unsigned before = atomic_load(&a->entered);
        while (atomic_load(&a->entered) < before + 1000) {
            usleep(100);
        }
        atomic_store(&a->stop, true);
        for (unsigned i = 1; i < WORKERS; i++) {
            waitpid(pids[i], NULL, 0);
        }
        cr_expect(a->most <= LIMIT && a->most > 1, "%d at one time", a->most);
        cr_expect_eq(client_table_sessions(a->table, &n), 0, "round %d", round);
        client_table_free(a->table);
        munmap(a, sizeof *a);
    }
}

static void scatter(struct crowd *a, unsigned worker)
{
    unsigned seed = worker;
    for (int i = 0; i < 60000; i++) {
        struct network_address n = numbered((uint32_t)rand_r(&seed) % 300);
        struct client_table_ref ref;
        if (client_table_enter(a->table, &n, START + (uint64_t)i * 1000, &ref) == CLIENT_TABLE_ENTERED) {
            client_table_leave(a->table, &ref);
        }
    }
}

Test(client_table, networks_that_push_each_other_out_leave_nothing_behind)
{
    struct client_table_limits limits = limits_of(1000, 64);
    struct crowd *a = crowd_new(&limits);
    for (unsigned i = 0; i < WORKERS; i++) {
        run(a, i, scatter);
    }
    while (wait(NULL) != -1) {
    }
    for (uint32_t i = 0; i < 300; i++) {
        struct network_address n = numbered(i);
        cr_assert_eq(client_table_sessions(a->table, &n), 0);
    }
    cr_expect_leq(client_table_used(a->table), 64);
    client_table_free(a->table);
    munmap(a, sizeof *a);
}

static void guess(struct crowd *a, unsigned worker)
{
    struct network_address n = numbered(7);
    struct client_table_ban begun;
    struct client_table_ref ref;
    char password[32];
    for (int i = 0; i < 2000; i++) {
        if (client_table_enter(a->table, &n, START, &ref) != CLIENT_TABLE_ENTERED) {
            continue;
        }
        snprintf(password, sizeof password, "%u.%d", worker, i);
        if (fail(a->table, ref, &n, "u", password, START, &begun) == FAILURE_BANNED) {
            atomic_fetch_add(&a->entered, 1);
        }
        client_table_leave(a->table, &ref);
    }
}

Test(client_table, of_workers_that_see_the_same_guesser_one_begins_the_ban)
{
    struct client_table_limits limits = limits_of(1000, 1024);
    struct crowd *a = crowd_new(&limits);
    for (unsigned i = 0; i < WORKERS; i++) {
        run(a, i, guess);
    }
    while (wait(NULL) != -1) {
    }
    cr_expect_eq(a->entered, 1);
    client_table_free(a->table);
    munmap(a, sizeof *a);
}
