/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/syntax.h"

enum { PATH_SIZE = 256, NUMBER_SIZE = 128, WORKERS_MAX = 256, SESSIONS_MAX = 10000000 };

/* clang-format off */
static const struct option_row rows[] = {
    {.name = "user", .type = OPTION_TEXT, .offset = offsetof(struct config, user), .default_value = "imapguard"},
    {.name = "workers", .type = OPTION_COUNT, .offset = offsetof(struct config, workers), .default_value = "0",
     .max = WORKERS_MAX},
    {.name = "max_sessions", .type = OPTION_COUNT, .offset = offsetof(struct config, max_sessions), .default_value = "0",
     .max = SESSIONS_MAX},
    {.name = "hang_timeout", .type = OPTION_DURATION, .offset = offsetof(struct config, hang_timeout_ms), .default_value = "10s",
     .min = 2000, .max = 3600000},
    {.name = "listeners", .type = OPTION_LIST, .offset = offsetof(struct config, listeners),
     .group = &listener_option_table},
    {.name = "tls", .type = OPTION_GROUP, .offset = offsetof(struct config, tls), .group = &tls_option_table},
    {.name = "backends", .type = OPTION_LIST, .offset = offsetof(struct config, backends),
     .group = &backend_option_table},
    {.name = "routes", .type = OPTION_LIST, .offset = offsetof(struct config, routes), .default_value = "",
     .group = &route_option_table},
    {.name = "capabilities", .type = OPTION_TEXTS, .offset = offsetof(struct config, capabilities), .default_value = "",
     .check = capability_check},
    {.name = "geoip", .type = OPTION_GROUP, .offset = offsetof(struct config, geoip), .default_value = "",
     .group = &geoip_option_table},
    {.name = "access", .type = OPTION_LIST, .offset = offsetof(struct config, access), .default_value = "",
     .group = &rule_option_table},
    {.name = "limits", .type = OPTION_GROUP, .offset = offsetof(struct config, limits), .default_value = "",
     .group = &limits_option_table},
    {.name = "log", .type = OPTION_GROUP, .offset = offsetof(struct config, log), .default_value = "",
     .group = &log_option_table},
    {0},
};
/* clang-format on */
const struct option_table config_option_table = {sizeof(struct config), rows};

/* --- reports -------------------------------------------------------------------------- */

/* The setting at a path, or the nearest one around it that the file has. */
static const config_setting_t *nearest_setting(config_t *parsed, const char *path)
{
    char at[PATH_SIZE];
    snprintf(at, sizeof at, "%s", path);
    for (;;) {
        const config_setting_t *setting = config_lookup(parsed, at);
        if (setting != NULL) {
            return setting;
        }
        char *dot = strrchr(at, '.');
        if (dot == NULL) {
            return config_root_setting(parsed);
        }
        *dot = '\0';
    }
}

static void print_problem(struct option_report *report, bool fatal, const char *path, const char *text)
{
    struct config_source *source = (struct config_source *)report;
    const config_setting_t *setting = source->unknown != NULL ? source->unknown : nearest_setting(source->parsed, path);
    /* A missing option at the top level has no line. */
    unsigned line = config_setting_is_root(setting) ? 1 : config_setting_source_line(setting);
    struct config_place place = config_text_place(source->text, line);
    fprintf(stderr, "%s:%u: %s%s: %s\n", place.file, place.line, fatal ? "" : "warning: ", path, text);
}

static const char *found(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        return "a string";
    case CONFIG_TYPE_BOOL:
        return "true or false";
    case CONFIG_TYPE_ARRAY:
        return "an array [ ... ]";
    case CONFIG_TYPE_LIST:
        return "a list ( ... )";
    default:
        return "a group { ... }";
    }
}

/* --- reading by the tables ---------------------------------------------------------------------------- */

static void read_group(struct config_source *source, const config_setting_t *group, const struct option_table *table,
                       void *into, const char *path);

static void child_path(char out[PATH_SIZE], const char *path, const char *name)
{
    snprintf(out, PATH_SIZE, "%s%s%s", path, path[0] != '\0' ? "." : "", name);
}

