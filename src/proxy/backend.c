/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backend.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/network.h"
#include "net/proxy_header.h"

enum { SECOND = 1000, HOUR = 3600 * SECOND, PATH_SIZE = 64, HOST_SIZE = 256, COUNT_MAX = 1000000 };

/* Without checks: how long a backend that was down is passed over. */
enum { PATIENCE_MS = 10000 };

static const char *const tls_names[] = {"none", "starttls", "implicit", NULL};
static const char *const proxy_names[] = {
    [PROXY_HEADER_NONE] = "none", [PROXY_HEADER_V1] = "v1", [PROXY_HEADER_V2] = "v2", NULL};

static const struct option_row rows[] = {
    {.name = "name", .type = OPTION_TEXT, .offset = offsetof(struct backend_options, name),
     .check = option_check_name},
    {.name = "address", .type = OPTION_TEXT, .offset = offsetof(struct backend_options, address),
     .check = endpoint_check},
    {.name = "tls", .type = OPTION_CHOICE, .offset = offsetof(struct backend_options, tls), .default_value = "none",
     .choices = tls_names},
    {.name = "verify", .type = OPTION_FLAG, .offset = offsetof(struct backend_options, tls_client.verify),
     .default_value = "true"},
    {.name = "ca_file", .type = OPTION_TEXT, .offset = offsetof(struct backend_options, tls_client.ca_file),
     .default_value = ""},
    {.name = "server_name", .type = OPTION_TEXT, .offset = offsetof(struct backend_options, tls_client.server_name),
     .default_value = ""},
    {.name = "certificate", .type = OPTION_TEXT, .offset = offsetof(struct backend_options, tls_client.certificate.chain),
     .default_value = ""},
    {.name = "key", .type = OPTION_TEXT, .offset = offsetof(struct backend_options, tls_client.certificate.key),
     .default_value = ""},
    {.name = "legacy_tls", .type = OPTION_FLAG, .offset = offsetof(struct backend_options, tls_client.legacy),
     .default_value = "false"},
    {.name = "proxy_protocol", .type = OPTION_CHOICE, .offset = offsetof(struct backend_options, proxy_protocol),
     .default_value = "none", .choices = proxy_names},
    {.name = "forward_id", .type = OPTION_FLAG, .offset = offsetof(struct backend_options, forward_id),
     .default_value = "false"},
    {.name = "connect_timeout", .type = OPTION_DURATION,
     .offset = offsetof(struct backend_options, connect_timeout_ms), .default_value = "5s", .min = 100, .max = HOUR},
    {.name = "login_timeout", .type = OPTION_DURATION, .offset = offsetof(struct backend_options, login_timeout_ms),
     .default_value = "30s", .min = 100, .max = HOUR},
    {.name = "max_sessions", .type = OPTION_COUNT, .offset = offsetof(struct backend_options, max_sessions),
     .default_value = "0", .max = COUNT_MAX},
    {.name = "resolve_interval", .type = OPTION_DURATION,
     .offset = offsetof(struct backend_options, resolve_interval_ms), .default_value = "30s", .min = SECOND, .max = 24 * HOUR},
    {.name = "check_interval", .type = OPTION_DURATION, .offset = offsetof(struct backend_options, check_interval_ms),
     .default_value = "10s", .max = HOUR},
    {.name = "check_rise", .type = OPTION_COUNT, .offset = offsetof(struct backend_options, check_rise),
     .default_value = "2", .min = 1, .max = 100},
    {.name = "check_fall", .type = OPTION_COUNT, .offset = offsetof(struct backend_options, check_fall),
     .default_value = "3", .min = 1, .max = 100},
    {0},
};
const struct option_table backend_option_table = {sizeof(struct backend_options), rows};

enum health { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };
enum { HEALTH_BITS = 2, HEALTH_MASK = (1 << HEALTH_BITS) - 1 };

/* What a process says of a backend. */
struct backend_column {
    _Atomic uint64_t health;   /* as it found it last: the time since boot in milliseconds, and enum health */
    _Atomic uint32_t sessions; /* of its own */
};

static const struct backend_column *column_of(const struct backend *backend, unsigned column)
{
    return (const struct backend_column *)backend->all->columns[column].read + backend->index;
}

static struct backend_column *own_column(const struct backend *backend)
{
    return (struct backend_column *)backend->all->columns[backend->all->own].write + backend->index;
}

/* Where the published values lie in `monitor_region`. */
static size_t offer_offset(void)
{
    return 0;
}

static size_t endpoint_offset(size_t index)
{
    return seqlock_space(CAPABILITY_OFFER_MAX) + index * seqlock_space(sizeof(struct endpoint));
}

static const struct seqlock *monitor_slot(const struct backends *b, size_t at)
{
    return (const struct seqlock *)((const char *)b->monitor_region->read + at);
}

