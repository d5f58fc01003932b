/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies octets between client and backend after the login, and changes none of them. These are the handlers of the
 * states RELAY, DRAIN and ORPHAN: session.c calls them, and carries out the step that they return, see session.h.
 */
#ifndef IMAPGUARD_PROXY_RELAY_H
#define IMAPGUARD_PROXY_RELAY_H

#include "proxy/session.h"

/* RELAY begins: sends the queued answer to the login. The client has TLS, and both streams are open. */
struct step relay_begin(struct session *s);

/* RELAY: all octets for one side are sent. Goes to DRAIN if a write to either side has failed. */
struct step relay_flushed(struct session *s);

/* RELAY and DRAIN: the client can be read. Copies its octets to the backend; goes to DRAIN if it has ended. */
struct step relay_client(struct session *s);

/* RELAY and DRAIN: the backend can be read. Copies its octets to the client; goes to DRAIN if it has ended. */
struct step relay_backend(struct session *s);

/* DRAIN begins; otherwise as relay_drain(). */
struct step relay_drain_begin(struct session *s);

/*
 * In DRAIN all octets for one side are sent. If the backend has ended, ends the session or goes to ORPHAN once
 * its octets are sent to the client. If only the client has ended, its end is sent to the backend after its octets; if
 * its connection has failed, the session ends then.
 */
struct step relay_drain(struct session *s);

/* RELAY: the timer has fired. Ends the session, unless octets have moved and the deadline is later now. */
struct step relay_expired(struct session *s);

/* DRAIN: the same. */
struct step relay_drain_expired(struct session *s);

/* RELAY: returns the deadline in the time of loop_now(): limits.idle_timeout after octets have moved. */
ev_tstamp relay_deadline(const struct session *s);

/* DRAIN: returns the deadline in the time of loop_now(): 10 s after it began, or octets have moved. */
ev_tstamp relay_drain_deadline(const struct session *s);

/*
 * ORPHAN begins: the backend has ended many sessions at once. Closes the connection to it. Each of these sessions ends
 * at a time of its own within 5 s, or when its client sends something, so that the clients do not all come back at
 * once.
 */
struct step relay_orphan(struct session *s);

/* ORPHAN: the client can be read. Ends the session. */
struct step relay_orphan_client(struct session *s);

/* ORPHAN: the timer has fired. Ends the session if the deadline has passed. */
struct step relay_orphan_expired(struct session *s);

/* ORPHAN: returns the deadline in the time of loop_now(). */
ev_tstamp relay_orphan_deadline(const struct session *s);

#endif
