/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one reading of the configuration makes, as sessions use it: options, TLS contexts, backends, routes, rules and
 * limits. A generation is complete before the first session sees it, and never changes. A session holds the generation
 * that it began with until it ends, so that a newer one can take its place for the sessions that begin later. What a
 * process is and counts (loop, sockets, shared memory, databases) is in struct proxy and in proc/service.h.
 *
 * Each process counts its own references, because each has its own copy after fork(): a generation that one process
 * destroys goes on in the others.
 */
#ifndef IMAPGUARD_PROXY_GENERATION_H
#define IMAPGUARD_PROXY_GENERATION_H

#include "net/tls.h"
#include "policy/access.h"
#include "proxy/backend.h"
#include "proxy/limits.h"

struct generation {
    unsigned references; /* its maker's is the first */
    const struct limits *limits;
    struct tls *tls;
    struct backends *backends;
    const struct access *access;
    /* Frees the generation with all that belongs to it; set by its maker. Called when the last reference is released. */
    void (*destroy)(struct generation *g);
};

/* Adds a reference, to be given back by generation_release(). Returns g. */
struct generation *generation_hold(struct generation *g);

/* Gives a reference back, and destroys the generation if it was the last one. NULL is fine. */
void generation_release(struct generation *g);

#endif
