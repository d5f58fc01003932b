/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the configuration file with libconfig into the structs of the modules, by their option tables. */
#ifndef IMAPGUARD_CONFIG_H
#define IMAPGUARD_CONFIG_H

#include "base/log.h"
#include "base/option.h"
#include "config/text.h"
#include "net/listener.h"
#include "net/tls.h"
#include "policy/access.h"
#include "policy/geoip.h"
#include "proxy/backend.h"
#include "proxy/limits.h"

struct config {
    char *user;
    uint32_t workers;             /* 0: one for each CPU */
    uint32_t max_sessions;        /* of all workers together; 0: limited by the descriptors of each worker only */
    uint32_t hang_timeout_ms;     /* a child whose event loop stands still for longer is killed and replaced */
    struct option_list listeners; /* of struct listener_options */
    struct tls_options tls;
    struct option_list backends;     /* of struct backend_options */
    struct option_list routes;       /* of struct route_options */
    struct option_list capabilities; /* of char *: announced before the login; empty: learned from the backends */
    struct geoip_options geoip;
    struct option_list access; /* of struct rule_options */
    struct limits limits;
    struct log_options log;
};

/* A parsed file, kept so that later checks can report problems with their file and line. */
struct config_source {
    struct option_report report; /* prints each problem to standard error; pass it to later checks */
    const char *path;
    void *parsed;        /* the config_t of libconfig */
    const void *unknown; /* in `parsed`: the unknown key that is reported, whose path may be too long; or NULL */
    struct config_text *text;
};

/*
 * Reads and checks the file at `path`, and fills `config` and `source`, whose content before does not matter. `path`
 * must outlive the source. Prints every problem to standard error as "FILE:LINE: KEY: what was expected".
 *
 * Returns 0 if the file could be parsed. `config` then owns its texts and lists, and config_free() frees them. It may
 * only be used if source->report.errors is 0; otherwise a text that was missing or wrong is NULL. Returns -1 if the
 * file could not be read or parsed; `config` is then all zero, and source->report must not be used. In both cases the
 * caller must call config_source_fini().
 */
int config_load(struct config *config, struct config_source *source, const char *path);

/*
 * Frees what the source owns. The configuration stays, but source->report must not be used any more. Can be called
 * again.
 */
void config_source_fini(struct config_source *source);

/* Frees the texts and lists of a configuration, but not the struct itself. */
void config_free(struct config *config);

/* The table of the whole file. imapguard.conf(5) explains each of its options. */
extern const struct option_table config_option_table;

#endif
