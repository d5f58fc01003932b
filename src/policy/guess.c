/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/guess.h"

#include "policy/client_table_slot.h"
#include "policy/rate.h"

/* This many users of a network who fail by a mechanism that hides the password, and the network is banned. */
enum { USERS_MAX = 2 };

static struct option_rate users_rate(const struct client_table *t)
{
    return (struct option_rate){.count = USERS_MAX, .ms = t->limits.login_failures.ms};
}

static struct span octets_of(const struct network *n)
{
    return (struct span){n->first.octets, sizeof n->first.octets};
}

static uint64_t key_of_user(const struct client_table *t, const struct network *network, const char *user)
{
    struct span pieces[] = {octets_of(network), span_of(user)};
    return client_table_hash(t, pieces, sizeof pieces / sizeof pieces[0]);
}

static uint64_t hash_of_guess(const struct client_table *t, const struct network *network, const char *user,
                              const struct secret *password)
{
    struct span pieces[] = {octets_of(network), span_of(user), {password->bytes, password->len}, span_of("password")};
    return client_table_hash(t, pieces, sizeof pieces / sizeof pieces[0]);
}

/* Takes a guess from the slot's rate, or finds why it may not: others are in flight, or all were wrong. */
static enum guess_permission take(struct client_table *t, size_t slot, const struct network *network, bool of_user,
                                  uint64_t now_us, struct client_table_ban *ban, bool *begun)
{
    _Atomic uint64_t *failures = &t->entries[slot].failures;
    uint64_t before = atomic_load(failures);
    /* Counted first and charged then: who finds the rate exceeded sees every guess that may still be taken back. */
    client_table_add_guesses(t, slot, 1);
    if (rate_take(failures, &t->limits.login_failures, now_us)) {
        if (!client_table_slot_is_banned(t, slot, now_us)) {
            return GUESS_ALLOWED;
        }
        rate_give_back(failures, &t->limits.login_failures, 1); /* a ban that has just begun has cleared the rate */
        client_table_add_guesses(t, slot, -1);
        return of_user ? GUESS_USER_BANNED : GUESS_NETWORK_BANNED;
    }
    client_table_add_guesses(t, slot, -1);
    if (client_table_guesses(t, slot) > 0 || atomic_load(failures) != before) {
        return GUESS_WAITS; /* the last one in flight may have been taken back just now */
    }
    if (!of_user && (client_table_is_gateway(t, &network->first) || slot >= t->slots)) {
        return GUESS_WAITS; /* who pays for a ban would not be only who has guessed */
    }
    *begun = client_table_begin_ban(t, slot, network, of_user, now_us, ban);
    return of_user ? GUESS_USER_BANNED : GUESS_NETWORK_BANNED;
}

static void drop_user(struct client_table *t, struct guess *g)
{
    if (g->user != 0) {
        client_table_release(t, g->user - 1);
        g->user = 0;
    }
}

static void hold_user(struct client_table *t, struct guess *g, const struct network *network, const char *user,
                      uint64_t now_us)
{
    size_t slot = client_table_hold(t, key_of_user(t, network, user), now_us);
    if (slot < t->slots) {
        client_table_touch(t, slot, now_us);
        g->user = (uint32_t)slot + 1;
    }
}

