/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file: libconfig to the structs of the floors below, by their option tables. */
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
    uint32_t workers;             /* as configured: 0 is one for each CPU */
    uint32_t max_sessions;        /* 0: as many as the descriptor limit carries */
    uint32_t hang_timeout_ms;     /* a process whose loop does not go round for so long is killed and replaced */
    struct option_list listeners; /* of struct listener_options */
    struct tls_options tls;
    struct option_list backends;     /* of struct backend_options */
    struct option_list routes;       /* of struct route_options */
    struct option_list capabilities; /* of char *: what clients are told before the login; none: what was learned */
    struct geoip_options geoip;
    struct option_list access; /* of struct rule_options */
    struct limits limits;
    struct log_options log;
};

/* A file that was read: what later checks find wrong can still be told with its line. */
struct config_source {
    struct option_report report; /* hand this to whoever checks further; prints to standard error */
    const char *path;
    void *parsed;
    struct config_text *text;
};

/*
 * Reads and checks the file, and fills `config`, whose texts it owns from then on. Every problem is printed
 * to standard error as "FILE:LINE: KEY: what was expected". 0 when the file could be parsed: `config` is to be
 * freed, and may only be used when source->report counts no error (a text that was missing or wrong is NULL);
 * -1 when not, with nothing to free but the source.
 */
int config_load(struct config *config, struct config_source *source, const char *path);

/* Forgets the file; the configuration stays. */
void config_source_fini(struct config_source *source);

/* Frees what a load has filled. */
void config_free(struct config *config);

/* The table of the whole file: what the manual has to explain. */
extern const struct option_table config_option_table;

#endif
