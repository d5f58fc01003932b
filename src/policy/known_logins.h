/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has logged in from where lately: a set of keyed hashes of user and network, and of networks alone, that all workers
 * share. It is bounded and has no lock. A bucket has 16 places, and its oldest login goes when another one needs room.
 * All networks of one user are in one bucket, and so are all networks of one block (an IPv6 /48, a single IPv4 address);
 * neither gets more than half of a bucket. So nobody who has one account and one block can push out the logins of others.
 */
#ifndef IMAPGUARD_POLICY_KNOWN_LOGINS_H
#define IMAPGUARD_POLICY_KNOWN_LOGINS_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/network.h"
#include "policy/keyed_hash.h"

/* How long a login makes its user and its network known. */
enum { KNOWN_LOGIN_DAYS = 60, KNOWN_LOGINS_MAX = 1 << 20 };

struct known_logins {
    const struct keyed_hash *hash;
    size_t buckets;
    _Atomic uint64_t *words; /* 16 for each bucket */
    _Atomic uint32_t *epoch; /* changes with each new login */
};

/* The hashes of a login; 0: none. */
struct known_login {
    uint64_t user;    /* of the user with the network */
    uint64_t network; /* of the network alone */
};

/*
 * Makes an empty set of `size` places, KNOWN_LOGINS_MAX at most, rounded up to 16, before the first fork. A login takes
 * one for its user, and one for its network. Its region belongs to the arena; `hash` is not
 * copied: both must outlive k. There is nothing to free. Returns 0, or -1 with errno set if the arena cannot map the region.
 */
int known_logins_init(struct known_logins *k, size_t size, const struct keyed_hash *hash, struct arena *arena);

/* Returns the hashes of a user's login from a network; `user` is NULL if it is not known yet. */
struct known_login known_login_of(const struct known_logins *k, const struct network *network, const char *user);

/* Returns true if a login with that hash, which is one of struct known_login, was less than KNOWN_LOGIN_DAYS ago. */
bool known_logins_has(const struct known_logins *k, uint64_t hash, uint64_t now_us);

/* Notes a login at `now_us`, in microseconds since boot. In a race with other processes it may be left out. */
void known_logins_add(struct known_logins *k, const struct known_login *login, uint64_t now_us);

/* Forgets those that are known no longer. The master calls it at least each half year: times wrap after 256 days. */
void known_logins_forget(struct known_logins *k, uint64_t now_us);

/* Returns a number that changes when a user or a network becomes known. */
uint32_t known_logins_epoch(const struct known_logins *k);

/* Calls `each` with `data` for each hash that is known, with the seconds since the login, to the next six hours. */
void known_logins_each(const struct known_logins *k, uint64_t now_us,
                       void (*each)(void *data, uint64_t hash, uint64_t age_s), void *data);

/*
 * Puts a hash that known_logins_each() has shown into a set with the same key. The master calls it, before it forks.
 * Returns false if that login is too long ago.
 */
bool known_logins_restore(struct known_logins *k, uint64_t hash, uint64_t age_s, uint64_t now_us);

#endif
