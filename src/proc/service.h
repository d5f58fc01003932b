/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that is made once, before the first worker is forked, and that every worker inherits: the
 * configuration, certificates and keys, the backend's addresses, the listening sockets, shared memory.
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

/* One address of a listener, with a socket for each worker; the kernel spreads connections over them. */
struct listen_socket {
    const struct listener *listener;
    union address address;
    int *fds; /* one for each worker, kept open by the master so that a successor inherits what waits there */
};

/* What a child tells all other processes, in a column that only it and the master can write. */
struct process_status {
    _Atomic uint64_t heartbeat_ms;   /* when its loop last went round, in milliseconds since boot; 0: it does not serve yet */
    _Atomic uint32_t sessions;
    _Atomic uint32_t geoip[GEOIP_DATABASES]; /* the version of each database that it uses */
    atomic_bool shared_address_logged;   /* it has given the warning about a gateway */
    struct activity activity;   /* what it is doing, for the case that it hangs */
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
 * Reads the configuration and all that it names. Problems are printed to standard error with file and line.
 * 0, or -1 with nothing to free. After it, `source` may be used for problems that come up while binding.
 */
int service_load(struct service *service, struct config_source *source, const char *path);

/* Binds all listeners and maps the shared memory. 0, or -1 with the problem reported to `source`. */
int service_open(struct service *service, struct config_source *source);

/*
 * In the master, before that worker is started: replaces its sockets that do not listen any more, because a worker that
 * was taken over has shut them down. Logs "listener-replaced", or "listener-failed" when that is not possible.
 */
void service_replace_dead_sockets(struct service *service, unsigned index);

/*
 * In a child just forked: drops for good what it must not have. Each child keeps write access to its own columns only; a
 * worker keeps its own sockets, since whoever holds a socket gets a share of the connections. The monitor, which is
 * number service->workers, keeps nothing of the clients' side: no socket, key, ticket, rule, database or table.
 */
void service_purge(struct service *service, unsigned index);

/* What that child tells; its own part of it is for itself, and for the master once it has died. */
const struct process_status *service_status(const struct service *service, unsigned index);
struct process_status *service_own_status(const struct service *service, unsigned index);

/* Frees and closes everything. */
void service_free(struct service *service);

/* Sessions of all workers together. */
uint64_t service_sessions(const struct service *service);

#endif