/* A number as it was written, which cuts no value that is too large; libconfig has only the index of its token. */
static const char *number_text(const struct config_source *source, const config_setting_t *setting,
                               char number[NUMBER_SIZE])
{
    struct span s = config_text_token(source->text, (size_t)config_setting_get_int(setting));
    snprintf(number, NUMBER_SIZE, "%.*s", (int)s.len, (const char *)s.bytes);
    return number;
}

/* The value in the form that option_set() reads; NULL when it is of a type that the option does not take. */
static const char *value_text(const struct config_source *source, const struct option_row *o,
                              const config_setting_t *setting, char number[NUMBER_SIZE])
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
        (void)number_text(source, setting, number);
        return o->type == OPTION_COUNT || o->type == OPTION_COUNTS ? number : NULL;
    case CONFIG_TYPE_BOOL:
        return o->type != OPTION_FLAG ? NULL : config_setting_get_bool(setting) ? "true" : "false";
    case CONFIG_TYPE_STRING:
        return o->type == OPTION_COUNT || o->type == OPTION_COUNTS || o->type == OPTION_FLAG
                   ? NULL
                   : config_setting_get_string(setting);
    default:
        return NULL;
    }
}

static const char *type_text(enum option_type type)
{
    /* clang-format off */
    static const char *const texts[] = {
        [OPTION_FLAG] = "true or false",        [OPTION_COUNT] = "a number",
        [OPTION_DURATION] = "a duration with its unit, in quotes, such as \"90s\" or \"15m\"",
        [OPTION_TEXT] = "a string",             [OPTION_CHOICE] = "a string",
        [OPTION_RATE] = "a rate, in quotes, such as \"120/1m\"",
        [OPTION_TEXTS] = "an array of strings [ \"...\", \"...\" ]",
        [OPTION_COUNTS] = "an array of numbers [ 1, 2 ]",
        [OPTION_GROUP] = "a group { ... }",     [OPTION_LIST] = "a list of groups ( { ... } )",
    };
    /* clang-format on */
    return texts[type];
}

/* `text`: the value, of a type that the option takes; NULL: it is of another. */
static void report_value(struct config_source *source, const config_setting_t *setting, const char *path,
                         const char *wanted, const char *text)
{
    char number[NUMBER_SIZE];
    if (text != NULL) {
        option_error(&source->report, path, "expected %s, found \"%s\"", wanted, text);
    } else if (config_setting_type(setting) == CONFIG_TYPE_INT) {
        (void)number_text(source, setting, number);
        bool plain = number[strspn(number, "+-.0123456789")] == '\0';
        option_error(&source->report, path, "expected %s, found %s%s%s", wanted, plain ? "the number " : "", number,
                     plain ? "" : " without quotes");
    } else {
        option_error(&source->report, path, "expected %s, found %s", wanted, found(setting));
    }
}

static void read_value(struct config_source *source, const config_setting_t *setting, const struct option_row *o,
                       void *into, const char *path)
{
    char number[NUMBER_SIZE], expected[256];
    const char *text = value_text(source, o, setting, number);
    const char *wanted = text != NULL ? option_set(o, into, text, expected, sizeof expected) : type_text(o->type);
    if (wanted == NULL) {
        return;
    }
    report_value(source, setting, path, wanted, text);
    if (o->type == OPTION_TEXT) {
        char **field = (char **)((char *)into + o->offset);
        free(*field); /* the default does not stand for what was meant */
        *field = NULL;
    }
}

static const char *element_text(enum option_type type)
{
    return type == OPTION_TEXTS ? "a string" : "a number";
}

static void read_array(struct config_source *source, const config_setting_t *setting, const struct option_row *o,
                       void *into, const char *path)
{
    for (int i = 0; i < config_setting_length(setting); i++) {
        char number[NUMBER_SIZE], expected[256], item_path[PATH_SIZE];
        const config_setting_t *item = config_setting_get_elem(setting, (unsigned)i);
        const char *text = value_text(source, o, item, number);
        const char *wanted = text != NULL ? option_add(o, into, text, expected, sizeof expected)
                                          : element_text(o->type);
        snprintf(item_path, sizeof item_path, "%.200s.[%d]", path, i);
        if (wanted != NULL) {
            report_value(source, item, item_path, wanted, text);
        }
    }
}

