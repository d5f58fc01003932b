/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/client_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "policy/ban.h"
#include "policy/client_table_slot.h"
#include "policy/rate.h"

enum {
    WAYS = 16,      /* entries of a bucket: where a network may be */
    TRIES_MAX = 64, /* then others have been quicker too often, and the client shares its bucket's last entry */
    LOG_INTERVAL_S = 60,
    LOGINS_MIN = 131072,    /* known logins of a small table: one account must not push out those of others */
    SKEW_US = 60 * 1000000, /* how far apart two processes' looks at the clock may be */
    WORKERS_MAX = 256,
    PREFIX_MAX = 128,
};

/*
 * What stands in place of a network's key. A slot that is EMPTY has nothing but zeros, so that a network comes in by
 * one compare-and-swap; one that is being emptied bears the number of the worker that does it, for the case that it
 * dies.
 */
#define EMPTY ((uint64_t)0)
#define CLAIM(worker) ((uint64_t)1 + (worker))
#define KEY_LEAST CLAIM(WORKERS_MAX + 1)

/* --- where a network is --------------------------------------------------------------------------------- */

struct network client_table_network(const struct client_table *t, const struct network_address *address)
{
    return network_around(address, t->limits.ipv4_prefix, t->limits.ipv6_prefix);
}

bool client_table_is_gateway(const struct client_table *t, const struct network_address *address)
{
    return t->limits.private_addresses == CLIENT_TABLE_GATEWAY &&
           (network_is_private(address) || network_is_loopback(address));
}

/* A site of which the network is all or more would count nothing that the network does not. */
static bool is_site_prefix(uint32_t site, uint32_t network)
{
    return site != 0 && site < network;
}

bool client_table_site(const struct client_table *t, const struct network_address *address, struct network *site)
{
    const struct client_table_limits *l = &t->limits;
    *site = network_around(address, l->ipv4_site_prefix, l->ipv6_site_prefix);
    return !client_table_is_gateway(t, address) &&
           (network_is_ipv4(site) ? is_site_prefix(l->ipv4_site_prefix, l->ipv4_prefix)
                                  : is_site_prefix(l->ipv6_site_prefix, l->ipv6_prefix));
}

uint64_t client_table_slot_key(const struct client_table *t, enum client_table_subject subject,
                               const struct network *network, const char *user)
{
    static const char *const kinds[] = {"network", "site", "user there", "user", "challenges"};
    uint8_t out[KEYED_HASH_SIZE];
    uint64_t value = 0;
    struct span pieces[3] = {span_of(kinds[subject])};
    size_t count = 1;
    if (network != NULL) {
        pieces[count++] = (struct span){network->first.octets, sizeof network->first.octets};
    }
    if (user != NULL) {
        pieces[count++] = span_of(user);
    }
    if (!keyed_hash(&t->hash, pieces, count, out)) {
        return 0;
    }
    memcpy(&value, out, sizeof value);
    return value >= KEY_LEAST ? value : value + KEY_LEAST;
}

const struct option_rate *client_table_failures(const struct client_table *t, enum client_table_subject subject)
{
    return subject == CLIENT_TABLE_SITE   ? &t->limits.site_failures
           : subject == CLIENT_TABLE_USER ? &t->limits.user_failures
                                          : &t->limits.login_failures;
}

const struct option_rate *client_table_faults(const struct client_table *t, enum client_table_subject subject)
{
    return subject == CLIENT_TABLE_SITE ? &t->limits.site_faults : &t->limits.login_faults;
}

/* A number below `count`, by the upper bits of a hash. */
static size_t place_of(uint64_t value, size_t count)
{
    return (size_t)(((value >> 32) * count) >> 32);
}

static size_t bucket_of(const struct client_table *t, uint64_t key)
{
    return place_of(key, t->buckets) * WAYS;
}

_Atomic uint64_t *client_table_wrong(struct client_table *t, uint64_t hash)
{
    return &t->wrong[place_of(hash, t->slots)];
}

/* Only a worker's own column can be written, and in the master any. */
static _Atomic uint32_t *writable(const struct region *columns, unsigned worker, size_t slot)
{
    return (_Atomic uint32_t *)columns[worker].write + slot;
}

