/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The login upstream: the choice of a backend, the dial, the credentials, the answer. A credential is sent only here,
 * only after the client has sent it over TLS, and never twice to one backend. A backend that fails is passed over for
 * the next of the route, without the client noticing; when none is left, what is not the user's fault ends in
 * NO [UNAVAILABLE] (RFC 5530), and the session may try again.
 *
 * These are the handlers of the states CONNECT, BACKEND_LOGIN and PENALTY, and the backend's part of CHALLENGE.
 */
#ifndef IMAPGUARD_PROXY_UPSTREAM_H
#define IMAPGUARD_PROXY_UPSTREAM_H

#include "proxy/session.h"

/* CONNECT: chooses the next backend for the attempt and begins to dial it. */
struct step upstream_connect(struct session *s);
/* CONNECT: the connection is there, has failed, or the backend has said something. */
struct step upstream_dial(struct session *s);
/* CONNECT: the kernel cannot watch the connection. */
struct step upstream_watch_failed(struct session *s);
/* CONNECT: took too long. */
struct step upstream_connect_expired(struct session *s);

/* BACKEND_LOGIN: sends the login, unless that was done before a CHALLENGE. */
struct step upstream_login(struct session *s);
/* BACKEND_LOGIN: the backend has said something. */
struct step upstream_answer(struct session *s);
/* BACKEND_LOGIN, and in the end CHALLENGE: took too long. */
struct step upstream_login_expired(struct session *s);

/* CHALLENGE: the client's response, which may pass, goes to the backend as it is. */
struct step upstream_respond(struct session *s, struct span response);

/* PENALTY: the delay is over, the refusal goes out. */
struct step upstream_penalty_over(struct session *s);

/* When CONNECT, BACKEND_LOGIN and CHALLENGE, and PENALTY have to end. */
ev_tstamp upstream_deadline(const struct session *s);
ev_tstamp upstream_penalty_deadline(const struct session *s);

/* Closes the connection to the backend, where it is counted no more. */
void upstream_disconnect(struct session *s);

#endif
