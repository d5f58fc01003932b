/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guesses: logins whose secret a backend judges. A guess is charged before its secret is sent, and the charge is taken
 * back only when the backend accepts the secret or has not seen it. So however many guesses are in flight, in however
 * many processes, the backends never judge more of a network, or of a user in it, than the rates allow:
 * `login_failures` of those that are wrong, and `login_faults` of those without a verdict. Passwords that are known to
 * be wrong are free.
 *
 * A guess is charged to the client's network. Three kinds are charged to the user in that network instead, and ban only
 * that user from it: those of a user who has logged in from there before; those by a mechanism that hides the password,
 * with which the same wrong password cannot be recognised; and those from an address that may be a gateway's (enum
 * client_table_private). One that is of the second kind only is charged to the network as well while it is in flight,
 * and the user's first wrong guess and each third part of the limit after it stay charged there: three users who are
 * guessed at ban the network.
 */
#ifndef IMAPGUARD_POLICY_GUESS_H
#define IMAPGUARD_POLICY_GUESS_H

#include "base/secret.h"
#include "policy/client_table.h"

/* A guess in flight. All zero means none. The slots are indexes plus 1. */
struct guess {
    uint32_t charged; /* the slot that was charged; 0: the guess was free */
    uint32_t also;    /* the slot of the network, if that was charged besides; 0: it was not */
    uint32_t user;    /* the slot of the user in the network, which is held; 0: none */
    uint64_t wrong;   /* the hash of network, user and password; 0: the password is hidden */
    uint32_t waits;   /* GUESS_WAITS: the slot whose guesses in flight it waits for */
};

enum guess_permission {
    GUESS_ALLOWED,        /* the secret may be sent; guess_settle() must follow */
    GUESS_WAITS,          /* others in flight must get their verdict first, or nobody may be banned: ask again later */
    GUESS_NETWORK_BANNED, /* the network is banned */
    GUESS_USER_BANNED,    /* the user is banned from the network */
};

enum guess_verdict {
    GUESS_UNKNOWN, /* a backend may have judged it, but did not say how */
    GUESS_RIGHT,   /* a backend has accepted it */
    GUESS_WRONG,   /* a backend has rejected it */
    GUESS_UNSENT,  /* no backend has seen the secret */
};

/*
 * Charges a guess of a counted session. `ref` and `address` are the client's, `user` is the name that it wants to log
 * in as, folded (user_name.h). `user` is NULL if it is not known yet: the guess is then one of the network, and must be
 * settled as GUESS_UNSENT and charged again once it is. `password` is NULL if the mechanism hides it. If a rate is
 * exceeded and no guess is in flight, a ban begins, except of an
 * entry that is a gateway's or shared: it is written to `ban`, and `*begun` is true; otherwise `*begun` is
 * false. Overwrites `g`, of which nothing but `waits` is set unless the result is GUESS_ALLOWED. A password that is
 * known to be wrong is not charged, and neither is a guess with `ref` all zero.
 */
enum guess_permission guess_charge(struct client_table *t, struct client_table_ref ref,
                                   const struct network_address *address, const char *user,
                                   const struct secret *password, uint64_t now_us, struct guess *g,
                                   struct client_table_ban *ban, bool *begun);

/*
 * Ends a guess; `g` is all zero afterwards. Does nothing if it is before. A wrong guess stays charged, unless the same
 * password was wrong before. One without a verdict stays charged to the rate `login_faults` instead.
 */
void guess_settle(struct client_table *t, struct guess *g, enum guess_verdict verdict, uint64_t now_us);

#endif
