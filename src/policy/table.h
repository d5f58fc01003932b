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
#ifndef IMAPGUARD_POLICY_TABLE_H
#define IMAPGUARD_POLICY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/network.h"
#include "base/option.h"
#include "base/secret.h"

/* What a client network may do: options of the group `limits`. */
struct table_limits {
    uint32_t ipv4_prefix;
    uint32_t ipv6_prefix;
    uint32_t sessions;                  /* at one time */
    struct option_rate connection_rate; /* so many at once, and then evenly */
    struct option_rate login_failures;  /* more is a ban */
    uint32_t ban_time_ms;               /* doubles with each ban in a row ... */
    uint32_t ban_time_max_ms;           /* ... up to this */
    uint32_t table_size;                /* networks */
};

struct table;

/* A network's entry, for as long as a session is counted there; all zero is "nowhere". */
struct table_ref {
    uint32_t slot; /* 0: nowhere; otherwise 1 more than the index */
};

struct table_ban {
    struct network network;
    uint64_t until_us;
    unsigned level; /* how many in a row */
};

enum table_entry {
    TABLE_ENTERED,
    TABLE_BANNED,
    TABLE_RATE,     /* more connections than connection_rate */
    TABLE_SESSIONS, /* more at one time than `sessions` */
};

enum table_failure {
    TABLE_FAILURE_COUNTED,
    TABLE_FAILURE_KNOWN,  /* the same wrong password of the same user as before: not counted again */
    TABLE_FAILURE_BANNED, /* counted, and one too many: a ban begins now */
};

/* Maps a table for so many workers; `limits` must outlive it. NULL with errno set. */
struct table *table_new(const struct table_limits *limits, unsigned workers);

/* In a process that lets nobody in: gives the shared memory up. Only table_free() may be called afterwards. */
void table_forget(struct table *t);

/* Unmaps it in this process; NULL is fine. */
void table_free(struct table *t);

/* In a worker, before it enters anybody: which column is its own. 0, or -1 when memory is short. */
int table_attach(struct table *t, unsigned worker);

/*
 * Lets a client of that address in, and counts it as a session: TABLE_ENTERED with `ref` set, to be given back by
 * table_leave(). Otherwise nothing is to be given back. Never more than `sessions` are in at one time over all
 * workers. When no entry can be had (each one that it could take has sessions), the client is in, with
 * `ref` nowhere.
 */
enum table_entry table_enter(struct table *t, const struct network_address *address, uint64_t now_us,
                             struct table_ref *ref);

/* The session has ended, or is not to be counted any more; `ref` is nowhere afterwards, and may be before. */
void table_leave(struct table *t, struct table_ref *ref);

/* Whether the network of a session that is in is banned; false when `ref` is nowhere. */
bool table_is_banned(const struct table *t, struct table_ref ref, uint64_t now_us);

/*
 * A login with that password was refused. `ban` is filled when one begins. The same wrong password of the same
 * user from the same network counts once. When `ref` is nowhere nothing is counted.
 */
enum table_failure table_fail(struct table *t, struct table_ref ref, const struct network_address *address,
                              const char *user, const struct secret *password, uint64_t now_us, struct table_ban *ban);

/* As table_fail(), for an offence that has no password: each counts. */
enum table_failure table_charge(struct table *t, struct table_ref ref, const struct network_address *address,
                                uint64_t now_us, struct table_ban *ban);

/* A number that changes whenever a ban begins: whoever sees it change asks table_is_banned() for what it has. */
uint32_t table_ban_epoch(const struct table *t);

/*
 * Whether a refusal of that network is to be logged: the first, and then once a minute, over all workers. A network
 * without an entry is always told.
 */
bool table_tell(struct table *t, const struct network_address *address, uint64_t now_us);

/* In the master, after that worker has died: its sessions are gone, and what it left half done is cleaned up. */
void table_clear_worker(struct table *t, unsigned worker);

/*
 * In the master, about once a second: ends bans whose time is over, and calls `unbanned` for each. Returns how
 * many are in force.
 */
size_t table_sweep(struct table *t, uint64_t now_us, void (*unbanned)(void *data, const struct table_ban *ban), void *data);

/* Calls `each` for every ban in force. */
void table_each_ban(const struct table *t, uint64_t now_us, void (*each)(void *data, const struct table_ban *ban), void *data);

/*
 * Puts a ban back, as from a file, before the workers are forked. `ban->network` is taken as it is. 0, or -1 when it
 * is over, does not fit the limits (its prefix is not the configured one) or there is no room.
 */
int table_restore_ban(struct table *t, const struct table_ban *ban, uint64_t now_us);

/* Sessions of that address's network over all workers; 0 when it has no entry. */
unsigned table_sessions(const struct table *t, const struct network_address *address);

/* Networks that have an entry. */
size_t table_fill(const struct table *t);

#endif
