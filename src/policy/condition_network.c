/* SPDX-License-Identifier: BSD-2-Clause */
/* Conditions on the client's address: `networks` and `networks_file` of a rule are one set. */
#include <string.h>

#include "policy/condition.h"
#include "policy/networks_file.h"

static bool has_file(const struct rule *rule)
{
    return rule->options->networks_file != NULL && rule->options->networks_file[0] != '\0';
}

static bool is_set(const struct rule *rule)
{
    return rule->options->networks.count > 0 || has_file(rule);
}

static void report_bad(const struct networks_file_bad *bad, const char *file, const char *at,
                       struct option_report *report)
{
    for (size_t i = 0; i < bad->count && i < NETWORKS_FILE_BAD_MAX; i++) {
        option_error(report, at,
                     "%s:%zu: expected a network such as 192.0.2.0/24 or 2001:db8::/32, or an address, found \"%s\"",
                     file, bad->lines[i].line, bad->lines[i].text);
    }
    if (bad->count > NETWORKS_FILE_BAD_MAX) {
        option_error(report, at, "%s: and %zu more lines that are no network", file,
                     bad->count - NETWORKS_FILE_BAD_MAX);
    }
}

static void read_file(struct rule *rule, const char *path, struct option_report *report)
{
    char at[64], cause[FILE_CAUSE_SIZE];
    const char *file = rule->options->networks_file;
    struct networks_file_bad bad;
    snprintf(at, sizeof at, "%s.networks_file", path);
    if (networks_file_read(file, &rule->networks, &bad, cause) != 0) {
        option_error(report, at, "cannot read %s: %s", file, cause);
    } else if (bad.count == 0 && rule->networks.count == 0) {
        option_warning(report, at, "there is no network in %s: the rule never matches", file);
    }
    report_bad(&bad, file, at, report);
}

static void compile(struct rule *rule, const char *path, const struct access_context *context,
                    struct option_report *report)
{
    char *const *texts = rule->options->networks.items;
    (void)context;
    for (size_t i = 0; i < rule->options->networks.count; i++) {
        struct network n;
        if (network_parse(texts[i], strlen(texts[i]), &n) == 0 && network_set_add(&rule->networks, &n) != 0) {
            option_error(report, path, "no memory for its networks");
        }
    }
    if (has_file(rule)) {
        read_file(rule, path, report);
    }
    network_set_seal(&rule->networks);
}

static bool matches(const struct rule *rule, struct facts *facts)
{
    return network_set_has(&rule->networks, &facts->address);
}

static void explain(const struct rule *rule, struct facts *facts, FILE *out)
{
    char text[NETWORK_TEXT_SIZE];
    struct network alone = network_around(&facts->address, 32, 128);
    (void)rule;
    fprintf(out, "%s is in none of its networks", network_text(&alone, text));
}

static bool covers(const struct rule *rule, const struct rule *inner)
{
    return network_set_covers(&rule->networks, &inner->networks);
}

const struct condition condition_network = {is_set, compile, matches, explain, covers};
