/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of client networks that all workers share: rate of connections, number of sessions, rate of failed logins,
 * and ban of each network, and the same of the sites that they are in and of single users (guess.h). It has a fixed size and no lock. A rate is
 * one 64-bit time that is changed by compare-and-swap, see rate.h. Each worker counts its sessions in a column of its
 * own, which the master clears when the worker dies. The slot of a network depends on the SipHash of its address with a
 * random key, so that an attacker cannot choose addresses that collide.
 *
 * Times are microseconds since boot (clock_boot_us()). A time that is too far in the future is corrupt and is ignored,
 * because a hostile worker can write to the table.
 */
#ifndef IMAPGUARD_POLICY_CLIENT_TABLE_H
#define IMAPGUARD_POLICY_CLIENT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/network.h"
#include "base/option.h"

/*
 * What stands behind a private or loopback address: the choices of `private_addresses`, in the same order. Behind a
 * gateway are many clients, so that each user there is banned alone, and never the address.
 */
enum client_table_private { CLIENT_TABLE_GATEWAY, CLIENT_TABLE_CLIENT };

/* The limits of a client network: options of the group `limits`. */
struct client_table_limits {
    uint32_t ipv4_prefix;               /* bits of an IPv4 client network */
    uint32_t ipv6_prefix;               /* bits of an IPv6 client network */
    uint32_t sessions;                  /* concurrent sessions */
    struct option_rate connection_rate; /* connections, see rate.h */
    struct option_rate login_failures;  /* guesses that are in flight or were wrong; more begin a ban */
    struct option_rate login_faults;    /* guesses without a verdict; more begin a ban */
    uint32_t ipv4_site_prefix;          /* bits of an IPv4 site; 0, or not less than ipv4_prefix: there are no sites */
    uint32_t ipv6_site_prefix;          /* the same of an IPv6 site */
    struct option_rate site_failures;   /* as login_failures, for all networks of a site together */
    struct option_rate site_faults;     /* as login_faults, for all networks of a site together */
    struct option_rate user_failures;   /* wrong guesses of one user from everywhere; more are delayed */
    uint32_t private_addresses;         /* an enum client_table_private */
    uint32_t ban_time_ms;               /* the first ban in a row; each further one lasts twice as long, see ban.h */
    uint32_t ban_time_max_ms;           /* the longest ban */
    uint32_t table_size;                /* number of entries: networks, sites, and users */
};

struct client_table;
struct known_logins;

enum { CLIENT_TABLE_KEY_SIZE = 16 }; /* octets */

/*
 * The reference of a counted session to the entries of its network and of its site. They are indexes plus 1. All zero
 * means that the session is not counted.
 */
struct client_table_ref {
    uint32_t slot;
    uint32_t site; /* 0: the address has no site, or the table no room for it */
};

struct client_table_ban {
    struct network network;
    uint64_t until_us;
    unsigned level; /* 1 for the first ban in a row, see ban.h */
    uint64_t user;  /* the keyed hash of the user in the network who is banned there; 0: the ban is the network's */
    bool follows;   /* on one that has ended, and whose end client_table_sweep() has not seen */
};

enum client_table_entry {
    CLIENT_TABLE_ENTERED,  /* allowed */
    CLIENT_TABLE_BANNED,   /* the network or its site is banned, and nobody has logged in from the network lately */
    CLIENT_TABLE_RATE,     /* the network exceeds `connection_rate` */
    CLIENT_TABLE_SESSIONS, /* the network exceeds `sessions` */
};

/*
 * Creates a table for the workers of the arena, before the first fork. Its regions belong to the arena, which must
 * outlive the table; `limits` is copied. The caller owns the result; client_table_free() frees it. Returns NULL with
 * errno set if there is no memory or the arena cannot map the regions.
 */
struct client_table *client_table_new(const struct client_table_limits *limits, struct arena *arena);

/*
 * Frees t in this process and wipes the key; does nothing if t is NULL. The regions stay in the arena. A child that
 * accepts no clients calls it after fork(), so that it has no copy of the key.
 */
void client_table_free(struct client_table *t);

/*
 * Selects the column in which this process counts sessions. A worker calls it with its number, from 0, before its first
 * client.
 */