static unsigned sum_of(const struct client_table *t, const struct region *columns, size_t slot)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < t->workers; i++) {
        sum += atomic_load((const _Atomic uint32_t *)columns[i].read + slot);
    }
    return sum;
}

static unsigned sessions_of(const struct client_table *t, size_t slot)
{
    return sum_of(t, t->sessions, slot);
}

unsigned client_table_guesses(const struct client_table *t, size_t slot)
{
    return sum_of(t, t->guesses, slot);
}

void client_table_add_guesses(struct client_table *t, size_t slot, int number)
{
    atomic_fetch_add(writable(t->guesses, t->worker, slot), (uint32_t)number);
}

/* A ban that ends later than any may is none of ours: a worker that was taken over may have written it. */
static bool in_force(const struct client_table *t, uint64_t ban, uint64_t now_us)
{
    uint64_t longest_us = (uint64_t)t->limits.ban_time_max_ms * 1000 + SKEW_US;
    return ban_is_in_force(ban, now_us) && ban_until_us(ban) <= now_us + longest_us;
}

size_t client_table_find(const struct client_table *t, uint64_t key)
{
    size_t first = bucket_of(t, key);
    for (size_t slot = first; key != 0 && slot < first + WAYS; slot++) {
        if (atomic_load_explicit(&t->keys[slot], memory_order_acquire) == key) {
            return slot;
        }
    }
    return t->slots;
}

static enum client_table_subject subject_of(const struct client_table *t, size_t slot)
{
    uint32_t subject = atomic_load_explicit(&t->entries[slot].subject, memory_order_relaxed);
    return subject <= CLIENT_TABLE_CHALLENGES ? subject : CLIENT_TABLE_NETWORK; /* any worker could have written it */
}

static void wipe_slot(struct client_table *t, size_t slot)
{
    struct entry *e = &t->entries[slot];
    uint64_t ban = atomic_exchange(&t->bans[slot], 0);
    if (ban_is_pending(ban)) {
        atomic_fetch_sub(&t->shared->bans, 1);
    }
    atomic_store_explicit(&e->arrival, 0, memory_order_relaxed);
    atomic_store_explicit(&e->failures, 0, memory_order_relaxed);
    atomic_store_explicit(&e->faults, 0, memory_order_relaxed);
    atomic_store_explicit(&e->seen, 0, memory_order_relaxed);
    atomic_store_explicit(&e->logged_s, 0, memory_order_relaxed);
    atomic_store_explicit(&e->subject, CLIENT_TABLE_NETWORK, memory_order_relaxed);
    atomic_store_explicit(&e->hidden_s, 0, memory_order_relaxed);
    atomic_store_explicit(&e->hidden, 0, memory_order_relaxed);
}

/* Empties a slot that has that key, unless a session comes in meanwhile or somebody else is quicker. */
static bool evict(struct client_table *t, size_t slot, uint64_t key)
{
    if (!atomic_compare_exchange_strong(&t->keys[slot], &key, CLAIM(t->worker))) {
        return false;
    }
    /* Who comes in counts itself first and looks at the key then: one of the two sees the other. */
    if (sessions_of(t, slot) > 0) {
        atomic_store(&t->keys[slot], key);
        return false;
    }
    wipe_slot(t, slot);
    atomic_store(&t->keys[slot], EMPTY);
    return true;
}

/*
 * Makes room in a bucket that has none: who was here least recently goes, and where all are banned, whose ban ends
 * first. Who has sessions stays.
 */
static void make_room(struct client_table *t, size_t first, uint64_t now_us)
{
    size_t victim = t->slots;
    bool victim_banned = true;
    uint64_t victim_time = UINT64_MAX;
    for (size_t slot = first; slot < first + WAYS; slot++) {
        if (atomic_load(&t->keys[slot]) == EMPTY) {
            return;
        }
        uint64_t ban = atomic_load_explicit(&t->bans[slot], memory_order_relaxed);
        bool banned = in_force(t, ban, now_us);
        uint64_t time = banned ? ban_until_us(ban) : atomic_load_explicit(&t->entries[slot].seen, memory_order_relaxed);
        bool better = banned != victim_banned ? !banned : time < victim_time;
        if (better && sessions_of(t, slot) == 0 && atomic_load(&t->keys[slot]) >= KEY_LEAST) {
            victim = slot;
            victim_banned = banned;
            victim_time = time;
        }
    }
    if (victim < t->slots) {
        uint64_t key = atomic_load(&t->keys[victim]);
        if (key >= KEY_LEAST) {
            (void)evict(t, victim, key);
        }
    }
}

