/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the sessions of one worker share, and how a worker begins and ends them. A process that serves clients
 * includes this; what a session is made of is in session.h and stays on this floor.
 */
#ifndef IMAPGUARD_PROXY_PROXY_H
#define IMAPGUARD_PROXY_PROXY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/address.h"
#include "net/listener.h"
#include "net/loop.h"
#include "policy/shared_address.h"
#include "policy/geoip.h"
#include "policy/client_table.h"
#include "proxy/generation.h"
#include "proxy/reason.h"

struct session;

/* What a worker is doing, in memory that the master reads when it hangs. */
struct activity {
    _Atomic uint64_t session; /* its identifier; 0: none */
    _Atomic uint32_t state;   /* the session's, see session_state_name() */
};

/* How many sessions a backend has ended by itself in the second that began at `since`. */
struct backend_ends {
    ev_tstamp since;
    unsigned count;
};

struct proxy {
    struct loop *loop;
    struct generation *generation; /* of the sessions that begin from now on */
    struct backend_ends ends[ROUTE_BACKENDS_MAX]; /* of each backend */
    struct geoip *geoip;      /* NULL: no databases */
    struct client_table *table;
    struct shared_address shared_address;
    struct activity *activity;
    uint64_t next_id;         /* of a session: to be set to something that no other worker uses */
    LIST_HEAD(, session) sessions; /* all of them */
    size_t count;
    TAILQ_HEAD(, session) tarpit;  /* those in TARPIT, the oldest first */
    size_t tarpit_count;
    uint32_t ban_epoch;        /* the bans that session_end_banned() knows of */
    /* Called after a session has gone and its descriptors are closed. `data` is the owner's. */
    void (*ended)(struct proxy *proxy);
    /* Whether this worker is the first of all that has to warn of a gateway. */
    bool (*claim_shared_address_warning)(struct proxy *proxy);
    void *data;
};

/*
 * Lets in or refuses whoever is on an accepted, non-blocking socket, which it owns from then on, also on failure.
 * 0, or -1 when memory is short.
 */
int session_start(struct proxy *proxy, int fd, const struct listener *listener, const union address *peer,
                  const union address *local);

/* The name of a state; "?" for a number that is none. */
const char *session_state_name(uint32_t state);

/* Ends all sessions for that reason: they say goodbye and are gone within a second, or with session_drop_all(). */
void session_end_all(struct proxy *proxy, enum reason reason);

/* Ends the sessions that have not logged in and whose network was banned meanwhile. Cheap when nobody was. */
void session_end_banned(struct proxy *proxy);

/* Frees all sessions now. */
void session_drop_all(struct proxy *proxy);

#endif
