/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of the backends that all processes share. Each part has one writer, so that a compromised worker cannot
 * send the logins of another worker elsewhere: the monitor publishes the endpoints of the backends, and every child has
 * a column of its own with its sessions at each backend and its latest finding, up or down.
 */
#ifndef IMAPGUARD_PROXY_BACKEND_STATE_H
#define IMAPGUARD_PROXY_BACKEND_STATE_H

#include "proxy/backend.h"
#include "proxy/fault.h"

/*
 * Maps the shared state of b->count backends in the arena; called by backends_new(). b must stay at its address.
 * Returns 0, or -1 with errno set if there is no memory.
 */
int backends_map(struct backends *b, struct arena *arena);

/*
 * Sets the column that this process writes to: that of child number `child`. Call it in a child, before it reserves a
 * session or marks a backend up or down.
 */
void backends_set_child(struct backends *b, unsigned child);

/*
 * Sets the endpoint of a backend. If its address is a name, the endpoint is published to all processes: only the master
 * before the first fork, and one thread of the monitor for each backend, may call it. Otherwise it is set in this
 * process.
 */
void backend_publish_endpoint(struct backend *backend, const struct endpoint *endpoint);

/* Copies the endpoint of the backend to `out`; out->count is 0 if it is unknown. */
void backend_endpoint(const struct backend *backend, struct endpoint *out);

/*
 * Returns false if the latest finding of all processes is that the backend is down, otherwise true. Without checks in
 * the options of the backend, a finding counts for 10 s only.
 */
bool backend_is_up(const struct backend *backend);

/*
 * Returns true if the monitor's checks have found each backend down, and nobody has found one up since. False if a
 * backend is not checked: only a login finds out then when it is up again.
 */
bool backends_are_down(const struct backends *b);

/* Returns true if some process has found the backend up or down. */
bool backend_is_known(const struct backend *backend);

/*
 * Marks the backend up in the column of this process. Logs "backend-up" if the latest finding was another one or none.
 */
void backend_mark_up(struct backend *backend);

/*
 * Marks the backend down in the column of this process. Logs "backend-down" with the fault if the latest finding was
 * another one or none. `said` is logged as the explanation, see struct dial; it may be empty, and is quoted.
 */
void backend_mark_down(struct backend *backend, enum fault fault, struct span said);

/*
 * Counts a session of this process at the backend, which backend_release_session() must release. Returns true, or false
 * with nothing counted if there would be more than max_sessions in all workers together. The limit is never exceeded;
 * of two workers that want the last session, both may fail. The last tenth of max_sessions is kept for client networks
 * that have no session: `has_others` is true for another one.
 */
bool backend_reserve_session(const struct backend *backend, bool has_others);

/* Releases a session for which backend_reserve_session() has returned true. */
void backend_release_session(const struct backend *backend);

#endif
