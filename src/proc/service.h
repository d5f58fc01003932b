/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state that the master sets up before the first fork and that each child inherits: the current configuration, the
 * account, the listening sockets, the arena, ticket keys, databases and the table of client networks.
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

/*
 * One address of a listener, with a socket for each worker (SO_REUSEPORT: the kernel distributes connections over
 * them). The master keeps all sockets open, so that the next process of a worker gets the connections that wait.
 */
struct listen_socket {
    const struct listener *listener;
    union address address;
    int *fds; /* service.workers of them; -1: closed in this process, or not opened */
};

/* The status of a child, which it writes to its region of the arena. */
struct process_status {
    _Atomic uint64_t heartbeat_ms; /* of its last heartbeat, in milliseconds since boot; 0: it does not serve yet */
    _Atomic uint32_t sessions;     /* number of its sessions */
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
    struct log_quota *log_quota;
    unsigned workers;
    struct listen_socket *listen_sockets;
    size_t listen_socket_count;
    struct arena arena;             /* the memory that the processes share */
    const struct region *processes; /* a struct process_status for each worker, then that of the monitor */
};

/*
 * Reads the configuration at `path` and all files that it names; opens no socket. `service` and `source` may have any
 * content before, and `path` must outlive the source. Prints each problem to standard error with file and line. Forks a
 * child for a check, so it must be called before any thread is started.
 *
 * Returns 0; the caller then calls service_open(), or service_free(). Returns -1 with `service` all zero if there was
 * an error. In both cases the caller must call config_source_fini().
 */
int service_load(struct service *service, struct config_source *source, const char *path);

/*
 * Opens the sockets of all listeners and maps the rest of the shared memory. Call it once after service_load(), before
 * the first fork and with the privileges for the ports. Returns 0, or -1 after an error, which is printed to standard
 * error through source->report. In both cases the caller must call service_free().
 */
int service_open(struct service *service, struct config_source *source);

/*
 * In the master, before it starts worker number `index`: replaces each socket of this worker that does not listen any
 * more, which only a compromised worker can cause (shutdown(2)). Logs "listener-replaced" for each. If a socket cannot
 * be replaced, it stays, and "listener-failed" is logged.
 */
void service_replace_dead_sockets(struct service *service, unsigned index);

/*
 * Call it once in a child, right after the fork: gives up for good everything that child number `index` must not have.
 * It calls arena_keep(). A worker keeps its own listening sockets only: an open socket on which no process accepts
 * would get a share of the connections. The monitor, which is child number service->workers, keeps no listening socket,
 * no certificate or key of the server, no ticket key, no access rule, no GeoIP database and no table of clients.
 */
void service_purge(struct service *service, unsigned index);

/*
 * Returns the status of child number `index` for reading; the monitor is number service->workers. Valid from
 * service_open() to service_free(). Another process may write to it at any time, and a compromised child anything.
 */
const struct process_status *service_status(const struct service *service, unsigned index);

/*
 * Returns the status of child number `index` for writing. Only this child may write to it, and the master once the
 * child has died. Returns NULL in any other child after service_purge().
 */
struct process_status *service_writable_status(const struct service *service, unsigned index);

/*
 * Closes the sockets, releases the configuration and frees everything else. `service` is all zero afterwards. Only the
 * master may call it, after all children have ended, because arena_fini() wipes the shared secrets for all processes.
 */
void service_free(struct service *service);

/* Returns the number of sessions of all workers together. Call it after service_open(). */
uint64_t service_sessions(const struct service *service);

#endif