/* Whether another slot of the bucket has the same key. */
static bool is_twice(const struct client_table *t, size_t slot, uint64_t key)
{
    size_t first = slot - slot % WAYS;
    for (size_t other = first; other < first + WAYS; other++) {
        if (other != slot && atomic_load(&t->keys[other]) == key) {
            return true;
        }
    }
    return false;
}

/* Puts a key into an empty slot of its bucket; t->slots when there is none, or another process was quicker. */
static size_t insert(struct client_table *t, uint64_t key)
{
    size_t first = bucket_of(t, key);
    for (size_t slot = first; slot < first + WAYS; slot++) {
        uint64_t empty = EMPTY;
        if (atomic_load(&t->keys[slot]) != EMPTY) {
            continue;
        }
        if (!atomic_compare_exchange_strong(&t->keys[slot], &empty, key)) {
            return t->slots;
        }
        /* Two that put the same key into two slots both take it back, unless somebody is in there by now. */
        return is_twice(t, slot, key) && evict(t, slot, key) ? t->slots : slot;
    }
    return t->slots;
}

/* The slot of a key, made if need be; t->slots when none can be had. */
static size_t find_or_insert(struct client_table *t, uint64_t key, uint64_t now_us)
{
    for (unsigned i = 0; key != 0 && i < TRIES_MAX; i++) {
        size_t slot = client_table_find(t, key);
        if (slot == t->slots) {
            slot = insert(t, key);
        }
        if (slot < t->slots) {
            return slot;
        }
        make_room(t, bucket_of(t, key), now_us);
    }
    return t->slots;
}

void client_table_touch(struct client_table *t, size_t slot, uint64_t now_us)
{
    uint32_t seconds = (uint32_t)(now_us / 1000000);
    _Atomic uint32_t *seen = &t->entries[slot].seen;
    if (atomic_load_explicit(seen, memory_order_relaxed) != seconds) {
        atomic_store_explicit(seen, seconds, memory_order_relaxed);
    }
}

/* --- making ---------------------------------------------------------------------------------------------- */

/* Gives each array its place behind the one before, a page for itself; `base` 0 only counts. */
static size_t lay_out(struct client_table *t, uint8_t *base)
{
    size_t at = 0;
    const struct {
        void **array;
        size_t size;
    } parts[] = {
        {(void **)&t->shared, sizeof *t->shared},
        {(void **)&t->keys, t->slots * sizeof *t->keys},
        {(void **)&t->bans, (t->slots + t->buckets) * sizeof *t->bans},
        {(void **)&t->wrong, t->slots * sizeof *t->wrong},
        {(void **)&t->entries, (t->slots + t->buckets) * sizeof *t->entries},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (base != NULL) {
            *parts[i].array = base + at;
        }
        at += (parts[i].size + 4095) / 4096 * 4096;
    }
    return at;
}

/* The number of bans that are pending, as it is found. */
static uint32_t count_bans(const struct client_table *t)
{
    uint32_t bans = 0;
    for (size_t slot = 0; slot < t->slots; slot++) {
        bans += ban_is_pending(atomic_load(&t->bans[slot]));
    }
    return bans;
}

/* A worker that died between a ban and its count has made the number wrong. Others may count meanwhile. */
static void recount_bans(struct client_table *t)
{
    uint32_t before = atomic_load(&t->shared->bans);
    while (!atomic_compare_exchange_strong(&t->shared->bans, &before, count_bans(t))) {
    }
}

/*
 * Ends what a worker that died has done to a slot by half: it was emptying it. If others have come in meanwhile, it gets
 * a key that no network has, and is emptied when they have gone.
 */
