/* SPDX-License-Identifier: BSD-2-Clause */
/* Conditions on the autonomous system of the client's address. */
#include "policy/condition.h"

static bool is_set(const struct rule *rule)
{
    return rule->options->asns.count > 0;
}

static bool has(const struct rule *rule, uint32_t asn)
{
    const uint32_t *asns = rule->options->asns.items;
    for (size_t i = 0; i < rule->options->asns.count; i++) {
        if (asns[i] == asn) {
            return true;
        }
    }
    return false;
}

static void compile(struct rule *rule, const char *path, const struct access_context *context,
                    struct option_report *report)
{
    char at[64];
    if (is_set(rule) && !context->has_asn) {
        snprintf(at, sizeof at, "%s.asns", path);
        option_error(report, at, "needs a database: geoip.asn");
    }
}

static bool matches(const struct rule *rule, struct facts *facts)
{
    return has(rule, facts_place(facts)->asn);
}

static void explain(const struct rule *rule, struct facts *facts, FILE *out)
{
    const uint32_t *asns = rule->options->asns.items;
    uint32_t asn = facts_place(facts)->asn;
    if (asn == 0) {
        fputs("its AS is not known", out);
    } else {
        fprintf(out, "AS %u is not among ", asn);
        for (size_t i = 0; i < rule->options->asns.count; i++) {
            fprintf(out, "%s%u", i > 0 ? ", " : "", asns[i]);
        }
    }
}

static bool covers(const struct rule *rule, const struct rule *inner)
{
    const uint32_t *asns = inner->options->asns.items;
    for (size_t i = 0; i < inner->options->asns.count; i++) {
        if (!has(rule, asns[i])) {
            return false;
        }
    }
    return true;
}

const struct condition condition_asn = {is_set, compile, matches, explain, covers};
