/* SPDX-License-Identifier: BSD-2-Clause */
/* Conditions on the listener that a client connects to. */
#include <string.h>

#include "policy/condition.h"

static bool is_set(const struct rule *rule)
{
    return rule->options->listeners.count > 0;
}

static void compile(struct rule *rule, const char *path, const struct access_context *context,
                    struct option_report *report)
{
    char *const *names = rule->options->listeners.items;
    for (size_t i = 0; i < rule->options->listeners.count; i++) {
        bool known = false;
        for (size_t j = 0; j < context->listener_count; j++) {
            known = known || strcmp(context->listeners[j], names[i]) == 0;
        }
        if (!known) {
            char at[64];
            snprintf(at, sizeof at, "%s.listeners.[%zu]", path, i);
            option_error(report, at, "expected the name of a listener, found \"%s\"", names[i]);
        }
    }
}

static bool matches(const struct rule *rule, struct facts *facts)
{
    return condition_has_text(&rule->options->listeners, facts->listener);
}

static void explain(const struct rule *rule, struct facts *facts, FILE *out)
{
    fprintf(out, "listener %s is not among ", facts->listener);
    condition_print_texts(&rule->options->listeners, out);
}

static bool covers(const struct rule *rule, const struct rule *inner)
{
    return condition_has_texts(&rule->options->listeners, &inner->options->listeners);
}

const struct condition condition_listener = {is_set, compile, matches, explain, covers};
