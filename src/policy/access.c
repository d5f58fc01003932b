/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/access.h"

#include <stdlib.h>
#include <string.h>

#include "policy/condition.h"

static const char *const actions[] = {"allow", "deny", "tarpit", NULL};

/* clang-format off */
static const struct option_row rows[] = {
    {.name = "name", .type = OPTION_TEXT, .offset = offsetof(struct rule_options, name), .check = option_check_name},
    {.name = "action", .type = OPTION_CHOICE, .offset = offsetof(struct rule_options, action), .choices = actions},
    {.name = "networks", .type = OPTION_TEXTS, .offset = offsetof(struct rule_options, networks), .default_value = "",
     .check = network_check},
    {.name = "networks_file", .type = OPTION_TEXT, .offset = offsetof(struct rule_options, networks_file),
     .default_value = ""},
    {.name = "countries", .type = OPTION_TEXTS, .offset = offsetof(struct rule_options, countries), .default_value = "",
     .check = condition_check_country},
    {.name = "continents", .type = OPTION_TEXTS, .offset = offsetof(struct rule_options, continents),
     .default_value = "", .check = condition_check_continent},
    {.name = "asns", .type = OPTION_COUNTS, .offset = offsetof(struct rule_options, asns), .default_value = "",
     .min = 1, .max = UINT32_MAX},
    {.name = "listeners", .type = OPTION_TEXTS, .offset = offsetof(struct rule_options, listeners),
     .default_value = ""},
    {.name = "users", .type = OPTION_TEXTS, .offset = offsetof(struct rule_options, users), .default_value = "",
     .check = condition_check_user},
    {.name = "limits", .type = OPTION_FLAG, .offset = offsetof(struct rule_options, limits), .default_value = "true"},
    {.name = "observe", .type = OPTION_FLAG, .offset = offsetof(struct rule_options, observe),
     .default_value = "false"},
    {0},
};
/* clang-format on */
const struct option_table rule_option_table = {sizeof(struct rule_options), rows};

/* In the order of evaluation, cheap ones first: the databases are used only if all other conditions match. */
static const struct condition *const conditions[] = {
    &condition_listener, &condition_network, &condition_user, &condition_asn, &condition_country, &condition_continent,
};
enum { CONDITIONS = sizeof conditions / sizeof conditions[0], PATH_SIZE = 32 };

struct access {
    struct rule *rules;
    size_t count;
};

bool condition_has_text(const struct option_list *list, const char *text)
{
    char *const *texts = list->items;
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(texts[i], text) == 0) {
            return true;
        }
    }
    return false;
}

bool condition_has_texts(const struct option_list *list, const struct option_list *inner)
{
    char *const *texts = inner->items;
    for (size_t i = 0; i < inner->count; i++) {
        if (!condition_has_text(list, texts[i])) {
            return false;
        }
    }
    return true;
}

void condition_print_texts(const struct option_list *list, FILE *out)
{
    char *const *texts = list->items;
    for (size_t i = 0; i < list->count; i++) {
        fprintf(out, "%s%s", i > 0 ? ", " : "", texts[i]);
    }
}

const char *access_action_word(enum access_action action)
{
    return actions[action];
}

/* --- compiling ----------------------------------------------------------------------------------------- */

static const char *rule_path(char out[PATH_SIZE], size_t index)
{
    snprintf(out, PATH_SIZE, "access.[%zu]", index);
    return out;
}

/* Returns true if `rule` matches every client that `inner` matches. */
static bool covers(const struct rule *rule, const struct rule *inner)
{
    for (size_t i = 0; i < CONDITIONS; i++) {
        if (conditions[i]->is_set(rule) && (!conditions[i]->is_set(inner) || !conditions[i]->covers(rule, inner))) {
            return false;
        }
    }
    return true;
}

static bool matches_everybody(const struct rule *rule)
{
    for (size_t i = 0; i < CONDITIONS; i++) {
        if (conditions[i]->is_set(rule)) {
            return false;
        }
    }
    return !rule->options->observe;
}

static void warn_of_covered(const struct access *a, size_t index, struct option_report *report)
{
    char path[PATH_SIZE];
    for (size_t i = 0; i < index; i++) {
        if (!a->rules[i].options->observe && covers(&a->rules[i], &a->rules[index])) {
            option_warning(report, rule_path(path, index), "can never match: \"%s\" (access.[%zu]) matches before it",
                           a->rules[i].options->name, i);
            return;
        }
    }
}

