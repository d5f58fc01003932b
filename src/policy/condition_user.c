/* SPDX-License-Identifier: BSD-2-Clause */
/* Conditions on the user at login. The values are patterns of glob.h. */
#include "base/glob.h"
#include "policy/condition.h"

const char *condition_check_user(const char *text)
{
    return text[0] != '\0' ? NULL : "the name of a user, in which \"*\" stands for any characters";
}

static bool has(const struct rule *rule, const char *user)
{
    char *const *patterns = rule->options->users.items;
    for (size_t i = 0; i < rule->options->users.count; i++) {
        if (glob_matches(patterns[i], user)) {
            return true;
        }
    }
    return false;
}

static bool is_set(const struct rule *rule)
{
    return rule->options->users.count > 0;
}

static bool matches(const struct rule *rule, struct facts *facts)
{
    return facts->user != NULL && has(rule, facts->user);
}

static void explain(const struct rule *rule, struct facts *facts, FILE *out)
{
    if (facts->user == NULL) {
        fputs("not asked at connect: it has users", out);
        return;
    }
    fprintf(out, "user %s is not among ", facts->user);
    condition_print_texts(&rule->options->users, out);
}

/* Only "*" matches the "*" of an inner pattern. A match of the pattern therefore covers all names that it matches. */
static bool covers(const struct rule *rule, const struct rule *inner)
{
    char *const *patterns = inner->options->users.items;
    for (size_t i = 0; i < inner->options->users.count; i++) {
        if (!has(rule, patterns[i])) {
            return false;
        }
    }
    return true;
}

const struct condition condition_user = {is_set, NULL, matches, explain, covers};
