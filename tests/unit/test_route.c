/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/route.h"

#include <stdio.h>
#include <stdlib.h>

#include "support.h"

TestSuite(route, .fini = test_over);

static const char *const names[] = {"a", "b", "c", "d"};
enum { NAMES = 4, ROUTES_MAX = 4, USERS = 4000 };

static struct route_options options[ROUTES_MAX];
static size_t option_count;

static void add_words(struct option_list *list, const char *words)
{
    static const struct option_row row = {.type = OPTION_TEXTS};
    char expected[64], *copy = strdup(words);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        cr_assert_null(option_add(&row, list, word, expected, sizeof expected));
    }
    free(copy);
}

static void add_route(const char *users, const char *server_names, const char *backends, const char *backup, bool strip)
{
    struct route_options *o = &options[option_count++];
    option_set_defaults(&route_option_table, o);
    add_words(&o->users, users);
    add_words(&o->server_names, server_names);
    add_words(&o->backends, backends);
    add_words(&o->backup, backup);
    o->strip_domain = strip;
}

static struct routes *make(struct test_report *report)
{
    struct option_list list = {options, option_count};
    test_report_init(report);
    return routes_new(&list, names, NAMES, &report->report);
}

static void clear(struct routes *routes)
{
    routes_free(routes);
    for (size_t i = 0; i < option_count; i++) {
        option_free(&route_option_table, &options[i]);
    }
    option_count = 0;
}

/* The names of a route's backends in their order; "-" for no route. */
static const char *order_text(const struct route *route, const char *user)
{
    static char text[64];
    uint8_t order[ROUTE_BACKENDS_MAX];
    size_t count = route != NULL ? route_order(route, user, order) : 0;
    strcpy(text, route != NULL ? "" : "-");
    for (size_t i = 0; i < count; i++) {
        strcat(text, names[order[i]]);
    }
    return text;
}

static bool same_set(const char *a, const char *b)
{
    return strlen(a) == strlen(b) && strspn(a, b) == strlen(a);
}

Test(route, the_first_that_is_for_user_and_server_name_wins)
{
    static const struct {
        const char *user, *server_name, *want;
    } rows[] = {
        {"joe@example.org", NULL, "a"},       {"JOE@EXAMPLE.ORG", NULL, "a"},  {"eve@example.net", NULL, "-"},
        {"joe", "imap.example.com", "b"},     {"joe", "IMAP.EXAMPLE.COM", "b"}, {"joe", "x.example.com", "-"},
        {"ann", "old.example.com", "cd"},    {"joe", "old.example.com", "-"}, {"ann", NULL, "-"},
        {NULL, "imap.example.com", "b"},      {NULL, NULL, "-"},               {"joe@example.org", "imap.example.com", "a"},
    };
    struct test_report report;
    add_route("*@example.org", "", "a", "", false);
    add_route("", "imap.*", "b", "", false);
    add_route("ann bob", "old.example.com", "c", "d", false);
    struct routes *routes = make(&report);
    cr_assert_not_null(routes, "%s", report.text);
    cr_expect_str_eq(report.text, "");
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *got = order_text(routes_find(routes, rows[i].user, rows[i].server_name), rows[i].user);
        cr_expect_str_eq(got, rows[i].want, "%s at %s: %s", rows[i].user, rows[i].server_name, got);
    }
    cr_expect(routes_need_user(routes) && !routes_strip_domain(routes));
    clear(routes);
}

Test(route, without_routes_everybody_may_go_everywhere)
{
    struct test_report report;
    struct routes *routes = make(&report);
    cr_assert_not_null(routes);
    cr_expect(same_set(order_text(routes_find(routes, "joe", NULL), "joe"), "abcd"));
    cr_expect(routes_need_user(routes), "where a user stays depends on who it is");
    clear(routes);
}

