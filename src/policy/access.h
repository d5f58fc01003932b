/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access rules. They are ordered: the first rule that matches decides, and without a match the client is allowed. A rule
 * matches if each of its conditions matches, by any of the condition's values. Rules with `users` are not asked at
 * connect; at login all rules are asked.
 */
#ifndef IMAPGUARD_POLICY_ACCESS_H
#define IMAPGUARD_POLICY_ACCESS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/option.h"
#include "policy/facts.h"

/* In the order of the choices of a rule's `action`. */
enum access_action { ACCESS_ALLOW, ACCESS_DENY, ACCESS_TARPIT };

struct rule_options {
    char *name; /* first, as in all lists of named groups */
    uint32_t action;
    struct option_list networks;   /* of char * */
    char *networks_file;           /* "": none */
    struct option_list countries;  /* of char * */
    struct option_list continents; /* of char * */
    struct option_list asns;       /* of uint32_t */
    struct option_list listeners;  /* of char * */
    struct option_list users;      /* of char *; "*" in them stands for any characters */
    bool limits;
    bool observe;
};

extern const struct option_table rule_option_table;

/* The decision about a client. */
struct verdict {
    enum access_action action;
    const char *rule; /* the rule that decided, owned by the rules; NULL: none matched */
    bool limits;      /* true: the client is counted and can be banned */
};

/*
 * Called for each rule with `observe` that would have decided; at login only for rules with users, since it was called for
 * the others at connect. `data` is the caller's.
 */
typedef void access_observer(void *data, const char *rule, enum access_action action);

struct access;

/* The parts of the configuration that rules refer to: the names of the listeners, and which databases are configured. */
struct access_context {
    const char *const *listeners;
    size_t listener_count;
    bool has_country;
    bool has_asn;
};

/*
 * Compiles the rules (struct rule_options, which must outlive the result) and reads their networks_files. Reports, as
 * "access.[N].KEY", errors: a file that cannot be read or has a bad line (with that file's name and line), a listener that
 * does not exist, countries or asns without their database; and warnings: a rule that can never match because an earlier
 * rule always does. Returns NULL after an error.
 */
struct access *access_new(const struct option_list *rules, const struct access_context *context,
                          struct option_report *report);

/* Frees the rules; NULL is fine. */
void access_free(struct access *a);

/* Returns the decision: at connect if facts->user is NULL, otherwise at login. `observer` may be NULL. */
struct verdict access_ask(const struct access *a, struct facts *facts, access_observer *observer, void *data);

/*
 * Prints how the rules decide: one line for each rule that does not match, with the reason, and one for the rule that
 * decides. Returns the decision.
 */
struct verdict access_explain(const struct access *a, struct facts *facts, FILE *out);

/* Returns the word for an action, as in the configuration. */
const char *access_action_word(enum access_action action);

#endif
