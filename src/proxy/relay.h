/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies octets between client and backend after the login, and changes none of them. The handlers of the states RELAY,
 * DRAIN and ORPHAN.
 */
#ifndef IMAPGUARD_PROXY_RELAY_H
#define IMAPGUARD_PROXY_RELAY_H

#include "proxy/session.h"

/* RELAY: sends the answer to the login. */
struct step relay_begin(struct session *s);

/* RELAY: one side has taken all that was queued for it; goes to DRAIN if a write to either side has failed. */
struct step relay_flushed(struct session *s);

/* RELAY and DRAIN: copies from the named side to the other until one of them blocks or ends. */
struct step relay_client(struct session *s);
struct step relay_backend(struct session *s);

/* DRAIN: one side has taken all that was queued for it; ends the session if nothing is left to send. */
struct step relay_drain(struct session *s);

/* RELAY and DRAIN: the deadline has passed; ends the session unless octets have moved since the timer was set. */
struct step relay_expired(struct session *s);
struct step relay_drain_expired(struct session *s);
ev_tstamp relay_deadline(const struct session *s);
ev_tstamp relay_drain_deadline(const struct session *s);

/*
 * ORPHAN: the backend has ended many sessions at once. Each is ended at a moment of its own within 5 s, or when its client
 * says something, so that the clients do not all come back together.
 */
struct step relay_orphan(struct session *s);
struct step relay_orphan_client(struct session *s);
struct step relay_orphan_expired(struct session *s);
ev_tstamp relay_orphan_deadline(const struct session *s);

#endif