static void finish_claim(struct client_table *t, unsigned worker, size_t slot)
{
    uint64_t claim = CLAIM(worker);
    if (atomic_load(&t->keys[slot]) != claim) {
        return;
    }
    if (sessions_of(t, slot) > 0) {
        atomic_store(&t->keys[slot], KEY_LEAST + slot);
        return;
    }
    wipe_slot(t, slot);
    atomic_store(&t->keys[slot], EMPTY);
}

/*
 * Nobody knows the verdict on the guesses of a worker that has died: they stay charged as faults, or where there are only
 * failures, as these. Given back first and counted no more then, as by guess.c.
 */
static void take_back_guesses(struct client_table *t, unsigned worker, size_t slot)
{
    _Atomic uint32_t *own = writable(t->guesses, worker, slot);
    uint32_t guesses = atomic_load(own);
    if (guesses == 0) {
        return; /* the entry is not touched: most of the table has no memory yet */
    }
    enum client_table_subject subject = subject_of(t, slot);
    if (subject != CLIENT_TABLE_USER) {
        rate_give_back_lost(&t->entries[slot].failures, client_table_failures(t, subject), guesses);
    }
    atomic_store(own, 0);
}

/* The sessions of a worker that has died are gone, and what it left half done is cleaned up. */
static void take_back(void *data, unsigned worker)
{
    struct client_table *t = data;
    if (worker >= t->workers) {
        return; /* the monitor has nothing here */
    }
    for (size_t slot = 0; slot < t->slots + t->buckets; slot++) {
        take_back_guesses(t, worker, slot);
        atomic_store(writable(t->sessions, worker, slot), 0);
        if (slot < t->slots) {
            finish_claim(t, worker, slot);
        }
    }
    recount_bans(t);
}

static int map(struct client_table *t, struct arena *arena)
{
    struct arena_options clients = {.name = "clients",
                                    .size = lay_out(t, NULL),
                                    .writer = ARENA_WORKERS,
                                    .not_for_monitor = true,
                                    .take_back = take_back,
                                    .data = t};
    struct arena_options sessions = {.name = "sessions",
                                     .size = (t->slots + t->buckets) * sizeof(uint32_t),
                                     .writer = ARENA_EACH,
                                     .not_for_monitor = true};
    struct arena_options guesses = sessions;
    guesses.name = "guesses";
    const struct region *region = arena_map(arena, &clients);
    t->sessions = region != NULL ? arena_map(arena, &sessions) : NULL;
    t->guesses = t->sessions != NULL ? arena_map(arena, &guesses) : NULL;
    if (t->guesses == NULL) {
        return -1;
    }
    (void)lay_out(t, region->write);
    return 0;
}

struct client_table *client_table_new(const struct client_table_limits *limits, struct arena *arena)
{
    struct client_table *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    t->limits = *limits;
    t->workers = arena->children - 1;
    t->buckets = (limits->table_size + WAYS - 1) / WAYS;
    t->slots = t->buckets * WAYS;
    if (keyed_hash_init(&t->hash) != 0 || keyed_hash_init(&t->passwords) != 0 || map(t, arena) != 0 ||
        known_logins_init(&t->logins, limits->table_size > LOGINS_MIN ? limits->table_size : LOGINS_MIN, &t->hash,
                          arena) != 0) {
        client_table_free(t);
        errno = ENOMEM;
        return NULL;
    }
    return t;
}

void client_table_free(struct client_table *t)
{
    if (t == NULL) {
        return;
    }
    keyed_hash_fini(&t->hash);
    keyed_hash_fini(&t->passwords);
    free(t);
}

const uint8_t *client_table_key(const struct client_table *t)
{
    return t->hash.key;
}

void client_table_set_key(struct client_table *t, const uint8_t *key)
{
    memcpy(t->hash.key, key, sizeof t->hash.key);
}

struct known_logins *client_table_logins(struct client_table *t)
{
    return &t->logins;
}

void client_table_set_worker(struct client_table *t, unsigned worker)
{
    t->worker = worker;
}

/* --- coming and going -------------------------------------------------------------------------------------- */

/* Counts a session in a slot; false when the slot is another network's by now. */
static bool count_in(struct client_table *t, size_t slot, uint64_t key)
{
    _Atomic uint32_t *own = writable(t->sessions, t->worker, slot);
    atomic_fetch_add(own, 1);
    if (atomic_load(&t->keys[slot]) == key) {
        return true;
    }
    atomic_fetch_sub(own, 1);
    return false;
}