/* A rule with users is evaluated at login only. A rule that refuses everybody at connect prevents every login. */
static void warn_of_unreachable_users(const struct access *a, struct option_report *report)
{
    char path[PATH_SIZE];
    size_t refusing = 0;
    while (refusing < a->count && !matches_everybody(&a->rules[refusing])) {
        const struct rule *rule = &a->rules[refusing++];
        if (!condition_user.is_set(rule) && rule->options->action == ACCESS_ALLOW && !rule->options->observe) {
            return;
        }
    }
    if (refusing == a->count || a->rules[refusing].options->action == ACCESS_ALLOW) {
        return;
    }
    for (size_t i = 0; i < refusing; i++) {
        if (condition_user.is_set(&a->rules[i])) {
            option_warning(
                report, rule_path(path, i),
                "can never match: it is asked at login, and \"%s\" (access.[%zu]) refuses everybody at connect",
                a->rules[refusing].options->name, refusing);
        }
    }
}

static void compile(struct access *a, size_t index, const struct access_context *context, struct option_report *report)
{
    char path[PATH_SIZE];
    struct rule *rule = &a->rules[index];
    rule_path(path, index);
    for (size_t i = 0; i < CONDITIONS; i++) {
        if (conditions[i]->compile != NULL) {
            conditions[i]->compile(rule, path, context, report);
        }
    }
    if (!rule->options->limits && rule->options->action != ACCESS_ALLOW) {
        option_warning(report, path, "limits = false has no meaning with \"%s\"", actions[rule->options->action]);
    }
}

struct access *access_new(const struct option_list *rules, const struct access_context *context,
                          struct option_report *report)
{
    const struct rule_options *options = rules->items;
    uint32_t errors = report->errors;
    struct access *a = calloc(1, sizeof *a);
    if (a == NULL || (a->rules = calloc(rules->count + 1, sizeof *a->rules)) == NULL) {
        option_error(report, "access", "no memory for %zu rules", rules->count);
        free(a);
        return NULL;
    }
    a->count = rules->count;
    for (size_t i = 0; i < a->count; i++) {
        a->rules[i].options = &options[i];
        compile(a, i, context, report);
    }
    if (report->errors > errors) {
        access_free(a);
        return NULL;
    }
    for (size_t i = 1; i < a->count; i++) {
        warn_of_covered(a, i, report);
    }
    warn_of_unreachable_users(a, report);
    return a;
}

void access_free(struct access *a)
{
    if (a == NULL) {
        return;
    }
    for (size_t i = 0; i < a->count; i++) {
        network_set_clear(&a->rules[i].networks);
        for (size_t k = 0; a->rules[i].users != NULL && k < a->rules[i].options->users.count; k++) {
            free(a->rules[i].users[k]);
        }
        free(a->rules[i].users);
    }
    free(a->rules);
    free(a);
}

/* --- asking ---------------------------------------------------------------------------------------------- */

/* Returns the first condition of the rule that does not match; NULL if all match. */
static const struct condition *failing(const struct rule *rule, struct facts *facts)
{
    for (size_t i = 0; i < CONDITIONS; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the table has no NULL */
        if (conditions[i]->is_set(rule) && !conditions[i]->matches(rule, facts)) {
            return conditions[i];
        }
    }
    return NULL;
}

static struct verdict verdict_of(const struct rule_options *o)
{
    return (struct verdict){o->action, o->name, o->limits};
}

struct verdict access_ask(const struct access *a, struct facts *facts, access_observer *observer, void *data)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct rule_options *o = a->rules[i].options;
        if (failing(&a->rules[i], facts) != NULL) {
            continue;
        }
        if (!o->observe) {
            return verdict_of(o);
        }
        /* Rules without users were reported at connect. */
        if (observer != NULL && (facts->user == NULL || condition_user.is_set(&a->rules[i]))) {
            observer(data, o->name, o->action);
        }
    }
    return (struct verdict){ACCESS_ALLOW, NULL, true};
}

struct verdict access_explain(const struct access *a, struct facts *facts, FILE *out)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct rule_options *o = a->rules[i].options;
        const struct condition *condition = failing(&a->rules[i], facts);
        fprintf(out, "  %s: ", o->name);
        if (condition != NULL) {
            fputs("passed over: ", out);
            condition->explain(&a->rules[i], facts, out);
            fputc('\n', out);
        } else if (o->observe) {
            fprintf(out, "would %s, but only observes\n", actions[o->action]);
        } else {
            fprintf(out, "matches: %s\n", actions[o->action]);
            return verdict_of(o);
        }
    }
    fputs("  no rule matches: allow\n", out);
    return (struct verdict){ACCESS_ALLOW, NULL, true};
}
