/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A login, from the client's command to its answer: the attempt, the access rules, the choice of a backend, the exchange
 * with it, the verdict, the delay, the answer to the client, and what is counted. client.c parses what the client says
 * and calls the first group of functions; the others are handlers of the states CONNECT, BACKEND_LOGIN, CHALLENGE and
 * PENALTY.
 *
 * A secret is sent only here, only after the client has sent it over TLS, and never twice to one backend. A backend with
 * a fault is passed over for the next of the route, and the client does not notice. When none is left, the client gets
 * NO [UNAVAILABLE] (RFC 5530), no failed login is counted, and the session may try again.
 */
#ifndef IMAPGUARD_PROXY_LOGIN_H
#define IMAPGUARD_PROXY_LOGIN_H

#include "imap/credentials.h"
#include "proxy/session.h"

/* --- what client.c asks for ---------------------------------------------------------------------------------- */

/* Begins an attempt for a command with that tag (copied). Returns 0, or -1 when memory is short. */
int login_begin(struct session *s, struct span tag);

/*
 * Goes on with complete credentials, which the attempt takes over: `c` is empty afterwards. Asks the access rules for
 * their user, and then for a backend.
 */
struct step login_submit(struct session *s, struct credentials *c);

/* Goes on with a mechanism in which the backend speaks first: asks for a backend while the user is not known. */
struct step login_ask_backend(struct session *s, const struct sasl_mechanism *mechanism);

/* CHALLENGE: returns true if the response that comes next says who the user is. */
bool login_needs_user(const struct session *s);

/*
 * CHALLENGE: sends the client's response (base64) to the backend as it is. `c` has the user that the response names,
 * where login_needs_user(): the access rules are asked for that user first, and the attempt takes `c` over; NULL
 * otherwise.
 */
struct step login_respond(struct session *s, struct span response, struct credentials *c);

/*
 * Ends the attempt because the client has cancelled it or its response is malformed. `reply` is the text of the tagged
 * answer (static).
 */
struct step login_abort(struct session *s, const char *reply);

/* Ends the attempt of a session that ends. Does nothing if there is none. */
void login_end(struct session *s);

/* --- handlers ------------------------------------------------------------------------------------------------ */

/* CONNECT: chooses the next backend and begins to dial it. */
struct step login_connect(struct session *s);
/* CONNECT: the connection is there, has failed, or has something to read. */
struct step login_dial(struct session *s);
/* CONNECT: the kernel cannot watch the connection. */
struct step login_watch_failed(struct session *s);
/* CONNECT: the time for an address, or for the whole dial, is over. */
struct step login_connect_expired(struct session *s);

/* BACKEND_LOGIN: sends the login, unless that was done before a CHALLENGE. */
struct step login_send(struct session *s);
/* BACKEND_LOGIN: reads what the backend says. */
struct step login_read(struct session *s);
/* BACKEND_LOGIN and CHALLENGE: the backend's login_timeout is over. */
struct step login_expired(struct session *s);

/* PENALTY: the delay is over; sends the answer. */
struct step login_penalty_over(struct session *s);

/* When CONNECT, BACKEND_LOGIN and CHALLENGE end. */
ev_tstamp login_deadline(const struct session *s);
/* When PENALTY ends. */
ev_tstamp login_penalty_deadline(const struct session *s);

#endif