size_t client_table_hold(struct client_table *t, enum client_table_subject subject, uint64_t key, uint64_t now_us)
{
    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        size_t slot = find_or_insert(t, key, now_us);
        if (slot == t->slots) {
            break;
        }
        if (count_in(t, slot, key)) {
            atomic_store_explicit(&t->entries[slot].subject, subject, memory_order_relaxed);
            return slot;
        }
    }
    return t->slots;
}

void client_table_release(struct client_table *t, size_t slot)
{
    atomic_fetch_sub(writable(t->sessions, t->worker, slot), 1);
}

/* Holds the slot of the site, too, if the address has one. */
static void enter_site(struct client_table *t, const struct network_address *address, uint64_t now_us,
                       struct client_table_ref *ref)
{
    struct network site;
    if (!client_table_site(t, address, &site)) {
        return;
    }
    size_t slot = client_table_hold(t, CLIENT_TABLE_SITE, client_table_slot_key(t, CLIENT_TABLE_SITE, &site, NULL),
                                    now_us);
    if (slot < t->slots) {
        client_table_touch(t, slot, now_us);
        ref->site = (uint32_t)slot + 1;
    }
}

/* Counts a session of a network that finds no entry in the one that it shares with others of its bucket. */
static void enter_shared(struct client_table *t, uint64_t key, struct client_table_ref *ref)
{
    size_t slot = t->slots + bucket_of(t, key) / WAYS;
    atomic_fetch_add(writable(t->sessions, t->worker, slot), 1);
    ref->slot = (uint32_t)slot + 1;
}

enum client_table_entry client_table_enter(struct client_table *t, const struct network_address *address,
                                           uint64_t now_us, struct client_table_ref *ref)
{
    struct network network = client_table_network(t, address);
    uint64_t key = client_table_slot_key(t, CLIENT_TABLE_NETWORK, &network, NULL);
    *ref = (struct client_table_ref){0};
    enter_site(t, address, now_us, ref); /* first, so that the network does not take the place of its site */
    size_t slot = client_table_hold(t, CLIENT_TABLE_NETWORK, key, now_us);
    if (slot == t->slots) {
        enter_shared(t, key, ref);
        if (client_table_shuts_out(t, *ref, address, now_us)) {
            client_table_leave(t, ref);
            return CLIENT_TABLE_BANNED;
        }
        return CLIENT_TABLE_ENTERED;
    }
    ref->slot = (uint32_t)slot + 1; /* From here on the slot is this network's, since it has a session. */
    client_table_touch(t, slot, now_us);
    enum client_table_entry result = CLIENT_TABLE_ENTERED;
    if (client_table_shuts_out(t, *ref, address, now_us)) {
        result = CLIENT_TABLE_BANNED;
    } else if (sessions_of(t, slot) > t->limits.sessions) {
        result = CLIENT_TABLE_SESSIONS;
    } else if (!rate_take(&t->entries[slot].arrival, &t->limits.connection_rate, now_us)) {
        result = CLIENT_TABLE_RATE;
    }
    if (result != CLIENT_TABLE_ENTERED) {
        client_table_leave(t, ref);
    }
    return result;
}

bool client_table_is_shared(const struct client_table *t, struct client_table_ref ref)
{
    return ref.slot > t->slots;
}

unsigned client_table_sessions_beside(const struct client_table *t, struct client_table_ref ref,
                                      const struct network_address *address)
{
    bool alone = ref.slot == 0 || client_table_is_shared(t, ref) || client_table_is_gateway(t, address);
    return alone ? 1 : sessions_of(t, ref.slot - 1);
}

bool client_table_claim_full_log(struct client_table *t, uint64_t now_us)
{
    uint32_t now_s = (uint32_t)(now_us / 1000000), before = atomic_load(&t->shared->full_logged_s);
    return (before == 0 || now_s - before >= LOG_INTERVAL_S) &&
           atomic_compare_exchange_strong(&t->shared->full_logged_s, &before, now_s);
}

void client_table_leave(struct client_table *t, struct client_table_ref *ref)
{
    if (ref->slot != 0) {
        client_table_release(t, ref->slot - 1);
    }
    if (ref->site != 0) {
        client_table_release(t, ref->site - 1);
    }
    *ref = (struct client_table_ref){0};
}

