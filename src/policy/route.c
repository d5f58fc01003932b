/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/route.h"

#include <ctype.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "policy/user_name.h"

enum { USER_MAX = 1024 }; /* octets of a user name that are hashed */

static const char *check_pattern(const char *text)
{
    return text[0] != '\0' ? NULL : "a name, in which \"*\" stands for any characters";
}

static const char *check_domain(const char *text)
{
    return text[0] == '\0' || (strpbrk(text, "@ *") == NULL && user_name_is_visible(text))
               ? NULL
               : "a domain, such as \"example.org\"";
}

/* clang-format off */
static const struct option_row rows[] = {
    {.name = "users", .type = OPTION_TEXTS, .offset = offsetof(struct route_options, users), .default_value = "",
     .check = check_pattern},
    {.name = "server_names", .type = OPTION_TEXTS, .offset = offsetof(struct route_options, server_names),
     .default_value = "", .check = check_pattern},
    {.name = "backends", .type = OPTION_TEXTS, .offset = offsetof(struct route_options, backends), .default_value = "",
     .check = option_check_name},
    {.name = "backup", .type = OPTION_TEXTS, .offset = offsetof(struct route_options, backup), .default_value = "",
     .check = option_check_name},
    {.name = "default_domain", .type = OPTION_TEXT, .offset = offsetof(struct route_options, default_domain),
     .default_value = "", .check = check_domain},
    {.name = "strip_domain", .type = OPTION_FLAG, .offset = offsetof(struct route_options, strip_domain),
     .default_value = "false"},
    {0},
};
/* clang-format on */
const struct option_table route_option_table = {sizeof(struct route_options), rows};

struct route {
    const struct route_options *options; /* NULL: matches everybody */
    const char *const *names;            /* names of all backends */
    uint8_t indexes[ROUTE_BACKENDS_MAX]; /* of `backends`, then of `backup` */
    size_t regular;                      /* number of `backends` */
    size_t count;                        /* number of indexes */
};

struct routes {
    size_t count;
    struct route items[];
};

static int find_name(const char *const names[], size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i] != NULL && strcmp(names[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void add_backends(struct route *route, size_t number, const char *key, const struct option_list *list,
                         size_t name_count, struct option_report *report)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *name = ((char *const *)list->items)[i];
        char path[64];
        int index = find_name(route->names, name_count, name);
        snprintf(path, sizeof path, "routes.[%zu].%s.[%zu]", number, key, i);
        if (index < 0) {
            option_error(report, path, "expected the name of a backend, found \"%s\"", name);
        } else if (memchr(route->indexes, index, route->count) != NULL) {
            option_error(report, path, "expected each backend once, found \"%s\" again", name);
        } else {
            route->indexes[route->count++] = (uint8_t)index;
        }
    }
}

static void fill(struct route *route, size_t number, size_t name_count, struct option_report *report)
{
    char path[64];
    add_backends(route, number, "backends", &route->options->backends, name_count, report);
    route->regular = route->count;
    add_backends(route, number, "backup", &route->options->backup, name_count, report);
    snprintf(path, sizeof path, "routes.[%zu].backends", number);
    if (route->options->backends.count == 0) {
        option_error(report, path, "expected at least one backend");
    }
}

/* Returns true if every text that `inner` matches is matched by `outer`. An empty list matches every text. */
static bool covers(const struct option_list *outer, const struct option_list *inner)
{
    if (outer->count == 0 || inner->count == 0) {
        return outer->count == 0;
    }
    for (size_t i = 0; i < inner->count; i++) {
        bool covered = false;
        for (size_t j = 0; j < outer->count && !covered; j++) {
            covered = glob_matches(((char *const *)outer->items)[j], ((char *const *)inner->items)[i]);
        }
        if (!covered) {
            return false;
        }
    }
    return true;
}

