/* SPDX-License-Identifier: BSD-2-Clause */
/* The conditions that a rule may have: one file for each, and a row in the table of access.c. */
#ifndef IMAPGUARD_POLICY_CONDITION_H
#define IMAPGUARD_POLICY_CONDITION_H

#include "base/network.h"
#include "policy/access.h"

/* A compiled rule. */
struct rule {
    const struct rule_options *options;
    struct network_set networks; /* of `networks` and `networks_file` */
};

struct condition {
    /* Returns true if the rule has this condition. */
    bool (*is_set)(const struct rule *rule);
    /*
     * Checks and prepares the condition; problems are reported for the rule at `path` ("access.[N]"). NULL: nothing to do.
     */
    void (*compile)(struct rule *rule, const char *path, const struct access_context *context,
                    struct option_report *report);
    bool (*matches)(const struct rule *rule, struct facts *facts);
    /* Prints why the condition does not match. */
    void (*explain)(const struct rule *rule, struct facts *facts, FILE *out);
    /* Returns true if it matches every client that `inner`'s matches; both rules have the condition. */
    bool (*covers)(const struct rule *rule, const struct rule *inner);
};

extern const struct condition condition_listener, condition_network, condition_user, condition_asn, condition_country,
    condition_continent;

/* For option tables: each returns NULL if the value is valid, or what was expected. */
const char *condition_check_country(const char *text);
const char *condition_check_continent(const char *text);
const char *condition_check_user(const char *text);

/* For lists of words: true if the list has the word; true if it has all of `inner`; prints the list. */
bool condition_has_text(const struct option_list *list, const char *text);
bool condition_has_texts(const struct option_list *list, const struct option_list *inner);
void condition_print_texts(const struct option_list *list, FILE *out);

#endif
