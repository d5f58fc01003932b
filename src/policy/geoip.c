/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/geoip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "policy/database.h"

/* clang-format off */
static const struct option_row rows[] = {
    {.name = "country", .type = OPTION_TEXT, .offset = offsetof(struct geoip_options, country), .default_value = "",
     .check = option_check_path},
    {.name = "asn", .type = OPTION_TEXT, .offset = offsetof(struct geoip_options, asn), .default_value = "",
     .check = option_check_path},
    {.name = "required", .type = OPTION_FLAG, .offset = offsetof(struct geoip_options, required), .default_value = "false"},
    {0},
};
/* clang-format on */
const struct option_table geoip_option_table = {sizeof(struct geoip_options), rows};

static const struct database_field country_fields[] = {
    {{"country", "iso_code", NULL}, MMDB_DATA_TYPE_UTF8_STRING},
    {{"continent", "code", NULL}, MMDB_DATA_TYPE_UTF8_STRING},
    {{NULL}, 0},
};
static const struct database_field asn_fields[] = {
    {{"autonomous_system_number", NULL}, MMDB_DATA_TYPE_UINT32},
    {{NULL}, 0},
};

struct geoip {
    struct database databases[GEOIP_DATABASES];
    char *copies[GEOIP_DATABASES];         /* paths of the last good copies; NULL: none are kept */
    const char *failures[GEOIP_DATABASES]; /* why the own file was not used at start; NULL: it was */
    const char
        *copy_failures[GEOIP_DATABASES]; /* why a copy that exists was not used either; NULL: it was, or none exists */
    bool copy_failed;                    /* logged already */
};

static bool exists(const struct database *d)
{
    return d->path[0] != '\0';
}

/* Uses the last good copy. Returns 0, or -1 if there is none that can be used. */
static int load_copy(struct geoip *g, unsigned index)
{
    const char *copy = g->copies[index];
    const char *cause = copy != NULL ? database_load(&g->databases[index], copy) : NULL;
    if (copy == NULL || cause != NULL) {
        g->copy_failures[index] = copy != NULL && access(copy, F_OK) == 0 ? cause : NULL;
        return -1;
    }
    return 0;
}

static void report_unknown(const struct geoip *g, unsigned index, const char *path, struct option_report *report)
{
    const struct database *d = &g->databases[index];
    if (g->copy_failures[index] != NULL) {
        option_warning(report, path, "cannot use the last good copy %s either: %s", g->copies[index],
                       g->copy_failures[index]);
    }
    option_warning(report, path, "cannot use %s: %s; nothing is known of any address (\"--\") until it can be used",
                   d->path, g->failures[index]);
}

/* Uses the file, or else its last good copy. Problems are reported. */
static void load(struct geoip *g, unsigned index, bool required, struct option_report *report)
{
    struct database *d = &g->databases[index];
    char path[32];
    const char *cause = exists(d) ? database_load(d, d->path) : NULL;
    g->failures[index] = cause;
    if (cause == NULL) {
        return;
    }
    snprintf(path, sizeof path, "geoip.%s", d->name);
    if (required) {
        option_error(report, path, "cannot use %s: %s", d->path, cause);
    } else if (load_copy(g, index) == 0) {
        option_warning(report, path, "cannot use %s: %s; the last good copy is used, %s", d->path, cause,
                       g->copies[index]);
    } else {
        report_unknown(g, index, path, report);
    }
}

static int copy_paths(struct geoip *g, const struct geoip_options *options, const char *state_file)
{
    g->databases[GEOIP_COUNTRY] = (struct database){.name = "country",
                                                    .path = strdup(options->country != NULL ? options->country : ""),
                                                    .file = -1,
                                                    .fields = country_fields};
    g->databases[GEOIP_ASN] = (struct database){
        .name = "asn", .path = strdup(options->asn != NULL ? options->asn : ""), .file = -1, .fields = asn_fields};
    bool complete = true;
    for (unsigned i = 0; i < GEOIP_DATABASES; i++) {
        if (state_file != NULL && state_file[0] != '\0' &&
            asprintf(&g->copies[i], "%s.geoip-%s", state_file, g->databases[i].name) == -1) {
            g->copies[i] = NULL;
            complete = false;
        }
        complete = complete && g->databases[i].path != NULL;
    }
    return complete ? 0 : -1;
}

struct geoip *geoip_new(const struct geoip_options *options, const char *state_file, struct option_report *report)
{
    uint32_t errors = report->errors;
    struct geoip *g = calloc(1, sizeof *g);
    if (g == NULL || copy_paths(g, options, state_file) != 0) {
        option_error(report, "geoip", "no memory");
        geoip_free(g);
        return NULL;
    }
    for (unsigned i = 0; i < GEOIP_DATABASES; i++) {
        load(g, i, options->required, report);
    }
    if (report->errors > errors) {
        geoip_free(g);
        return NULL;
    }
    return g;
}

void geoip_free(struct geoip *g)
{
    if (g == NULL) {
        return;
    }
    for (size_t i = 0; i < GEOIP_DATABASES; i++) {
        database_fini(&g->databases[i]);
        free(g->databases[i].path);
        free(g->copies[i]);
    }
    free(g);
}

/* "EVENT database=NAME path=\"...\"", which the caller ends. */
static void begin_line(struct log_line *line, enum log_level level, const char *event, const struct database *d,
                       const char *path)
{
    log_begin(line, level, event);
    log_word(line, "database", d->name);
    log_quoted(line, "path", path, strlen(path));
}

