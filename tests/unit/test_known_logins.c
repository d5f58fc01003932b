/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/known_logins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

TestSuite(known_logins, .fini = test_over);

#define DAY (UINT64_C(86400) * 1000000)
#define START (1000 * DAY)

static struct known_logins set_of(size_t size, struct keyed_hash *hash)
{
    struct known_logins k;
    cr_assert_eq(keyed_hash_init(hash), 0);
    cr_assert_eq(known_logins_init(&k, size, hash, test_arena(1)), 0);
    return k;
}

static struct network network(const char *text)
{
    struct network n;
    cr_assert_eq(network_parse(text, strlen(text), &n), 0);
    return n;
}

static struct known_login login_of(const struct known_logins *k, const char *user, const char *where)
{
    struct network n = network(where);
    return known_login_of(k, &n, user);
}

static void add(struct known_logins *k, const char *user, const char *where, uint64_t now)
{
    struct known_login login = login_of(k, user, where);
    known_logins_add(k, &login, now);
}

static bool has(const struct known_logins *k, const char *user, const char *where, uint64_t now)
{
    return known_logins_has(k, login_of(k, user, where).user, now);
}

static bool has_network(const struct known_logins *k, const char *where, uint64_t now)
{
    return known_logins_has(k, login_of(k, NULL, where).network, now);
}

Test(known_logins, a_user_is_known_where_it_has_logged_in_for_two_months)
{
    struct keyed_hash hash;
    struct known_logins k = set_of(1024, &hash);
    cr_expect_not(has(&k, "anna", "192.0.2.1", START));
    cr_expect_not(known_logins_has(&k, 0, START));
    add(&k, "anna", "192.0.2.1", START);
    cr_expect(has(&k, "anna", "192.0.2.1", START) && has_network(&k, "192.0.2.1", START));
    cr_expect_not(has(&k, "bert", "192.0.2.1", START) || has(&k, "anna", "192.0.2.2", START));
    cr_expect_not(has_network(&k, "192.0.2.2", START));
    cr_expect(has(&k, "anna", "192.0.2.1", START + 59 * DAY));
    cr_expect_not(has(&k, "anna", "192.0.2.1", START + 60 * DAY));
    uint32_t epoch = known_logins_epoch(&k);
    add(&k, "anna", "192.0.2.1", START + 59 * DAY);
    cr_expect(has(&k, "anna", "192.0.2.1", START + 100 * DAY), "the last login counts");
    cr_expect_eq(known_logins_epoch(&k), epoch, "that is nothing new");
    cr_expect_not(has(&k, "anna", "192.0.2.1", START), "a time in the future is none of ours");
    keyed_hash_fini(&hash);
}

Test(known_logins, one_account_cannot_push_out_those_of_others)
{
    struct keyed_hash hash;
    struct known_logins k = set_of(16, &hash); /* one bucket for all */
    char where[32];
    for (unsigned i = 0; i < 4; i++) {
        snprintf(where, sizeof where, "198.51.100.%u", i);
        struct known_login login = login_of(&k, "anna", where);
        login.network = 0;
        known_logins_add(&k, &login, START + i * DAY);
    }
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(where, sizeof where, "2001:db8:0:%x::/64", i);
        struct known_login login = login_of(&k, "mallory", where);
        login.network = 0;
        known_logins_add(&k, &login, START + 10 * DAY);
    }
    for (unsigned i = 0; i < 4; i++) {
        snprintf(where, sizeof where, "198.51.100.%u", i);
        cr_expect(has(&k, "anna", where, START + 10 * DAY), "%s", where);
    }
    cr_expect(has(&k, "mallory", "2001:db8:0:3e7::/64", START + 10 * DAY), "the latest is known");
    keyed_hash_fini(&hash);
}

Test(known_logins, an_old_one_is_not_known_again_when_the_times_wrap)
{
    struct keyed_hash hash;
    struct known_logins k = set_of(1024, &hash);
    add(&k, "anna", "192.0.2.1", START);
    for (unsigned day = 60; day < 600; day++) {
        known_logins_forget(&k, START + day * DAY);
        cr_expect_not(has(&k, "anna", "192.0.2.1", START + day * DAY), "day %u", day);
    }
    keyed_hash_fini(&hash);
}

Test(known_logins, an_older_login_of_a_file_takes_no_place_of_a_later_one)
{
    struct keyed_hash hash;
    struct known_logins k = set_of(16, &hash);
    for (unsigned i = 0; i < 100; i++) {
        struct network n = network("192.0.2.1");
        char user[8];
        snprintf(user, sizeof user, "u%u", i);
        (void)known_logins_restore(&k, known_login_of(&k, &n, user).user, i * 86400 / 2, START);
    }
    for (unsigned i = 0; i < 16; i++) {
        char user[8];
        snprintf(user, sizeof user, "u%u", i);
        cr_expect(has(&k, user, "192.0.2.1", START), "%s", user);
    }
    keyed_hash_fini(&hash);
}

struct copy {
    struct known_logins *to;
    size_t count;
    uint64_t now;
};

static void copy_one(void *data, uint64_t hash, uint64_t age_s)
{
    struct copy *c = data;
    known_logins_restore(c->to, hash, age_s, c->now);
    c->count++;
}

Test(known_logins, the_networks_of_one_site_have_a_share_of_a_bucket)
{
    struct keyed_hash hash;
    struct known_logins k = set_of(16, &hash);
    char where[32];
    add(&k, "anna", "192.0.2.1", START);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(where, sizeof where, "2001:db8:0:%x::/64", i);
        struct known_login login = login_of(&k, NULL, where);
        known_logins_add(&k, &login, START + DAY);
    }
    cr_expect(has(&k, "anna", "192.0.2.1", START + DAY) && has_network(&k, "192.0.2.1", START + DAY));
    cr_expect(has_network(&k, "2001:db8:0:3e7::/64", START + DAY), "the latest is known");
    keyed_hash_fini(&hash);
}

Test(known_logins, they_survive_a_restart_with_a_clock_that_begins_anew_and_another_size)
{
    struct keyed_hash hash, other;
    struct known_logins before = set_of(1024, &hash), after = set_of(4096, &other);
    memcpy(other.key, hash.key, sizeof other.key);
    add(&before, "carl", "192.0.2.3", START - 40 * DAY);
    add(&before, "anna", "192.0.2.1", START);
    add(&before, "bert", "2001:db8::/64", START + 30 * DAY);
    struct copy copy = {.to = &after, .now = DAY};
    known_logins_each(&before, START + 30 * DAY, copy_one, &copy);
    cr_expect_eq(copy.count, 4, "carl is forgotten: %zu", copy.count);
    cr_expect(has(&after, "anna", "192.0.2.1", DAY) && has(&after, "bert", "2001:db8::/64", DAY));
    cr_expect(has_network(&after, "2001:db8::/64", DAY));
    cr_expect_not(has(&after, "carl", "192.0.2.3", DAY));
    cr_expect(has(&after, "anna", "192.0.2.1", 30 * DAY) && !has(&after, "anna", "192.0.2.1", 31 * DAY));
    keyed_hash_fini(&hash);
    keyed_hash_fini(&other);
}
