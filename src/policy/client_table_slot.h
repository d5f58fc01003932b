/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of the client table, for client_table.c and guess.c only. A slot is an entry with its key, its ban, and in
 * each worker's columns its sessions and guesses. Behind the slots
 * is one more for each bucket, without a key, for networks that find no place.
 */
#ifndef IMAPGUARD_POLICY_CLIENT_TABLE_SLOT_H
#define IMAPGUARD_POLICY_CLIENT_TABLE_SLOT_H

#include <stdatomic.h>

#include "base/span.h"
#include "policy/client_table.h"
#include "policy/keyed_hash.h"
#include "policy/known_logins.h"

/* Whose an entry is. */
enum client_table_subject {
    CLIENT_TABLE_NETWORK,
    CLIENT_TABLE_SITE,
    CLIENT_TABLE_NETWORK_USER, /* a user in one network */
    CLIENT_TABLE_USER,         /* a user, wherever the client is */
    CLIENT_TABLE_CHALLENGES,   /* the logins of a network that wait for a challenge: only their number is counted */
};

struct entry {
    _Atomic uint64_t arrival;  /* the rate of connections, see rate.h */
    _Atomic uint64_t failures; /* the rate of guesses that are in flight or were wrong */
    _Atomic uint64_t faults;   /* the rate of guesses that are in flight or had no verdict */
    _Atomic uint32_t seen;     /* the last connection or guess, in seconds since boot */
    _Atomic uint32_t logged_s; /* CLIENT_TABLE_USER: when an attack was logged, in seconds since boot; 0: never */
    _Atomic uint32_t
        hidden_s; /* CLIENT_TABLE_NETWORK_USER: the last wrong guess with a hidden password, in seconds since boot */
    _Atomic uint32_t
        hidden; /* CLIENT_TABLE_NETWORK_USER: the number of these, not further apart than the time of the rate */
    _Atomic uint64_t network[2]; /* the banned network; set before the ban */
    _Atomic uint32_t prefix;     /* of the banned network */
    _Atomic uint32_t subject;    /* an enum client_table_subject */
};

/* Shared, and followed by the arrays that client_table.c lays out behind it. */
struct shared {
    _Atomic uint32_t ban_epoch;
    _Atomic uint32_t full_logged_s; /* when a full table was logged, in seconds since boot; 0: never */
    _Atomic uint32_t bans; /* begun and not yet logged to be over: the master looks for them when there are any */
};

struct client_table {
    struct client_table_limits limits;
    unsigned workers;
    unsigned worker;
    size_t buckets;
    size_t slots;
    struct shared *shared;
    _Atomic uint64_t *keys;  /* one for each slot, a bucket's side by side */
    _Atomic uint64_t *bans;  /* see ban.h; apart, so that the master's look at them is short */
    _Atomic uint64_t *wrong; /* keyed hashes of wrong passwords, each at the one place where it may be */
    struct entry *entries;
    const struct region *sessions; /* a column for each worker, with a number for each slot */
    const struct region *guesses;  /* the same, of guesses in flight that have taken from the slot's `failures` */
    struct known_logins logins;
    struct keyed_hash hash;      /* of keys and known logins; may be kept in a file */
    struct keyed_hash passwords; /* of what is in `wrong`; never leaves the memory */
};

/* Returns the network in which the table counts the address. */
struct network client_table_network(const struct client_table *t, const struct network_address *address);

/* Returns true if many clients may have the address, see enum client_table_private. */
bool client_table_is_gateway(const struct client_table *t, const struct network_address *address);

/* Writes the site of the address. Returns false if it has none, see struct client_table_limits; gateways have none. */
bool client_table_site(const struct client_table *t, const struct network_address *address, struct network *site);

/*
 * Returns the key of a slot. `network` is that of the subject, or NULL for CLIENT_TABLE_USER; `user` is folded
 * (user_name.h), or NULL for a network and a site. Returns 0 if OpenSSL fails: then there is no such slot.
 */
uint64_t client_table_slot_key(const struct client_table *t, enum client_table_subject subject,
                               const struct network *network, const char *user);

/* Returns the rates of a subject's guesses: those that are wrong, and those without a verdict. */
const struct option_rate *client_table_failures(const struct client_table *t, enum client_table_subject subject);
const struct option_rate *client_table_faults(const struct client_table *t, enum client_table_subject subject);

/* Returns the place in `wrong` where a hash may be. */
_Atomic uint64_t *client_table_wrong(struct client_table *t, uint64_t hash);

/* Returns the slot of a key, or t->slots if there is none. */
size_t client_table_find(const struct client_table *t, uint64_t key);

/*
 * Finds or makes the slot of a subject by its key, and counts a session of this worker in it, so that it stays this key's until
 * client_table_release(). Checks no limit and no ban, and does not touch the slot. Returns the slot, which is below
 * t->slots; or t->slots if none can be had: then nothing is counted, and nothing may be released.
 */
size_t client_table_hold(struct client_table *t, enum client_table_subject subject, uint64_t key, uint64_t now_us);

/*
 * Ends the counting of one session in a slot, also a shared one. Call it once for each session that was counted, in the
 * worker that counted it; nothing is checked. Afterwards the slot may become another key's.
 */
void client_table_release(struct client_table *t, size_t slot);

/* Notes that the slot was used, which keeps it in the table longer. */
void client_table_touch(struct client_table *t, size_t slot, uint64_t now_us);

/* Returns the number of guesses in flight in a slot, of all workers. */
unsigned client_table_guesses(const struct client_table *t, size_t slot);

/* Adds to this worker's guesses in a slot; a negative number subtracts. */
void client_table_add_guesses(struct client_table *t, size_t slot, int number);

/* Returns true if the slot's subject is banned. */
bool client_table_slot_is_banned(const struct client_table *t, size_t slot, uint64_t now_us);

/* Returns true if the network of a counted session or its site is banned, whoever has logged in from there. */
bool client_table_shuts_out_strangers(const struct client_table *t, struct client_table_ref ref, uint64_t now_us);

/*
 * Begins a ban of the slot's subject, unless one is in force. `network` is the one that the ban is shown with. The slot
 * must be held, and below t->slots. Exactly one of those who try at once begins it. That clears the slot's `failures` and
 * `faults` and changes `ban_epoch`. Returns true if it has begun, and writes it to `ban`; otherwise returns false with
 * `ban` unchanged.
 */
bool client_table_begin_ban(struct client_table *t, size_t slot, const struct network *network, uint64_t now_us,
                            struct client_table_ban *ban);

#endif
