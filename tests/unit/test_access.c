/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

TestSuite(access, .fini = test_over);

/* Lists of a rule, as the configuration would fill them. */
#define TEXTS(...) {(char *[]){__VA_ARGS__}, sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)}
#define COUNTS(...) {(uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)}
#define ALLOW(rule) .name = (char *)(rule), .action = ACCESS_ALLOW, .limits = true
#define DENY(rule) .name = (char *)(rule), .action = ACCESS_DENY, .limits = true
#define TARPIT(rule) .name = (char *)(rule), .action = ACCESS_TARPIT, .limits = true

enum { RULES_MAX = 8 };

/* The rules of the reference configuration. */
static struct rule_options reference[RULES_MAX] = {
    {.name = (char *)"office", .action = ACCESS_ALLOW, .networks = TEXTS("192.0.2.0/24", "2001:db8::/32"), .limits = false},
    {DENY("botnets"), .networks = TEXTS("203.0.113.0/25"), .asns = COUNTS(64496)},
    {DENY("old-port"), .listeners = TEXTS("imap"), .continents = TEXTS("AS"), .observe = true},
    {ALLOW("scanner-account"), .users = TEXTS("scanner@example.org"), .networks = TEXTS("10.0.0.0/8")},
    {DENY("scanner-elsewhere"), .users = TEXTS("scanner@example.org")},
    {ALLOW("home"), .countries = TEXTS("DE", "AT", "--")},
    {DENY("abroad")},
};
static struct rule_options none[RULES_MAX];
static struct rule_options networks[RULES_MAX] = {
    {DENY("one"), .networks = TEXTS("192.0.2.1")},
    {DENY("range"), .networks = TEXTS("192.0.2.16/28", "192.0.2.64/26", "2001:db8:1::/48")},
    {TARPIT("wide"), .networks = TEXTS("198.51.100.0/22", "fe80::/10")},
    {ALLOW("odd"), .networks = TEXTS("10.1.2.3/8")},
    {DENY("all4"), .networks = TEXTS("0.0.0.0/0")},
};
static struct rule_options everywhere[RULES_MAX] = {{DENY("v6"), .networks = TEXTS("2000::/3")}, {TARPIT("rest"), .networks = TEXTS("::/0")}};
static struct rule_options countries[RULES_MAX] = {
    {DENY("unknown"), .countries = TEXTS("--")},
    {ALLOW("some"), .countries = TEXTS("DE", "FR")},
    {DENY("asia"), .continents = TEXTS("AS")},
    {TARPIT("america"), .continents = TEXTS("NA", "SA"), .countries = TEXTS("US", "BR")},
};
static struct rule_options systems[RULES_MAX] = {
    {DENY("bad"), .asns = COUNTS(64496, 4294967295u)},
    {ALLOW("de-only"), .asns = COUNTS(64501), .countries = TEXTS("DE")},
    {DENY("else"), .asns = COUNTS(64501)},
};
static struct rule_options listeners[RULES_MAX] = {
    {DENY("old"), .listeners = TEXTS("imap"), .networks = TEXTS("192.0.2.0/24")},
    {ALLOW("both"), .listeners = TEXTS("imap", "imaps"), .networks = TEXTS("198.51.100.0/24")},
    {TARPIT("imaps"), .listeners = TEXTS("imaps")},
};
static struct rule_options users[RULES_MAX] = {
    {ALLOW("root-here"), .users = TEXTS("root"), .networks = TEXTS("10.0.0.0/8")},
    {DENY("root"), .users = TEXTS("root", "admin*")},
    {DENY("domain"), .users = TEXTS("*@old.example")},
    {TARPIT("middle"), .users = TEXTS("a*b*c")},
    {DENY("star"), .users = TEXTS("*test*")},
};
static struct rule_options order[RULES_MAX] = {
    {ALLOW("open"), .networks = TEXTS("10.0.0.0/8")},
    {DENY("bob"), .users = TEXTS("bob")},
    {DENY("ten"), .networks = TEXTS("10.1.0.0/16", "172.16.0.0/12")},
};
static struct rule_options limits[RULES_MAX] = {
    {.name = (char *)"free", .action = ACCESS_ALLOW, .networks = TEXTS("10.0.0.0/8"), .limits = false},
    {.name = (char *)"vip", .action = ACCESS_ALLOW, .users = TEXTS("vip"), .limits = false},
    {ALLOW("plain"), .networks = TEXTS("172.16.0.0/12")},
};
static struct rule_options observing[RULES_MAX] = {
    {DENY("would"), .networks = TEXTS("10.0.0.0/8"), .observe = true},
    {TARPIT("would-too"), .observe = true},
    {ALLOW("really"), .networks = TEXTS("10.1.0.0/16")},
    {DENY("then"), .networks = TEXTS("10.0.0.0/8")},
    {.name = (char *)"free", .action = ACCESS_ALLOW, .limits = false, .observe = true},
};
static struct rule_options together[RULES_MAX] = {
    {DENY("all-of-it"), .networks = TEXTS("10.0.0.0/8"), .countries = TEXTS("DE"), .continents = TEXTS("EU"),
     .asns = COUNTS(7), .listeners = TEXTS("imap"), .users = TEXTS("u*")},
};

