/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * After the login: bytes are copied and none is touched. One direction is one function, called with the side
 * that it reads. These are the handlers of the states RELAY and DRAIN.
 */
#ifndef IMAPGUARD_PROXY_RELAY_H
#define IMAPGUARD_PROXY_RELAY_H

#include "proxy/session.h"

/* RELAY: sends the answer to the login on its way. */
struct step relay_begin(struct session *s);

/* RELAY: a side has taken all that waited for it, or will never take it: then to DRAIN. */
struct step relay_flushed(struct session *s);

/* RELAY and DRAIN: copies what one side has said to the other, until one of them blocks or ends. */
struct step relay_client(struct session *s);
struct step relay_backend(struct session *s);

/* DRAIN: looks, whenever one side has taken all, whether anything is left to wait for. */
struct step relay_drain(struct session *s);

/* RELAY and DRAIN: the time is up, unless something moved meanwhile. */
struct step relay_expired(struct session *s);
struct step relay_drain_expired(struct session *s);
ev_tstamp relay_deadline(const struct session *s);
ev_tstamp relay_drain_deadline(const struct session *s);

/* ORPHAN: nothing is left to relay, and the client is let go a little later than others. */
struct step relay_orphan(struct session *s);
struct step relay_orphan_client(struct session *s);
struct step relay_orphan_expired(struct session *s);
ev_tstamp relay_orphan_deadline(const struct session *s);

#endif
