/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/known_logins.h"

#include <string.h>

enum {
    WAYS = 16,
    SHARE = WAYS / 2, /* of a bucket, for one group */
    TRIES_MAX = 8,
    TICK_S = 6 * 3600,
    TICKS_KNOWN = KNOWN_LOGIN_DAYS * 24 * 3600 / TICK_S,
};

/* A word, from the highest bit: 30 bits of the group's hash, 24 of the member's in it, 10 of time. 0 is an empty place. */
enum { TIME_BITS = 10, MEMBER_BITS = 24, GROUP_BITS = 30 };
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
#define HASH_MASK ((UINT64_C(1) << (GROUP_BITS + MEMBER_BITS)) - 1)

enum { BLOCK_PREFIX_IPV4 = 32, BLOCK_PREFIX_IPV6 = 48 };

int known_logins_init(struct known_logins *k, size_t size, const struct keyed_hash *hash, struct arena *arena)
{
    size_t buckets = ((size < KNOWN_LOGINS_MAX ? size : KNOWN_LOGINS_MAX) + WAYS - 1) / WAYS;
    const struct region *region = arena_map(arena,
                                            &(struct arena_options){.name = "logins",
                                                                    .size = 64 + buckets * WAYS * sizeof *k->words,
                                                                    .writer = ARENA_WORKERS,
                                                                    .not_for_monitor = true});
    if (region == NULL) {
        return -1;
    }
    *k = (struct known_logins){.hash = hash,
                               .buckets = buckets,
                               .epoch = region->write,
                               .words = (_Atomic uint64_t *)((uint8_t *)region->write + 64)};
    return 0;
}

/* --- words --------------------------------------------------------------------------------------------------- */

static uint64_t hash_of(const struct known_logins *k, const char *kind, struct span group, struct span member)
{
    uint8_t of_group[KEYED_HASH_SIZE], of_member[KEYED_HASH_SIZE];
    struct span pieces[] = {span_of(kind), group, member};
    uint64_t high, low;
    if (!keyed_hash(k->hash, pieces, 2, of_group) || !keyed_hash(k->hash, pieces, 3, of_member)) {
        return 0;
    }
    memcpy(&high, of_group, sizeof high);
    memcpy(&low, of_member, sizeof low);
    uint64_t hash = (high << MEMBER_BITS | (low & ((UINT64_C(1) << MEMBER_BITS) - 1))) & HASH_MASK;
    return hash != 0 ? hash : 1;
}

static struct span octets_of(const struct network *n)
{
    return (struct span){n->first.octets, sizeof n->first.octets};
}

struct known_login known_login_of(const struct known_logins *k, const struct network *network, const char *user)
{
    struct network block = network_around(&network->first, BLOCK_PREFIX_IPV4, BLOCK_PREFIX_IPV6);
    return (struct known_login){
        .user = user != NULL ? hash_of(k, "user", span_of(user), octets_of(network)) : 0,
        .network = hash_of(k, "network", octets_of(&block), octets_of(network)),
    };
}

static uint64_t group_of(uint64_t hash)
{
    return hash >> MEMBER_BITS;
}

static _Atomic uint64_t *bucket_of(const struct known_logins *k, uint64_t hash)
{
    return k->words + ((group_of(hash) * k->buckets) >> GROUP_BITS) * WAYS;
}

static uint64_t tick_of(uint64_t now_us)
{
    return now_us / 1000000 / TICK_S & TIME_MASK;
}

/* In ticks. A time in the future, which only a hostile worker writes, is one that is long ago. */
static uint64_t age_of(uint64_t word, uint64_t tick)
{
    return (tick - word) & TIME_MASK;
}

static bool is_known(uint64_t word, uint64_t tick)
{
    return word >> TIME_BITS != 0 && age_of(word, tick) < TICKS_KNOWN;
}

/* --- the set --------------------------------------------------------------------------------------------------- */

