/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the process is, made by the master before the first fork and inherited by each child: the current configuration,
 * the account, the listening sockets, the arena, ticket keys, databases and the table of client networks.
 */
#ifndef IMAPGUARD_PROC_SERVICE_H
#define IMAPGUARD_PROC_SERVICE_H

#include <stdatomic.h>

#include "base/address.h"
#include "base/arena.h"
#include "net/ticket.h"
#include "policy/client_table.h"
#include "policy/geoip.h"
#include "proc/account.h"
#include "proc/configuration.h"
#include "proxy/proxy.h"

/* One address of a listener, with a socket for each worker (SO_REUSEPORT: the kernel spreads connections over them). */
struct listen_socket {
    const struct listener *listener;
    union address address;
    int *
        fds; /* one for each worker; the master keeps them open, so that a worker's successor inherits the waiting connections */
};

/* What a child publishes about itself, in a column of the arena. */
struct process_status {
    _Atomic uint64_t
        heartbeat_ms; /* the last sign of life, in milliseconds since boot; 0: the child does not serve yet */
    _Atomic uint32_t sessions;
    _Atomic uint32_t geoip[GEOIP_DATABASES]; /* the version of each database in use */
    atomic_bool shared_address_logged;       /* it has logged the warning about a shared address */
    struct activity activity;                /* the session that it serves now */
};

struct service {
    struct configuration *current;
    struct account account;
    struct ticket_keys *tickets;
    struct geoip *geoip;
    struct client_table *table;
    unsigned workers;
    struct listen_socket *listen_sockets;
    size_t listen_socket_count;
    struct arena arena;             /* what the processes share */
    const struct region *processes; /* of struct process_status: a column for each worker, then the monitor's */
};

/*
 * Reads the configuration at `path` and all files that it names. Prints each problem to standard error with file and line.
 * Returns 0, or -1 with nothing to free. The caller ends `source` in either case.
 */
int service_load(struct service *service, struct config_source *source, const char *path);

/* Binds all listeners and maps the rest of the shared memory. Returns 0, or -1 with the problem reported to `source`. */
int service_open(struct service *service, struct config_source *source);

/*
 * In the master, before it starts that worker: replaces each of the worker's sockets that does not listen any more, which
 * only a compromised worker can cause (shutdown(2)). Logs "listener-replaced", or "listener-failed" when it cannot.
 */
void service_replace_dead_sockets(struct service *service, unsigned index);

/*
 * In a child just forked: drops for good what the child must not have. It keeps its rights in the arena (arena_keep()).
 * A worker keeps only its own listening sockets: an open socket that nobody accepts on would get a share of the
 * connections. The monitor, which is number service->workers, keeps nothing of the clients' side: no socket, key, ticket,
 * rule, database or table.
 */
void service_purge(struct service *service, unsigned index);

/*
 * Return the status of a child, to read and to write. Only the child writes to it, and the master once the child has died.
 */
const struct process_status *service_status(const struct service *service, unsigned index);
struct process_status *service_writable_status(const struct service *service, unsigned index);

/* Closes the sockets, releases the configuration and frees the rest. */
void service_free(struct service *service);

/* Returns the number of sessions of all workers. */
uint64_t service_sessions(const struct service *service);

#endif