/* Where a client may be. */
#define DE {"DE", "EU", 64501}
#define AT {"AT", "EU", 64502}
#define FR {"FR", "EU", 64511}
#define US {"US", "NA", 64503}
#define BR {"BR", "SA", 64504}
#define CN {"CN", "AS", 64505}
#define KE {"KE", "AF", 64900}
#define NO {"--", "--", 0}
#define BAD {"SE", "EU", 64496}
#define SE7 {"DE", "EU", 7}

static const struct access_case {
    struct rule_options *rules;
    const char *address;
    struct place place;
    const char *listener;
    const char *user;
    const char *rule; /* NULL: none */
    enum access_action action;
    bool unlimited;
} cases[] = {
#define ROW(rules, address, place, listener, user, rule, action) {rules, address, place, listener, user, rule, ACCESS_##action, false}
#define FREE(rules, address, place, listener, user, rule) {rules, address, place, listener, user, rule, ACCESS_ALLOW, true}
    ROW(none, "192.0.2.1", NO, "imap", NULL, NULL, ALLOW),
    ROW(none, "2001:db8::1", DE, "imaps", NULL, NULL, ALLOW),
    ROW(none, "192.0.2.1", NO, "imap", "anna", NULL, ALLOW),

    FREE(reference, "192.0.2.0", US, "imap", NULL, "office"),
    FREE(reference, "192.0.2.255", CN, "imaps", NULL, "office"),
    FREE(reference, "::ffff:192.0.2.7", US, "imap", NULL, "office"),
    FREE(reference, "2001:db8:ffff::1", NO, "imap", NULL, "office"),
    FREE(reference, "192.0.2.7", US, "imap", "scanner@example.org", "office"),
    ROW(reference, "192.0.1.255", US, "imap", NULL, "abroad", DENY),
    ROW(reference, "192.0.3.0", US, "imap", NULL, "abroad", DENY),
    ROW(reference, "2001:db7:ffff::1", DE, "imap", NULL, "home", ALLOW),
    ROW(reference, "2001:db9::", US, "imap", NULL, "abroad", DENY),
    ROW(reference, "203.0.113.5", BAD, "imap", NULL, "botnets", DENY),
    ROW(reference, "203.0.113.5", DE, "imap", NULL, "home", ALLOW),
    ROW(reference, "203.0.113.200", BAD, "imap", NULL, "abroad", DENY),
    ROW(reference, "198.51.100.1", CN, "imap", NULL, "abroad", DENY),
    ROW(reference, "198.51.100.1", DE, "imap", NULL, "home", ALLOW),
    ROW(reference, "198.51.100.1", AT, "imaps", NULL, "home", ALLOW),
    ROW(reference, "198.51.100.1", NO, "imaps", NULL, "home", ALLOW),
    ROW(reference, "198.51.100.1", FR, "imaps", NULL, "abroad", DENY),
    ROW(reference, "10.0.0.1", NO, "imap", NULL, "home", ALLOW),
    ROW(reference, "10.0.0.1", NO, "imap", "scanner@example.org", "scanner-account", ALLOW),
    ROW(reference, "10.0.0.1", NO, "imap", "Scanner@Example.ORG", "scanner-account", ALLOW),
    ROW(reference, "11.0.0.1", DE, "imap", "scanner@example.org", "scanner-elsewhere", DENY),
    ROW(reference, "11.0.0.1", DE, "imap", "SCANNER@EXAMPLE.ORG", "scanner-elsewhere", DENY),
    ROW(reference, "11.0.0.1", DE, "imap", "scanner@example.org ", "home", ALLOW),
    ROW(reference, "11.0.0.1", DE, "imap", "scanner@example.or", "home", ALLOW),
    ROW(reference, "11.0.0.1", DE, "imap", "xscanner@example.org", "home", ALLOW),
    ROW(reference, "11.0.0.1", US, "imap", "anna", "abroad", DENY),
    ROW(reference, "11.0.0.1", DE, "imap", "anna", "home", ALLOW),

    ROW(networks, "192.0.2.0", NO, "imap", NULL, "all4", DENY),
    ROW(networks, "192.0.2.1", NO, "imap", NULL, "one", DENY),
    ROW(networks, "::ffff:192.0.2.1", NO, "imap", NULL, "one", DENY),
    ROW(networks, "::192.0.2.1", NO, "imap", NULL, NULL, ALLOW),
    ROW(networks, "192.0.2.2", NO, "imap", NULL, "all4", DENY),
    ROW(networks, "192.0.2.15", NO, "imap", NULL, "all4", DENY),
    ROW(networks, "192.0.2.16", NO, "imap", NULL, "range", DENY),
    ROW(networks, "192.0.2.31", NO, "imap", NULL, "range", DENY),
    ROW(networks, "192.0.2.32", NO, "imap", NULL, "all4", DENY),
    ROW(networks, "192.0.2.63", NO, "imap", NULL, "all4", DENY),
    ROW(networks, "192.0.2.64", NO, "imap", NULL, "range", DENY),
    ROW(networks, "192.0.2.127", NO, "imap", NULL, "range", DENY),
    ROW(networks, "192.0.2.128", NO, "imap", NULL, "all4", DENY),
    ROW(networks, "2001:db8:0:ffff:ffff:ffff:ffff:ffff", NO, "imap", NULL, NULL, ALLOW),
    ROW(networks, "2001:db8:1::", NO, "imap", NULL, "range", DENY),
    ROW(networks, "2001:db8:1:ffff:ffff:ffff:ffff:ffff", NO, "imap", NULL, "range", DENY),
    ROW(networks, "2001:db8:2::", NO, "imap", NULL, NULL, ALLOW),
    ROW(networks, "198.51.99.255", NO, "imap", NULL, "all4", DENY),
    ROW(networks, "198.51.100.0", NO, "imap", NULL, "wide", TARPIT),
    ROW(networks, "198.51.103.255", NO, "imap", NULL, "wide", TARPIT),
    ROW(networks, "198.51.104.0", NO, "imap", NULL, "all4", DENY),
    ROW(networks, "fe7f::1", NO, "imap", NULL, NULL, ALLOW),
    ROW(networks, "fe80::1", NO, "imap", NULL, "wide", TARPIT),
    ROW(networks, "febf:ffff::1", NO, "imap", NULL, "wide", TARPIT),
    ROW(networks, "fec0::1", NO, "imap", NULL, NULL, ALLOW),
    ROW(networks, "10.200.0.1", NO, "imap", NULL, "odd", ALLOW),
    ROW(networks, "10.0.0.0", NO, "imap", NULL, "odd", ALLOW),
    ROW(networks, "9.255.255.255", NO, "imap", NULL, "all4", DENY),
    ROW(networks, "11.0.0.0", NO, "imap", NULL, "all4", DENY),
    ROW(networks, "0.0.0.0", NO, "imap", NULL, "all4", DENY),
    ROW(networks, "255.255.255.255", NO, "imap", NULL, "all4", DENY),
    ROW(networks, "::1", NO, "imap", NULL, NULL, ALLOW),
    ROW(networks, "::fffe:192.0.2.1", NO, "imap", NULL, NULL, ALLOW),

    ROW(everywhere, "2001:db8::1", NO, "imap", NULL, "v6", DENY),
    ROW(everywhere, "3fff:ffff::1", NO, "imap", NULL, "v6", DENY),
    ROW(everywhere, "4000::1", NO, "imap", NULL, "rest", TARPIT),
    ROW(everywhere, "1fff::1", NO, "imap", NULL, "rest", TARPIT),
    ROW(everywhere, "192.0.2.1", NO, "imap", NULL, "rest", TARPIT),
    ROW(everywhere, "::", NO, "imap", NULL, "rest", TARPIT),
    ROW(everywhere, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NO, "imap", NULL, "rest", TARPIT),

    ROW(countries, "192.0.2.1", NO, "imap", NULL, "unknown", DENY),
    ROW(countries, "::1", NO, "imaps", NULL, "unknown", DENY),
    ROW(countries, "192.0.2.1", DE, "imap", NULL, "some", ALLOW),
    ROW(countries, "2001:db8::1", FR, "imap", NULL, "some", ALLOW),
    ROW(countries, "192.0.2.1", AT, "imap", NULL, NULL, ALLOW),
    ROW(countries, "192.0.2.1", CN, "imap", NULL, "asia", DENY),
    ROW(countries, "192.0.2.1", US, "imap", NULL, "america", TARPIT),
    ROW(countries, "192.0.2.1", BR, "imap", NULL, "america", TARPIT),
    ROW(countries, "192.0.2.1", ((struct place){"CA", "NA", 1}), "imap", NULL, NULL, ALLOW),
    ROW(countries, "192.0.2.1", ((struct place){"US", "OC", 1}), "imap", NULL, NULL, ALLOW),
    ROW(countries, "192.0.2.1", ((struct place){"--", "AS", 1}), "imap", NULL, "unknown", DENY),
    ROW(countries, "192.0.2.1", ((struct place){"JP", "AS", 1}), "imap", "anna", "asia", DENY),
    ROW(countries, "192.0.2.1", ((struct place){"DE", "AS", 1}), "imap", NULL, "some", ALLOW),
    ROW(countries, "192.0.2.1", KE, "imap", NULL, NULL, ALLOW),
    ROW(countries, "192.0.2.1", DE, "imap", "anna", "some", ALLOW),

    ROW(systems, "192.0.2.1", BAD, "imap", NULL, "bad", DENY),
    ROW(systems, "192.0.2.1", ((struct place){"DE", "EU", 4294967295u}), "imap", NULL, "bad", DENY),
    ROW(systems, "192.0.2.1", ((struct place){"DE", "EU", 4294967294u}), "imap", NULL, NULL, ALLOW),
    ROW(systems, "192.0.2.1", DE, "imap", NULL, "de-only", ALLOW),
    ROW(systems, "192.0.2.1", ((struct place){"AT", "EU", 64501}), "imap", NULL, "else", DENY),
    ROW(systems, "192.0.2.1", ((struct place){"--", "--", 64501}), "imap", NULL, "else", DENY),
    ROW(systems, "192.0.2.1", NO, "imap", NULL, NULL, ALLOW),
    ROW(systems, "2001:db8::1", BAD, "imaps", NULL, "bad", DENY),
    ROW(systems, "192.0.2.1", ((struct place){"DE", "EU", 64495}), "imap", NULL, NULL, ALLOW),
    ROW(systems, "192.0.2.1", ((struct place){"DE", "EU", 64497}), "imap", NULL, NULL, ALLOW),

    ROW(listeners, "192.0.2.1", NO, "imap", NULL, "old", DENY),
    ROW(listeners, "192.0.2.1", NO, "imaps", NULL, "imaps", TARPIT),
    ROW(listeners, "198.51.100.1", NO, "imap", NULL, "both", ALLOW),
    ROW(listeners, "198.51.100.1", NO, "imaps", NULL, "both", ALLOW),
    ROW(listeners, "203.0.113.1", NO, "imap", NULL, NULL, ALLOW),
    ROW(listeners, "203.0.113.1", NO, "imaps", NULL, "imaps", TARPIT),
    ROW(listeners, "203.0.113.1", NO, "imap2", NULL, NULL, ALLOW),
    ROW(listeners, "203.0.113.1", NO, "imaps", "anna", "imaps", TARPIT),

    ROW(users, "192.0.2.1", NO, "imap", NULL, NULL, ALLOW),
    ROW(users, "10.0.0.1", NO, "imap", NULL, NULL, ALLOW),
    ROW(users, "10.0.0.1", NO, "imap", "root", "root-here", ALLOW),
    ROW(users, "10.0.0.1", NO, "imap", "ROOT", "root-here", ALLOW),
    ROW(users, "192.0.2.1", NO, "imap", "root", "root", DENY),
    ROW(users, "192.0.2.1", NO, "imap", "Root", "root", DENY),
    ROW(users, "192.0.2.1", NO, "imap", "roo", NULL, ALLOW),
    ROW(users, "192.0.2.1", NO, "imap", "roott", NULL, ALLOW),
    ROW(users, "192.0.2.1", NO, "imap", " root", NULL, ALLOW),
    ROW(users, "192.0.2.1", NO, "imap", "admin", "root", DENY),
    ROW(users, "192.0.2.1", NO, "imap", "administrator", "root", DENY),
    ROW(users, "192.0.2.1", NO, "imap", "ADMIN2", "root", DENY),
    ROW(users, "10.0.0.1", NO, "imap", "admin", "root", DENY),
    ROW(users, "192.0.2.1", NO, "imap", "xadmin", NULL, ALLOW),
    ROW(users, "192.0.2.1", NO, "imap", "anna@old.example", "domain", DENY),
    ROW(users, "192.0.2.1", NO, "imap", "@old.example", "domain", DENY),
    ROW(users, "192.0.2.1", NO, "imap", "anna@OLD.example", "domain", DENY),
    ROW(users, "192.0.2.1", NO, "imap", "a@b@old.example", "domain", DENY),
    ROW(users, "192.0.2.1", NO, "imap", "anna@old.example.org", NULL, ALLOW),
    ROW(users, "192.0.2.1", NO, "imap", "anna@oldxexample", NULL, ALLOW),
    ROW(users, "192.0.2.1", NO, "imap", "abc", "middle", TARPIT),
    ROW(users, "192.0.2.1", NO, "imap", "aXbYc", "middle", TARPIT),
    ROW(users, "192.0.2.1", NO, "imap", "abcbc", "middle", TARPIT),
    ROW(users, "192.0.2.1", NO, "imap", "acb", NULL, ALLOW),
    ROW(users, "192.0.2.1", NO, "imap", "ac", NULL, ALLOW),
    ROW(users, "192.0.2.1", NO, "imap", "abcd", NULL, ALLOW),
    ROW(users, "192.0.2.1", NO, "imap", "test", "star", DENY),
    ROW(users, "192.0.2.1", NO, "imap", "mytest", "star", DENY),
    ROW(users, "192.0.2.1", NO, "imap", "Tester", "star", DENY),
    ROW(users, "192.0.2.1", NO, "imap", "tes", NULL, ALLOW),
    ROW(users, "192.0.2.1", NO, "imap", "te*st", NULL, ALLOW),
    ROW(users, "192.0.2.1", NO, "imap", "*", NULL, ALLOW),
    ROW(users, "192.0.2.1", NO, "imap", "\xff\xc3\xa4", NULL, ALLOW),

    ROW(order, "10.1.2.3", NO, "imap", NULL, "open", ALLOW),
    ROW(order, "10.1.2.3", NO, "imap", "bob", "open", ALLOW),
    ROW(order, "172.16.0.1", NO, "imap", NULL, "ten", DENY),
    ROW(order, "172.31.255.255", NO, "imap", "anna", "ten", DENY),
    ROW(order, "172.16.0.1", NO, "imap", "bob", "bob", DENY),
    ROW(order, "172.32.0.0", NO, "imap", "bob", "bob", DENY),
    ROW(order, "172.32.0.0", NO, "imap", NULL, NULL, ALLOW),
    ROW(order, "172.32.0.0", NO, "imap", "anna", NULL, ALLOW),

    FREE(limits, "10.0.0.1", NO, "imap", NULL, "free"),
    FREE(limits, "10.0.0.1", NO, "imap", "vip", "free"),
    FREE(limits, "192.0.2.1", NO, "imap", "vip", "vip"),
    FREE(limits, "172.16.0.1", NO, "imap", "vip", "vip"),
    ROW(limits, "172.16.0.1", NO, "imap", NULL, "plain", ALLOW),
    ROW(limits, "172.16.0.1", NO, "imap", "anna", "plain", ALLOW),
    ROW(limits, "192.0.2.1", NO, "imap", NULL, NULL, ALLOW),
    ROW(limits, "192.0.2.1", NO, "imap", "vipx", NULL, ALLOW),

    ROW(observing, "10.1.0.1", NO, "imap", NULL, "really", ALLOW),
    ROW(observing, "10.2.0.1", NO, "imap", NULL, "then", DENY),
    ROW(observing, "192.0.2.1", NO, "imap", NULL, NULL, ALLOW),
    ROW(observing, "192.0.2.1", NO, "imap", "anna", NULL, ALLOW),

    ROW(together, "10.0.0.1", SE7, "imap", "ulf", "all-of-it", DENY),
    ROW(together, "10.0.0.1", SE7, "imap", NULL, NULL, ALLOW),
    ROW(together, "10.0.0.1", SE7, "imap", "anna", NULL, ALLOW),
    ROW(together, "10.0.0.1", SE7, "imaps", "ulf", NULL, ALLOW),
    ROW(together, "11.0.0.1", SE7, "imap", "ulf", NULL, ALLOW),
    ROW(together, "10.0.0.1", DE, "imap", "ulf", NULL, ALLOW),
    ROW(together, "10.0.0.1", ((struct place){"DE", "--", 7}), "imap", "ulf", NULL, ALLOW),
    ROW(together, "10.0.0.1", ((struct place){"AT", "EU", 7}), "imap", "ulf", NULL, ALLOW),
};

