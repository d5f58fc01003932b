/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration: the options of a file, and all that is made of them. Sessions see its `generation`. When the last
 * reference to the generation is released, the whole configuration is freed.
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
    struct listener *listeners; /* config.listeners.count of them */
    struct access *access;      /* owned here; the generation points to it */
    unsigned workers;           /* processes: the configured number, or one for each CPU */
};

/*
 * Reads the file, and makes what needs nothing but the options: listeners and access rules. Checks that the log file and
 * the state file can be written. Prints each problem to standard error with file and line. Returns NULL if the file
 * cannot be parsed or memory is short. Otherwise returns a configuration that the caller releases, and that may only be
 * used if source->report counts no error.
 */
struct configuration *configuration_read(struct config_source *source, const char *path);

/*
 * Makes the rest: looks up the backends and maps their shared state in the arena, and reads certificates and keys. The
 * arena and the ticket keys must outlive the configuration; if `tickets` is NULL, no certificate is read, and no client
 * can use TLS. Problems are added to source->report: the configuration may only be used if it counts no error afterwards.
 */
void configuration_build(struct configuration *c, struct arena *arena, struct ticket_keys *tickets,
                         struct config_source *source);

/* Called in the monitor: frees the server's certificates and keys and the access rules, which only sessions need. */
void configuration_purge(struct configuration *c);

/* Releases the reference that configuration_read() returned. NULL is fine. */
void configuration_release(struct configuration *c);

#endif
