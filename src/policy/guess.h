/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guesses: logins whose secret a backend judges. A guess is charged before its secret is sent, and the charge is taken
 * back only when the backend accepts the secret or has not seen it. So however many guesses are in flight, in however
 * many processes, the backends never judge more of a network, of a site, or of a user in a network, than the rates
 * allow: `login_failures` of those that are wrong, and `login_faults` of those without a verdict (`site_failures` and
 * `site_faults` of a site); of a network and a site, where passwords are hidden, up to three times as many. Passwords that
 * are known to be wrong are free.
 *
 * A guess is charged to the client's network and to the site of that. Three kinds are charged to the user in that network
 * instead, and ban only that user from it: those of a known user, who has logged in from there before (known_logins.h),
 * and whom no ban of the network or site shuts out; those by a mechanism that hides the password, with which the same
 * wrong password cannot be recognised; and those from an address that may be a gateway's (enum client_table_private).
 * One that is of the second kind only is charged to the network and the site as well while it is in flight, and the
 * user's first wrong guess and each third part of the limit after it stay charged there: three users who are guessed at
 * ban the network.
 *
 * A guess at a user who is not known in the network is also charged to that user, wherever the client is, by
 * `user_failures`. What is more is delayed, and never refused.
 */
#ifndef IMAPGUARD_POLICY_GUESS_H
#define IMAPGUARD_POLICY_GUESS_H

#include "base/secret.h"
#include "policy/client_table.h"
#include "policy/known_logins.h"

/* Who a guess can be charged to, in the order in which that is done. */
enum { GUESS_EVERYWHERE, GUESS_USER, GUESS_NETWORK, GUESS_SITE, GUESS_CHARGES };
enum { GUESS_BANS_MAX = 2 }; /* that one guess begins: of its network and of its site */

/* A guess in flight. All zero means none. */
struct guess {
    struct guess_charge {
        uint32_t slot;     /* its index plus 1; 0: it was not charged */
        uint64_t failures; /* what rate_try() has made of the two rates */
        uint64_t faults;
    } charges[GUESS_CHARGES];
    uint32_t place;           /* the slot in which its wait for a challenge is counted, plus 1; 0: it is not */
    uint64_t wrong;           /* the hash of network, user and password; 0: the password is hidden */
    struct known_login login; /* what is known once it was right */
    uint32_t waits;           /* GUESS_WAITS: the slot whose guesses in flight it waits for, plus 1; else 0 */
};

/* Who guesses at what. Nothing in it is owned. */
struct guesser {
    struct client_table_ref ref; /* of a session that is counted; all zero: its guesses are free */
    const struct network_address *address;
    const char *user; /* the name that it wants to log in as, folded (user_name.h); NULL: it is not known yet */
    const struct secret *password; /* NULL: the mechanism hides it */
    bool patient;                  /* it has waited as long as the guesses at a user who is under attack must */
};

enum guess_permission {
    GUESS_ALLOWED, /* the secret may be sent; guess_settle() must follow */
    GUESS_WAITS, /* a rate would be exceeded if all guesses in flight were wrong, or nobody may be banned: ask again */
    GUESS_DELAYED,        /* the user is under attack: ask again when the guesser is patient */
    GUESS_NETWORK_BANNED, /* the network or its site is banned */
    GUESS_USER_BANNED,    /* the user is banned from the network */
};

/* What a guess has brought about, for the log. */
struct guess_news {
    struct client_table_ban bans[GUESS_BANS_MAX]; /* that begin */
    size_t ban_count;
    bool attacked; /* the user is under attack, and the last hour has not seen that said */
};

enum guess_verdict {
    GUESS_UNKNOWN, /* a backend may have judged it, but did not say how */
    GUESS_RIGHT,   /* a backend has accepted it */
    GUESS_WRONG,   /* a backend has rejected it */
    GUESS_UNSENT,  /* no backend has seen the secret */
};

/*
 * Returns a keyed hash of the guesser's network, user and password, by which the same wrong password is recognised; 0 if
 * the password is hidden, or OpenSSL fails. The user must be known.
 */
uint64_t guess_hash(const struct client_table *t, const struct guesser *guesser);

/*
 * Charges a guess. If a rate is exceeded and no guess is in flight, a ban begins, except of an entry that is a gateway's
 * or shared. A password that is known to be wrong is not charged. `g` is all zero before, or has only a place. Overwrites `news`; unless
 * the result is GUESS_ALLOWED, `g` has no charges afterwards.
 *
 * Without a user it is no guess yet, but a login by a mechanism in which the backend speaks first: it takes a place among
 * those of its network that wait for a challenge or have not answered it, of which there are as many as `login_failures`
 * allows guesses. It keeps the place when it is charged later, with the user.
 */
enum guess_permission guess_charge(struct client_table *t, const struct guesser *guesser, uint64_t now_us,
                                   struct guess *g, struct guess_news *news);

/*
 * Ends a guess, and gives its place back; `g` is all zero afterwards. Does nothing if `g` is all zero already. A wrong guess stays charged, unless the same
 * password was wrong before. One without a verdict stays charged to the rate of faults instead. After one that was right,
 * the user is known in the network.
 */
void guess_settle(struct client_table *t, struct guess *g, enum guess_verdict verdict, uint64_t now_us);

#endif
