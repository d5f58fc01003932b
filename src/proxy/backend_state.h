/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all processes share about the backends, each part with one writer, so that a worker that was taken over can send
 * no other worker's logins elsewhere: the monitor publishes where backends are; every process has a column of its own
 * with its sessions at each backend, and whether it found the backend up.
 */
#ifndef IMAPGUARD_PROXY_BACKEND_STATE_H
#define IMAPGUARD_PROXY_BACKEND_STATE_H

#include "proxy/backend.h"
#include "proxy/fault.h"

/* Maps the shared state of b->count backends in the arena. Returns 0, or -1 with errno set when memory is short. */
int backends_map(struct backends *b, struct arena *arena);

/* In a child, before it uses a backend: from here on it writes to the column of that child. */
void backends_set_child(struct backends *b, unsigned child);

/* Sets where a backend is. Only one thread of the monitor does this for each backend, and the master at the start. */
void backend_publish_endpoint(struct backend *backend, const struct endpoint *endpoint);

/* Writes where the backend is to `out`, which is empty when that is not known. */
void backend_endpoint(const struct backend *backend, struct endpoint *out);

/*
 * Returns true unless the backend was down when a process looked last. Without checks in its options, a backend that was
 * down counts as up again after 10 s.
 */
bool backend_is_up(const struct backend *backend);

/* Returns true if some process has found the backend up or down. */
bool backend_is_known(const struct backend *backend);

/* Marks the backend up, and logs "backend-up" if it was not. */
void backend_mark_up(struct backend *backend);

/* Marks the backend down, and logs "backend-down" if it was not. `said` explains the fault, as in struct dial; or "". */
void backend_mark_down(struct backend *backend, enum fault fault, struct span said);

/*
 * Counts one session of this process more, to be given back by backend_release_session(). Returns false, with nothing
 * counted, when the backend has max_sessions over all workers, a number that is never exceeded.
 */
bool backend_reserve_session(const struct backend *backend);

/* Counts one session of this process less. */
void backend_release_session(const struct backend *backend);

#endif
