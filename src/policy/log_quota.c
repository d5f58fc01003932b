/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/log_quota.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "policy/keyed_hash.h"
#include "policy/rate.h"

enum { WAYS = 4, BUCKETS = 4096, SLOTS = WAYS * BUCKETS, PREFIX_MAX = 128 };

/*
 * Whoever takes a slot over gets a rate in which one line fits, at least: the rate of a slot that is in use makes the quota
 * of the next smaller, never larger, whatever happens at the same moment.
 */
struct slot {
    _Atomic uint64_t key;     /* a hash of network and event; 0: the slot was never used */
    _Atomic uint64_t arrival; /* see rate.h */
    _Atomic uint64_t network[2];
    _Atomic uint32_t prefix;
    _Atomic uint32_t event;
    _Atomic uint32_t since_s; /* when a line was suppressed first, in seconds since boot */
};

struct shared {
    _Atomic uint32_t suppressed[SLOTS]; /* lines of each slot; apart, so that the master's look at them is short */
    struct slot slots[SLOTS];
};

struct log_quota {
    uint32_t ipv4_prefix, ipv6_prefix;
    struct keyed_hash hash;
    struct shared *shared;
};

struct log_quota *log_quota_new(uint32_t ipv4_prefix, uint32_t ipv6_prefix, struct arena *arena)
{
    struct log_quota *q = calloc(1, sizeof *q);
    const struct region *region = NULL;
    if (q == NULL) {
        return NULL;
    }
    if (keyed_hash_init(&q->hash) == 0) {
        region = arena_map(arena, &(struct arena_options){.name = "log-quota",
                                                          .size = sizeof *q->shared,
                                                          .writer = ARENA_WORKERS,
                                                          .not_for_monitor = true});
    }
    if (region == NULL) {
        log_quota_free(q);
        errno = ENOMEM;
        return NULL;
    }
    q->ipv4_prefix = ipv4_prefix;
    q->ipv6_prefix = ipv6_prefix;
    q->shared = region->write;
    return q;
}

void log_quota_free(struct log_quota *q)
{
    if (q != NULL) {
        keyed_hash_fini(&q->hash);
        free(q);
    }
}

/* If OpenSSL fails, all networks have one key, and so one quota together. */
static uint64_t key_of(const struct log_quota *q, const struct network *n, unsigned event)
{
    uint8_t out[KEYED_HASH_SIZE];
    uint64_t key;
    struct span pieces[] = {{n->first.octets, sizeof n->first.octets}, {(const uint8_t *)&event, sizeof event}};
    (void)keyed_hash(&q->hash, pieces, 2, out);
    memcpy(&key, out, sizeof key);
    return key != 0 ? key : 1;
}

static void name_slot(struct slot *s, const struct network *n, unsigned event)
{
    uint64_t halves[2];
    memcpy(halves, n->first.octets, sizeof halves);
    atomic_store_explicit(&s->network[0], halves[0], memory_order_relaxed);
    atomic_store_explicit(&s->network[1], halves[1], memory_order_relaxed);
    atomic_store_explicit(&s->prefix, n->prefix, memory_order_relaxed);
    atomic_store_explicit(&s->event, event, memory_order_relaxed);
}

/*
 * The index of the slot of a key, or of the one whose rate is used least: taken over, unless it has lines suppressed, in
 * which case it is shared.
 */
static size_t slot_for(struct log_quota *q, uint64_t key, const struct network *n, unsigned event,
                       const struct option_rate *rate, uint64_t now_us)
{
    size_t first = (key >> 32) % BUCKETS * WAYS, best = SLOTS, least = first;
    uint64_t best_arrival = UINT64_MAX, least_arrival = UINT64_MAX;
    for (size_t i = first; i < first + WAYS; i++) {
        struct slot *s = &q->shared->slots[i];
        uint64_t arrival = atomic_load_explicit(&s->arrival, memory_order_relaxed);
        if (atomic_load_explicit(&s->key, memory_order_relaxed) == key) {
            return i;
        }
        if (arrival < best_arrival && atomic_load_explicit(&q->shared->suppressed[i], memory_order_relaxed) == 0) {
            best = i;
            best_arrival = arrival;
        }
        if (arrival < least_arrival) {
            least = i;
            least_arrival = arrival;
        }
    }
    if (best == SLOTS) {
        return least;
    }
    rate_make_room(&q->shared->slots[best].arrival, rate, now_us);
    atomic_store_explicit(&q->shared->slots[best].key, key, memory_order_relaxed);
    name_slot(&q->shared->slots[best], n, event);
    return best;
}

bool log_quota_take(struct log_quota *q, const struct network_address *address, unsigned event,
                    const struct option_rate *rate, uint64_t now_us)
{
    struct network n = network_around(address, q->ipv4_prefix, q->ipv6_prefix);
    size_t i = slot_for(q, key_of(q, &n, event), &n, event, rate, now_us);
    if (rate_take(&q->shared->slots[i].arrival, rate, now_us)) {
        return true;
    }
    if (atomic_fetch_add(&q->shared->suppressed[i], 1) == 0) {
        atomic_store(&q->shared->slots[i].since_s, (uint32_t)(now_us / 1000000));
    }
    return false;
}

static struct log_quota_summary summary_of(const struct slot *s, uint32_t suppressed)
{
    struct log_quota_summary out = {.suppressed = suppressed};
    uint64_t halves[2] = {atomic_load(&s->network[0]), atomic_load(&s->network[1])};
    uint32_t prefix = atomic_load(&s->prefix);
    memcpy(out.network.first.octets, halves, sizeof halves);
    out.network.prefix = prefix <= PREFIX_MAX ? prefix : PREFIX_MAX; /* any worker could have written it */
    out.event = atomic_load(&s->event) % LOG_QUOTA_EVENTS;
    return out;
}

void log_quota_sweep(struct log_quota *q, uint64_t now_us, bool all,
                     void (*each)(void *data, const struct log_quota_summary *summary), void *data)
{
    uint32_t now_s = (uint32_t)(now_us / 1000000);
    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *s = &q->shared->slots[i];
        if (atomic_load_explicit(&q->shared->suppressed[i], memory_order_relaxed) > 0 &&
            (all || now_s - atomic_load(&s->since_s) >= LOG_QUOTA_SUMMARY_S)) {
            struct log_quota_summary summary = summary_of(s, atomic_exchange(&q->shared->suppressed[i], 0));
            each(data, &summary);
        }
    }
}