static void add_reason(struct log_line *line, const char *reason)
{
    log_quoted(line, "reason", reason, strlen(reason));
}

static void log_failure(const struct database *d, const char *cause)
{
    struct log_line line;
    begin_line(&line, LOG_LEVEL_ERROR, "geoip-failed", d, d->path);
    add_reason(&line, cause);
    log_end(&line);
}

/* At start: `copy` is used instead; NULL: nothing is. */
static void log_failure_at_start(const struct database *d, const char *cause, const char *copy)
{
    struct log_line line;
    begin_line(&line, LOG_LEVEL_ERROR, "geoip-failed", d, d->path);
    add_reason(&line, cause);
    if (copy != NULL) {
        log_quoted(&line, "using", copy, strlen(copy));
    } else {
        log_word(&line, "using", "none");
    }
    log_end(&line);
}

static void log_copy_failure(const struct geoip *g, unsigned index, const char *cause)
{
    struct log_line line;
    begin_line(&line, LOG_LEVEL_WARNING, "geoip-copy-failed", &g->databases[index], g->copies[index]);
    add_reason(&line, cause);
    log_end(&line);
}

static void log_loaded(const struct database *d)
{
    struct log_line line;
    begin_line(&line, LOG_LEVEL_INFO, "geoip-loaded", d, d->path);
    log_number(&line, "built", d->mmdb.metadata.build_epoch);
    log_end(&line);
}

/* A copy that cannot be written is logged once, until one could be written again. */
static void save_copy(struct geoip *g, unsigned index)
{
    const struct database *d = &g->databases[index];
    if (g->copies[index] == NULL) {
        return;
    }
    if (database_save(d, g->copies[index]) == 0) {
        g->copy_failed = false;
    } else if (!g->copy_failed) {
        log_copy_failure(g, index, strerror(errno));
        g->copy_failed = true;
    }
}

void geoip_begin(struct geoip *g)
{
    for (unsigned i = 0; i < GEOIP_DATABASES; i++) {
        const struct database *d = &g->databases[i];
        if (g->failures[i] != NULL) {
            log_failure_at_start(d, g->failures[i], d->open ? g->copies[i] : NULL);
            if (g->copy_failures[i] != NULL) {
                log_copy_failure(g, i, g->copy_failures[i]);
            }
        } else if (d->open) {
            save_copy(g, i);
        }
    }
}

void geoip_refresh(struct geoip *g)
{
    for (unsigned i = 0; i < GEOIP_DATABASES; i++) {
        struct database *d = &g->databases[i];
        if (!database_poll(d)) {
            continue;
        }
        const char *cause = database_load(d, d->path);
        if (cause != NULL) {
            d->taken = d->seen; /* logged once, until the file changes again */
            log_failure(d, cause);
        } else {
            log_loaded(d);
            save_copy(g, i);
        }
    }
}

uint32_t geoip_version(const struct geoip *g, unsigned database)
{
    return g->databases[database].version;
}

int geoip_descriptor(const struct geoip *g, unsigned database)
{
    return g->databases[database].file;
}

void geoip_adopt(struct geoip *g, unsigned database, uint32_t version, int descriptor)
{
    struct database *d = &g->databases[database];
    if (version == d->version) {
        close(descriptor);
        return;
    }
    const char *cause = database_adopt(d, descriptor);
    if (cause != database_shortage) {
        d->version = version;
    }
    if (cause != NULL) {
        log_failure(d, cause);
    }
}

/* --- looking up ------------------------------------------------------------------------------------------ */

/* Finds the record of an address; false when there is none. */
static bool find(const struct database *d, const struct network_address *a, MMDB_entry_s *entry)
{
    union address address;
    int error;
    if (!d->open) {
        return false;
    }
    network_address_to(a, &address);
    if (address.sa.sa_family == AF_INET6 && d->mmdb.metadata.ip_version == 4) {
        return false;
    }
    MMDB_lookup_result_s result = MMDB_lookup_sockaddr(&d->mmdb, &address.sa, &error);
    *entry = result.entry;
    return error == MMDB_SUCCESS && result.found_entry;
}

static bool get(MMDB_entry_s *entry, const struct database_field *field, MMDB_entry_data_s *data)
{
    return MMDB_aget_value(entry, data, field->path) == MMDB_SUCCESS && data->has_data && data->type == field->type;
}

/* A code of two letters; anything else, which could have effects in a log line, stays unknown. */
static void get_code(MMDB_entry_s *entry, const struct database_field *field, char code[3])
{
    MMDB_entry_data_s data;
    if (get(entry, field, &data) && data.data_size == 2 && data.utf8_string[0] >= 'A' && data.utf8_string[0] <= 'Z' &&
        data.utf8_string[1] >= 'A' && data.utf8_string[1] <= 'Z') {
        memcpy(code, data.utf8_string, 2);
    }
}

struct place geoip_lookup(const struct geoip *g, const struct network_address *address)
{
    struct place place = {"--", "--", 0};
    MMDB_entry_s entry;
    MMDB_entry_data_s data;
    if (find(&g->databases[GEOIP_COUNTRY], address, &entry)) {
        get_code(&entry, &country_fields[0], place.country);
        get_code(&entry, &country_fields[1], place.continent);
    }
    if (find(&g->databases[GEOIP_ASN], address, &entry) && get(&entry, &asn_fields[0], &data)) {
        place.asn = data.uint32;
    }
    return place;
}
