/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/log.h"
#include "base/network.h"
#include "net/proxy_header.h"
#include "proxy/backend_state.h"

enum { PATH_SIZE = 64, HOST_SIZE = 256 };

/* --- loading ---------------------------------------------------------------------------------------------- */

/* Writes the host of an address to `host`; "" for a UNIX socket. */
static void host_of(const char *address, char host[HOST_SIZE])
{
    uint16_t port;
    if (address_split(address, host, HOST_SIZE, &port) != 0) {
        host[0] = '\0';
    }
}

/* Returns true if one of the addresses is neither loopback nor private: cleartext could be read on the way. */
static bool is_far(const struct endpoint *endpoint)
{
    for (size_t i = 0; i < endpoint->count; i++) {
        const struct endpoint_address *at = &endpoint->addresses[i];
        if (at->sa.sa_family == AF_UNIX) {
            continue;
        }
        struct network_address octets = network_address_of(&at->ip);
        if (!network_is_loopback(&octets) && !network_is_private(&octets)) {
            return true;
        }
    }
    return false;
}

static void load(struct backend *backend, const struct backend_options *options, struct option_report *report)
{
    char path[PATH_SIZE], at[PATH_SIZE + 16], host[HOST_SIZE];
    struct endpoint endpoint = {0};
    if (options->name == NULL || options->address == NULL) {
        return; /* reported already */
    }
    snprintf(path, sizeof path, "backends.[%zu]", backend->index);
    snprintf(at, sizeof at, "%s.address", path);
    bool temporary = false;
    const char *cause = endpoint_resolve(options->address, &endpoint, &temporary);
    if (cause != NULL && temporary) {
        option_warning(report, at, "cannot find \"%s\" now: %s", options->address, cause);
    } else if (cause != NULL) {
        option_error(report, at, "cannot find \"%s\": %s", options->address, cause);
    }
    backend_publish_endpoint(backend, &endpoint);
    host_of(options->address, host);
    if (options->tls != BACKEND_TLS_NONE) {
        backend->tls = tls_client_new(&options->tls_client, host, path, report);
    }
    if (options->tls == BACKEND_TLS_NONE && is_far(&endpoint)) {
        snprintf(at, sizeof at, "%s.tls", path);
        option_warning(report, at, "passwords go to %s in the clear, over a network that is not private",
                       options->address);
    }
    if (options->proxy_protocol != PROXY_HEADER_NONE && host[0] == '\0') {
        snprintf(at, sizeof at, "%s.proxy_protocol", path);
        option_warning(report, at, "sent over a UNIX socket: few servers take it there");
    }
}

/* Mechanisms whose user is not known in time, or whose messages hold a name that would have to be another. */
static uint32_t passing_mechanisms(const struct routes *routes)
{
    uint32_t set = 0;
    for (int id = 0; id < SASL_COUNT; id++) {
        const struct sasl_mechanism *m = sasl_mechanism((enum sasl_id)id);
        bool hidden = m->backend_first && routes_need_user(routes);
        bool fixed = m->passthrough && routes_strip_domain(routes);
        set |= hidden || fixed ? 0 : capability_bit(m->id);
    }
    return set;
}

struct backends *backends_new(const struct backends_options *o, struct arena *arena, struct option_report *report)
{
    const struct backend_options *options = o->backends->items;
    size_t count = o->backends->count;
    uint32_t errors = report->errors;
    struct backends *b = calloc(1, sizeof *b);
    if (count == 0 || count > ROUTE_BACKENDS_MAX) {
        option_error(report, "backends", "expected 1 to %d backends, found %zu", ROUTE_BACKENDS_MAX, count);
        free(b);
        return NULL;
    }
    if (b == NULL || (b->items = calloc(count, sizeof *b->items)) == NULL ||
        (b->names = calloc(count, sizeof *b->names)) == NULL) {
        goto no_memory;
    }
    b->count = count;
    if (backends_map(b, arena) != 0 || offer_map(&b->offer, arena) != 0) {
        goto no_memory;
    }
    for (size_t i = 0; i < count; i++) {
        b->names[i] = options[i].name;
        b->items[i].index = i;
        b->items[i].all = b;
        b->items[i].options = &options[i];
        b->forward_id = b->forward_id || options[i].forward_id;
        load(&b->items[i], &options[i], report);
    }
    if (report->errors == errors) {
        b->routes = routes_new(o->routes, b->names, count, report);
    }
    if (b->routes != NULL) {
        b->offer.mechanisms = passing_mechanisms(b->routes);
        offer_configure(&b->offer, o->capabilities, report);
    }
    if (report->errors == errors) {
        return b;
    }
    backends_free(b);
    return NULL;
no_memory:
    option_error(report, "backends", "no memory: %s", strerror(errno));
    backends_free(b);
    return NULL;
}

void backends_free(struct backends *b)
{
    if (b == NULL) {
        return;
    }
    for (size_t i = 0; i < b->count; i++) {
        tls_client_free(b->items[i].tls);
    }
    routes_free(b->routes);
    offer_clear(&b->offer);
    free(b->names);
    free(b->items);
    free(b);
}

void backends_warn(const struct backends *b)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct backend_options *o = b->items[i].options;
        if (o->tls != BACKEND_TLS_NONE && o->tls_client.legacy) {
            log_event(LOG_LEVEL_WARNING, "legacy-backend", "backend=%s min_version=TLSv1", o->name);
        }
        if (o->tls != BACKEND_TLS_NONE && !o->tls_client.verify) {
            log_event(LOG_LEVEL_WARNING, "unverified-backend", "backend=%s", o->name);
        }
    }
}
