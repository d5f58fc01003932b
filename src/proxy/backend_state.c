/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backend_state.h"

#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/seqlock.h"
#include "proxy/proxy.h"

/* Without checks: how long a backend that was down is tried last. */
enum { PATIENCE_MS = 10000 };

enum health { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };
enum { HEALTH_BITS = 2, HEALTH_MASK = (1 << HEALTH_BITS) - 1 };

/* What one process publishes about a backend. */
struct backend_column {
    _Atomic uint64_t health;   /* its last finding: the time since boot in milliseconds, and enum health */
    _Atomic uint32_t sessions; /* of this process */
};

static const struct backend_column *column_of(const struct backend *backend, unsigned column)
{
    return (const struct backend_column *)backend->all->columns[column].read + backend->index;
}

static struct backend_column *own_column(const struct backend *backend)
{
    return (struct backend_column *)backend->all->columns[backend->all->own].write + backend->index;
}

static size_t endpoint_offset(const struct backend *backend)
{
    return backend->index * seqlock_space(sizeof(struct endpoint));
}

/* The sessions of a child that has died are gone; its last finding about a backend's health still holds. */
static void take_back(void *data, unsigned child)
{
    struct backends *b = data;
    struct backend_column *column = b->columns[child].write;
    for (size_t i = 0; i < b->count; i++) {
        atomic_store(&column[i].sessions, 0);
    }
}

int backends_map(struct backends *b, struct arena *arena)
{
    struct arena_options columns = {.name = "backends",
                                    .size = b->count * sizeof(struct backend_column),
                                    .writer = ARENA_EACH,
                                    .take_back = take_back,
                                    .data = b};
    struct arena_options endpoints = {
        .name = "endpoints", .size = b->count * seqlock_space(sizeof(struct endpoint)), .writer = ARENA_MONITOR};
    b->children = arena->children;
    b->columns = arena_map(arena, &columns);
    b->endpoints = b->columns != NULL ? arena_map(arena, &endpoints) : NULL;
    return b->endpoints != NULL ? 0 : -1;
}

void backends_set_child(struct backends *b, unsigned child)
{
    b->own = child;
}

/* --- endpoints ---------------------------------------------------------------------------------------------- */

void backend_publish_endpoint(struct backend *backend, const struct endpoint *endpoint)
{
    if (!endpoint_is_name(backend->options->address)) {
        backend->fixed = *endpoint;
        return;
    }
    void *slot = (char *)backend->all->endpoints->write + endpoint_offset(backend);
    seqlock_write(slot, endpoint, sizeof *endpoint);
}

void backend_endpoint(const struct backend *backend, struct endpoint *out)
{
    if (!endpoint_is_name(backend->options->address)) {
        *out = backend->fixed;
        return;
    }
    const void *slot = (const char *)backend->all->endpoints->read + endpoint_offset(backend);
    if (seqlock_read(slot, out, sizeof *out) != 0 || !endpoint_is_valid(out)) {
        *out = (struct endpoint){0};
    }
}

/* --- health ------------------------------------------------------------------------------------------ */

static uint64_t now_ms(void)
{
    return clock_boot_us() / 1000;
}

/* Returns the latest finding of all processes. A finding from the future is ignored: a hostile process wrote it. */
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

/* Publishes a finding. Returns true if it differs from the latest one before. */
static bool record_health(const struct backend *backend, enum health health)
{
    uint64_t before = latest_finding(backend) & HEALTH_MASK;
    if (health == HEALTH_UP && before == HEALTH_UP) {
        return false; /* each login that works finds that: only the first one writes */
    }
    atomic_store_explicit(&own_column(backend)->health, now_ms() << HEALTH_BITS | health, memory_order_relaxed);
    return before != health;
}

/* A single login may find a backend down because of its client; only a check, which is for nobody, counts here. */
bool backends_are_down(const struct backends *b)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct backend *backend = &b->items[i];
        uint64_t checked = atomic_load_explicit(&column_of(backend, b->children - 1)->health, memory_order_relaxed);
        if (backend->options->check_interval_ms == 0 || backend_is_up(backend) ||
            (checked & HEALTH_MASK) != HEALTH_DOWN) {
            return false;
        }
    }
    return true;
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

void backend_mark_down(struct backend *backend, enum fault fault, struct span said)
{
    struct log_line line;
    if (!record_health(backend, HEALTH_DOWN)) {
        return;
    }
    log_begin(&line, LOG_LEVEL_WARNING, "backend-down");
    log_word(&line, "backend", backend->options->name);
    log_word(&line, "reason", faults[fault].word);
    log_word(&line, "origin", fault_origin_word(fault));
    if (said.len > 0) {
        log_quoted(&line, "said", said.bytes, said.len);
    }
    log_end(&line);
}

/* --- sessions -------------------------------------------------------------------------------- */

bool backend_reserve_session(const struct backend *backend, bool has_others)
{
    const struct backends *b = backend->all;
    uint64_t sum = 0, max = backend->options->max_sessions;
    /* Counts before it sums up: of two workers that want the last place, both may fail, but never both succeed. */
    atomic_fetch_add(&own_column(backend)->sessions, 1);
    if (max == 0) {
        return true;
    }
    for (unsigned i = 0; i < b->children; i++) {
        sum += atomic_load(&column_of(backend, i)->sessions);
    }
    if (sum > max - (has_others ? proxy_kept_places(max) : 0)) {
        backend_release_session(backend);
        return false;
    }
    return true;
}

void backend_release_session(const struct backend *backend)
{
    atomic_fetch_sub(&own_column(backend)->sessions, 1);
}
