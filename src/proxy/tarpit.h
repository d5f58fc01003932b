/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients that a rule keeps waiting without an answer. At most 256 are kept in a worker: a tarpit must not use up the
 * descriptors of other clients. These are the handlers of the state TARPIT.
 */
#ifndef IMAPGUARD_PROXY_TARPIT_H
#define IMAPGUARD_PROXY_TARPIT_H

#include "proxy/session.h"

/* Keeps the session, and ends the oldest one when there are too many. */
struct step tarpit_enter(struct session *s);

/* Throws away what the client says. */
struct step tarpit_discard(struct session *s);

/* The session was kept for limits.login_timeout. */
struct step tarpit_expired(struct session *s);
ev_tstamp tarpit_deadline(const struct session *s);

/* Takes an ending session out of the tarpit, if it is there. */
void tarpit_leave(struct session *s);

#endif
