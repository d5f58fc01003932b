/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a login: one function turns the verdict on it into the answer to the client, a line of the log, a count and
 * the next state; and PENALTY, the delay before the answer to a login that failed.
 */
#ifndef IMAPGUARD_PROXY_LOGIN_VERDICT_H
#define IMAPGUARD_PROXY_LOGIN_VERDICT_H

#include "proxy/fault.h"
#include "proxy/session.h"

/* Why a login is rejected: the rows of a table in login_verdict.c. */
enum rejection {
    REJECTED_BY_BACKEND,
    REJECTED_BEFORE, /* the same password on the same connection: the backend is not asked again */
    REJECTED_AS_EXPIRED,
    REJECTED_TO_CONTACT_ADMIN,
    REJECTED_IN_ITS_WORDS,
    REJECTED_NO_ROUTE,
    REJECTED_NAME,
    REJECTED_BY_RULE,
    REJECTED_BY_TARPIT,
    REJECTED_BANNED,
    REJECTED_USER_BANNED,
};

/* How a login was decided. What the backend said of it is in the attempt. */
struct login_verdict {
    enum { UNDECIDED, ACCEPTED, REJECTED, ABORTED, FAULTY } kind;
    enum rejection rejection; /* REJECTED */
    const char *rule;         /* REJECTED by a rule: its name */
    enum fault fault;         /* FAULTY */
    const char *reply;        /* ABORTED: for the client; NULL: the client has gone */
};

/*
 * Ends the attempt of the session, or goes to PENALTY with it. Returns the step for the handler of the session's state.
 * In ABANDONED, where nobody hears the answer, only counts and logs.
 */
struct step login_conclude(struct session *s, const struct login_verdict *v);

/* PENALTY: the delay is over; sends the answer. */
struct step login_penalty_over(struct session *s);
/* When PENALTY ends: the delay runs from the client's command, so that it hides how long the backend took. */
ev_tstamp login_penalty_deadline(const struct session *s);

#endif
