/* SPDX-License-Identifier: BSD-2-Clause */
/* A kind of condition of an access rule. Each kind has a file, and an entry in the table of access.c. */
#ifndef IMAPGUARD_POLICY_CONDITION_H
#define IMAPGUARD_POLICY_CONDITION_H

#include "base/network.h"
#include "policy/access.h"

/* A compiled rule. It owns `networks` and `users`; the options must outlive it. */
struct rule {
    const struct rule_options *options;
    char **users;                /* the patterns of `users`, folded; as many as the options have */
    struct network_set networks; /* sealed; of `networks` and `networks_file` */
};

/* matches(), explain() and covers() are called only for rules for which is_set() is true; covers() for two of them. */
struct condition {
    /* Returns true if the rule has a condition of this kind. */
    bool (*is_set)(const struct rule *rule);
    /*
     * Checks the options of the condition and fills in the rule. Reports errors and warnings to `report`; `path` is the
     * path of the rule, "access.[N]". May be NULL.
     */
    void (*compile)(struct rule *rule, const char *path, const struct access_context *context,
                    struct option_report *report);
    /* Returns true if the condition of the rule matches the client. */
    bool (*matches)(const struct rule *rule, struct facts *facts);
    /* Prints why the condition does not match, without a line end. matches() must be false. */
    void (*explain)(const struct rule *rule, struct facts *facts, FILE *out);
    /* Returns true if the condition of `rule` matches every client that the condition of `inner` matches. */
    bool (*covers)(const struct rule *rule, const struct rule *inner);
};

extern const struct condition condition_listener, condition_network, condition_user, condition_asn, condition_country,
    condition_continent;

/* Check one value of an option. Return NULL if it is valid, or a static description of the expected text. */
const char *condition_check_country(const char *text);
const char *condition_check_continent(const char *text);
const char *condition_check_user(const char *text);

/* Returns true if the list of char * contains the text; case matters. */
bool condition_has_text(const struct option_list *list, const char *text);

/* Returns true if the list of char * contains every text of `inner`; case matters. */
bool condition_has_texts(const struct option_list *list, const struct option_list *inner);

/* Prints the texts of the list of char * to `out`, separated by ", ". */
void condition_print_texts(const struct option_list *list, FILE *out);

#endif
