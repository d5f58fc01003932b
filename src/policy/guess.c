/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/guess.h"

#include <string.h>

#include "policy/client_table_slot.h"
#include "policy/rate.h"

enum { ATTACK_LOG_INTERVAL_S = 3600 };

static const enum client_table_subject subjects[GUESS_CHARGES] = {[GUESS_EVERYWHERE] = CLIENT_TABLE_USER,
                                                                  [GUESS_USER] = CLIENT_TABLE_NETWORK_USER,
                                                                  [GUESS_NETWORK] = CLIENT_TABLE_NETWORK,
                                                                  [GUESS_SITE] = CLIENT_TABLE_SITE};

/* The sessions of the client hold the other two. */
static bool holds_slot(size_t i)
{
    return i == GUESS_EVERYWHERE || i == GUESS_USER;
}

uint64_t guess_hash(const struct client_table *t, const struct guesser *guesser)
{
    struct network network = client_table_network(t, guesser->address);
    uint8_t out[KEYED_HASH_SIZE] = {0};
    uint64_t hash;
    if (guesser->password != NULL) {
        struct span pieces[] = {{network.first.octets, sizeof network.first.octets},
                                span_of(guesser->user),
                                {guesser->password->bytes, guesser->password->len}};
        (void)keyed_hash(&t->passwords, pieces, sizeof pieces / sizeof pieces[0], out); /* all zero if it fails */
    }
    memcpy(&hash, out, sizeof hash);
    return hash;
}

/* --- one charge ------------------------------------------------------------------------------------------------ */

/*
 * Takes a guess from both rates of a slot: nobody knows yet to which of them it will be charged. Returns NULL, or the
 * rate that is exceeded, which is unchanged then and was `*found`.
 */
static _Atomic uint64_t *take_both(struct client_table *t, size_t i, struct guess_charge *c, uint64_t now_us,
                                   uint64_t *found)
{
    struct entry *e = &t->entries[c->slot - 1];
    const struct option_rate *failures = client_table_failures(t, subjects[i]);
    if (!rate_try(&e->failures, failures, now_us, &c->failures)) {
        *found = c->failures;
        return &e->failures;
    }
    if (!rate_try(&e->faults, client_table_faults(t, subjects[i]), now_us, &c->faults)) {
        rate_give_back(&e->failures, failures, c->failures, now_us);
        *found = c->faults;
        return &e->faults;
    }
    return NULL;
}

/* Ends a charge. What is kept stays charged. */
static void release(struct client_table *t, size_t i, struct guess_charge *c, bool keep_failure, bool keep_fault,
                    uint64_t now_us)
{
    if (c->slot == 0) {
        return;
    }
    struct entry *e = &t->entries[c->slot - 1];
    if (!keep_failure) {
        rate_give_back(&e->failures, client_table_failures(t, subjects[i]), c->failures, now_us);
    }
    if (!keep_fault && i != GUESS_EVERYWHERE) {
        rate_give_back(&e->faults, client_table_faults(t, subjects[i]), c->faults, now_us);
    }
    client_table_add_guesses(t, c->slot - 1, -1); /* last: until here, nobody takes the charge for a final one */
    if (holds_slot(i)) {
        client_table_release(t, c->slot - 1);
    }
    *c = (struct guess_charge){0};
}

static void release_all(struct client_table *t, struct guess *g, uint64_t now_us)
{
    for (size_t i = 0; i < GUESS_CHARGES; i++) {
        release(t, i, &g->charges[i], false, false, now_us);
    }
}

/* Where a guess is charged, and what that may lead to. */
struct target {
    uint32_t slot;                 /* plus 1; held, if holds_slot(); 0: it is not charged there */
    const struct network *network; /* that a ban is shown with; NULL: nobody may be banned */
    bool spared;                   /* its bans do not stop the guesser */
};

static enum guess_permission banned_by(size_t i)
{
    return i == GUESS_USER ? GUESS_USER_BANNED : GUESS_NETWORK_BANNED;
}

/* Charges one subject. Returns NULL, or the rate that is exceeded, which was `*found`: then nothing is charged. */
static const _Atomic uint64_t *charge(struct client_table *t, size_t i, uint64_t now_us, struct guess_charge *c,
                                      uint64_t *found)
{
    /* Counted first and charged then: who finds a rate exceeded sees every guess that may still be taken back. */
    client_table_add_guesses(t, c->slot - 1, 1);
    const _Atomic uint64_t *exceeded = take_both(t, i, c, now_us, found);
    if (exceeded != NULL) {
        client_table_add_guesses(t, c->slot - 1, -1);
    }
    return exceeded;
}

static void drop_slot(struct client_table *t, size_t i, struct guess_charge *c)
{
    if (holds_slot(i)) {
        client_table_release(t, c->slot - 1);
    }
    *c = (struct guess_charge){0};
}

/*
 * What follows where a rate is exceeded: others are in flight, which may be taken back, or none of those was right, and a
 * ban begins. Returns GUESS_ALLOWED if the guess may be charged after all, since the ban has cleared the rates.
 */
