/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration as it was read, and all that it makes. What sessions see of it is its `generation`, which owns the rest:
 * the configuration is freed when nobody holds the generation any more.
 */
#ifndef IMAPGUARD_PROC_CONFIGURATION_H
#define IMAPGUARD_PROC_CONFIGURATION_H

#include "base/arena.h"
#include "config.h"
#include "net/listener.h"
#include "net/ticket.h"
#include "proxy/generation.h"

struct configuration {
    struct generation generation;
    struct config config;
    struct listener *listeners; /* one for each of the configuration's */
    struct access *access;
    unsigned workers;           /* processes: the configured number, or one for each CPU */
};

/*
 * Reads the file and checks what needs nothing else: options, listeners, access rules, files that will be written.
 * Problems are printed to standard error with file and line. Returns NULL when the file cannot be parsed; otherwise the
 * configuration, to be released, which may only be used if source->report counts no error.
 */
struct configuration *configuration_read(struct config_source *source, const char *path);

/*
 * Makes the rest: looks up the backends, and reads certificates and keys. The ticket keys must outlive it. Problems are
 * reported to `source`.
 */
void configuration_build(struct configuration *c, struct arena *arena, struct ticket_keys *tickets,
                         struct config_source *source);

/* In the monitor: frees what only sessions need: the server's keys, and the access rules. */
void configuration_drop_sessions_part(struct configuration *c);

/* Gives back the reference of whoever read it. NULL is fine. */
void configuration_release(struct configuration *c);

#endif
