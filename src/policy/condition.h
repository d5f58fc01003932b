/* SPDX-License-Identifier: BSD-2-Clause */
/* A kind of condition that a rule may have: one file each, and a row in the table of access.c. */
#ifndef IMAPGUARD_POLICY_CONDITION_H
#define IMAPGUARD_POLICY_CONDITION_H

#include "base/network.h"
#include "policy/access.h"

/* A rule, compiled. */
struct rule {
    const struct rule_options *options;
    struct network_set networks; /* of `networks` and `networks_file` */
};

struct condition {
    /* Whether the rule has such a condition. */
    bool (*is_set)(const struct rule *rule);
    /*
     * Checks and prepares it; `path` is the rule's ("access.[N]"), problems go to `report`. NULL: nothing to do.
     */
    void (*compile)(struct rule *rule, const char *path, const struct access_context *context,
                    struct option_report *report);
    bool (*matches)(const struct rule *rule, struct facts *facts);
    /* Says why it does not match. */
    void (*explain)(const struct rule *rule, struct facts *facts, FILE *out);
    /* Whether it holds for every client for which `inner`'s holds; both rules have it. */
    bool (*covers)(const struct rule *rule, const struct rule *inner);
};

extern const struct condition condition_listener, condition_network, condition_user, condition_asn, condition_country, condition_continent;

/* For OPTION_TEXTS: the checks of single values. */
const char *condition_check_country(const char *text);
const char *condition_check_continent(const char *text);
const char *condition_check_user(const char *text);

/* Helpers for lists of words: whether one is in the list; whether all of `inner` are in `list`; printing them. */
bool condition_has_text(const struct option_list *list, const char *text);
bool condition_has_texts(const struct option_list *list, const struct option_list *inner);
void condition_print_texts(const struct option_list *list, FILE *out);

#endif