static const char *const listener_names[] = {"imap", "imaps", "imap2"};
static const struct access_context context = {listener_names, COUNT(listener_names), true, true};

static struct option_list list_of(struct rule_options *rules)
{
    size_t count = 0;
    while (count < RULES_MAX && rules[count].name != NULL) {
        count++;
    }
    return (struct option_list){rules, count};
}

static struct access *compiled(struct rule_options *rules)
{
    struct test_report report;
    struct option_list list = list_of(rules);
    test_report_init(&report);
    struct access *a = access_new(&list, &context, &report.report);
    cr_assert_not_null(a, "%s", report.text);
    return a;
}

static struct facts facts_of(const char *address, struct place place, const char *listener, const char *user)
{
    union address parsed;
    cr_assert_eq(address_parse(address, 0, &parsed), 0, "%s", address);
    struct network_address octets = network_address_of(&parsed);
    struct facts facts = facts_at_connect(&octets, listener, NULL);
    facts.user = user;
    facts.place = place;
    facts.located = true;
    return facts;
}

Test(access, the_first_rule_that_matches_decides)
{
    cr_assert_geq(COUNT(cases), 150);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct access_case *c = &cases[i];
        struct access *a = compiled(c->rules);
        struct facts facts = facts_of(c->address, c->place, c->listener, c->user);
        struct verdict v = access_ask(a, &facts, NULL, NULL);
        cr_expect(v.action == c->action && v.limits == !c->unlimited &&
                      (c->rule == NULL ? v.rule == NULL : v.rule != NULL && strcmp(v.rule, c->rule) == 0),
                  "case %zu: %s %s %s as %s: rule %s, %s, wanted %s", i, c->address, c->place.country, c->listener,
                  c->user != NULL ? c->user : "-", v.rule != NULL ? v.rule : "-", access_action_word(v.action),
                  c->rule != NULL ? c->rule : "-");
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);
        struct verdict explained = access_explain(a, &facts, out);
        fclose(out);
        cr_expect(explained.action == v.action && explained.rule == v.rule && explained.limits == v.limits,
                  "case %zu: what is explained is what is done:\n%s", i, text);
        free(text);
        access_free(a);
    }
}