static enum guess_permission on_exceeded(struct client_table *t, size_t i, const struct target *target, uint64_t now_us,
                                         const _Atomic uint64_t *rate, uint64_t found, struct guess_news *news)
{
    size_t slot = target->slot - 1;
    /* In this order: a guess that is taken back changes the rate first, and is in flight until then. */
    if (client_table_guesses(t, slot) > 0 || atomic_load(rate) != found || target->network == NULL) {
        return GUESS_WAITS;
    }
    struct client_table_ban *ban = &news->bans[news->ban_count];
    bool begun = news->ban_count < GUESS_BANS_MAX && client_table_begin_ban(t, slot, target->network, now_us, ban);
    news->ban_count += begun;
    return !target->spared ? banned_by(i) : begun ? GUESS_ALLOWED : GUESS_WAITS;
}

/* Charges a target, or finds why it may not be charged: `c` is all zero then, and the slot is not held any more. */
static enum guess_permission take(struct client_table *t, size_t i, const struct target *target, uint64_t now_us,
                                  struct guess_charge *c, struct guess_news *news)
{
    uint64_t found = 0;
    c->slot = target->slot;
    const _Atomic uint64_t *exceeded = charge(t, i, now_us, c, &found);
    enum guess_permission p = GUESS_ALLOWED;
    if (exceeded != NULL) {
        p = on_exceeded(t, i, target, now_us, exceeded, found, news);
        if (p == GUESS_ALLOWED && charge(t, i, now_us, c, &found) != NULL) {
            p = GUESS_WAITS;
        }
        if (p != GUESS_ALLOWED) {
            drop_slot(t, i, c);
        }
    } else if (!target->spared && client_table_slot_is_banned(t, target->slot - 1, now_us)) {
        p = banned_by(i); /* a ban that has just begun has cleared the rates */
        release(t, i, c, false, false, now_us);
    }
    return p;
}

/* --- the user, everywhere -------------------------------------------------------------------------------------- */

static bool claim_attack_log(struct entry *e, uint64_t now_us)
{
    uint32_t now_s = (uint32_t)(now_us / 1000000), before = atomic_load(&e->logged_s);
    return (before == 0 || now_s - before >= ATTACK_LOG_INTERVAL_S) &&
           atomic_compare_exchange_strong(&e->logged_s, &before, now_s > 0 ? now_s : 1);
}

/*
 * Charges the user. Returns GUESS_ALLOWED; GUESS_WAITS if guesses in flight make the difference, with their slot in
 * `waits`; or GUESS_DELAYED. Without an entry, only the network limits guessers.
 */
static enum guess_permission charge_everywhere(struct client_table *t, const struct guesser *guesser, uint64_t now_us,
                                               struct guess *g, struct guess_news *news)
{
    struct guess_charge *c = &g->charges[GUESS_EVERYWHERE];
    uint64_t key = client_table_slot_key(t, CLIENT_TABLE_USER, NULL, guesser->user);
    size_t slot = client_table_hold(t, CLIENT_TABLE_USER, key, now_us);
    if (slot == t->slots) {
        return GUESS_ALLOWED;
    }
    client_table_touch(t, slot, now_us);
    client_table_add_guesses(t, slot, 1);
    if (rate_try(&t->entries[slot].failures, &t->limits.user_failures, now_us, &c->failures)) {
        c->slot = (uint32_t)slot + 1;
        return GUESS_ALLOWED;
    }
    client_table_add_guesses(t, slot, -1);
    *c = (struct guess_charge){0};
    bool in_flight = client_table_guesses(t, slot) > 0;
    g->waits = in_flight && !guesser->patient ? (uint32_t)slot + 1 : 0;
    news->attacked = !in_flight && claim_attack_log(&t->entries[slot], now_us);
    client_table_release(t, slot);
    return guesser->patient ? GUESS_ALLOWED : in_flight ? GUESS_WAITS : GUESS_DELAYED;
}

/* --- a login before its user is known -------------------------------------------------------------------------- */

/* Counts it among those of its network that hold a connection to a backend until a challenge is answered. */
static enum guess_permission take_place(struct client_table *t, const struct network *network, uint64_t now_us,
                                        struct guess *g)
{
    uint64_t key = client_table_slot_key(t, CLIENT_TABLE_CHALLENGES, network, NULL);
    size_t slot = client_table_hold(t, CLIENT_TABLE_CHALLENGES, key, now_us);
    if (slot == t->slots) {
        return GUESS_ALLOWED; /* its network shares an entry, which limits the guess that follows */
    }
    client_table_touch(t, slot, now_us);
    client_table_add_guesses(t, slot, 1);
    if (client_table_guesses(t, slot) > t->limits.login_failures.count) {
        client_table_add_guesses(t, slot, -1);
        client_table_release(t, slot);
        g->waits = (uint32_t)slot + 1;
        return GUESS_WAITS;
    }
    g->place = (uint32_t)slot + 1;
    return GUESS_ALLOWED;
}

static void leave_place(struct client_table *t, struct guess *g)
{
    if (g->place != 0) {
        client_table_add_guesses(t, g->place - 1, -1);
        client_table_release(t, g->place - 1);
        g->place = 0;
    }
}

