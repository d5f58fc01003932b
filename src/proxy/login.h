/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A login, from the client's command to the verdict on it: the attempt, the access rules, the choice of a backend, the
 * exchange with it. What follows on the verdict is in login_verdict.h. client.c parses what the client says and calls the
 * first group of functions; the others are handlers of the states QUEUED, CONNECT, BACKEND_LOGIN and ABANDONED.
 *
 * A secret is sent only here, only after the client has sent it over TLS, and never twice to one backend. It is charged
 * as a guess before (policy/guess.h). A backend with a fault is passed over for the next of the route, and the client
 * does not notice. When none is left, the client gets NO [UNAVAILABLE] (RFC 5530), and the session may try again.
 */
#ifndef IMAPGUARD_PROXY_LOGIN_H
#define IMAPGUARD_PROXY_LOGIN_H

#include "imap/credentials.h"
#include "proxy/session.h"

/* --- what client.c asks for ---------------------------------------------------------------------------------- */

/* Begins an attempt for a command with that tag (copied). Returns 0, or -1 when memory is short. */
int login_begin(struct session *s, struct span tag);

/*
 * After login_begin(): goes on with complete credentials, which the attempt takes over, so that `c` is all zero
 * afterwards. Asks the access rules about their user, and then for a backend. Returns the step that the handler of the
 * session's state returns in its turn.
 */
struct step login_submit(struct session *s, struct credentials *c);

/*
 * After login_begin(): goes on with a mechanism in which the backend speaks first. Asks for a backend before the user
 * is known. Returns a step as login_submit() does.
 */
struct step login_ask_backend(struct session *s, const struct sasl_mechanism *mechanism);

/* CHALLENGE: returns true if the response that comes next says who the user is. */
bool login_needs_user(const struct session *s);

/*
 * CHALLENGE: sends the client's response to the backend as it is: a line of base64 without its CRLF. If
 * login_needs_user(), `c` has the user that the response names: the access rules are asked about that user first, and
 * the attempt takes `c` over, so that it is all zero afterwards. Otherwise `c` is NULL. Returns a step as
 * login_submit() does.
 */
struct step login_respond(struct session *s, struct span response, struct credentials *c);

/*
 * Ends the attempt because the client has cancelled it or its response is malformed, and queues the tagged answer,
 * whose text is `reply` (static). Returns a step as login_submit() does: the session goes on unless memory is short.
 */
struct step login_abort(struct session *s, const char *reply);

/*
 * In any state before the login: the client has gone, or its time is over. Ends the session for that reason, but waits for
 * the verdict first (ABANDONED) if a backend judges the secret: who hangs up guesses like any other.
 */
struct step login_client_gone(struct session *s, enum reason reason);

/* Ends the attempt of a session that ends. Does nothing if there is none. */
void login_end(struct session *s);

/* --- handlers ------------------------------------------------------------------------------------------------ */

/* QUEUED: asks again whether the secret may be sent, and goes on if it may; see waiting.h. */
struct step login_take_turn(struct session *s);

/* CONNECT: chooses the next backend and begins to dial it. */
struct step login_connect(struct session *s);
/* CONNECT: the connection is there, has failed, or has something to read. */
struct step login_dial(struct session *s);
/* CONNECT: epoll_ctl() has failed for the connection, mostly for lack of memory: libev has reported EV_ERROR. */
struct step login_watch_failed(struct session *s);
/* CONNECT: the time for an address, or for the whole dial, is over. */
struct step login_connect_expired(struct session *s);

/* BACKEND_LOGIN: sends the login, or after a CHALLENGE the client's response. */
struct step login_send(struct session *s);
/* BACKEND_LOGIN and ABANDONED: reads what the backend says. */
struct step login_read(struct session *s);
/* BACKEND_LOGIN and ABANDONED: the backend's login_timeout is over. */
struct step login_expired(struct session *s);

/* When the present phase of CONNECT ends, or BACKEND_LOGIN or ABANDONED. */
ev_tstamp login_deadline(const struct session *s);

#endif