bool known_logins_has(const struct known_logins *k, uint64_t hash, uint64_t now_us)
{
    uint64_t tick = tick_of(now_us);
    const _Atomic uint64_t *bucket = bucket_of(k, hash);
    for (size_t i = 0; i < WAYS && hash != 0; i++) {
        uint64_t word = atomic_load_explicit(&bucket[i], memory_order_relaxed);
        if (word >> TIME_BITS == hash && is_known(word, tick)) {
            return true;
        }
    }
    return false;
}

/*
 * Finds the place for a hash: where it is, or one that is free, or that of the oldest login, which is one of its own
 * group if that has its share. Returns its index, and writes what is there to `found`.
 */
static size_t choose_place(_Atomic uint64_t *bucket, uint64_t hash, uint64_t tick, uint64_t *found)
{
    uint64_t words[WAYS];
    size_t own = 0, best = 0;
    for (size_t i = 0; i < WAYS; i++) {
        words[i] = atomic_load_explicit(&bucket[i], memory_order_relaxed);
        if (words[i] >> TIME_BITS == hash) {
            *found = words[i];
            return i;
        }
        own += is_known(words[i], tick) && group_of(words[i] >> TIME_BITS) == group_of(hash);
    }
    uint64_t best_age = 0;
    for (size_t i = 0; i < WAYS; i++) {
        bool is_own = group_of(words[i] >> TIME_BITS) == group_of(hash);
        uint64_t age = is_known(words[i], tick) ? age_of(words[i], tick) + 1 : TIME_MASK + 2;
        if ((own < SHARE || is_own) && age > best_age) {
            best = i;
            best_age = age;
        }
    }
    *found = words[best];
    return best;
}

/* Adds a login of `age` ticks ago, unless the place that it would take is that of a later one. */
static void add(struct known_logins *k, uint64_t hash, uint64_t age, uint64_t tick)
{
    _Atomic uint64_t *bucket = bucket_of(k, hash);
    uint64_t word = hash << TIME_BITS | ((tick - age) & TIME_MASK), found;
    for (unsigned i = 0; i < TRIES_MAX && hash != 0; i++) {
        size_t place = choose_place(bucket, hash, tick, &found);
        if (found == word || (is_known(found, tick) && age_of(found, tick) < age)) {
            return;
        }
        if (atomic_compare_exchange_strong(&bucket[place], &found, word)) {
            if (found >> TIME_BITS != hash) {
                atomic_fetch_add(k->epoch, 1);
            }
            return;
        }
    }
}

void known_logins_add(struct known_logins *k, const struct known_login *login, uint64_t now_us)
{
    add(k, login->user, 0, tick_of(now_us));
    add(k, login->network, 0, tick_of(now_us));
}

void known_logins_forget(struct known_logins *k, uint64_t now_us)
{
    uint64_t tick = tick_of(now_us);
    for (size_t i = 0; i < k->buckets * WAYS; i++) {
        uint64_t word = atomic_load_explicit(&k->words[i], memory_order_relaxed);
        if (word != 0 && !is_known(word, tick)) {
            (void)atomic_compare_exchange_strong(&k->words[i], &word, 0); /* unless it is renewed just now */
        }
    }
}

uint32_t known_logins_epoch(const struct known_logins *k)
{
    return atomic_load_explicit(k->epoch, memory_order_relaxed);
}

/* --- the file -------------------------------------------------------------------------------------------------- */

void known_logins_each(const struct known_logins *k, uint64_t now_us,
                       void (*each)(void *data, uint64_t hash, uint64_t age_s), void *data)
{
    uint64_t tick = tick_of(now_us);
    for (size_t i = 0; i < k->buckets * WAYS; i++) {
        uint64_t word = atomic_load_explicit(&k->words[i], memory_order_relaxed);
        if (is_known(word, tick)) {
            each(data, word >> TIME_BITS, age_of(word, tick) * TICK_S);
        }
    }
}

bool known_logins_restore(struct known_logins *k, uint64_t hash, uint64_t age_s, uint64_t now_us)
{
    uint64_t age = age_s / TICK_S;
    if (age >= TICKS_KNOWN) {
        return false;
    }
    add(k, hash & HASH_MASK, age, tick_of(now_us));
    return true;
}