void client_table_set_worker(struct client_table *t, unsigned worker);

/*
 * Checks the limits for a client with this address, and counts a connection and a session if they allow it. On
 * CLIENT_TABLE_ENTERED, the caller must call client_table_leave() with `ref` when the session ends. On any other result
 * nothing is counted, and `ref` is all zero. All workers together never count more than `sessions` for a network. If
 * all entries that the network could use have counted sessions, the client is allowed, and shares one entry with all
 * networks for which that is so: sessions and connections are not limited there, but guesses are (guess.h).
 */
enum client_table_entry client_table_enter(struct client_table *t, const struct network_address *address,
                                           uint64_t now_us, struct client_table_ref *ref);

/* Returns true if the session is counted in an entry that several networks share. */
bool client_table_is_shared(const struct client_table *t, struct client_table_ref ref);

/* Returns true if the caller should log that the table is full: once a minute, for all workers together. */
bool client_table_claim_full_log(struct client_table *t, uint64_t now_us);

/*
 * Returns how many sessions the network of a counted session has, over all workers and this one included. Returns 1 for a
 * gateway's address, for a network that shares its entry, and if `ref` is all zero.
 */
unsigned client_table_sessions_beside(const struct client_table *t, struct client_table_ref ref,
                                      const struct network_address *address);

/* Ends the counting of a session. `ref` is all zero afterwards; does nothing if it is before. */
void client_table_leave(struct client_table *t, struct client_table_ref *ref);

/*
 * Returns true if the network of a counted session or its site is banned, and no user has logged in from the network
 * lately, who would be spared (guess.h). False if `ref` is all zero. `address` is the client's.
 */
bool client_table_shuts_out(const struct client_table *t, struct client_table_ref ref,
                            const struct network_address *address, uint64_t now_us);

/*
 * Counts an offence of a counted session as a failed login of its network, see guess.h. Returns true if a ban of the
 * network begins, and writes it to `ban`. Does nothing if `ref` is all zero, or the
 * address may be a gateway's.
 */
bool client_table_charge(struct client_table *t, struct client_table_ref ref, const struct network_address *address,
                         uint64_t now_us, struct client_table_ban *ban);

/*
 * Returns a number that changes when a ban begins. A worker that sees it change calls client_table_shuts_out() for each
 * of its sessions.
 */
uint32_t client_table_ban_epoch(const struct client_table *t);

/*
 * Marks expired bans as logged, and calls `unbanned` with `data` for each of them. The ban is valid during the call
 * only. The master calls it about once a second. Returns the number of bans in force.
 */
size_t client_table_sweep(struct client_table *t, uint64_t now_us,
                          void (*unbanned)(void *data, const struct client_table_ban *ban), void *data);

/* Logs "unbanned": the ban has ended. */
void client_table_log_unbanned(const struct client_table_ban *ban);

/* Calls `each` with `data` for every ban that is in force. The ban is valid during the call only. */
void client_table_each_ban(const struct client_table *t, uint64_t now_us,
                           void (*each)(void *data, const struct client_table_ban *ban), void *data);

/*
 * Restores a ban that was saved in a file. The master calls it before the first fork. The ban of a user needs the key
 * with which it was saved. Returns 0, or -1 if the ban is not in force, the prefix of its network is not one that is
 * configured, or there is no free entry.
 */
int client_table_restore_ban(struct client_table *t, const struct client_table_ban *ban, uint64_t now_us);

/*
 * Returns the key of the hashes in struct client_table_ban and in client_table_logins(), of CLIENT_TABLE_KEY_SIZE octets
 * that belong to the table. It is random at first. Who has it can find out whose hashes they are.
 */
const uint8_t *client_table_key(const struct client_table *t);

/* Sets the key to one that was saved in a file. The master calls it before the first fork, while the table is empty. */
void client_table_set_key(struct client_table *t, const uint8_t *key);

/* Returns the logins that the table knows; they belong to it. */
struct known_logins *client_table_logins(struct client_table *t);

/* Returns the number of sessions of the address's network, of all workers; 0 if it has no entry. */
unsigned client_table_sessions(const struct client_table *t, const struct network_address *address);

/* Returns the number of entries: networks, sites, and users. */
size_t client_table_used(const struct client_table *t);

#endif
