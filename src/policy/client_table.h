/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of client networks, shared by all workers: the rate of connections of each, its sessions, its failed logins,
 * and its ban. It has a fixed size and no lock: a rate is one 64-bit time (GCRA, ITU-T I.371) that is changed by
 * compare-and-swap, and sessions are counted in one column for each worker, which the master clears when the worker dies.
 * A network's place follows from SipHash of its address with a random key, so that clients cannot choose it.
 *
 * Times are microseconds since boot (base/clock.h): all processes have the same, and no administrator can set them. A ban
 * that ends later than any ban can is ignored.
 */
#ifndef IMAPGUARD_POLICY_CLIENT_TABLE_H
#define IMAPGUARD_POLICY_CLIENT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/network.h"
#include "base/option.h"
#include "base/secret.h"

/* The limits of a client network: options of the group `limits`. */
struct client_table_limits {
    uint32_t ipv4_prefix;
    uint32_t ipv6_prefix;
    uint32_t sessions;                  /* at one time */
    struct option_rate connection_rate; /* a burst of so many, and then evenly */
    struct option_rate login_failures;  /* more is a ban */
    uint32_t ban_time_ms;               /* doubles with each ban in a row ... */
    uint32_t ban_time_max_ms;           /* ... up to this */
    uint32_t table_size;                /* networks */
};

struct client_table;

/* The entry in which a session is counted; all zero is none. */
struct client_table_ref {
    uint32_t slot; /* 0: none; otherwise 1 more than the index */
};

struct client_table_ban {
    struct network network;
    uint64_t until_us;
    unsigned level; /* the number of bans in a row */
};

enum client_table_entry {
    CLIENT_TABLE_ENTERED,
    CLIENT_TABLE_BANNED,
    CLIENT_TABLE_RATE,     /* more connections than connection_rate */
    CLIENT_TABLE_SESSIONS, /* more sessions at one time than `sessions` */
};

enum client_table_failure {
    CLIENT_TABLE_FAILURE_COUNTED,
    CLIENT_TABLE_FAILURE_KNOWN,  /* the same secret of the same user as before: not counted again */
    CLIENT_TABLE_FAILURE_BANNED, /* counted, and a ban begins now */
};

/*
 * Makes a table for the workers of the arena, and maps its regions there; `limits` is copied. A child frees the table if
 * it lets nobody in: the key goes with it. Returns NULL with errno set when memory is short.
 */
struct client_table *client_table_new(const struct client_table_limits *limits, struct arena *arena);

/* Frees what this process has of it and wipes the key; the regions are the arena's. NULL is fine. */
void client_table_free(struct client_table *t);

/* In a worker, before its first client: from here on it counts sessions in the column of that worker. */
void client_table_set_worker(struct client_table *t, unsigned worker);

/*
 * Counts a session of that address, if the network's limits allow it. Returns CLIENT_TABLE_ENTERED with `ref` set, to be
 * given back by client_table_leave(); otherwise the reason of the refusal. Over all workers a network never has more than
 * `sessions` at one time. If each entry that the network could use has sessions of others, the client enters uncounted, and
 * `ref` is none.
 */
enum client_table_entry client_table_enter(struct client_table *t, const struct network_address *address,
                                           uint64_t now_us, struct client_table_ref *ref);

/* Counts the session no more. `ref` is none afterwards, and may be none before. */
void client_table_leave(struct client_table *t, struct client_table_ref *ref);

/* Returns true if the network of a counted session is banned; false if `ref` is none. */
bool client_table_is_banned(const struct client_table *t, struct client_table_ref ref, uint64_t now_us);

/*
 * Counts a failed login with that secret. The same wrong secret of the same user from the same network counts once. Fills
 * `ban` when one begins. Counts nothing if `ref` is none.
 */
enum client_table_failure client_table_login_failed(struct client_table *t, struct client_table_ref ref,
                                                    const struct network_address *address, const char *user,
                                                    const struct secret *password, uint64_t now_us,
                                                    struct client_table_ban *ban);

/* As client_table_login_failed(), for an offence without a secret: each one counts. */
enum client_table_failure client_table_charge(struct client_table *t, struct client_table_ref ref,
                                              const struct network_address *address, uint64_t now_us,
                                              struct client_table_ban *ban);

/* Returns a number that changes whenever a ban begins: then each session's client_table_is_banned() may have changed. */
uint32_t client_table_ban_epoch(const struct client_table *t);

/*
 * Returns true if a refusal of that network should be logged, and notes the time: the first one, and then one each minute
 * over all workers. Always true for a network without an entry.
 */
bool client_table_should_log(struct client_table *t, const struct network_address *address, uint64_t now_us);

/* In the master, about once a second: calls `unbanned` for each ban that has ended. Returns the number of bans in force. */
size_t client_table_sweep(struct client_table *t, uint64_t now_us,
                          void (*unbanned)(void *data, const struct client_table_ban *ban), void *data);

/* Calls `each` for every ban in force. */
void client_table_each_ban(const struct client_table *t, uint64_t now_us,
                           void (*each)(void *data, const struct client_table_ban *ban), void *data);

/*
 * Restores a ban from a file, before the first fork. Returns 0, or -1 if the ban has ended, its prefix is not the
 * configured one, or there is no room.
 */
int client_table_restore_ban(struct client_table *t, const struct client_table_ban *ban, uint64_t now_us);

/* Returns the sessions of that address's network over all workers; 0 without an entry. */
unsigned client_table_sessions(const struct client_table *t, const struct network_address *address);

/* Returns the number of networks with an entry. */
size_t client_table_used(const struct client_table *t);

#endif
