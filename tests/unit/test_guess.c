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
    .login_faults = {4, 60000}, .ipv6_site_prefix = 48, .site_failures = {5, 60000}, .site_faults = {6, 60000},
    .user_failures = {7, 3600000}, .private_addresses = CLIENT_TABLE_CLIENT, .ban_time_ms = 10000, .ban_time_max_ms = 40000, .table_size = 1024};

enum { IN_FLIGHT_MAX = 8 };

struct rig {
    struct arena *arena;
    struct client_table *table;
    struct network_address address;
    struct client_table_ref ref;
    struct guess guesses[IN_FLIGHT_MAX];
    struct guess_news news;
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

static enum guess_permission charge_by(struct rig *r, unsigned number, const char *user, const char *password,
                                       uint64_t now, bool patient)
{
    struct secret secret = {(uint8_t *)(uintptr_t)password, password != NULL ? strlen(password) : 0};
    struct guesser guesser = {.ref = r->ref, .address = &r->address, .user = user,
                              .password = password != NULL ? &secret : NULL, .patient = patient};
    return guess_charge(r->table, &guesser, now, &r->guesses[number], &r->news);
}

static enum guess_permission charge(struct rig *r, unsigned number, const char *user, const char *password, uint64_t now)
{
    return charge_by(r, number, user, password, now, false);
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
        bool begun = false;
        if (row->what == '?') {
            enum guess_permission p = charge(&r, row->number, row->user, row->password, now);
            begun = r.news.ban_count == 1;
            cr_expect_eq(p, row->permission, "%s, row %zu: %d", name, i, (int)p);
        } else {
            enum guess_verdict v = row->what == 'R' ? GUESS_RIGHT : row->what == 'W' ? GUESS_WRONG
                                 : row->what == 'U' ? GUESS_UNKNOWN : GUESS_UNSENT;
            guess_settle(r.table, &r.guesses[row->number], v, now);
        }
        cr_expect_eq(begun, row->ban != 0, "%s, row %zu: ban", name, i);
        cr_expect(!begun || (r.news.bans[0].user != 0) == (row->ban == 'U'), "%s, row %zu: whose ban", name, i);
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
    bool banned = false;
    client_table_set_worker(r->table, worker);
    for (unsigned i = 0; !banned && i < 100000; i++) {
        char password[32];
        snprintf(password, sizeof password, "%u.%u", worker, i);
        switch (charge(r, 0, "joe", password, START)) {
        case GUESS_ALLOWED:
            atomic_fetch_add(&counts->judged, 1);
            guess_settle(r->table, &r->guesses[0], GUESS_WRONG, START);
            break;
        case GUESS_WAITS:
            break;
        default:
            banned = true;
            atomic_fetch_add(&counts->bans, r->news.ban_count == 1);
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
    rig_init(&r, 2);
    client_table_set_worker(r.table, 1);
    cr_assert_eq(charge(&r, 0, "a", "1", START), GUESS_ALLOWED);
    cr_assert_eq(charge(&r, 1, "a", "2", START), GUESS_ALLOWED);
    client_table_set_worker(r.table, 0);
    cr_assert_eq(charge(&r, 2, "b", "1", START), GUESS_ALLOWED);
    cr_assert_eq(charge(&r, 3, "b", "2", START), GUESS_WAITS);
    arena_take_back(r.arena, 1);
    /* Of three failures there is room for two again; of four faults, those two stay charged. */
    cr_expect_eq(charge(&r, 3, "b", "2", START), GUESS_ALLOWED);
    cr_expect_eq(charge(&r, 4, "b", "3", START), GUESS_WAITS);
    client_table_free(r.table);
}

/* --- known logins, sites, and users from everywhere ---------------------------------------------------------- */

/* Moves the client to another address. */
static void move(struct rig *r, const char *to, uint64_t now)
{
    client_table_leave(r->table, &r->ref);
    r->address = address(to);
    cr_assert_eq(client_table_enter(r->table, &r->address, now, &r->ref), CLIENT_TABLE_ENTERED, "%s", to);
}

static enum guess_permission try(struct rig *r, const char *user, const char *password, enum guess_verdict verdict,
                                 uint64_t now)
{
    enum guess_permission p = charge(r, 0, user, password, now);
    guess_settle(r->table, &r->guesses[0], verdict, now);
    return p;
}

Test(guess, a_ban_of_the_network_spares_who_has_logged_in_there)
{
    struct rig r;
    struct client_table_ref ref;
    rig_init(&r, 1);
    cr_assert_eq(try(&r, "anna", "right", GUESS_RIGHT, START), GUESS_ALLOWED);
    for (const char *p = "123"; *p != '\0'; p++) {
        cr_assert_eq(try(&r, "x", p, GUESS_WRONG, START), GUESS_ALLOWED);
    }
    cr_assert_eq(try(&r, "x", "4", GUESS_WRONG, START), GUESS_NETWORK_BANNED);
    cr_expect_not(client_table_shuts_out(r.table, r.ref, &r.address, START));
    cr_expect_eq(client_table_enter(r.table, &r.address, START, &ref), CLIENT_TABLE_ENTERED, "and comes in again");
    cr_expect_eq(try(&r, "x", "5", GUESS_WRONG, START), GUESS_NETWORK_BANNED, "others are banned");
    cr_expect_eq(try(&r, NULL, NULL, GUESS_UNSENT, START), GUESS_ALLOWED, "a user who is not known yet may be known");
    cr_expect_eq(try(&r, "b", NULL, GUESS_WRONG, START), GUESS_NETWORK_BANNED);
    for (const char *p = "678"; *p != '\0'; p++) {
        cr_expect_eq(try(&r, "anna", p, GUESS_WRONG, START), GUESS_ALLOWED);
    }
    cr_expect_eq(try(&r, "anna", "9", GUESS_WRONG, START), GUESS_USER_BANNED, "who is limited as well");
    cr_expect_neq(r.news.bans[0].user, 0);
    client_table_free(r.table);
}

Test(guess, a_known_user_of_a_hidden_password_is_spared_though_the_challenge_comes_first)
{
    struct rig r;
    rig_init(&r, 1);
    cr_assert_eq(try(&r, "anna", NULL, GUESS_RIGHT, START), GUESS_ALLOWED);
    for (const char *p = "123"; *p != '\0'; p++) {
        cr_assert_eq(try(&r, "x", p, GUESS_WRONG, START), GUESS_ALLOWED);
    }
    for (unsigned banned = 0; banned < 2; banned++) {
        for (unsigned i = 0; i < 20; i++) {
            cr_expect_eq(try(&r, NULL, NULL, GUESS_UNKNOWN, START), GUESS_ALLOWED, "a challenge that was cancelled");
        }
        cr_expect_eq(charge(&r, 0, NULL, NULL, START), GUESS_ALLOWED);
        cr_expect_eq(charge(&r, 0, "anna", NULL, START), GUESS_ALLOWED, "on the same place");
        guess_settle(r.table, &r.guesses[0], GUESS_RIGHT, START);
        cr_expect_eq(try(&r, "x", "4", GUESS_WRONG, START), GUESS_NETWORK_BANNED);
    }
    client_table_free(r.table);
}

Test(guess, as_many_wait_for_a_challenge_as_may_guess_and_keep_their_place_for_the_guess)
{
    struct rig r;
    rig_init(&r, 1);
    for (unsigned i = 0; i < 3; i++) {
        cr_expect_eq(charge(&r, i, NULL, NULL, START), GUESS_ALLOWED);
    }
    cr_expect_eq(charge(&r, 3, NULL, NULL, START), GUESS_WAITS);
    cr_expect_neq(r.guesses[3].waits, 0);
    cr_expect_eq(charge(&r, 0, "a", NULL, START), GUESS_ALLOWED);
    cr_expect_eq(charge(&r, 3, NULL, NULL, START), GUESS_WAITS, "it has its place until it is judged");
    guess_settle(r.table, &r.guesses[0], GUESS_WRONG, START);
    cr_expect_eq(charge(&r, 3, NULL, NULL, START), GUESS_ALLOWED);
    for (unsigned i = 1; i < 4; i++) {
        guess_settle(r.table, &r.guesses[i], GUESS_UNSENT, START);
    }
    cr_expect_eq(client_table_used(r.table), 4, "network, challenges, user there, user: %zu", client_table_used(r.table));
    client_table_free(r.table);
}

Test(guess, who_is_delayed_keeps_the_place)
{
    struct rig r;
    rig_init(&r, 1);
    for (unsigned i = 0; i < 7; i++) {
        char to[32];
        snprintf(to, sizeof to, "198.51.100.%u", i);
        move(&r, to, START);
        cr_assert_eq(try(&r, "anna", "wrong", GUESS_WRONG, START), GUESS_ALLOWED);
    }
    move(&r, "192.0.2.1", START);
    for (unsigned i = 0; i < 3; i++) {
        cr_expect_eq(charge(&r, i, NULL, NULL, START), GUESS_ALLOWED);
        cr_expect_eq(charge(&r, i, "anna", NULL, START), GUESS_DELAYED);
    }
    cr_expect_eq(charge(&r, 3, NULL, NULL, START), GUESS_WAITS);
    client_table_free(r.table);
}

Test(guess, one_that_begins_two_bans_tells_both)
{
    struct rig r;
    rig_init(&r, 1);
    r.address = address("2001:db8:1:1::1");
    cr_assert_eq(client_table_enter(r.table, &r.address, START, &r.ref), CLIENT_TABLE_ENTERED);
    for (const char *p = "123"; *p != '\0'; p++) {
        cr_assert_eq(try(&r, "x", p, GUESS_WRONG, START), GUESS_ALLOWED);
    }
    cr_assert_eq(try(&r, "x", "4", GUESS_WRONG, START), GUESS_NETWORK_BANNED);
    cr_expect(r.news.ban_count == 1 && r.news.bans[0].network.prefix == 64);
    move(&r, "2001:db8:1:2::1", START);
    for (const char *p = "56"; *p != '\0'; p++) {
        cr_assert_eq(try(&r, "x", p, GUESS_WRONG, START), GUESS_ALLOWED);
    }
    cr_assert_eq(try(&r, "x", "7", GUESS_WRONG, START), GUESS_NETWORK_BANNED);
    cr_expect(r.news.ban_count == 1 && r.news.bans[0].network.prefix == 48, "the site");
    client_table_free(r.table);
}

Test(guess, a_ban_of_the_site_spares_who_has_logged_in_from_the_network)
{
    struct rig r;
    struct client_table_ref ref;
    rig_init(&r, 1);
    move(&r, "2001:db8:1:9::1", START);
    cr_assert_eq(try(&r, "anna", "right", GUESS_RIGHT, START), GUESS_ALLOWED);
    for (unsigned i = 0; i < 6; i++) {
        char to[32], password[] = {(char)('0' + i), '\0'};
        snprintf(to, sizeof to, "2001:db8:1:%u::1", i);
        move(&r, to, START);
        cr_expect_eq(try(&r, "x", password, GUESS_WRONG, START), i < 5 ? GUESS_ALLOWED : GUESS_NETWORK_BANNED);
    }
    struct network_address there = address("2001:db8:1:a::1"), home = address("2001:db8:1:9::1");
    cr_expect_eq(client_table_enter(r.table, &there, START, &ref), CLIENT_TABLE_BANNED);
    cr_assert_eq(client_table_enter(r.table, &home, START, &r.ref), CLIENT_TABLE_ENTERED);
    r.address = home;
    cr_expect_eq(try(&r, "anna", "right", GUESS_RIGHT, START), GUESS_ALLOWED);
    cr_expect_eq(try(&r, "bert", "right", GUESS_RIGHT, START), GUESS_NETWORK_BANNED);
    client_table_free(r.table);
}

Test(guess, the_networks_of_a_site_have_one_limit_together)
{
    struct rig r;
    struct client_table_ref ref;
    rig_init(&r, 1);
    for (unsigned i = 0; i < 5; i++) {
        char to[32], password[] = {(char)('0' + i), '\0'};
        snprintf(to, sizeof to, "2001:db8:1:%u::1", i);
        move(&r, to, START);
        cr_expect_eq(try(&r, "x", password, GUESS_WRONG, START), GUESS_ALLOWED, "%s", to);
    }
    move(&r, "2001:db8:1:5::1", START);
    cr_expect_eq(try(&r, "anna", "right", GUESS_RIGHT, START), GUESS_NETWORK_BANNED);
    cr_expect(r.news.ban_count == 1 && r.news.bans[0].network.prefix == 48);
    struct network_address there = address("2001:db8:1:ffff::1"), elsewhere = address("2001:db8:2::1");
    cr_expect_eq(client_table_enter(r.table, &there, START, &ref), CLIENT_TABLE_BANNED);
    cr_expect_eq(client_table_enter(r.table, &elsewhere, START, &ref), CLIENT_TABLE_ENTERED);
    cr_expect_eq(client_table_enter(r.table, &there, START + 10 * SECOND, &ref), CLIENT_TABLE_ENTERED, "it ends");
    client_table_free(r.table);
}

Test(guess, guesses_of_a_site_in_flight_count_and_those_that_are_right_do_not)
{
    struct rig r;
    rig_init(&r, 1);
    for (unsigned i = 0; i < 5; i++) {
        char to[32];
        snprintf(to, sizeof to, "2001:db8:1:%u::1", i);
        move(&r, to, START);
        cr_expect_eq(charge(&r, i, "x", "1", START), GUESS_ALLOWED);
    }
    move(&r, "2001:db8:1:5::1", START);
    cr_expect_eq(charge(&r, 5, "x", "1", START), GUESS_WAITS);
    for (unsigned i = 0; i < 5; i++) {
        guess_settle(r.table, &r.guesses[i], i < 2 ? GUESS_RIGHT : GUESS_UNSENT, START);
    }
    cr_expect_eq(charge(&r, 5, "x", "1", START), GUESS_ALLOWED);
    client_table_free(r.table);
}

Test(guess, an_ipv4_address_has_no_site_unless_it_is_asked_for)
{
    struct rig r;
    rig_init(&r, 1);
    cr_expect_eq(r.ref.site, 0);
    client_table_free(r.table);
}

Test(guess, a_user_who_is_guessed_at_from_everywhere_is_delayed_for_strangers_only)
{
    struct rig r;
    rig_init(&r, 1);
    cr_assert_eq(try(&r, "anna", "right", GUESS_RIGHT, START), GUESS_ALLOWED);
    for (unsigned i = 0; i < 7; i++) {
        char to[32];
        snprintf(to, sizeof to, "198.51.100.%u", i);
        move(&r, to, START);
        cr_expect_eq(try(&r, "anna", "wrong", i == 6 ? GUESS_UNKNOWN : GUESS_WRONG, START), GUESS_ALLOWED, "%s", to);
    }
    move(&r, "198.51.100.0", START);
    cr_expect_eq(try(&r, "anna", "wrong", GUESS_WRONG, START), GUESS_ALLOWED, "which was known to be wrong");
    move(&r, "198.51.100.7", START);
    cr_expect_eq(charge(&r, 0, "anna", "right", START), GUESS_DELAYED);
    cr_expect(r.news.attacked);
    cr_expect_eq(charge(&r, 0, "anna", "right", START), GUESS_DELAYED);
    cr_expect_not(r.news.attacked, "once an hour");
    cr_expect_eq(charge_by(&r, 0, "anna", "right", START, true), GUESS_ALLOWED, "nobody is refused");
    guess_settle(r.table, &r.guesses[0], GUESS_RIGHT, START);
    cr_expect_eq(charge(&r, 0, "anna", "other", START), GUESS_ALLOWED, "and is known from then on");
    guess_settle(r.table, &r.guesses[0], GUESS_WRONG, START);
    move(&r, "192.0.2.1", START);
    cr_expect_eq(try(&r, "anna", "right", GUESS_RIGHT, START), GUESS_ALLOWED, "at home she never waited");
    move(&r, "198.51.100.8", START);
    cr_expect_eq(charge(&r, 0, "bert", "1", START), GUESS_ALLOWED, "nor did others");
    client_table_free(r.table);
}

Test(guess, logins_of_a_user_from_everywhere_at_once_wait_for_each_other_and_are_not_delayed)
{
    struct rig r;
    rig_init(&r, 1);
    for (unsigned i = 0; i < 7; i++) {
        char to[32];
        snprintf(to, sizeof to, "198.51.100.%u", i);
        move(&r, to, START);
        cr_expect_eq(charge(&r, i, "anna", "right", START), GUESS_ALLOWED);
    }
    move(&r, "198.51.100.7", START);
    cr_expect_eq(charge(&r, 7, "anna", "right", START), GUESS_WAITS);
    cr_expect_neq(r.guesses[7].waits, 0);
    cr_expect_not(r.news.attacked);
    guess_settle(r.table, &r.guesses[0], GUESS_RIGHT, START);
    cr_expect_eq(charge(&r, 7, "anna", "right", START), GUESS_ALLOWED);
    for (unsigned i = 1; i < 8; i++) {
        guess_settle(r.table, &r.guesses[i], GUESS_WRONG, START);
    }
    move(&r, "198.51.100.8", START);
    cr_expect_eq(charge(&r, 0, "anna", "right", START), GUESS_DELAYED);
    client_table_free(r.table);
}

Test(guess, one_that_was_held_for_long_gives_nothing_back_that_time_has_given)
{
    struct rig r;
    rig_init(&r, 1);
    cr_assert_eq(charge(&r, 1, "a", "right", START), GUESS_ALLOWED);
    uint64_t late = START + 30 * SECOND; /* a third of the limit comes back each 20 seconds */
    for (const char *p = "123"; *p != '\0'; p++) {
        cr_assert_eq(try(&r, "x", p, GUESS_WRONG, late), GUESS_ALLOWED);
    }
    guess_settle(r.table, &r.guesses[1], GUESS_RIGHT, late);
    cr_expect_eq(try(&r, "x", "4", GUESS_WRONG, late), GUESS_NETWORK_BANNED);
    client_table_free(r.table);
}
