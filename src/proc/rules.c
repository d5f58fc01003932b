/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/user_name.h"

struct access *rules_load(const struct config *config, struct option_report *report)
{
    const struct listener_options *listeners = config->listeners.items;
    const char **names = calloc(config->listeners.count + 1, sizeof *names);
    if (names == NULL) {
        option_error(report, "access", "no memory");
        return NULL;
    }
    size_t count = 0;
    for (size_t i = 0; i < config->listeners.count; i++) {
        if (listeners[i].name != NULL) {
            names[count++] = listeners[i].name;
        }
    }
    struct access_context context = {
        .listeners = names,
        .listener_count = count,
        .has_country = config->geoip.country != NULL && config->geoip.country[0] != '\0',
        .has_asn = config->geoip.asn != NULL && config->geoip.asn[0] != '\0',
    };
    struct access *access = access_new(&config->access, &context, report);
    free(names);
    return access;
}

static const char *find_listener(const struct config *config, const char *name)
{
    const struct listener_options *listeners = config->listeners.items;
    for (size_t i = 0; i < config->listeners.count; i++) {
        if (name == NULL || strcmp(listeners[i].name, name) == 0) {
            return listeners[i].name;
        }
    }
    fprintf(stderr, "imapguard: there is no listener \"%s\"; there are:", name);
    for (size_t i = 0; i < config->listeners.count; i++) {
        fprintf(stderr, " %s", listeners[i].name);
    }
    fputc('\n', stderr);
    return NULL;
}

static int answer(const struct config *config, const struct access *access, struct geoip *geoip,
                  const struct rules_question *question)
{
    union address address;
    char text[ADDRESS_TEXT_SIZE];
    if (address_parse(question->address, 0, &address) != 0) {
        fprintf(stderr, "imapguard: expected an IPv4 or IPv6 address, found \"%s\"\n", question->address);
        return -1;
    }
    const char *listener = find_listener(config, question->listener);
    if (listener == NULL) {
        return -1;
    }
    struct network_address written = network_address_of(&address);
    struct network_address octets = limits_unwrap(&config->limits, &written);
    struct facts facts = facts_at_connect(&octets, listener, geoip);
    const struct place *place = facts_place(&facts);
    printf("address %s, listener %s, country %s, continent %s, AS ", address_text(&address, text), listener,
           place->country, place->continent);
    printf(place->asn != 0 ? "%u" : "--", place->asn);
    if (question->user != NULL) {
        printf(", user %s", question->user);
    }
    fputs("\nat connect:\n", stdout);
    struct verdict verdict = access_explain(access, &facts, stdout), connected = verdict;
    if (question->user != NULL && verdict.action == ACCESS_ALLOW) { /* otherwise it never gets as far */
        char *folded = user_name_fold(question->user);
        facts.user = folded != NULL ? folded : question->user;
        fputs("at login:\n", stdout);
        verdict = access_explain(access, &facts, stdout);
        facts.user = NULL;
        free(folded);
    }
    if (verdict.action == ACCESS_ALLOW) {
        printf("verdict: allow, %s\n", verdict.limits ? "within the limits"
                                       : question->user != NULL && connected.limits
                                           ? "neither counted nor banned after the login"
                                           : "neither counted nor banned");
    } else {
        printf("verdict: %s\n", access_action_word(verdict.action));
    }
    return 0;
}

int rules_explain(const char *path, const struct rules_question *question)
{
    struct config config;
    struct config_source source;
    int result = -1;
    if (config_load(&config, &source, path) == 0) {
        struct geoip *geoip = geoip_new(&config.geoip, config.limits.state_file, &source.report);
        struct access *access = rules_load(&config, &source.report);
        if (source.report.errors == 0) {
            result = answer(&config, access, geoip, question);
        }
        access_free(access);
        geoip_free(geoip);
        config_free(&config);
    }
    config_source_fini(&source);
    return result;
}
