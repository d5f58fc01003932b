/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/configuration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "net/private_key.h"
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

/* By errno. */
static void report_unwritable(struct config_source *source, const char *option, const char *path)
{
    char folder[PATH_MAX];
    int error = errno;
    if (error == ENOENT && file_folder(path, folder) == 0) {
        option_error(&source->report, option,
                     "cannot write to \"%s\": its folder does not exist: create it: mkdir -p %s", path, folder);
    } else {
        option_error(&source->report, option, "cannot write to \"%s\": %s", path, strerror(error));
    }
}

/* It is written beside the old one and renamed while running. */
static void check_state_file(struct configuration *c, struct config_source *source)
{
    const char *path = c->config.limits.state_file;
    if (path != NULL && path[0] != '\0' && (file_check_folder(path) != 0 || file_check_write(path) != 0)) {
        report_unwritable(source, "limits.state_file", path);
    }
}

static void load_log(struct configuration *c, struct config_source *source)
{
    const struct log_options *options = &c->config.log;
    if (options->target != NULL && log_check(options) != 0) {
        report_unwritable(source, "log.target", options->target);
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
    load_log(c, source);
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
