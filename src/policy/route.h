/* SPDX-License-Identifier: BSD-2-Clause */
/* Routes: which backends a user may be sent to, and in which order they are tried. These functions do no I/O. */
#ifndef IMAPGUARD_POLICY_ROUTE_H
#define IMAPGUARD_POLICY_ROUTE_H

#include <stdbool.h>

#include "base/option.h"

enum { ROUTE_BACKENDS_MAX = 64 };

struct route_options {
    struct option_list users;        /* of char *: patterns of glob.h; empty: every user */
    struct option_list server_names; /* of char *: patterns for the client's server name (SNI); empty: any */
    struct option_list backends;     /* of char *: names of backends */
    struct option_list backup;       /* of char *: names of backends that are used if all of `backends` are down */
    char *default_domain;            /* of users who are named without one; "": none */
    bool strip_domain;               /* log in to the backend as "anna" for "anna@example.org" */
};

extern const struct option_table route_option_table;

struct routes;
struct route;

/*
 * Compiles a list of struct route_options for the `count` backends `names`, ROUTE_BACKENDS_MAX at most, whose names
 * option_check_name() has accepted. The list and the names must outlive the result. An empty list means one route for
 * every user to all backends. The caller owns the result; routes_free() frees it. Returns NULL if the call has added an
 * error to `report`. A route that never matches, and a backend without a route, are warnings.
 */
struct routes *routes_new(const struct option_list *options, const char *const names[], size_t count,
                          struct option_report *report);

/* Frees the routes; does nothing if they are NULL. */
void routes_free(struct routes *routes);

/*
 * Returns the first route that matches the user and the server name, or NULL if there is none. If `user` is NULL, it is
 * unknown, and only routes without `users` match. If `server_name` is NULL, the client sent none, and only routes
 * without `server_names` match. `routes` owns the result.
 */
const struct route *routes_find(const struct routes *routes, const char *user, const char *server_name);

/* Returns true if a route has `users`, or more than one of `backends`: the first backend then depends on the user. */
bool routes_need_user(const struct routes *routes);

/* Returns true if any route has `strip_domain`. */
bool routes_strip_domain(const struct routes *routes);

/*
 * Returns the length in octets of the name that the backends of this route expect: that of `user`, or of the part
 * before its last "@" if the route has `strip_domain` and this part is not empty.
 */
size_t route_user_len(const struct route *route, const char *user);

/*
 * Returns the name by which the user of a login is counted, folded (user_name.h): the name that the backends of this
 * route expect, or with `default_domain`, the name with its domain. So it is one, whichever way the user writes it. If
 * `route` is NULL, it is the user's name. The caller frees it; NULL if there is no memory.
 */
char *route_account(const struct route *route, const char *user);

/*
 * Writes the indexes of the route's backends to `order`, in the order in which they should be tried for `user` (NULL if
 * unknown). The backends of `backup` come after the others. An index is that of `names` in routes_new(). Both groups
 * are ordered by rendezvous hashing: the order is the same in every process and after every restart, and if a backend
 * fails, only its users move, evenly to all others. Returns the number of indexes. Thaler and Ravishankar, 1998.
 */
size_t route_order(const struct route *route, const char *user, uint8_t order[ROUTE_BACKENDS_MAX]);

#endif
