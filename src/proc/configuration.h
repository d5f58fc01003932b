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
 * Reads the file at `path` and fills `source`, as config_load() does. Builds the parts that depend on the options
 * alone: listeners and access rules. Checks that the log file and the state file can be written. Prints each problem to
 * standard error with file and line.
 *
 * Returns NULL if the file cannot be read or parsed, or there is no memory. Otherwise returns a configuration, for
 * configuration_build(); the caller owns a reference, which configuration_release() releases. The configuration may
 * only be used if source->report.errors is 0. In both cases the caller must call config_source_fini().
 */
struct configuration *configuration_read(struct config_source *source, const char *path);

/*
 * Builds the rest, before the first fork: looks up the backends and maps their shared state in the arena, and reads
 * certificates and keys. It may wait for the DNS. The arena and the ticket keys must outlive the configuration. If
 * `tickets` is NULL, no certificate is read, and the configuration cannot be used by sessions. Adds problems to
 * source->report; the configuration may only be used if source->report.errors is 0 afterwards.
 */
void configuration_build(struct configuration *c, struct arena *arena, struct ticket_keys *tickets,
                         struct config_source *source);

/*
 * In the monitor: frees the server's certificates, its keys and the access rules, which only sessions need, and wipes
 * the keys. The rest of the configuration stays usable.
 */
void configuration_purge(struct configuration *c);

/*
 * Releases the reference that configuration_read() returned; does nothing if c is NULL. c must not be used afterwards.
 */
void configuration_release(struct configuration *c);

#endif
