/* SPDX-License-Identifier: BSD-2-Clause */
/* Conditions on the country and on the continent of the client's address. */
#include <string.h>

#include "policy/condition.h"

/* The codes of ISO 3166-1, and XK (Kosovo), which the databases use. */
static const char countries[] =
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
    "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
    "JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
    "MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
    "TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW -- ";

static const char continents[] = "AF AN AS EU NA OC SA -- ";

/* Returns true if the text is a word of the list, in which each word has two letters and a space after it. */
static bool is_code(const char *list, const char *text)
{
    for (const char *at = list; strlen(text) == 2 && *at != '\0'; at += 3) {
        if (memcmp(at, text, 2) == 0) {
            return true;
        }
    }
    return false;
}

const char *condition_check_country(const char *text)
{
    return is_code(countries, text) ? NULL
                                    : "a country code of ISO 3166-1 in capitals, such as \"DE\", or \"--\" for an "
                                      "address that the database does not know";
}

const char *condition_check_continent(const char *text)
{
    return is_code(continents, text) ? NULL
                                     : "\"AF\", \"AN\", \"AS\", \"EU\", \"NA\", \"OC\", \"SA\", or \"--\" for an "
                                       "address that the database does not know";
}

static void need_database(const struct option_list *list, const char *path, const char *key,
                          const struct access_context *context, struct option_report *report)
{
    char at[64];
    if (list->count > 0 && !context->has_country) {
        snprintf(at, sizeof at, "%s.%s", path, key);
        option_error(report, at, "needs a database: geoip.country");
    }
}

static bool country_is_set(const struct rule *rule)
{
    return rule->options->countries.count > 0;
}

static void country_compile(struct rule *rule, const char *path, const struct access_context *context,
                            struct option_report *report)
{
    need_database(&rule->options->countries, path, "countries", context, report);
}

static bool country_matches(const struct rule *rule, struct facts *facts)
{
    return condition_has_text(&rule->options->countries, facts_place(facts)->country);
}

static void country_explain(const struct rule *rule, struct facts *facts, FILE *out)
{
    fprintf(out, "country %s is not among ", facts_place(facts)->country);
    condition_print_texts(&rule->options->countries, out);
}

static bool country_covers(const struct rule *rule, const struct rule *inner)
{
    return condition_has_texts(&rule->options->countries, &inner->options->countries);
}

const struct condition condition_country = {country_is_set, country_compile, country_matches, country_explain,
                                            country_covers};

static bool continent_is_set(const struct rule *rule)
{
    return rule->options->continents.count > 0;
}

static void continent_compile(struct rule *rule, const char *path, const struct access_context *context,
                              struct option_report *report)
{
    need_database(&rule->options->continents, path, "continents", context, report);
}

static bool continent_matches(const struct rule *rule, struct facts *facts)
{
    return condition_has_text(&rule->options->continents, facts_place(facts)->continent);
}

static void continent_explain(const struct rule *rule, struct facts *facts, FILE *out)
{
    fprintf(out, "continent %s is not among ", facts_place(facts)->continent);
    condition_print_texts(&rule->options->continents, out);
}

static bool continent_covers(const struct rule *rule, const struct rule *inner)
{
    return condition_has_texts(&rule->options->continents, &inner->options->continents);
}

const struct condition condition_continent = {continent_is_set, continent_compile, continent_matches, continent_explain,
                                              continent_covers};
