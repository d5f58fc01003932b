/* SPDX-License-Identifier: BSD-2-Clause */
/* Room in a full house: idle connections must not keep out who wants to log in. */
#ifndef IMAPGUARD_PROXY_SHED_H
#define IMAPGUARD_PROXY_SHED_H

#include <stdbool.h>

#include "proxy/proxy.h"

/* Returns true if shed_idle() would find a session. */
bool shed_is_possible(const struct proxy *proxy);

/*
 * Frees sessions of this worker, with their descriptors: one in the tarpit, or of the client network that has the most
 * sessions which have not logged in and wait for their client or for a turn, the oldest ones, at most 16. Clients without
 * limits are spared. A network makes room for a client only if it has at least as many of these as the client's network
 * has other sessions: `sessions` includes the client. `spare` is not freed; it may be NULL. Returns false if there is no
 * such session.
 */
bool shed_idle(struct proxy *proxy, unsigned sessions, const struct session *spare);

#endif
