/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of the client table, for client_table.c and guess.c only. A slot is an entry with its key, its ban, and in
 * each worker's columns its sessions and guesses. Its subject is a client network, or one user in one. Behind the slots
 * is one more for each bucket, without a key, for networks that find no place.
 */
#ifndef IMAPGUARD_POLICY_CLIENT_TABLE_SLOT_H
#define IMAPGUARD_POLICY_CLIENT_TABLE_SLOT_H

#include <openssl/evp.h>
#include <stdatomic.h>

#include "base/span.h"
#include "policy/client_table.h"

enum { CLIENT_TABLE_KEY_SIZE = 16 };

struct entry {
    _Atomic uint64_t arrival;    /* the rate of connections, see rate.h */
    _Atomic uint64_t failures;   /* the rate of guesses that are in flight or were wrong */
    _Atomic uint64_t faults;     /* the rate of guesses that are in flight or had no verdict */
    _Atomic uint32_t seen;       /* the last connection or guess, in seconds since boot */
    _Atomic uint32_t logged_s;   /* when a refusal was logged, in seconds since boot; 0: never */
    _Atomic uint32_t right_s;    /* of a user: the last login, in seconds since boot; 0: none */
    _Atomic uint32_t hidden_s;   /* of a user: the last wrong guess with a hidden password, in seconds since boot */
    _Atomic uint32_t hidden;     /* of a user: the number of these, not further apart than the time of the rate */
    _Atomic uint64_t network[2]; /* the banned network; set before the ban */
    _Atomic uint32_t prefix;     /* of the banned network, with PREFIX_OF_USER if the ban is a user's */
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
    uint8_t key[CLIENT_TABLE_KEY_SIZE];
    EVP_MAC_CTX *mac;
};

/* Returns the network in which the table counts the address. */
struct network client_table_network(const struct client_table *t, const struct network_address *address);

/* Returns true if many clients may have the address, see enum client_table_private. */
bool client_table_is_gateway(const struct client_table *t, const struct network_address *address);

/*
 * Returns a keyed hash of the pieces and their lengths: the key of a slot, or a value for `wrong`. It is never 0, nor a
 * value that marks a slot as being emptied. SipHash-2-4. It uses t->mac, so only one thread may call it at a time. A
 * failure of OpenSSL is not reported: the hash may not depend on the pieces then.
 */
uint64_t client_table_hash(const struct client_table *t, const struct span *pieces, size_t count);

/* Returns the place in `wrong` where a hash may be. */
_Atomic uint64_t *client_table_wrong(struct client_table *t, uint64_t hash);

/*
 * Finds or makes the slot of a key, and counts a session of this worker in it, so that it stays this key's until
 * client_table_release(). Checks no limit and no ban, and does not touch the slot. Returns the slot, which is below
 * t->slots; or t->slots if none can be had: then nothing is counted, and nothing may be released.
 */
size_t client_table_hold(struct client_table *t, uint64_t key, uint64_t now_us);
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

/*
 * Begins a ban, unless one is in force: of the network, whose slot it is, or if `user` is true, of the user there whose
 * slot it is. The slot must be held, and below t->slots. Exactly one of those who try at once begins it. That clears the
 * slot's `failures` and `faults` and changes `ban_epoch`. Returns true if it has begun, and writes it to `ban`; otherwise
 * returns false with `ban` unchanged.
 */
bool client_table_begin_ban(struct client_table *t, size_t slot, const struct network *network, bool user,
                            uint64_t now_us, struct client_table_ban *ban);

#endif
