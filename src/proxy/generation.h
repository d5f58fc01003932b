/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A generation of the configuration, as sessions use it: limits, TLS contexts, backends with their routes, and access
 * rules. A generation is complete before the first session uses it, and never changes. A session keeps the generation
 * with which it began until it ends, so that later sessions can use a newer one. The state of a process (loop, sockets,
 * shared memory, databases) is in struct proxy and in proc/service.h.
 *
 * Each process counts its own references, because each has its own copy after fork(): if one process destroys a
 * generation, the others still have it.
 */
#ifndef IMAPGUARD_PROXY_GENERATION_H
#define IMAPGUARD_PROXY_GENERATION_H

#include "net/tls.h"
#include "policy/access.h"
#include "proxy/backend.h"
#include "proxy/limits.h"

struct generation {
    unsigned references; /* 1 at first: that of the creator */
    const struct limits *limits;
    struct tls *tls;
    struct backends *backends;
    const struct access *access;
    /*
     * Frees the generation and all that it points to; set by the creator. Called when the last reference is released.
     */
    void (*destroy)(struct generation *g);
};

/* Adds a reference, which generation_release() must release. Returns g. */
struct generation *generation_hold(struct generation *g);

/* Releases a reference, and calls g->destroy if it was the last one. Does nothing if g is NULL. */
void generation_release(struct generation *g);

#endif
