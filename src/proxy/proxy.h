/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the sessions of one worker share, and how a worker begins and ends them. A process that serves clients
 * includes this; what a session is made of is in session.h and stays on this floor.
 */
#ifndef IMAPGUARD_PROXY_PROXY_H
#define IMAPGUARD_PROXY_PROXY_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/tls.h"
#include "proxy/backend.h"
#include "proxy/limits.h"
#include "proxy/reason.h"

struct session;

struct proxy {
    struct loop *loop;
    struct tls *tls;
    const struct limits *limits;
    const struct backend *backend;
    uint64_t next_id;         /* of a session: to be set to something that no other worker uses */
    struct session *sessions; /* all that live */
    size_t count;
    /* Called after a session has gone and its descriptors are closed. `data` is the owner's. */
    void (*ended)(struct proxy *proxy);
    void *data;
};

/*
 * Begins a session on an accepted, non-blocking socket, which it owns from then on, also on failure.
 * 0, or -1 when memory is short.
 */
int session_start(struct proxy *proxy, int fd, const struct listener_options *listener, const union address *peer,
                  const union address *local);

/* Ends all sessions for that reason: they say goodbye and are gone within a second, or with session_drop_all(). */
void session_end_all(struct proxy *proxy, enum reason reason);

/* Frees all sessions now. */
void session_drop_all(struct proxy *proxy);

#endif
