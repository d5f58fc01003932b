/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access rules. The first rule that matches decides; a client that matches no rule is allowed. A rule matches if each
 * of its conditions matches by one of its values. The rules are evaluated when a client connects, without those that
 * have `users`, and again at each login, with all rules.
 */
#ifndef IMAPGUARD_POLICY_ACCESS_H
#define IMAPGUARD_POLICY_ACCESS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/option.h"
#include "policy/facts.h"

/* The choices of a rule's `action`, in the same order. */
enum access_action { ACCESS_ALLOW, ACCESS_DENY, ACCESS_TARPIT };

struct rule_options {
    char *name;                    /* must be the first member, as in all lists of named groups */
    uint32_t action;               /* an enum access_action */
    struct option_list networks;   /* of char * */
    char *networks_file;           /* "": none */
    struct option_list countries;  /* of char * */
    struct option_list continents; /* of char * */
    struct option_list asns;       /* of uint32_t */
    struct option_list listeners;  /* of char * */
    struct option_list users;      /* of char *: patterns of glob.h */
    bool limits;                   /* limits and bans apply to clients that this rule allows */
    bool observe;                  /* a match is reported to the observer, and decides nothing */
};

extern const struct option_table rule_option_table;

/* The decision about a client. */
struct verdict {
    enum access_action action;
    const char *rule; /* the name of the rule that decided, owned by its options; NULL if no rule matched */
    bool limits;      /* limits and bans apply to the client */
};

/*
 * Called for each rule with `observe` that would have decided. At login it is called only for rules with `users`,
 * because the others were reported at connect. `data` is that of access_ask().
 */
typedef void access_observer(void *data, const char *rule, enum access_action action);

struct access;

/* The parts of the configuration that the rules depend on: names of listeners, and configured databases. */
struct access_context {
    const char *const *listeners;
    size_t listener_count;
    bool has_country;
    bool has_asn;
};

/*
 * Compiles the rules and reads their files of networks. `rules` is a list of struct rule_options, which must outlive
 * the result; `context` is used during the call only. The caller owns the result; access_free() frees it.
 *
 * Returns NULL if the rules have an error. Errors and warnings are reported to `report` under the path
 * "access.[N].KEY". Errors are: a file that cannot be read or has a malformed line, an unknown listener, and countries
 * or asns without their database. A rule that can never match, because an earlier one always matches, is a warning.
 */
struct access *access_new(const struct option_list *rules, const struct access_context *context,
                          struct option_report *report);

/* Frees a; does nothing if it is NULL. */
void access_free(struct access *a);

/*
 * Evaluates the rules and returns the decision. If facts->user is NULL, the client has just connected, and rules with
 * `users` do not match; otherwise it logs in. May look the client up in the databases, see facts_place(). `observer`
 * may be NULL; `data` is passed to it.
 */
struct verdict access_ask(const struct access *a, struct facts *facts, access_observer *observer, void *data);

/*
 * Does the same as access_ask() and prints to `out` how the decision was made: a line with the reason for each rule
 * that does not match, and a line for the rule that decides. Returns the decision.
 */
struct verdict access_explain(const struct access *a, struct facts *facts, FILE *out);

/* Returns the static word for an action, as in the configuration. */
const char *access_action_word(enum access_action action);

#endif
