/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides which clients may connect and log in: asks the access rules, the bans and the limits, in that order. */
#ifndef IMAPGUARD_PROXY_ADMISSION_H
#define IMAPGUARD_PROXY_ADMISSION_H

#include "policy/guess.h"
#include "proxy/session.h"

/*
 * Decides whether a client may connect; its address is known, and no work was done for it yet. Returns REASON_NONE if
 * it may: then the client is counted, unless a rule has `limits = false`, and the caller calls admission_end() when it
 * has gone. Otherwise returns DENIED, BANNED, CONNECTION_RATE or SESSIONS, or TARPIT if the client is kept waiting
 * without an answer; the refusal is logged.
 */
enum reason admission_connect(struct proxy *proxy, struct connection *conn);

/* Refuses a client that was let in because there is no place for it, and logs that. Returns REASON_CROWDED. */
enum reason admission_crowded(struct proxy *proxy, struct connection *conn);

/*
 * Returns how many sessions the client's network has, this one included; 1 if the client has no limits, or others may be
 * behind its address. Places are kept for networks with 1.
 */
unsigned admission_sessions(const struct proxy *proxy, const struct connection *conn);

/*
 * Counts a client that has done its TLS handshake, as those who come to log in do and health checks do not. Logs
 * "shared-address-noticed" if most of them have one private address (shared_address.h), unless the listener has load
 * balancers that tell addresses.
 */
void admission_secured(struct session *s);

/* Counts the client no more. Does nothing for a client that was refused. */
void admission_end(struct proxy *proxy, struct connection *conn);

/*
 * Asks the rules for the users of the attempt. Returns REASON_NONE when the login may go on; DENIED or TARPIT (refuse
 * late) with the name of the rule in `rule`; or MEMORY.
 */
enum reason admission_login(struct session *s, const char **rule);

/*
 * Returns a hash of the attempt's user, authorization identity and password, as they were written, see guess_hash(); 0 if
 * the user is not known, or the password hidden.
 */
uint64_t admission_password_hash(const struct session *s);

/*
 * Asks whether the secret of the attempt may be sent to a backend, and charges it, see guess.h. The rules have allowed
 * its user. After GUESS_DELAYED, `not_before` of the attempt is when to ask again: login_delay_max after the command.
 * Logs "banned" if a ban begins, and "user-attacked" if an attack on the user does. Always GUESS_ALLOWED for a client without limits.
 */
enum guess_permission admission_guess(struct session *s);

/*
 * Ends the guess of the attempt, if it has one; see guess_settle(). After GUESS_RIGHT, a client whose user a rule
 * exempts has no limits any more.
 */
void admission_settle(struct session *s, enum guess_verdict verdict);

/* Counts a flood of TLS messages as a failed login for the client's network, and logs "banned" if a ban begins. */
void admission_charge_flood(struct session *s);

/* Returns true if the client's network was banned after the client connected, and nobody there is spared. */
bool admission_is_banned(const struct session *s);

#endif