static void warn(const struct routes *routes, const char *const names[], size_t count, struct option_report *report)
{
    char path[64];
    for (size_t i = 0; i < routes->count; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct route_options *outer = routes->items[j].options, *inner = routes->items[i].options;
            if (covers(&outer->users, &inner->users) && covers(&outer->server_names, &inner->server_names)) {
                snprintf(path, sizeof path, "routes.[%zu]", i);
                option_warning(report, path, "never matches: routes.[%zu] always does", j);
                break;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        bool used = false;
        for (size_t j = 0; j < routes->count && !used; j++) {
            used = memchr(routes->items[j].indexes, (int)i, routes->items[j].count) != NULL;
        }
        if (!used) {
            snprintf(path, sizeof path, "backends.[%zu].name", i);
            option_warning(report, path, "no route leads to \"%s\"", names[i]);
        }
    }
}

struct routes *routes_new(const struct option_list *options, const char *const names[], size_t count,
                          struct option_report *report)
{
    const struct route_options *list = options->items;
    size_t wanted = options->count > 0 ? options->count : 1;
    uint32_t errors = report->errors;
    struct routes *routes = calloc(1, sizeof *routes + wanted * sizeof routes->items[0]);
    if (routes == NULL) {
        option_error(report, "routes", "no memory");
        return NULL;
    }
    routes->count = wanted;
    for (size_t i = 0; i < wanted; i++) {
        struct route *route = &routes->items[i];
        route->names = names;
        if (options->count > 0) {
            route->options = &list[i];
            fill(route, i, count, report);
            continue;
        }
        for (size_t j = 0; j < count; j++) {
            route->indexes[j] = (uint8_t)j;
        }
        route->count = route->regular = count;
    }
    if (report->errors != errors) {
        routes_free(routes);
        return NULL;
    }
    if (options->count > 0) {
        warn(routes, names, count, report);
    }
    return routes;
}

void routes_free(struct routes *routes)
{
    free(routes);
}

/* Returns true if the list matches the text. An empty list matches every text. NULL, an unknown text, needs one. */
static bool is_for(const struct option_list *patterns, const char *text)
{
    for (size_t i = 0; i < patterns->count && text != NULL; i++) {
        if (glob_matches(((char *const *)patterns->items)[i], text)) {
            return true;
        }
    }
    return patterns->count == 0;
}

const struct route *routes_find(const struct routes *routes, const char *user, const char *server_name)
{
    for (size_t i = 0; i < routes->count; i++) {
        const struct route_options *o = routes->items[i].options;
        if (o == NULL || (is_for(&o->users, user) && is_for(&o->server_names, server_name))) {
            return &routes->items[i];
        }
    }
    return NULL;
}

bool routes_need_user(const struct routes *routes)
{
    for (size_t i = 0; i < routes->count; i++) {
        const struct route *route = &routes->items[i];
        if (route->regular > 1 || (route->options != NULL && route->options->users.count > 0)) {
            return true;
        }
    }
    return false;
}

bool routes_strip_domain(const struct routes *routes)
{
    for (size_t i = 0; i < routes->count; i++) {
        if (routes->items[i].options != NULL && routes->items[i].options->strip_domain) {
            return true;
        }
    }
    return false;
}

size_t route_user_len(const struct route *route, const char *user)
{
    const char *at = route->options != NULL && route->options->strip_domain ? strrchr(user, '@') : NULL;
    return at != NULL && at != user ? (size_t)(at - user) : strlen(user);
}

char *route_account(const struct route *route, const char *user)
{
    const char *domain = route != NULL && route->options != NULL ? route->options->default_domain : "";
    size_t len = route != NULL ? route_user_len(route, user) : strlen(user);
    bool complete = domain == NULL || domain[0] == '\0' || memchr(user, '@', len) != NULL;
    char *name;
    if (asprintf(&name, "%.*s%s%s", (int)len, user, complete ? "" : "@", complete ? "" : domain) == -1) {
        return NULL;
    }
    char *folded = user_name_fold(name);
    free(name);
    return folded;
}

/* Returns the weight of a backend for a user, a hash of both names. The backend with the highest weight comes first. */
static uint64_t weight(const char *backend, const char *user, size_t user_len)
{
    unsigned char text[USER_MAX + 64], digest[SHA256_DIGEST_LENGTH];
    size_t len = strlen(backend) + 1; /* the NUL separates the names */
    memcpy(text, backend, len);
    for (size_t i = 0; i < user_len && i < USER_MAX; i++) {
        text[len++] = (unsigned char)tolower((unsigned char)user[i]);
    }
    SHA256(text, len, digest);
    uint64_t value;
    memcpy(&value, digest, sizeof value);
    return value;
}

size_t route_order(const struct route *route, const char *user, uint8_t order[ROUTE_BACKENDS_MAX])
{
    uint64_t weights[ROUTE_BACKENDS_MAX];
    size_t len = user != NULL ? route_user_len(route, user) : 0;
    for (size_t i = 0; i < route->count; i++) {
        size_t first = i < route->regular ? 0 : route->regular, at = i;
        uint64_t own = weight(route->names[route->indexes[i]], user != NULL ? user : "", len);
        for (; at > first && weights[at - 1] < own; at--) {
            weights[at] = weights[at - 1];
            order[at] = order[at - 1];
        }
        weights[at] = own;
        order[at] = route->indexes[i];
    }
    return route->count;
}
