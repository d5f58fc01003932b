/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access rules: ordered, the first that matches decides, and without a match a client is allowed. A rule
 * matches when each key that it has does, by any of its values. Rules with `users` are not asked at connect;
 * at login all are asked, in order.
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

/* What the rules say of a client. */
struct verdict {
    enum access_action action;
    const char *rule; /* the one that decided, owned by the rules; NULL: none */
    bool limits;      /* whether the client is counted and can be banned */
};

/*
 * Told of each rule with `observe` that would have decided; at login only of those with users, since the others were
 * told of at connect. `data` is the caller's.
 */
typedef void access_observer(void *data, const char *rule, enum access_action action);

struct access;

/*
 * What the rest of the configuration means for the rules: the names of the listeners, and which databases
 * there are.
 */
struct access_context {
    const char *const *listeners;
    size_t listener_count;
    bool has_country;
    bool has_asn;
};

/*
 * Compiles the rules (struct rule_options, which must outlive the result) and reads their networks_files.
 * Reported to `report` as "access.[N].KEY" are errors: files that cannot be read or have a bad line (with the
 * file's own name and line number in the text), listeners that do not exist, countries or asns without their
 * database; and warnings: rules that can never match because an earlier one always does. NULL after an error.
 */
struct access *access_new(const struct option_list *rules, const struct access_context *context,
                          struct option_report *report);

/* Frees it; NULL is fine. */
void access_free(struct access *a);

/* Asks the rules: at connect while facts->user is NULL, otherwise at login. `observer` may be NULL. */
struct verdict access_ask(const struct access *a, struct facts *facts, access_observer *observer, void *data);

/*
 * Prints how the rules come to their verdict: one line for each that is passed over, with the reason, and one
 * for the one that decides. Returns the verdict.
 */
struct verdict access_explain(const struct access *a, struct facts *facts, FILE *out);

/* The word for an action, as in the configuration. */
const char *access_action_word(enum access_action action);

#endif