/* --- bans ---------------------------------------------------------------------------------------------------- */

bool client_table_slot_is_banned(const struct client_table *t, size_t slot, uint64_t now_us)
{
    return in_force(t, atomic_load(&t->bans[slot]), now_us);
}

bool client_table_shuts_out_strangers(const struct client_table *t, struct client_table_ref ref, uint64_t now_us)
{
    return (ref.slot != 0 && client_table_slot_is_banned(t, ref.slot - 1, now_us)) ||
           (ref.site != 0 && client_table_slot_is_banned(t, ref.site - 1, now_us));
}

bool client_table_shuts_out(const struct client_table *t, struct client_table_ref ref,
                            const struct network_address *address, uint64_t now_us)
{
    if (!client_table_shuts_out_strangers(t, ref, now_us)) {
        return false;
    }
    struct network network = client_table_network(t, address);
    return !known_logins_has(&t->logins, known_login_of(&t->logins, &network, NULL).network, now_us);
}

static void name_slot(struct client_table *t, size_t slot, const struct network *n)
{
    uint64_t halves[2];
    memcpy(halves, n->first.octets, sizeof halves);
    atomic_store(&t->entries[slot].network[0], halves[0]);
    atomic_store(&t->entries[slot].network[1], halves[1]);
    atomic_store(&t->entries[slot].prefix, n->prefix);
}

static struct client_table_ban ban_at(const struct client_table *t, size_t slot, uint64_t ban)
{
    struct client_table_ban out = {.until_us = ban_until_us(ban), .level = ban_level(ban)};
    uint64_t halves[2] = {atomic_load(&t->entries[slot].network[0]), atomic_load(&t->entries[slot].network[1])};
    memcpy(out.network.first.octets, halves, sizeof halves);
    unsigned prefix = atomic_load(&t->entries[slot].prefix);
    out.user = subject_of(t, slot) == CLIENT_TABLE_NETWORK_USER ? atomic_load(&t->keys[slot]) : 0;
    out.network.prefix = prefix <= PREFIX_MAX ? prefix : PREFIX_MAX; /* any worker could have written it */
    return out;
}

bool client_table_begin_ban(struct client_table *t, size_t slot, const struct network *network, uint64_t now_us,
                            struct client_table_ban *ban)
{
    uint64_t before = atomic_load(&t->bans[slot]), begun;
    name_slot(t, slot, network);
    do {
        if (in_force(t, before, now_us)) {
            return false;
        }
        begun = ban_next(before, t->limits.ban_time_ms, t->limits.ban_time_max_ms, now_us);
    } while (!atomic_compare_exchange_weak(&t->bans[slot], &before, begun));
    if (!ban_is_pending(before)) {
        atomic_fetch_add(&t->shared->bans, 1);
    }
    /* After it, guessing is counted anew. */
    atomic_store(&t->entries[slot].failures, 0);
    atomic_store(&t->entries[slot].faults, 0);
    atomic_fetch_add(&t->shared->ban_epoch, 1);
    *ban = ban_at(t, slot, begun);
    ban->follows = ban_is_pending(before);
    return true;
}

bool client_table_charge(struct client_table *t, struct client_table_ref ref, const struct network_address *address,
                         uint64_t now_us, struct client_table_ban *ban)
{
    struct network network = client_table_network(t, address);
    size_t slot = ref.slot - 1;
    uint64_t found;
    if (ref.slot == 0 || client_table_is_shared(t, ref) || client_table_is_gateway(t, address) ||
        rate_try(&t->entries[slot].failures, &t->limits.login_failures, now_us, &found)) {
        return false;
    }
    /* In this order, see guess.c. */
    return client_table_guesses(t, slot) == 0 && atomic_load(&t->entries[slot].failures) == found &&
           client_table_begin_ban(t, slot, &network, now_us, ban);
}

uint32_t client_table_ban_epoch(const struct client_table *t)
{
    return atomic_load_explicit(&t->shared->ban_epoch, memory_order_relaxed);
}

