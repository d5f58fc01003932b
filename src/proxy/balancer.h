/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection from a load balancer, up to the end of its PROXY header, which says from whom the connection really is.
 * These are the handlers of the state PROXY_HEADER.
 */
#ifndef IMAPGUARD_PROXY_BALANCER_H
#define IMAPGUARD_PROXY_BALANCER_H

#include "proxy/session.h"

/* Reads the header; once it is complete, asks for its client what is asked at connect. */
struct step balancer_read(struct session *s);

/* The header took longer than limits.handshake_timeout. */
struct step balancer_expired(struct session *s);
ev_tstamp balancer_deadline(const struct session *s);

#endif
