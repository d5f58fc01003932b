/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The talk upstream: connecting to the legacy server, reading its greeting and capabilities, logging in.
 * A credential is sent only here, and only after the client has sent it over TLS. Whatever goes wrong that
 * is not the user's fault ends in NO [UNAVAILABLE] (RFC 5530), and the session may try again.
 *
 * These are the handlers of the states CONNECT, GREETING, BACKEND_LOGIN and PENALTY.
 */
#ifndef IMAPGUARD_PROXY_UPSTREAM_H
#define IMAPGUARD_PROXY_UPSTREAM_H

#include "proxy/session.h"

/* CONNECT: begins to connect to the attempt's next address. */
struct step upstream_connect(struct session *s);
/* CONNECT: the connection is there, or has failed. */
struct step upstream_connected(struct session *s);
/* CONNECT: took too long. */
struct step upstream_connect_expired(struct session *s);

/* GREETING and BACKEND_LOGIN: the backend has said something. */
struct step upstream_greeting(struct session *s);
struct step upstream_answer(struct session *s);
/* BACKEND_LOGIN: sends the login. */
struct step upstream_login(struct session *s);
/* GREETING and BACKEND_LOGIN: took too long. */
struct step upstream_expired(struct session *s);

/* PENALTY: the delay is over, the refusal goes out. */
struct step upstream_penalty_over(struct session *s);

/* When CONNECT, GREETING and BACKEND_LOGIN, and PENALTY have to end. */
ev_tstamp upstream_connect_deadline(const struct session *s);
ev_tstamp upstream_login_deadline(const struct session *s);
ev_tstamp upstream_penalty_deadline(const struct session *s);

#endif
