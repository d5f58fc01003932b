/* SPDX-License-Identifier: BSD-2-Clause */
/* Which backends a user is for: the routes of the configuration, and the order in which backends are tried. Pure. */
#ifndef IMAPGUARD_POLICY_ROUTE_H
#define IMAPGUARD_POLICY_ROUTE_H

#include <stdbool.h>

#include "base/option.h"

enum { ROUTE_BACKENDS_MAX = 64 };

struct route_options {
    struct option_list users;        /* of char *: patterns; none: every user */
    struct option_list server_names; /* of char *: patterns of the name that the client asks for (SNI); none: any */
    struct option_list backends;     /* of char *: names */
    struct option_list backup;       /* of char *: names; while none of the others can be had */
    bool strip_domain;               /* the backend knows "anna@example.org" as "anna" */
};

extern const struct option_table route_option_table;

struct routes;
struct route;

/*
 * Makes the routes of a list of struct route_options, which must outlive them, for backends of these names (at most
 * ROUTE_BACKENDS_MAX, valid as long). An empty list is one route for everybody to all of them. NULL when an error is
 * reported; routes that never match, and backends that no route leads to, are warned about.
 */
struct routes *routes_new(const struct option_list *options, const char *const names[], size_t count,
                          struct option_report *report);

/* Frees them; NULL is fine. */
void routes_free(struct routes *routes);

/*
 * The first route for the user (NULL: not known yet; then only routes that are for every user can be found) and the
 * server name (NULL: the client gave none). NULL when there is none.
 */
const struct route *routes_find(const struct routes *routes, const char *user, const char *server_name);

/* Whether where a user belongs can depend on who that is. */
bool routes_need_user(const struct routes *routes);

/* Whether any route strips domains. */
bool routes_strip_domain(const struct routes *routes);

/* Octets of the user's name that the backends of this route know. */
size_t route_user_len(const struct route *route, const char *user);

/*
 * Writes the indexes of the route's backends to `order`, in the order in which they are to be tried for that user (NULL:
 * not known), and returns how many. Among `backends` that is rendezvous hashing (Thaler and Ravishankar, 1998): the same
 * in every process and after every restart, and a backend that fails moves only its own users, to all others alike.
 * `backup` follows, ordered likewise.
 */
size_t route_order(const struct route *route, const char *user, uint8_t order[ROUTE_BACKENDS_MAX]);

#endif