/* --- a guess --------------------------------------------------------------------------------------------------- */

static bool is_user_banned(const struct client_table *t, uint64_t key, uint64_t now_us)
{
    size_t slot = client_table_find(t, key);
    return slot < t->slots && client_table_slot_is_banned(t, slot, now_us);
}

/* Returns the slot of the user in the network plus 1, held; 0: there is none. */
static uint32_t hold_user(struct client_table *t, uint64_t key, uint64_t now_us)
{
    size_t slot = client_table_hold(t, CLIENT_TABLE_NETWORK_USER, key, now_us);
    if (slot == t->slots) {
        return 0;
    }
    client_table_touch(t, slot, now_us);
    return (uint32_t)slot + 1;
}

/* Charges all targets, or none of them. */
static enum guess_permission take_all(struct client_table *t, const struct target *targets, uint64_t now_us,
                                      struct guess *g, struct guess_news *news)
{
    for (size_t i = GUESS_USER; i < GUESS_CHARGES; i++) {
        if (targets[i].slot == 0) {
            continue;
        }
        enum guess_permission p = take(t, i, &targets[i], now_us, &g->charges[i], news);
        if (p != GUESS_ALLOWED) {
            release_all(t, g, now_us);
            *g = (struct guess){.place = g->place, .waits = p == GUESS_WAITS ? targets[i].slot : 0};
            return p;
        }
    }
    return GUESS_ALLOWED;
}

enum guess_permission guess_charge(struct client_table *t, const struct guesser *guesser, uint64_t now_us,
                                   struct guess *g, struct guess_news *news)
{
    struct network network = client_table_network(t, guesser->address), site;
    struct client_table_ref ref = guesser->ref;
    const char *user = guesser->user;
    *g = (struct guess){.place = g->place};
    *news = (struct guess_news){0};
    if (ref.slot == 0) {
        return GUESS_ALLOWED;
    }
    struct known_login login = known_login_of(&t->logins, &network, user);
    bool known = known_logins_has(&t->logins, user != NULL ? login.user : login.network, now_us);
    if (!known && client_table_shuts_out_strangers(t, ref, now_us)) {
        return GUESS_NETWORK_BANNED;
    }
    if (user == NULL) {
        return g->place == 0 ? take_place(t, &network, now_us, g) : GUESS_ALLOWED;
    }
    uint64_t user_key = client_table_slot_key(t, CLIENT_TABLE_NETWORK_USER, &network, user);
    if (is_user_banned(t, user_key, now_us)) {
        return GUESS_USER_BANNED;
    }
    g->login = login;
    g->wrong = guess_hash(t, guesser);
    if (g->wrong != 0 && atomic_load_explicit(client_table_wrong(t, g->wrong), memory_order_relaxed) == g->wrong) {
        return GUESS_ALLOWED;
    }
    enum guess_permission p = known ? GUESS_ALLOWED : charge_everywhere(t, guesser, now_us, g, news);
    if (p != GUESS_ALLOWED) {
        *g = (struct guess){.place = g->place, .waits = g->waits};
        return p;
    }
    bool gateway = client_table_is_gateway(t, guesser->address);
    bool of_user = known || guesser->password == NULL || gateway;
    struct target targets[GUESS_CHARGES] = {
        [GUESS_USER] = {.slot = of_user ? hold_user(t, user_key, now_us) : 0, .network = &network}};
    if (targets[GUESS_USER].slot == 0 || (!known && !gateway)) {
        bool can_be_banned = !gateway && !client_table_is_shared(t, ref);
        targets[GUESS_NETWORK] = (struct target){ref.slot, can_be_banned ? &network : NULL, known};
        targets[GUESS_SITE] = (struct target){client_table_site(t, guesser->address, &site) ? ref.site : 0, &site,
                                              known};
    }
    return take_all(t, targets, now_us, g, news);
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
    bool wrong = verdict == GUESS_WRONG, unknown = verdict == GUESS_UNKNOWN, wrong_for_network;
    struct guess_charge *c = g->charges;
    if (verdict == GUESS_RIGHT) {
        known_logins_add(&t->logins, &g->login, now_us);
    }
    if (wrong && g->wrong != 0 && atomic_exchange(client_table_wrong(t, g->wrong), g->wrong) == g->wrong) {
        wrong = false; /* it was wrong before, and was counted then */
    }
    wrong_for_network = wrong && (c[GUESS_USER].slot == 0 || c[GUESS_NETWORK].slot == 0 ||
                                  counts_for_network(t, c[GUESS_USER].slot - 1, now_us));
    release(t, GUESS_SITE, &c[GUESS_SITE], wrong_for_network, unknown, now_us);
    release(t, GUESS_NETWORK, &c[GUESS_NETWORK], wrong_for_network, unknown, now_us);
    release(t, GUESS_USER, &c[GUESS_USER], wrong, unknown, now_us);
    release(t, GUESS_EVERYWHERE, &c[GUESS_EVERYWHERE], wrong || unknown, false, now_us);
    leave_place(t, g);
    *g = (struct guess){0};
}