static void read_list(struct config_source *source, const config_setting_t *setting, const struct option_row *o,
                      struct option_list *list, const char *path)
{
    int count = config_setting_length(setting);
    list->items = calloc(count > 0 ? (size_t)count : 1, o->group->size);
    if (list->items == NULL) {
        option_error(&source->report, path, "no memory");
        return;
    }
    list->count = (size_t)count;
    for (int i = 0; i < count; i++) {
        char item_path[PATH_SIZE];
        const config_setting_t *item = config_setting_get_elem(setting, (unsigned)i);
        void *at = (char *)list->items + (size_t)i * o->group->size;
        snprintf(item_path, sizeof item_path, "%.200s.[%d]", path, i);
        option_set_defaults(o->group, at);
        if (config_setting_is_group(item)) {
            read_group(source, item, o->group, at, item_path);
        } else {
            report_value(source, item, item_path, "a group { ... }", NULL);
        }
    }
}

static void read_option(struct config_source *source, const config_setting_t *setting, const struct option_row *o,
                        void *into, const char *path)
{
    void *field = (char *)into + o->offset;
    if (o->type == OPTION_GROUP && config_setting_is_group(setting)) {
        read_group(source, setting, o->group, field, path);
    } else if (o->type == OPTION_LIST && config_setting_is_list(setting)) {
        read_list(source, setting, o, field, path);
    } else if ((o->type == OPTION_TEXTS || o->type == OPTION_COUNTS) &&
               (config_setting_is_array(setting) || config_setting_is_list(setting))) {
        read_array(source, setting, o, into, path);
    } else if (o->type == OPTION_TEXTS || o->type == OPTION_COUNTS) {
        report_value(source, setting, path, type_text(o->type), NULL);
    } else {
        read_value(source, setting, o, into, path);
    }
}

static void report_unknown(struct config_source *source, const struct option_table *table,
                           const config_setting_t *setting, const char *path)
{
    const char *name = config_setting_name(setting);
    source->unknown = setting;
    const char *nearest = option_nearest(table, name);
    if (nearest != NULL) {
        option_error(&source->report, path, "unknown key; did you mean \"%s\"?", nearest);
    } else {
        char names[384];
        option_error(&source->report, path, "unknown key; there are %s", option_names(table, names, sizeof names));
    }
    source->unknown = NULL;
}

static void read_group(struct config_source *source, const config_setting_t *group, const struct option_table *table,
                       void *into, const char *path)
{
    char at[PATH_SIZE];
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(setting);
        const struct option_row *o = option_find(table, name);
        child_path(at, path, name);
        if (o == NULL) {
            report_unknown(source, table, setting, at);
        } else {
            read_option(source, setting, o, into, at);
        }
    }
    for (const struct option_row *o = table->rows; o->name != NULL; o++) {
        if (o->default_value == NULL && config_setting_get_member(group, o->name) == NULL) {
            child_path(at, path, o->name);
            option_error(&source->report, at, "missing: expected %s", type_text(o->type));
        }
    }
}

/* --- checks over several options -------------------------------------------------------------------- */

static void check_name_twice(struct config_source *source, const struct option_list *list, size_t size,
                             const char *list_path)
{
    _Static_assert(offsetof(struct listener_options, name) == 0 && offsetof(struct backend_options, name) == 0 &&
                       offsetof(struct rule_options, name) == 0,
                   "the name comes first");
    for (size_t i = 0; list->items != NULL && i < list->count; i++) {
        const char *name = *(char *const *)((const char *)list->items + i * size);
        for (size_t j = 0; j < i && name != NULL; j++) {
            const char *other = *(char *const *)((const char *)list->items + j * size);
            if (other != NULL && strcmp(name, other) == 0) {
                char path[PATH_SIZE];
                snprintf(path, sizeof path, "%s.[%zu].name", list_path, i);
                option_error(&source->report, path, "expected a name of its own, found \"%s\" twice", name);
            }
        }
    }
}