enum guess_permission guess_charge(struct client_table *t, struct client_table_ref ref,
                                   const struct network_address *address, const char *user,
                                   const struct secret *password, uint64_t now_us, struct guess *g,
                                   struct client_table_ban *ban, bool *begun)
{
    struct network network = client_table_network(t, address);
    *g = (struct guess){0};
    *begun = false;
    if (ref.slot == 0) {
        return GUESS_ALLOWED;
    }
    if (client_table_slot_is_banned(t, ref.slot - 1, now_us)) {
        return GUESS_NETWORK_BANNED;
    }
    if (user != NULL) {
        hold_user(t, g, &network, user, now_us);
    }
    if (g->user != 0 && client_table_slot_is_banned(t, g->user - 1, now_us)) {
        drop_user(t, g);
        return GUESS_USER_BANNED;
    }
    if (user != NULL && password != NULL) {
        g->wrong = hash_of_guess(t, &network, user, password);
        if (atomic_load_explicit(client_table_wrong(t, g->wrong), memory_order_relaxed) == g->wrong) {
            return GUESS_ALLOWED;
        }
    }
    bool known = g->user != 0 && atomic_load(&t->entries[g->user - 1].right_s) != 0;
    bool of_user = g->user != 0 && (known || password == NULL || client_table_is_gateway(t, address));
    uint32_t slot = of_user ? g->user : ref.slot;
    enum guess_permission permission = take(t, slot - 1, &network, of_user, now_us, ban, begun);
    if (permission != GUESS_ALLOWED) {
        drop_user(t, g);
        *g = (struct guess){.waits = permission == GUESS_WAITS ? slot : 0};
        return permission;
    }
    g->charged = slot;
    return GUESS_ALLOWED;
}

/* Counts a user, who is not known there, among those who have failed; each once in the time of the rate. */
static bool count_user(struct client_table *t, size_t user, size_t network, uint64_t now_us)
{
    struct option_rate rate = users_rate(t);
    uint32_t now_s = (uint32_t)(now_us / 1000000), before = atomic_load(&t->entries[user].counted_s);
    if ((before != 0 && now_s - before < rate.ms / 1000) ||
        !atomic_compare_exchange_strong(&t->entries[user].counted_s, &before, now_s)) {
        return true;
    }
    return rate_take(&t->entries[network].users, &rate, now_us);
}

/* Returns false if this wrong guess is one too many of the network's. */
static bool settle_wrong(struct client_table *t, struct client_table_ref ref, const struct guess *g, uint64_t now_us)
{
    size_t slot = g->charged - 1;
    if (g->wrong != 0 && atomic_exchange(client_table_wrong(t, g->wrong), g->wrong) == g->wrong) {
        rate_give_back(&t->entries[slot].failures, &t->limits.login_failures, 1);
        return true;
    }
    bool hidden = g->wrong == 0 && g->user == g->charged && atomic_load(&t->entries[slot].right_s) == 0;
    return !hidden || count_user(t, slot, ref.slot - 1, now_us);
}

bool guess_settle(struct client_table *t, struct client_table_ref ref, const struct network_address *address,
                  struct guess *g, enum guess_verdict verdict, uint64_t now_us, struct client_table_ban *ban)
{
    struct network network = client_table_network(t, address);
    bool begun = false;
    if (g->user != 0 && verdict == GUESS_RIGHT) {
        uint32_t now_s = (uint32_t)(now_us / 1000000);
        atomic_store(&t->entries[g->user - 1].right_s, now_s > 0 ? now_s : 1);
    }
    if (g->charged != 0) {
        size_t slot = g->charged - 1;
        struct entry *e = &t->entries[slot];
        bool of_user = g->charged == g->user;
        if (verdict != GUESS_WRONG) {
            rate_give_back(&e->failures, &t->limits.login_failures, 1);
        }
        bool shared = client_table_is_gateway(t, address) || client_table_is_shared(t, ref);
        if (verdict == GUESS_WRONG && !settle_wrong(t, ref, g, now_us) && !shared) {
            begun = client_table_begin_ban(t, ref.slot - 1, &network, false, now_us, ban);
        }
        if (verdict == GUESS_UNKNOWN && !rate_take(&e->faults, &t->limits.login_faults, now_us) &&
            (of_user || !shared)) {
            begun = client_table_begin_ban(t, slot, &network, of_user, now_us, ban);
        }
        client_table_add_guesses(t, slot, -1); /* last: until here, nobody takes the charge for a final one */
    }
    drop_user(t, g);
    *g = (struct guess){0};
    return begun;
}
