/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the sessions of one worker share, and the functions by which the worker begins and ends sessions. A session's
 * own members are in session.h, which only this folder includes.
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
#include "policy/client_table.h"
#include "policy/geoip.h"
#include "policy/log_quota.h"
#include "policy/shared_address.h"
#include "proxy/generation.h"
#include "proxy/reason.h"

struct session;
struct connection;

/* See waiting.h. All zero is empty. */
struct waiting {
    TAILQ_HEAD(, session) sessions; /* the oldest first */
    struct ev_timer timer;
};

/* The session that a worker serves at this moment, in shared memory: the master logs it if the worker hangs. */
struct activity {
    _Atomic uint64_t session; /* its identifier; 0: none */
    _Atomic uint32_t state;   /* the session's, see session_state_name() */
};

/* The number of sessions that a backend has ended in the second that began at `since`. */
struct backend_ends {
    ev_tstamp since;
    unsigned count;
};

struct proxy {
    struct loop *loop;
    struct generation *generation;                /* of the sessions that begin from now on */
    struct backend_ends ends[ROUTE_BACKENDS_MAX]; /* of each backend */
    struct geoip *geoip;                          /* NULL: no databases */
    struct client_table *table;
    struct log_quota *log_quota;
    struct shared_address shared_address;
    struct activity *activity;
    uint64_t next_id; /* the next session's identifier; the worker sets a first one that no other worker reaches */
    LIST_HEAD(, session) sessions; /* all of them */
    size_t count;
    TAILQ_HEAD(, session) tarpit; /* those in TARPIT, the oldest first */
    size_t tarpit_count;
    struct waiting waiting; /* the sessions in QUEUED */
    uint32_t ban_epoch;     /* of the bans that session_end_banned() has applied */
    /* Called after a session was freed and its descriptors were closed. */
    void (*ended)(struct proxy *proxy);
    /*
     * In session_start(): finds a place for the client that may come in; for NULL, one for the tarpit. Where none is free,
     * or only those that are kept for networks without a session, sessions that have not logged in make room (shed.h); for
     * the tarpit only another one there. Returns false if none of these does.
     */
    bool (*make_room)(struct proxy *proxy, const struct connection *conn);
    /* Returns true if only kept places, or none, are free. The client that asks must be counted already. */
    bool (*is_crowded)(const struct proxy *proxy);
    /* Returns true in the first worker that calls it, which then logs the warning about a shared address. */
    bool (*claim_shared_address_warning)(struct proxy *proxy);
    void *data;
};

/* Returns how many of so many places are kept for client networks that have no session. */
static inline uint64_t proxy_kept_places(uint64_t places)
{
    return places / 10;
}

/*
 * Begins a session for the client on `fd`, an accepted and non-blocking socket, or refuses the client. Owns `fd` from
 * then on, also on failure. Returns 0, or -1 when memory is short.
 */
int session_start(struct proxy *proxy, int fd, const struct listener *listener, const union address *peer,
                  const union address *local);

/* Returns the name of a state, or "?" if the number is no state. */
const char *session_state_name(uint32_t state);

/* Ends all sessions for that reason. Each sends BYE or close_notify, and is freed within a second. */
void session_end_all(struct proxy *proxy, enum reason reason);

/* Ends the sessions before login whose network was banned since the last call. Cheap if no ban has begun. */
void session_end_banned(struct proxy *proxy);

/* Frees all sessions at once, without BYE. */
void session_drop_all(struct proxy *proxy);

#endif
