/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The backends of a configuration. Their options are in backend_options.h, their state that processes share in
 * backend_state.h, the capabilities that clients are offered in offer.h, and connections to them in dial.h.
 */
#ifndef IMAPGUARD_PROXY_BACKEND_H
#define IMAPGUARD_PROXY_BACKEND_H

#include "net/endpoint.h"
#include "policy/route.h"
#include "proxy/backend_options.h"
#include "proxy/offer.h"

struct backend {
    const struct backend_options *options;
    struct tls_client *tls; /* NULL: no TLS */
    size_t index;           /* in backends.items */
    struct backends *all;
    struct endpoint fixed; /* its endpoint if its address is no name; read it with backend_endpoint() */
};

struct backends {
    size_t count;
    struct backend *items;
    const char **names; /* the name of each backend, for the routes */
    struct routes *routes;
    bool forward_id; /* at least one backend has forward_id */
    struct offer offer;
    unsigned children;              /* children of the arena */
    unsigned own;                   /* index of this process in `columns` */
    const struct region *columns;   /* one for each child, with a struct backend_column for each backend */
    const struct region *endpoints; /* a seqlock with the struct endpoint of each backend */
};

/* The options of a configuration that concern backends. */
struct backends_options {
    const struct option_list *backends;     /* of struct backend_options */
    const struct option_list *routes;       /* of struct route_options */
    const struct option_list *capabilities; /* of char *; empty: learned from the backends */
};

/*
 * Builds the backends and their routes: looks up all names, which may wait for the DNS, reads the files of TLS, and
 * maps the shared state in the arena. Call it in the master, before the first fork. The three lists and the arena must
 * outlive the result. The caller owns the result; backends_free() frees it.
 *
 * A name for which the DNS does not answer is a warning: the monitor looks it up again. Returns NULL if the call has
 * added an error to `report`.
 */
struct backends *backends_new(const struct backends_options *options, struct arena *arena,
                              struct option_report *report);

/*
 * Frees the backends; does nothing if b is NULL. The shared state stays in the arena, but arena_take_back() must not be
 * called afterwards.
 */
void backends_free(struct backends *b);

/*
 * Logs warnings for the administrator, for backends with TLS: "legacy-backend" if legacy_tls is true, and
 * "unverified-backend" if verify is false.
 */
void backends_warn(const struct backends *b);

#endif
