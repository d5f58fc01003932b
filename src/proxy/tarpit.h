/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients that a rule keeps waiting without an answer. A worker keeps 256 of them at most, because the tarpit must not
 * use up the descriptors of other clients. These are the handlers of the state TARPIT: session.c calls them, and
 * carries out the step that they return, see session.h.
 */
#ifndef IMAPGUARD_PROXY_TARPIT_H
#define IMAPGUARD_PROXY_TARPIT_H

#include "proxy/session.h"

/* The session enters the state: adds it to the tarpit, and ends the oldest session there if there are too many. */
struct step tarpit_enter(struct session *s);

/* The client can be read: discards its octets. Ends the session if the client has closed the connection. */
struct step tarpit_discard(struct session *s);

/* The deadline has passed: ends the session. */
struct step tarpit_expired(struct session *s);

/* Returns the deadline in the time of loop_now(): limits.login_timeout after the start of the session. */
ev_tstamp tarpit_deadline(const struct session *s);

/* Removes a session that ends from the tarpit. Does nothing if it is not there. */
void tarpit_leave(struct session *s);

#endif
