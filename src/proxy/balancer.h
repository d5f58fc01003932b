/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection from a load balancer, up to the end of its PROXY header, which has the address of the client. These are
 * the handlers of the state PROXY_HEADER: session.c calls them, and carries out the step that they return, see
 * session.h.
 */
#ifndef IMAPGUARD_PROXY_BALANCER_H
#define IMAPGUARD_PROXY_BALANCER_H

#include "proxy/session.h"

/*
 * The client can be read: reads the header. Once it is complete, sets the client's address, calls admission_connect(),
 * and goes to the first state of the session, to TARPIT, or ends the session. A malformed header ends it too.
 */
struct step balancer_read(struct session *s);

/* The deadline has passed: ends the session. */
struct step balancer_expired(struct session *s);

/* Returns the deadline in the time of loop_now(): limits.handshake_timeout after the start of the session. */
ev_tstamp balancer_deadline(const struct session *s);

#endif
