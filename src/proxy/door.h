/* SPDX-License-Identifier: BSD-2-Clause */
/* Between accept() and the first word: the PROXY header of a load balancer, and those who are held. */
#ifndef IMAPGUARD_PROXY_DOOR_H
#define IMAPGUARD_PROXY_DOOR_H

#include "proxy/session.h"

/* Where a client that was let in goes first. */
enum session_state door_first_state(const struct listener *listener);

/* Closes a connection that was refused; only the limit on sessions is told, and only before TLS. */
void door_refuse(int fd, const struct listener *listener, enum reason reason);

/* PROXY_HEADER: some of it has come. */
struct step door_header(struct session *s);
/* PROXY_HEADER: took too long. */
struct step door_header_expired(struct session *s);
ev_tstamp door_header_deadline(const struct session *s);

/* TARPIT: joins those who are held; when they are too many, the oldest goes. */
struct step door_hold(struct session *s);
/* TARPIT: what the client says is thrown away. */
struct step door_ignore(struct session *s);
/* TARPIT: was held for long enough. */
struct step door_hold_expired(struct session *s);
ev_tstamp door_hold_deadline(const struct session *s);

/* Takes a session off the list of those who are held, if it is on it. */
void door_release(struct session *s);

#endif
