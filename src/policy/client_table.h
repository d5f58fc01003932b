/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of client networks that all workers share: how often each comes, how many sessions it has, how often
 * its logins fail, and whether it is banned. Mapped once by the master and fixed in size. There is no lock in it:
 * a rate is one 64-bit time (GCRA, ITU-T I.371) that is moved by compare-and-swap; sessions are counted in one
 * column for each worker, which the master clears when that worker dies. The place of a network follows from
 * SipHash of its address under a random key, so that nobody outside can aim for one.
 *
 * Times are microseconds since boot (base/clock.h), which are the same in all processes and which nobody can set. What
 * lies further in the future than anything may is not believed.
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

/* What a client network may do: options of the group `limits`. */
struct client_table_limits {
    uint32_t ipv4_prefix;
    uint32_t ipv6_prefix;
    uint32_t sessions;                  /* at one time */
    struct option_rate connection_rate; /* so many at once, and then evenly */
    struct option_rate login_failures;  /* more is a ban */
    uint32_t ban_time_ms;               /* doubles with each ban in a row ... */
    uint32_t ban_time_max_ms;           /* ... up to this */
    uint32_t table_size;                /* networks */
};

struct client_table;

/* A network's entry, for as long as a session is counted there; all zero is "nowhere". */
struct client_table_ref {
    uint32_t slot; /* 0: nowhere; otherwise 1 more than the index */
};

struct client_table_ban {
    struct network network;
    uint64_t until_us;
    unsigned level; /* how many in a row */
};

enum client_table_entry {
    CLIENT_TABLE_ENTERED,
    CLIENT_TABLE_BANNED,
    CLIENT_TABLE_RATE,     /* more connections than connection_rate */
    CLIENT_TABLE_SESSIONS, /* more at one time than `sessions` */
};

enum client_table_failure {
    CLIENT_TABLE_FAILURE_COUNTED,
    CLIENT_TABLE_FAILURE_KNOWN,  /* the same wrong password of the same user as before: not counted again */
    CLIENT_TABLE_FAILURE_BANNED, /* counted, and one too many: a ban begins now */
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
 * Lets a client of that address in, and counts it as a session: CLIENT_TABLE_ENTERED with `ref` set, to be given back by
 * client_table_leave(). Otherwise nothing is to be given back. Never more than `sessions` are in at one time over all
 * workers. When no entry can be had (each one that it could take has sessions), the client is in, with
 * `ref` nowhere.
 */
enum client_table_entry client_table_enter(struct client_table *t, const struct network_address *address, uint64_t now_us,
                             struct client_table_ref *ref);

/* The session has ended, or is not to be counted any more; `ref` is nowhere afterwards, and may be before. */
void client_table_leave(struct client_table *t, struct client_table_ref *ref);

/* Whether the network of a session that is in is banned; false when `ref` is nowhere. */
bool client_table_is_banned(const struct client_table *t, struct client_table_ref ref, uint64_t now_us);

/*
 * A login with that password was refused. `ban` is filled when one begins. The same wrong password of the same
 * user from the same network counts once. When `ref` is nowhere nothing is counted.
 */
enum client_table_failure client_table_login_failed(struct client_table *t, struct client_table_ref ref, const struct network_address *address,
                              const char *user, const struct secret *password, uint64_t now_us, struct client_table_ban *ban);

/* As client_table_login_failed(), for an offence that has no password: each counts. */
enum client_table_failure client_table_charge(struct client_table *t, struct client_table_ref ref, const struct network_address *address,
                                uint64_t now_us, struct client_table_ban *ban);

/* A number that changes whenever a ban begins: whoever sees it change asks client_table_is_banned() for what it has. */
uint32_t client_table_ban_epoch(const struct client_table *t);

/*
 * Whether a refusal of that network is to be logged: the first, and then once a minute, over all workers. A network
 * without an entry is always told.
 */
bool client_table_should_log(struct client_table *t, const struct network_address *address, uint64_t now_us);

/*
 * In the master, about once a second: ends bans whose time is over, and calls `unbanned` for each. Returns how
 * many are in force.
 */
size_t client_table_sweep(struct client_table *t, uint64_t now_us, void (*unbanned)(void *data, const struct client_table_ban *ban), void *data);

/* Calls `each` for every ban in force. */
void client_table_each_ban(const struct client_table *t, uint64_t now_us, void (*each)(void *data, const struct client_table_ban *ban), void *data);

/*
 * Puts a ban back, as from a file, before the workers are forked. `ban->network` is taken as it is. 0, or -1 when it
 * is over, does not fit the limits (its prefix is not the configured one) or there is no room.
 */
int client_table_restore_ban(struct client_table *t, const struct client_table_ban *ban, uint64_t now_us);

/* Sessions of that address's network over all workers; 0 when it has no entry. */
unsigned client_table_sessions(const struct client_table *t, const struct network_address *address);

/* Networks that have an entry. */
size_t client_table_used(const struct client_table *t);

#endif
