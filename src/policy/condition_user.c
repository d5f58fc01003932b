/* SPDX-License-Identifier: BSD-2-Clause */
/* Conditions on the user at login. The values are patterns of glob.h. */
#include <stdlib.h>

#include "base/glob.h"
#include "policy/condition.h"
#include "policy/user_name.h"

const char *condition_check_user(const char *text)
{
    return text[0] != '\0' ? NULL : "the name of a user, in which \"*\" stands for any characters";
}

static bool has(const struct rule *rule, const char *user)
{
    for (size_t i = 0; i < rule->options->users.count; i++) {
        if (glob_matches(rule->users[i], user)) {
            return true;
        }
    }
    return false;
}

static bool is_set(const struct rule *rule)
{
    return rule->options->users.count > 0;
}

static void compile(struct rule *rule, const char *path, const struct access_context *context,
                    struct option_report *report)
{
    char *const *patterns = rule->options->users.items;
    size_t count = rule->options->users.count, folded = 0;
    (void)context;
    rule->users = calloc(count + 1, sizeof *rule->users);
    while (rule->users != NULL && folded < count && (rule->users[folded] = user_name_fold(patterns[folded])) != NULL) {
        folded++;
    }
    if (rule->users == NULL || folded < count) {
        option_error(report, path, "no memory for %zu users", count);
    }
}

static bool matches(const struct rule *rule, struct facts *facts)
{
    return facts->user != NULL && (has(rule, facts->user) || (facts->account != NULL && has(rule, facts->account)));
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
    for (size_t i = 0; i < inner->options->users.count; i++) {
        if (!has(rule, inner->users[i])) {
            return false;
        }
    }
    return true;
}

const struct condition condition_user = {is_set, compile, matches, explain, covers};
