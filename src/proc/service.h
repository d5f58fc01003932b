/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that is made once, before the first worker is forked, and that every worker inherits: the
 * configuration, certificates and keys, the backend's addresses, the listening sockets, shared memory.
 */
#ifndef IMAPGUARD_PROC_SERVICE_H
#define IMAPGUARD_PROC_SERVICE_H

#include <stdatomic.h>

#include "base/address.h"
#include "config.h"
#include "net/ticket.h"
#include "net/tls.h"
#include "proc/account.h"
#include "policy/access.h"
#include "policy/geoip.h"
#include "policy/table.h"
#include "proxy/backend.h"

/* One address of a listener, with a socket for each worker; the kernel spreads connections over them. */
struct entrance {
    const struct listener *listener;
    union address address;
    int *fds; /* one for each worker, kept open by the master so that a successor inherits what waits there */
};

/* What a worker tells all others. A line of the cache for each, written by one process only. */
struct worker_share {
    _Alignas(64) _Atomic unsigned sessions;
};

/* Shared memory of all processes. */
struct service_share {
    atomic_bool gateway_told; /* the warning about a gateway is given once */
    struct worker_share workers[];
};

struct service {
    struct config config;
    struct account account;
    struct tls *tls;
    struct ticket_keys *tickets;
    struct backends *backends;
    struct geoip *geoip;
    struct access *access;
    struct table *table;
    struct listener *listeners; /* one for each of the configuration's */
    unsigned workers;
    struct entrance *entrances;
    size_t entrance_count;
    struct service_share *share;
};

/*
 * Reads the configuration and all that it names. Problems are printed to standard error with file and line.
 * 0, or -1 with nothing to free. After it, `source` may be used for problems that come up while binding.
 */
int service_load(struct service *service, struct config_source *source, const char *path);

/* Binds all listeners and maps the shared memory. 0, or -1 with the problem reported to `source`. */
int service_open(struct service *service, struct config_source *source);

/*
 * Closes the sockets of all workers but that one (of all, when there is none of that number): whoever holds a socket
 * gets a share of the connections.
 */
void service_keep_entrances(struct service *service, unsigned index);

/* Frees and closes everything. */
void service_free(struct service *service);

/* Sessions of all workers together. */
unsigned service_sessions(const struct service *service);

#endif
