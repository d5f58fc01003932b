/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The legacy servers of a configuration. Their options are in backend_options.h, what processes share about them in
 * backend_state.h, what clients are offered because of them in offer.h, and the talk with one in dial.h.
 */
#ifndef IMAPGUARD_PROXY_BACKEND_H
#define IMAPGUARD_PROXY_BACKEND_H

#include "net/endpoint.h"
#include "policy/route.h"
#include "proxy/backend_options.h"
#include "proxy/offer.h"

struct backend {
    const struct backend_options *options;
    struct tls_client *tls; /* NULL: in the clear */
    size_t index;
    struct backends *all;
    struct endpoint fixed; /* where it is, when its address is no name */
};

struct backends {
    size_t count;
    struct backend *items;
    const char **names; /* of each, for the routes */
    struct routes *routes;
    bool forward_id; /* some backend is sent the client's ID */
    struct offer offer;
    unsigned children;              /* of the arena */
    unsigned own;                   /* this process's column */
    const struct region *columns;   /* one for each child, with a struct backend_column for each backend */
    const struct region *endpoints; /* where each backend with a name is, under a seqlock */
};

/* What the configuration says of backends. */
struct backends_options {
    const struct option_list *backends;     /* of struct backend_options */
    const struct option_list *routes;       /* of struct route_options */
    const struct option_list *capabilities; /* of char *; none: learned */
};

/*
 * Looks up all names (this may wait for the DNS), reads the files of TLS, and maps what is shared in the arena. The
 * options must outlive the result. Returns NULL with an error reported when something is wrong.
 */
struct backends *backends_new(const struct backends_options *options, struct arena *arena,
                              struct option_report *report);

/* Frees the backends; what is shared stays in the arena. NULL is fine. */
void backends_free(struct backends *b);

/* Logs "legacy-backend" for each backend with legacy_tls, and "unverified-backend" for each without verify. */
void backends_warn(const struct backends *b);

#endif