static struct seqlock *own_monitor_slot(const struct backends *b, size_t at)
{
    return (struct seqlock *)((char *)b->monitor_region->write + at);
}

/* --- beginning ---------------------------------------------------------------------------------------------- */

/* The host of an address; "" for a UNIX socket. */
static void host_of(const char *address, char host[HOST_SIZE])
{
    uint16_t port;
    if (address_split(address, host, HOST_SIZE, &port) != 0) {
        host[0] = '\0';
    }
}

/* Whether what is said to any of its addresses may pass through other people's networks. */
static bool is_far(const struct endpoint *endpoint)
{
    for (size_t i = 0; i < endpoint->count; i++) {
        const struct endpoint_address *at = &endpoint->addresses[i];
        union address address = {0};
        if (at->sa.sa_family == AF_INET) {
            address.in = at->in;
        } else if (at->sa.sa_family == AF_INET6) {
            address.in6 = at->in6;
        } else {
            continue;
        }
        struct network_address octets = network_address_of(&address);
        bool loopback = at->sa.sa_family == AF_INET ? ntohl(at->in.sin_addr.s_addr) >> 24 == 127
                                                    : IN6_IS_ADDR_LOOPBACK(&at->in6.sin6_addr);
        if (!loopback && !network_is_private(&octets)) {
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
    bool passing = false;
    const char *cause = endpoint_resolve(options->address, &endpoint, &passing);
    if (cause != NULL && passing) {
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
        option_warning(report, at, "passwords go to %s in the clear, over a network that is not private", options->address);
    }
    if (options->proxy_protocol != PROXY_HEADER_NONE && host[0] == '\0') {
        snprintf(at, sizeof at, "%s.proxy_protocol", path);
        option_warning(report, at, "sent over a UNIX socket: few servers take it there");
    }
}

/* The sessions of a child that has died are gone; what it found of the backends' health still holds. */
static void take_back(void *data, unsigned child)
{
    struct backends *b = data;
    struct backend_column *column = b->columns[child].write;
    for (size_t i = 0; i < b->count; i++) {
        atomic_store(&column[i].sessions, 0);
    }
}

static int map_shared(struct backends *b, struct arena *arena)
{
    static const char minimum[CAPABILITY_OFFER_MAX] = CAPABILITY_TLS;
    struct arena_options columns = {.name = "backends", .size = b->count * sizeof(struct backend_column),
                                    .writer = ARENA_EACH, .take_back = take_back, .data = b};
    struct arena_options monitor = {.name = "monitor", .size = endpoint_offset(b->count), .writer = ARENA_MONITOR};
    b->children = arena->children;
    b->monitor_region = arena_map(arena, &monitor);
    b->columns = b->monitor_region != NULL ? arena_map(arena, &columns) : NULL;
    if (b->columns == NULL) {
        return -1;
    }
    seqlock_write(own_monitor_slot(b, offer_offset()), minimum, sizeof minimum);
    return 0;
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

/* The configured list, one blank between its words. */
static void join_offer(struct backends *b, const struct option_list *words, struct option_report *report)
{
    char *const *texts = words->items;
    size_t len = 0;
    b->offer = calloc(1, CAPABILITY_OFFER_MAX);
    for (size_t i = 0; i < words->count && b->offer != NULL; i++) {
        char path[PATH_SIZE];
        struct capabilities one;
        snprintf(path, sizeof path, "capabilities.[%zu]", i);
        capability_parse(span_of(texts[i]), &one);
        if ((one.auth & ~b->mechanisms) != 0) {
            option_error(report, path, "\"%s\" cannot work with these routes: the user is not known in time, or is "
                                       "to be renamed", texts[i]);
        }
        int n = snprintf(b->offer + len, CAPABILITY_OFFER_MAX - len, "%s%s", i > 0 ? " " : "", texts[i]);
        if (n < 0 || (size_t)n >= CAPABILITY_OFFER_MAX - len) {
            option_error(report, path, "expected at most %d characters together", CAPABILITY_OFFER_MAX - 1);
            return;
        }
        len += (size_t)n;
    }
    struct span list = span_of(b->offer != NULL ? b->offer : "");
    if (!capability_has(list, span_of("IMAP4rev1"))) {
        option_error(report, "capabilities", "expected IMAP4rev1 among them");
    }
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
    if (map_shared(b, arena) != 0) {
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
        b->mechanisms = passing_mechanisms(b->routes);
        if (o->capabilities->count > 0) {
            join_offer(b, o->capabilities, report);
        }
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
    free(b->offer);
    free(b->names);
    free(b->items);
    free(b);
}

void backends_set_child(struct backends *b, unsigned child)
{
    b->own = child;
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

/* --- where it is ---------------------------------------------------------------------------------------------- */

void backend_publish_endpoint(struct backend *backend, const struct endpoint *endpoint)
{
    if (!endpoint_is_name(backend->options->address)) {
        backend->fixed = *endpoint;
        return;
    }
    seqlock_write(own_monitor_slot(backend->all, endpoint_offset(backend->index)), endpoint, sizeof *endpoint);
}

void backend_endpoint(const struct backend *backend, struct endpoint *out)
{
    if (!endpoint_is_name(backend->options->address)) {
        *out = backend->fixed;
        return;
    }
    if (seqlock_read(monitor_slot(backend->all, endpoint_offset(backend->index)), out, sizeof *out) != 0 ||
        !endpoint_is_valid(out)) {
        *out = (struct endpoint){0};
    }
}

/* --- whether it is up ------------------------------------------------------------------------------------------ */

static uint64_t now_ms(void)
{
    return clock_boot_us() / 1000;
}

/* The latest finding of all processes. One of the future is not believed. */
static uint64_t latest_finding(const struct backend *backend)
{
    uint64_t latest = 0, now = now_ms();
    for (unsigned i = 0; i < backend->all->children; i++) {
        uint64_t one = atomic_load_explicit(&column_of(backend, i)->health, memory_order_relaxed);
        if (one > latest && one >> HEALTH_BITS <= now) {
            latest = one;
        }
    }
    return latest;
}

/* Whether that is news. */
static bool record_health(const struct backend *backend, enum health health)
{
    uint64_t before = latest_finding(backend) & HEALTH_MASK;
    if (health == HEALTH_UP && before == HEALTH_UP) {
        return false; /* every login that works finds that: only the first of them writes */
    }
    atomic_store_explicit(&own_column(backend)->health, now_ms() << HEALTH_BITS | health, memory_order_relaxed);
    return before != health;
}

bool backend_is_known(const struct backend *backend)
{
    return latest_finding(backend) != 0;
}

bool backend_is_up(const struct backend *backend)
{
    uint64_t latest = latest_finding(backend);
    return (latest & HEALTH_MASK) != HEALTH_DOWN ||
           (backend->options->check_interval_ms == 0 && now_ms() - (latest >> HEALTH_BITS) > PATIENCE_MS);
}

void backend_mark_up(struct backend *backend)
{
    if (record_health(backend, HEALTH_UP)) {
        log_event(LOG_LEVEL_INFO, "backend-up", "backend=%s", backend->options->name);
    }
}

void backend_mark_down(struct backend *backend, enum fault fault)
{
    if (record_health(backend, HEALTH_DOWN)) {
        log_event(LOG_LEVEL_WARNING, "backend-down", "backend=%s reason=%s origin=%s", backend->options->name,
                  faults[fault].word, fault_origin_word(fault));
    }
}

/* --- how many sessions it has -------------------------------------------------------------------------------- */

bool backend_reserve_session(const struct backend *backend)
{
    const struct backends *b = backend->all;
    uint64_t sum = 0;
    /* Counted before looking: two workers at the last place may both back off, and never both have it. */
    atomic_fetch_add(&own_column(backend)->sessions, 1);
    if (backend->options->max_sessions == 0) {
        return true;
    }
    for (unsigned i = 0; i < b->children; i++) {
        sum += atomic_load(&column_of(backend, i)->sessions);
    }
    if (sum > backend->options->max_sessions) {
        backend_release_session(backend);
        return false;
    }
    return true;
}

void backend_release_session(const struct backend *backend)
{
    atomic_fetch_sub(&own_column(backend)->sessions, 1);
}

/* --- what clients are told -------------------------------------------------------------------------------------- */

/* Whether what the monitor gives is a line's worth of words. */
static bool is_list(const char text[CAPABILITY_OFFER_MAX])
{
    size_t len = strnlen(text, CAPABILITY_OFFER_MAX);
    for (size_t i = 0; i < len; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            return false;
        }
    }
    return len < CAPABILITY_OFFER_MAX;
}

void backends_offer(const struct backends *b, char out[CAPABILITY_OFFER_MAX])
{
    if (b->offer != NULL) {
        memcpy(out, b->offer, CAPABILITY_OFFER_MAX);
    } else if (seqlock_read(monitor_slot(b, offer_offset()), out, CAPABILITY_OFFER_MAX) != 0 || !is_list(out)) {
        strcpy(out, CAPABILITY_TLS);
    }
}

void backends_publish_offer(struct backends *b, const char *list)
{
    char now[CAPABILITY_OFFER_MAX], next[CAPABILITY_OFFER_MAX] = "";
    backends_offer(b, now);
    snprintf(next, sizeof next, "%s", list);
    if (b->offer == NULL && strcmp(now, next) != 0) {
        seqlock_write(own_monitor_slot(b, offer_offset()), next, sizeof next);
        log_event(LOG_LEVEL_INFO, "capabilities-learned", "list=\"%s\"", next);
    }
}
