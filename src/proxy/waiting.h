/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions whose guess must wait, because so many others of their network (or of their user there) are in flight that
 * the limit would be exceeded if all were wrong. They go on in the order in which they came, as soon as a verdict
 * leaves room.
 */
#ifndef IMAPGUARD_PROXY_WAITING_H
#define IMAPGUARD_PROXY_WAITING_H

#include "proxy/session.h"

/*
 * The handler that session.c calls when a session comes into QUEUED; nobody else calls it. The session, which must be
 * in no queue, becomes the last one. Always returns step_more().
 */
struct step waiting_enter(struct session *s);

/* Takes a session out of the queue. Does nothing if it is in none. */
void waiting_leave(struct session *s);

/* Asks the sessions in the queue in the next iteration of the loop, because a verdict may have left room. */
void waiting_hurry(struct proxy *proxy);

#endif