Test(route, a_backend_that_fails_moves_only_its_own_users_and_to_all_others)
{
    struct test_report report;
    size_t at[NAMES] = {0}, moved_to[NAMES] = {0};
    struct routes *routes = make(&report);
    const struct route *route = routes_find(routes, "x", NULL);
    for (int i = 0; i < USERS; i++) {
        char user[32];
        uint8_t order[ROUTE_BACKENDS_MAX];
        snprintf(user, sizeof user, "user%d@example.org", i);
        cr_assert_eq(route_order(route, user, order), NAMES);
        at[order[0]]++;
        if (order[0] == 0) {
            moved_to[order[1]]++; /* the others' first choice is what it was */
        }
    }
    for (size_t i = 0; i < NAMES; i++) {
        cr_expect(at[i] > USERS / NAMES * 8 / 10 && at[i] < USERS / NAMES * 12 / 10, "%zu users at %s", at[i], names[i]);
        cr_expect(i == 0 || moved_to[i] > at[0] / (NAMES - 1) * 7 / 10, "%zu users to %s", moved_to[i], names[i]);
    }
    clear(routes);
}

Test(route, a_user_is_the_same_in_any_case_and_with_a_domain_that_is_stripped)
{
    struct test_report report;
    char first[16];
    add_route("", "", "a b c d", "", true);
    struct routes *routes = make(&report);
    const struct route *route = routes_find(routes, "x", NULL);
    strcpy(first, order_text(route, "anna@example.org"));
    cr_expect_str_eq(order_text(route, "ANNA@example.org"), first);
    cr_expect_str_eq(order_text(route, "anna"), first);
    cr_expect_eq(route_user_len(route, "anna@example.org"), 4);
    cr_expect_eq(route_user_len(route, "an@na@example.org"), 5);
    cr_expect_eq(route_user_len(route, "anna"), 4);
    cr_expect_eq(route_user_len(route, "@example.org"), 12, "nothing would be left");
    cr_expect(routes_strip_domain(routes));
    clear(routes);
}

Test(route, backups_come_after_all_others)
{
    struct test_report report;
    add_route("", "", "b d", "a c", false);
    struct routes *routes = make(&report);
    const struct route *route = routes_find(routes, "x", NULL);
    for (int i = 0; i < 100; i++) {
        char user[16];
        snprintf(user, sizeof user, "user%d", i);
        const char *order = order_text(route, user);
        cr_expect(strspn(order, "bd") == 2 && strspn(order + 2, "ac") == 2, "%s: %s", user, order);
    }
    clear(routes);
}

Test(route, bad_ones_are_told)
{
    static const struct {
        const char *name, *users, *server_names, *backends, *backup, *want;
    } rows[] = {
        {"unknown backend", "", "", "a x", "", "error routes.[1].backends.[1]: expected the name of a backend, found \"x\"\n"},
        {"unknown backup", "", "", "a", "y", "error routes.[1].backup.[0]: expected the name of a backend, found \"y\"\n"},
        {"twice", "", "", "a b", "a", "error routes.[1].backup.[0]: expected each backend once, found \"a\" again\n"},
        {"none", "", "", "", "a", "error routes.[1].backends: expected at least one backend\n"},
        {"hidden", "joe@example.org", "", "c d", "", "warning routes.[1]: never matches: routes.[0] always does\n"},
        {"hidden by name", "joe@example.org", "x.example.org", "c d", "", "warning routes.[1]: never matches: routes.[0] always does\n"},
        {"wider", "*.org", "", "c d", "", ""},
        {"nobody's backend", "", "", "c", "", "warning backends.[3].name: no route leads to \"d\"\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct test_report report;
        add_route("*@example.org", "", "a", "b", false);
        add_route(rows[i].users, rows[i].server_names, rows[i].backends, rows[i].backup, false);
        struct routes *routes = make(&report);
        cr_expect_str_eq(report.text, rows[i].want, "%s: %s", rows[i].name, report.text);
        cr_expect_eq(routes == NULL, report.report.errors > 0);
        clear(routes);
    }
}