static void note(void *data, const char *rule, enum access_action action)
{
    char *text = data;
    size_t len = strlen(text);
    snprintf(text + len, 256 - len, "%s=%s ", rule, access_action_word(action));
}

Test(access, rules_that_observe_are_told_up_to_the_one_that_decides)
{
    struct rule_options mixed[RULES_MAX] = {
        {DENY("anybody"), .observe = true},
        {DENY("bob"), .users = TEXTS("bob"), .observe = true},
    };
    const struct {
        struct rule_options *rules;
        const char *address, *user, *told;
    } rows[] = {
        {observing, "10.1.0.1", NULL, "would=deny would-too=tarpit "},
        {observing, "192.0.2.1", NULL, "would-too=tarpit free=allow "},
        {observing, "192.0.2.1", "anna", ""},
        {mixed, "192.0.2.1", NULL, "anybody=deny "},
        {mixed, "192.0.2.1", "bob", "bob=deny "},
        {mixed, "192.0.2.1", "anna", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char told[256] = "";
        struct access *a = compiled(rows[i].rules);
        struct facts facts = facts_of(rows[i].address, (struct place)NO, "imap", rows[i].user);
        (void)access_ask(a, &facts, note, told);
        cr_expect_str_eq(told, rows[i].told);
        access_free(a);
    }
}

Test(access, no_place_is_looked_up_for_a_rule_that_fails_before)
{
    struct access *a = compiled(together);
    struct facts facts = facts_of("11.0.0.1", (struct place)NO, "imap", "ulf");
    facts.located = false;
    (void)access_ask(a, &facts, NULL, NULL);
    cr_expect_not(facts.located);
    access_free(a);
}

Test(access, explanations_name_each_reason)
{
    static const struct {
        struct rule_options *rules;
        const char *address, *user, *wanted;
    } rows[] = {
        {reference, "11.0.0.1", NULL,
         "  office: passed over: 11.0.0.1 is in none of its networks\n"
         "  botnets: passed over: 11.0.0.1 is in none of its networks\n"
         "  old-port: passed over: continent EU is not among AS\n"
         "  scanner-account: passed over: 11.0.0.1 is in none of its networks\n"
         "  scanner-elsewhere: passed over: not asked at connect: it has users\n"
         "  home: matches: allow\n"},
        {users, "11.0.0.1", "anna",
         "  root-here: passed over: 11.0.0.1 is in none of its networks\n"
         "  root: passed over: user anna is not among root, admin*\n"
         "  domain: passed over: user anna is not among *@old.example\n"
         "  middle: passed over: user anna is not among a*b*c\n"
         "  star: passed over: user anna is not among *test*\n"
         "  no rule matches: allow\n"},
        {systems, "11.0.0.1", NULL,
         "  bad: passed over: AS 64501 is not among 64496, 4294967295\n"
         "  de-only: matches: allow\n"},
        {observing, "11.0.0.1", NULL,
         "  would: passed over: 11.0.0.1 is in none of its networks\n"
         "  would-too: would tarpit, but only observes\n"
         "  really: passed over: 11.0.0.1 is in none of its networks\n"
         "  then: passed over: 11.0.0.1 is in none of its networks\n"
         "  free: would allow, but only observes\n"
         "  no rule matches: allow\n"},
        {listeners, "11.0.0.1", NULL,
         "  old: passed over: 11.0.0.1 is in none of its networks\n"
         "  both: passed over: 11.0.0.1 is in none of its networks\n"
         "  imaps: passed over: listener imap is not among imaps\n"
         "  no rule matches: allow\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *text = NULL;
        size_t len;
        struct access *a = compiled(rows[i].rules);
        struct facts facts = facts_of(rows[i].address, (struct place)DE, "imap", rows[i].user);
        FILE *out = open_memstream(&text, &len);
        (void)access_explain(a, &facts, out);
        fclose(out);
        cr_expect_str_eq(text, rows[i].wanted);
        free(text);
        access_free(a);
    }
}

/* --- what is told of rules ------------------------------------------------------------------------------- */

/* What compiling reports. */
static const char *reported(struct rule_options *rules, const struct access_context *surroundings)
{
    static struct test_report report;
    struct option_list list = list_of(rules);
    test_report_init(&report);
    struct access *a = access_new(&list, surroundings, &report.report);
    cr_expect_eq(a == NULL, report.report.errors > 0, "rules after an error are none: %s", report.text);
    access_free(a);
    return report.text;
}

#define MATCHES_BEFORE(name, index) "can never match: \"" name "\" (access.[" #index "]) matches before it\n"

Test(access, rules_that_can_never_match_are_warned_of)
{
    struct {
        struct rule_options rules[RULES_MAX];
        const char *wanted;
    } rows[] = {
        {{{DENY("a")}, {ALLOW("b"), .networks = TEXTS("10.0.0.0/8")}}, "warning access.[1]: " MATCHES_BEFORE("a", 0)},
        {{{DENY("a"), .observe = true}, {ALLOW("b"), .networks = TEXTS("10.0.0.0/8")}}, ""},
        {{{DENY("a"), .networks = TEXTS("10.0.0.0/8")}, {ALLOW("b"), .networks = TEXTS("10.1.0.0/16", "10.2.0.1")}},
         "warning access.[1]: " MATCHES_BEFORE("a", 0)},
        {{{DENY("a"), .networks = TEXTS("10.0.0.0/8")}, {ALLOW("b"), .networks = TEXTS("10.1.0.0/16", "11.0.0.1")}}, ""},
        {{{DENY("a"), .networks = TEXTS("10.0.0.0/9", "10.128.0.0/9")}, {ALLOW("b"), .networks = TEXTS("10.0.0.0/8")}},
         "warning access.[1]: " MATCHES_BEFORE("a", 0)},
        {{{DENY("a"), .networks = TEXTS("10.0.0.0/8")}, {ALLOW("b"), .networks = TEXTS("10.1.0.0/16"), .asns = COUNTS(1)}},
         "warning access.[1]: " MATCHES_BEFORE("a", 0)},
        {{{DENY("a"), .networks = TEXTS("10.0.0.0/8"), .asns = COUNTS(1)}, {ALLOW("b"), .networks = TEXTS("10.1.0.0/16")}}, ""},
        {{{DENY("a"), .countries = TEXTS("DE", "AT")}, {ALLOW("b"), .countries = TEXTS("AT")}},
         "warning access.[1]: " MATCHES_BEFORE("a", 0)},
        {{{DENY("a"), .countries = TEXTS("AT")}, {ALLOW("b"), .countries = TEXTS("DE", "AT")}}, ""},
        {{{DENY("a"), .continents = TEXTS("EU")}, {ALLOW("b"), .countries = TEXTS("DE")}}, ""},
        {{{DENY("a"), .asns = COUNTS(1, 2)}, {ALLOW("b"), .asns = COUNTS(2)}}, "warning access.[1]: " MATCHES_BEFORE("a", 0)},
        {{{DENY("a"), .listeners = TEXTS("imap")}, {ALLOW("b"), .listeners = TEXTS("imap")}},
         "warning access.[1]: " MATCHES_BEFORE("a", 0)},
        {{{DENY("a"), .users = TEXTS("*@x")}, {ALLOW("b"), .users = TEXTS("anna@x", "b*@X")}},
         "warning access.[1]: " MATCHES_BEFORE("a", 0)},
        {{{DENY("a"), .users = TEXTS("anna@x")}, {ALLOW("b"), .users = TEXTS("*@x")}}, ""},
        {{{DENY("a"), .users = TEXTS("*")}, {ALLOW("b"), .networks = TEXTS("10.0.0.0/8")}}, ""},
        {{{ALLOW("a"), .networks = TEXTS("10.0.0.0/8")}, {DENY("b"), .networks = TEXTS("10.0.0.1"), .users = TEXTS("x")}},
         "warning access.[1]: " MATCHES_BEFORE("a", 0)},
        {{{ALLOW("a"), .users = TEXTS("x")}, {DENY("b")}},
         "warning access.[0]: can never match: it is asked at login, and \"b\" (access.[1]) refuses everybody at connect\n"},
        {{{ALLOW("a"), .users = TEXTS("x")}, {ALLOW("c"), .countries = TEXTS("DE")}, {DENY("b")}}, ""},
        {{{.name = (char *)"a", .action = ACCESS_DENY, .networks = TEXTS("10.0.0.0/8")}},
         "warning access.[0]: limits = false has no meaning with \"deny\"\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *text = reported(rows[i].rules, &context);
        cr_expect_str_eq(text, rows[i].wanted, "row %zu: %s", i, text);
    }
}

Test(access, what_a_rule_needs_and_does_not_have_is_an_error)
{
    static const struct access_context bare = {listener_names, 2, false, false};
    char *good = strdup(temp_file("good.txt", BYTES("10.0.0.0/8\n# x\n")));
    char *empty = strdup(temp_file("empty.txt", BYTES("# nothing\n")));
    char *bad = strdup(temp_file("bad.txt", BYTES("10.0.0.0/8\n10.0.0.0/33\n")));
    char *missing = strdup(temp_path("missing.txt")), wanted[1024];
    struct {
        struct rule_options rules[RULES_MAX];
        const char *path, *text;
    } rows[] = {
        {{{DENY("a"), .listeners = TEXTS("imap", "pop3")}}, "error access.[0].listeners.[1]: ", "expected the name of a listener, found \"pop3\"\n"},
        {{{DENY("a"), .countries = TEXTS("DE")}}, "error access.[0].countries: ", "needs a database: geoip.country\n"},
        {{{DENY("a"), .continents = TEXTS("EU")}}, "error access.[0].continents: ", "needs a database: geoip.country\n"},
        {{{DENY("a"), .asns = COUNTS(1)}}, "error access.[0].asns: ", "needs a database: geoip.asn\n"},
        {{{DENY("a"), .networks_file = good}}, "", ""},
        {{{DENY("a"), .networks_file = empty}}, "warning access.[0].networks_file: ", "there is no network in %s: the rule never matches\n"},
        {{{DENY("a"), .networks_file = bad}}, "error access.[0].networks_file: ", "%s:2: expected a network such as 192.0.2.0/24 or 2001:db8::/32, or an address, found \"10.0.0.0/33\"\n"},
        {{{DENY("a"), .networks_file = missing}}, "error access.[0].networks_file: ", "cannot read %s: No such file or directory\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *file = rows[i].rules[0].networks_file, *at = strstr(rows[i].text, "%s");
        int before = at != NULL ? (int)(at - rows[i].text) : (int)strlen(rows[i].text);
        snprintf(wanted, sizeof wanted, "%s%.*s%s%s", rows[i].path, before, rows[i].text, at != NULL ? file : "",
                 at != NULL ? at + 2 : "");
        cr_expect_str_eq(reported(rows[i].rules, &bare), wanted);
    }
    free(good);
    free(empty);
    free(bad);
    free(missing);
}

Test(access, a_file_and_networks_of_a_rule_are_one_set)
{
    struct rule_options rules[RULES_MAX] = {
        {DENY("both"), .networks = TEXTS("192.0.2.0/24"), .networks_file = strdup(temp_file("n", BYTES("10.0.0.0/8\r\n")))}};
    static const struct {
        const char *address;
        bool denied;
    } rows[] = {{"192.0.2.1", true}, {"10.0.0.1", true}, {"11.0.0.1", false}};
    struct access *a = compiled(rules);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct facts facts = facts_of(rows[i].address, (struct place)NO, "imap", NULL);
        cr_expect_eq(access_ask(a, &facts, NULL, NULL).action == ACCESS_DENY, rows[i].denied);
    }
    access_free(a);
    free(rules[0].networks_file);
}
