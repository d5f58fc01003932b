/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints the options that there are, or those that a file sets, for tests/check/manual. One line for each:
 *
 *   check-options          PATH TAB KIND TAB DEFAULT   KIND: group (or list of groups), needed, or preset
 *   check-options FILE     PATH TAB KIND TAB VALUE     KIND: group, or value
 *
 * A path is as in "tls.certificates.key": places in lists are left out.
 */
#include <libconfig.h>
#include <stdio.h>

#include "config.h"

enum { PATH_SIZE = 256 };

static void child(char out[PATH_SIZE], const char *path, const char *name)
{
    snprintf(out, PATH_SIZE, "%s%s%s", path, path[0] != '\0' ? "." : "", name);
}

static void print_table(const struct option_table *table, const char *path)
{
    char at[PATH_SIZE];
    for (const struct option_row *o = table->rows; o->name != NULL; o++) {
        child(at, path, o->name);
        if (o->group != NULL) {
            printf("%s\tgroup\t\n", at);
            print_table(o->group, at);
        } else {
            printf("%s\t%s\t%s\n", at, o->default_value != NULL ? "preset" : "needed", o->default_value != NULL ? o->default_value : "");
        }
    }
}

static void print_setting(const config_setting_t *setting, const char *path)
{
    char at[PATH_SIZE];
    snprintf(at, sizeof at, "%s", path);
    if (config_setting_name(setting) != NULL) {
        child(at, path, config_setting_name(setting));
    }
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        printf("%s\tvalue\t%s\n", at, config_setting_get_string(setting));
        return;
    case CONFIG_TYPE_BOOL:
        printf("%s\tvalue\t%s\n", at, config_setting_get_bool(setting) ? "true" : "false");
        return;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        printf("%s\tvalue\t%lld\n", at, config_setting_get_int64(setting));
        return;
    default:
        break;
    }
    if (config_setting_name(setting) != NULL) {
        printf("%s\tgroup\t\n", at);
    }
    for (int i = 0; i < config_setting_length(setting); i++) {
        print_setting(config_setting_get_elem(setting, (unsigned)i), at);
    }
}

int main(int argc, char **argv)
{
    config_t parsed;
    if (argc < 2) {
        print_table(&config_option_table, "");
        return 0;
    }
    config_init(&parsed);
    if (config_read_file(&parsed, argv[1]) != CONFIG_TRUE) {
        fprintf(stderr, "%s:%d: %s\n", argv[1], config_error_line(&parsed), config_error_text(&parsed));
        config_destroy(&parsed);
        return 1;
    }
    print_setting(config_root_setting(&parsed), "");
    config_destroy(&parsed);
    return 0;
}
