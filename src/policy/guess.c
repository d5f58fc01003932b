/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/guess.h"

#include "policy/client_table_slot.h"
#include "policy/rate.h"

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

/*
 * Takes a guess from both rates of a slot: nobody knows yet to which of them it will be charged. Returns NULL, or the
 * rate that is exceeded, which is unchanged then.
 */
static _Atomic uint64_t *take_both(struct client_table *t, size_t slot, uint64_t now_us, uint64_t *found)
{
    struct entry *e = &t->entries[slot];
    if (!rate_try(&e->failures, &t->limits.login_failures, now_us, found)) {
        return &e->failures;
    }
    if (!rate_try(&e->faults, &t->limits.login_faults, now_us, found)) {
        rate_give_back(&e->failures, &t->limits.login_failures, 1);
        return &e->faults;
    }
    return NULL;
}

/* Ends the charge of a slot. What is kept stays charged. */
static void release(struct client_table *t, size_t slot, bool keep_failure, bool keep_fault)
{
    struct entry *e = &t->entries[slot];
    if (!keep_failure) {
        rate_give_back(&e->failures, &t->limits.login_failures, 1);
    }
    if (!keep_fault) {
        rate_give_back(&e->faults, &t->limits.login_faults, 1);
    }
    client_table_add_guesses(t, slot, -1); /* last: until here, nobody takes the charge for a final one */
}

/* Charges a slot, or finds why it may not be charged: others are in flight, or none of them was right. */
static enum guess_permission take(struct client_table *t, size_t slot, const struct network *network, bool of_user,
                                  bool gateway, uint64_t now_us, struct client_table_ban *ban, bool *begun)
{
    enum guess_permission banned = of_user ? GUESS_USER_BANNED : GUESS_NETWORK_BANNED;
    uint64_t found = 0;
    /* Counted first and charged then: who finds a rate exceeded sees every guess that may still be taken back. */
    client_table_add_guesses(t, slot, 1);
    const _Atomic uint64_t *exceeded = take_both(t, slot, now_us, &found);
    if (exceeded == NULL) {
        if (!client_table_slot_is_banned(t, slot, now_us)) {
            return GUESS_ALLOWED;
        }
        release(t, slot, false, false); /* a ban that has just begun has cleared the rates */
        return banned;
    }
    client_table_add_guesses(t, slot, -1);
    if (client_table_guesses(t, slot) > 0 || atomic_load(exceeded) != found) {
        return GUESS_WAITS; /* the last one in flight may have been taken back just now */
    }
    if (!of_user && (gateway || slot >= t->slots)) {
        return GUESS_WAITS; /* who pays for a ban would not be only who has guessed */
    }
    *begun = client_table_begin_ban(t, slot, network, of_user, now_us, ban);
    return banned;
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
    bool gateway = client_table_is_gateway(t, address),
         of_user = g->user != 0 && (known || password == NULL || gateway);
    uint32_t slots[] = {of_user ? g->user : ref.slot, of_user && !known && !gateway ? ref.slot : 0};
    for (size_t i = 0; i < 2 && slots[i] != 0; i++) {
        enum guess_permission p = take(t, slots[i] - 1, &network, slots[i] != ref.slot, gateway, now_us, ban, begun);
        if (p != GUESS_ALLOWED) {
            if (i > 0) {
                release(t, slots[0] - 1, false, false);
            }
            drop_user(t, g);
            *g = (struct guess){.waits = p == GUESS_WAITS ? slots[i] : 0};
            return p;
        }
    }
    g->charged = slots[0];
    g->also = slots[1];
    return GUESS_ALLOWED;
}

/*
 * Returns true if a wrong guess of a user whose password is hidden counts for the network, too: the first one, and each
 * third part of the limit after it. So one forgotten phone, which repeats one wrong password, costs its network little,
 * and three users who are guessed at cost it all.
 */
static bool counts_for_network(struct client_table *t, size_t user, uint64_t now_us)
{
    const struct option_rate *rate = &t->limits.login_failures;
    struct entry *e = &t->entries[user];
    uint32_t now_s = (uint32_t)(now_us / 1000000), part = rate->count / 3 > 2 ? rate->count / 3 : 2;
    if ((int32_t)(now_s - atomic_exchange(&e->hidden_s, now_s)) > (int32_t)(rate->ms / 1000)) {
        atomic_store(&e->hidden, 0);
    }
    return atomic_fetch_add(&e->hidden, 1) % part == 0;
}

void guess_settle(struct client_table *t, struct guess *g, enum guess_verdict verdict, uint64_t now_us)
{
    bool wrong = verdict == GUESS_WRONG;
    if (g->user != 0 && verdict == GUESS_RIGHT) {
        uint32_t now_s = (uint32_t)(now_us / 1000000);
        atomic_store(&t->entries[g->user - 1].right_s, now_s > 0 ? now_s : 1);
    }
    if (wrong && g->wrong != 0 && atomic_exchange(client_table_wrong(t, g->wrong), g->wrong) == g->wrong) {
        wrong = false; /* it was wrong before, and was counted then */
    }
    if (g->also != 0) {
        release(t, g->also - 1, wrong && counts_for_network(t, g->user - 1, now_us), verdict == GUESS_UNKNOWN);
    }
    if (g->charged != 0) {
        release(t, g->charged - 1, wrong, verdict == GUESS_UNKNOWN);
    }
    drop_user(t, g);
    *g = (struct guess){0};
}