/* Returns true if that is a network, or if `site` is true a site, as the table would count it. */
static bool is_counted(const struct client_table *t, const struct network *n, bool site)
{
    struct network counted = client_table_network(t, &n->first);
    return (!site || client_table_site(t, &n->first, &counted)) && counted.prefix == n->prefix &&
           memcmp(&counted.first, &n->first, sizeof n->first) == 0;
}

int client_table_restore_ban(struct client_table *t, const struct client_table_ban *ban, uint64_t now_us)
{
    uint64_t word = ban_make(ban->until_us, ban->level), key = ban->user;
    enum client_table_subject subject = key != 0                              ? CLIENT_TABLE_NETWORK_USER
                                        : is_counted(t, &ban->network, false) ? CLIENT_TABLE_NETWORK
                                                                              : CLIENT_TABLE_SITE;
    if (!in_force(t, word, now_us) || !is_counted(t, &ban->network, subject == CLIENT_TABLE_SITE) ||
        (subject == CLIENT_TABLE_NETWORK && client_table_is_gateway(t, &ban->network.first))) {
        return -1;
    }
    if (subject != CLIENT_TABLE_NETWORK_USER) {
        key = client_table_slot_key(t, subject, &ban->network, NULL);
    }
    size_t slot = key >= KEY_LEAST ? find_or_insert(t, key, now_us) : t->slots;
    if (slot == t->slots) {
        return -1;
    }
    name_slot(t, slot, &ban->network);
    atomic_store(&t->entries[slot].subject, subject);
    client_table_touch(t, slot, now_us);
    if (!ban_is_pending(atomic_exchange(&t->bans[slot], word))) {
        atomic_fetch_add(&t->shared->bans, 1);
    }
    return 0;
}

size_t client_table_sweep(struct client_table *t, uint64_t now_us,
                          void (*unbanned)(void *data, const struct client_table_ban *ban), void *data)
{
    uint32_t pending = atomic_load(&t->shared->bans), current = 0, ended = 0;
    size_t slot = 0;
    for (; slot < t->slots && current + ended < pending; slot++) {
        uint64_t ban = atomic_load(&t->bans[slot]);
        if (!ban_is_pending(ban)) {
            continue;
        }
        if (in_force(t, ban, now_us)) {
            current++;
            continue;
        }
        struct client_table_ban over = ban_at(t, slot, ban);
        if (atomic_compare_exchange_strong(&t->bans[slot], &ban, ban_mark_logged(ban))) {
            ended++;
            atomic_fetch_sub(&t->shared->bans, 1);
            unbanned(data, &over);
        }
    }
    if (slot == t->slots && current + ended < pending) { /* the number was too large */
        pending -= ended;
        (void)atomic_compare_exchange_strong(&t->shared->bans, &pending, current);
    }
    return current;
}

void client_table_log_unbanned(const struct client_table_ban *ban)
{
    char text[NETWORK_TEXT_SIZE];
    log_event(LOG_LEVEL_INFO, "unbanned", "network=%s%s", network_text(&ban->network, text),
              ban->user != 0 ? " scope=user" : "");
}

void client_table_each_ban(const struct client_table *t, uint64_t now_us,
                           void (*each)(void *data, const struct client_table_ban *ban), void *data)
{
    for (size_t slot = 0; slot < t->slots; slot++) {
        uint64_t word = atomic_load(&t->bans[slot]);
        struct client_table_ban ban = ban_at(t, slot, word);
        if (in_force(t, word, now_us) && atomic_load(&t->bans[slot]) == word) { /* the slot may be another's by now */
            each(data, &ban);
        }
    }
}

/* --- the rest -------------------------------------------------------------------------------------------------- */

unsigned client_table_sessions(const struct client_table *t, const struct network_address *address)
{
    struct network network = client_table_network(t, address);
    size_t slot = client_table_find(t, client_table_slot_key(t, CLIENT_TABLE_NETWORK, &network, NULL));
    return slot < t->slots ? sessions_of(t, slot) : 0;
}

size_t client_table_used(const struct client_table *t)
{
    size_t fill = 0;
    for (size_t slot = 0; slot < t->slots; slot++) {
        fill += atomic_load_explicit(&t->keys[slot], memory_order_relaxed) >= KEY_LEAST;
    }
    return fill;
}
