/* SPDX-License-Identifier: BSD-2-Clause */
/* Room in a full house: idle connections must not keep out who wants to log in. */
#ifndef IMAPGUARD_PROXY_SHED_H
#define IMAPGUARD_PROXY_SHED_H

#include <stdbool.h>

#include "proxy/proxy.h"

/* Returns true if shed_idle() would find a session. */
bool shed_is_possible(const struct proxy *proxy);

/* Frees the oldest session in the tarpit. Returns false if there is none. */
bool shed_tarpit(struct proxy *proxy);

/*
 * Frees sessions of this worker, with their descriptors, for the client `conn`; NULL: for nobody in particular. They are
 * one in the tarpit; or of the client network that has the most sessions which have not logged in and wait for their
 * client, for a turn or for a delay, the oldest ones, at most 16; but if that network has fewer of these than the client's network has
 * other sessions, they are those of the client's own network (a site counts as one). Clients without limits are spared, and so is `spare`, which
 * may be NULL. Returns false if there is no such session.
 */
bool shed_idle(struct proxy *proxy, const struct connection *conn, const struct session *spare);

#endif
