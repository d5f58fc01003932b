/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/configuration.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "net/private_key.h"
#include "policy/ban_file.h"
#include "proc/rules.h"

static unsigned count_workers(const struct config *config)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return config->workers > 0 ? config->workers : cpus > 0 ? (unsigned)cpus : 1;
}

static void load_listeners(struct configuration *c, struct config_source *source)
{
    const struct listener_options *options = c->config.listeners.items;
    size_t count = c->config.listeners.count;
    c->listeners = calloc(count > 0 ? count : 1, sizeof *c->listeners);
    for (size_t i = 0; i < count; i++) {
        if (c->listeners == NULL || listener_init(&c->listeners[i], &options[i]) != 0) {
            option_error(&source->report, "listeners", "no memory");
            return;
        }
    }
}

/* The first part of the path, from its end, that exists and is no folder. */
static void find_file_above(const char *path, char file[PATH_MAX])
{
    struct stat info;
    char below[PATH_MAX];
    for (snprintf(file, PATH_MAX, "%s", path); strcmp(file, "/") != 0;) {
        snprintf(below, sizeof below, "%s", file);
        if (file_folder(below, file) != 0 || (stat(file, &info) == 0 && !S_ISDIR(info.st_mode))) {
            return;
        }
    }
}

/* By errno. */
static void report_unwritable(struct config_source *source, const char *option, const char *path)
{
    char folder[PATH_MAX];
    int error = errno;
    if (error == ENOENT && file_folder(path, folder) == 0) {
        option_error(&source->report, option,
                     "cannot write to \"%s\": its folder does not exist: create it: mkdir -p %s", path, folder);
    } else if (error == ENOTDIR) {
        find_file_above(path, folder);
        option_error(&source->report, option, "cannot write to \"%s\": %s is not a folder", path, folder);
    } else {
        option_error(&source->report, option, "cannot write to \"%s\": %s", path, strerror(error));
    }
}

static void report_foreign(struct config_source *source, const char *path)
{
    struct stat info;
    bool known = lstat(path, &info) == 0 && !S_ISREG(info.st_mode);
    option_error(&source->report, "limits.state_file",
                 "\"%s\"%s%s is not a file of bans of imapguard: name another one", path, known ? ", which is " : "",
                 known ? file_type_text(info.st_mode) : "");
}

/* It is written as a file beside it, which is then renamed. */
static void check_state_file(struct configuration *c, struct config_source *source)
{
    const char *path = c->config.limits.state_file;
    char temporary[PATH_MAX];
    if (path == NULL || path[0] == '\0') {
        return;
    }
    if (ban_file_check(path) != 0 && errno == EEXIST) {
        report_foreign(source, path);
    } else if (file_check_folder(path) != 0 || ban_file_check(path) != 0 || ban_file_temporary(path, temporary) != 0) {
        report_unwritable(source, "limits.state_file", path);
    } else if (ban_file_check(temporary) != 0 && errno == EEXIST) {
        report_foreign(source, temporary);
    } else if (ban_file_check(temporary) != 0) {
        report_unwritable(source, "limits.state_file", temporary);
    }
}

static void report_log(struct config_source *source, const char *target)
{
    struct stat info;
    int error = errno;
    if (lstat(target, &info) == 0 && file_check_type(info.st_mode) != 0) {
        option_error(
            &source->report, "log.target",
            "expected \"stderr\", \"syslog\" or the path of a file or a FIFO, found \"%s\", which is %s: name another "
            "one",
            target, file_type_text(info.st_mode));
    } else {
        errno = error;
        report_unwritable(source, "log.target", target);
    }
}

/* The file that the log must not be written to; NULL: none. */
static const char *file_at_log(const struct configuration *c, const struct config_source *source, const char *target)
{
    char temporary[PATH_MAX];
    const char *state_file = c->config.limits.state_file;
    for (size_t i = 0; i < source->text->file_count; i++) {
        if (file_is_same(target, source->text->files[i])) {
            return "the configuration";
        }
    }
    if (state_file != NULL && state_file[0] != '\0' &&
        (file_is_same(target, state_file) ||
         (ban_file_temporary(state_file, temporary) == 0 && file_is_same(target, temporary)))) {
        return "limits.state_file";
    }
    return NULL;
}

static void check_log(struct configuration *c, struct config_source *source)
{
    const struct log_options *options = &c->config.log;
    if (options->target == NULL || options->target[0] != '/') {
        return;
    }
    const char *other = file_at_log(c, source, options->target);
    if (other != NULL) {
        option_error(&source->report, "log.target",
                     "expected a file of its own, found \"%s\", which is that of %s: name "
                     "another one",
                     options->target, other);
    } else if (log_check(options) != 0) {
        report_log(source, options->target);
    }
}

static void destroy(struct generation *g)
{
    struct configuration *c = (struct configuration *)((char *)g - offsetof(struct configuration, generation));
    for (size_t i = 0; c->listeners != NULL && i < c->config.listeners.count; i++) {
        listener_clear(&c->listeners[i]);
    }
    free(c->listeners);
    access_free(c->access);
    backends_free(g->backends);
    tls_free(g->tls);
    config_free(&c->config);
    free(c);
}

struct configuration *configuration_read(struct config_source *source, const char *path)
{
    struct configuration *c = calloc(1, sizeof *c);
    if (c == NULL) {
        *source = (struct config_source){0};
        perror("imapguard");
        return NULL;
    }
    if (config_load(&c->config, source, path) != 0) {
        free(c);
        return NULL;
    }
    c->generation = (struct generation){.references = 1, .limits = &c->config.limits, .destroy = destroy};
    c->workers = count_workers(&c->config);
    load_listeners(c, source);
    check_state_file(c, source);
    c->generation.access = c->access = rules_load(&c->config, &source->report);
    check_log(c, source);
    return c;
}

void configuration_build(struct configuration *c, struct arena *arena, struct ticket_keys *tickets,
                         struct config_source *source)
{
    struct backends_options options = {
        .backends = &c->config.backends,
        .routes = &c->config.routes,
        .capabilities = &c->config.capabilities,
    };
    if (options.backends->items != NULL) {
        c->generation.backends = backends_new(&options, arena, &source->report);
    }
    if (tickets != NULL) {
        c->generation.tls = tls_new(&c->config.tls, tickets, &source->report);
    }
}

void configuration_purge(struct configuration *c)
{
    private_key_wipe_freed(true);
    tls_free(c->generation.tls);
    private_key_wipe_freed(false);
    access_free(c->access);
    c->generation.tls = NULL;
    c->generation.access = c->access = NULL;
}

void configuration_release(struct configuration *c)
{
    if (c != NULL) {
        generation_release(&c->generation);
    }
}
