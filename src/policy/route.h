/* SPDX-License-Identifier: BSD-2-Clause */
/* Routes: which backends serve a user, and in which order they are tried. No I/O. */
#ifndef IMAPGUARD_POLICY_ROUTE_H
#define IMAPGUARD_POLICY_ROUTE_H

#include <stdbool.h>

#include "base/option.h"

enum { ROUTE_BACKENDS_MAX = 64 };

struct route_options {
    struct option_list users;        /* of char *: patterns; none: every user */
    struct option_list server_names; /* of char *: patterns of the SNI name; none: any */
    struct option_list backends;     /* of char *: names */
    struct option_list backup;       /* of char *: names; tried when all others have failed */
    bool strip_domain;               /* the backend knows "anna@example.org" as "anna" */
};

extern const struct option_table route_option_table;

struct routes;
struct route;

/*
 * Makes the routes of a list of struct route_options for backends of these names (at most ROUTE_BACKENDS_MAX). Options and
 * names must outlive the routes. An empty list is one route for all users to all backends. Reports errors, and warnings
 * about routes that never match and backends without a route. Returns NULL after an error.
 */
struct routes *routes_new(const struct option_list *options, const char *const names[], size_t count,
                          struct option_report *report);

/* Frees the routes; NULL is fine. */
void routes_free(struct routes *routes);

/*
 * Returns the first route that matches the user and the server name, or NULL. `user` is NULL while it is unknown: then only
 * routes for all users match. `server_name` is NULL if the client sent none.
 */
const struct route *routes_find(const struct routes *routes, const char *user, const char *server_name);

/* Returns true if the choice of a backend can depend on the user. */
bool routes_need_user(const struct routes *routes);

/* Returns true if a route strips domains. */
bool routes_strip_domain(const struct routes *routes);

/* Returns the number of leading octets of the user's name that the backends of this route know. */
size_t route_user_len(const struct route *route, const char *user);

/*
 * Writes the indexes of the route's backends to `order`, in the order in which they are tried for the user (NULL: unknown),
 * and returns their number. The order of `backends` is by rendezvous hashing (Thaler and Ravishankar, 1998): it is the same
 * in every process and after every restart, and when a backend fails, only its own users move, evenly to all others.
 * `backup` follows in an order of its own.
 */
size_t route_order(const struct route *route, const char *user, uint8_t order[ROUTE_BACKENDS_MAX]);

#endif
