/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The legacy servers: their options, and what all processes share about them: where each is, whether it is up, how
 * many sessions it has, and what clients are told that it can do. The talk with one is in dial.h.
 */
#ifndef IMAPGUARD_PROXY_BACKEND_H
#define IMAPGUARD_PROXY_BACKEND_H

#include <ev.h>

#include "base/arena.h"
#include "base/option.h"
#include "base/seqlock.h"
#include "imap/capability.h"
#include "net/endpoint.h"
#include "net/tls_client.h"
#include "policy/route.h"
#include "proxy/fault.h"

/* In the order of the choices of a backend's `tls`. */
enum backend_tls { BACKEND_TLS_NONE, BACKEND_TLS_STARTTLS, BACKEND_TLS_IMPLICIT };

struct backend_options {
    char *name;
    char *address; /* as endpoint_check() reads it */
    uint32_t tls;
    struct tls_client_options tls_client;
    uint32_t proxy_protocol; /* enum proxy_header_version */
    bool forward_id;
    uint32_t connect_timeout_ms;
    uint32_t login_timeout_ms; /* from connected to the answer to the login */
    uint32_t max_sessions;     /* over all workers; 0: any number */
    uint32_t resolve_interval_ms;
    uint32_t check_interval_ms; /* 0: no checks */
    uint32_t check_rise;
    uint32_t check_fall;
};

extern const struct option_table backend_option_table;

struct backend {
    const struct backend_options *options;
    struct tls_client *tls; /* NULL: in the clear */
    size_t index;
    struct backends *all;
    struct endpoint fixed;  /* where it is, when its address is no name: known to each process by itself */
};

/*
 * What is shared, each part with one writer, so that a worker that was taken over can send no other worker's logins
 * elsewhere: the monitor writes where backends are and what they can do; every process writes into a column of its
 * own how many sessions it has with each, and whether it found it up.
 */
struct backends {
    size_t count;
    unsigned children;
    unsigned own;            /* this process's column */
    struct backend *items;
    const char **names;      /* of each, for the routes */
    struct routes *routes;
    uint32_t mechanisms;     /* that may pass by these routes: capability_bit() of each */
    bool forward_id;         /* some backend is to have the client's ID */
    char *offer;             /* what clients are told, as configured; NULL: what was learned */
    const struct region *monitor_region; /* the offer, then each backend's endpoint, each under a seqlock */
    const struct region *columns;        /* one for each child, of struct backend_column for each backend */
};

/* What the configuration says of backends. */
struct backends_options {
    const struct option_list *backends;     /* of struct backend_options */
    const struct option_list *routes;       /* of struct route_options */
    const struct option_list *capabilities; /* of char *; none: learned */
};

/*
 * Looks all names up (this may wait for the DNS), reads the files of TLS, and maps what is shared in the arena. The
 * options must outlive it. NULL when an error is reported.
 */
struct backends *backends_new(const struct backends_options *options, struct arena *arena, struct option_report *report);

/* Frees it; NULL is fine. */
void backends_free(struct backends *b);

/* In a child, before it uses a backend: from here on it writes to the column of that child. */
void backends_set_child(struct backends *b, unsigned child);

/* Logs what an administrator should not forget: "legacy-backend" while TLS 1.0 may be spoken with one. */
void backends_warn(const struct backends *b);

/* --- where it is: written by the monitor's look-ups, one process and thread for each backend ---------------- */

void backend_publish_endpoint(struct backend *backend, const struct endpoint *endpoint);
void backend_endpoint(const struct backend *backend, struct endpoint *out);

/* --- whether it is up ----------------------------------------------------------------------------------------- */

/* Whether it is worth trying first. Without checks, one that was down is again after a while. The latest finding holds. */
bool backend_is_up(const struct backend *backend);

/* Whether anything is known of it yet. */
bool backend_is_known(const struct backend *backend);

/* It answers. Logs "backend-up" when that is news. */
void backend_mark_up(struct backend *backend);

/* Marks the backend down, and logs "backend-down" if it was not. */
void backend_mark_down(struct backend *backend, enum fault fault);

/* --- how many sessions it has ----------------------------------------------------------------------------------- */

/* Counts a session of this process; false, and not counted, when it has max_sessions already. Never exceeded. */
bool backend_reserve_session(const struct backend *backend);

/* One of this process's sessions has gone. */
void backend_release_session(const struct backend *backend);

/* --- what clients are told before the login ----------------------------------------------------------------------- */

/* The list for clients, after TLS. Before anything was learned: the safe minimum, CAPABILITY_TLS. */
void backends_offer(const struct backends *b, char out[CAPABILITY_OFFER_MAX]);

/* The monitor has learned it anew. Nothing happens when it is the same as before, or when one is configured. */
void backends_publish_offer(struct backends *b, const char *list);

#endif
