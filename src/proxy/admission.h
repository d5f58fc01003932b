/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may come in, and who may log in: rules, bans and limits, asked in that order, and logged. */
#ifndef IMAPGUARD_PROXY_ADMISSION_H
#define IMAPGUARD_PROXY_ADMISSION_H

#include "proxy/session.h"

/*
 * Asks for a client whose address is known, before any work is done for it, and logs a refusal. REASON_NONE: it is
 * in, and counted unless a rule says otherwise: admission_end() is to be called. Otherwise the reason why it is
 * not: DENIED, BANNED, CONNECTION_RATE or SESSIONS; or TARPIT, when it is to be held without a word.
 */
enum reason admission_connect(struct proxy *proxy, struct connection *conn);

/* The client has gone. Also for one that was never in. */
void admission_end(struct proxy *proxy, struct connection *conn);

/*
 * Asks the rules for the users of the attempt. Returns REASON_NONE when the login may go on; DENIED or TARPIT (refuse
 * late) with the name of the rule in `rule`; or BANNED, when the client's network was banned after it came in.
 */
enum reason admission_login(struct session *s, const char **rule);

/* The backend has refused the attempt: counts it, and logs the ban when one begins. */
void admission_login_failed(struct session *s);

/* The client has flooded TLS: counts as a login that failed, and logs the ban when one begins. */
void admission_charge_flood(struct session *s);

/* Whether the client's network was banned after it came in. */
bool admission_is_banned(const struct session *s);

#endif