/* A login of a user who is attacked waits for login_delay_max before a backend judges it. */
static void check_delay(struct config_source *source, const struct config *config)
{
    const struct backend_options *backends = config->backends.items;
    uint32_t delay_ms = config->limits.login_delay_max_ms;
    if (delay_ms >= config->limits.login_timeout_ms) {
        option_warning(
            &source->report, "limits.login_delay_max",
            "a login that is delayed for so long (%u ms) ends by login_timeout (%u ms): make login_delay_max "
            "shorter than login_timeout",
            delay_ms, config->limits.login_timeout_ms);
    }
    for (size_t i = 0; backends != NULL && i < config->backends.count; i++) {
        if (delay_ms >= backends[i].login_timeout_ms) {
            char path[PATH_SIZE];
            snprintf(path, sizeof path, "backends.[%zu].login_timeout", i);
            option_warning(&source->report, path,
                           "a login by CRAM-MD5 that is delayed (limits.login_delay_max, %u ms) ends by this (%u ms): "
                           "make login_delay_max shorter",
                           delay_ms, backends[i].login_timeout_ms);
        }
    }
}

static void check_whole(struct config_source *source, const struct config *config)
{
    if (config->listeners.items != NULL && config->listeners.count == 0) {
        option_error(&source->report, "listeners",
                     "expected at least one listener, such as "
                     "{ name = \"imap\"; address = \"*:143\"; tls = \"starttls\"; }, found none");
    }
    check_delay(source, config);
    if (config->limits.login_delay_max_ms < config->limits.login_delay_ms) {
        option_error(&source->report, "limits.login_delay_max",
                     "expected no less than login_delay (%u ms), found %u ms", config->limits.login_delay_ms,
                     config->limits.login_delay_max_ms);
    }
    if (config->limits.network.ban_time_max_ms < config->limits.network.ban_time_ms) {
        option_error(&source->report, "limits.ban_time_max", "expected no less than ban_time (%u s), found %u s",
                     config->limits.network.ban_time_ms / 1000, config->limits.network.ban_time_max_ms / 1000);
    }
    check_name_twice(source, &config->access, sizeof(struct rule_options), "access");
    check_name_twice(source, &config->listeners, sizeof(struct listener_options), "listeners");
    check_name_twice(source, &config->backends, sizeof(struct backend_options), "backends");
}

static void print_unreadable(const struct config_problem *problem)
{
    if (problem->place.line > 0) {
        fprintf(stderr, "%s:%u: %s\n", problem->place.file, problem->place.line, problem->text);
    } else {
        fprintf(stderr, "%s: %s\n", problem->place.file, problem->text);
    }
}

/* 0, or -1 with the problem. */
static int parse(struct config_source *source, struct config_problem *problem)
{
    if (config_text_read(source->text, source->path, problem) != 0) {
        return -1;
    }
    char *text = config_text_for_parser(source->text);
    if (text == NULL) {
        *problem = (struct config_problem){{source->path, 0}, "no memory"};
        return -1;
    }
    int result = config_read_string(source->parsed, text) == CONFIG_TRUE ? 0 : -1;
    if (result != 0) {
        config_syntax_explain(source->text, (unsigned)config_error_line((config_t *)source->parsed),
                              config_error_text((config_t *)source->parsed), problem);
    }
    free(text);
    return result;
}

int config_load(struct config *config, struct config_source *source, const char *path)
{
    struct config_problem problem;
    config_t *parsed = calloc(1, sizeof *parsed);
    struct config_text *text = calloc(1, sizeof *text);
    *config = (struct config){0};
    if (parsed == NULL || text == NULL) {
        free(parsed);
        free(text);
        *source = (struct config_source){.path = path};
        fprintf(stderr, "%s: no memory\n", path);
        return -1;
    }
    config_init(parsed);
    *source = (struct config_source){.report = {.take = print_problem}, .path = path, .parsed = parsed, .text = text};
    if (parse(source, &problem) != 0) {
        print_unreadable(&problem);
        return -1;
    }
    option_set_defaults(&config_option_table, config);
    read_group(source, config_root_setting(parsed), &config_option_table, config, "");
    check_whole(source, config);
    return 0;
}

void config_source_fini(struct config_source *source)
{
    if (source->parsed != NULL) {
        config_destroy(source->parsed);
        config_text_free(source->text);
        free(source->parsed);
        free(source->text);
        source->parsed = NULL;
        source->text = NULL;
    }
}

void config_free(struct config *config)
{
    option_free(&config_option_table, config);
}
