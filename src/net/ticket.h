/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys of TLS session tickets (RFC 5077, RFC 8446 4.6.1), in memory that all processes share, so that a
 * session that began in one worker resumes in any other. The master makes and rotates them; workers read.
 */
#ifndef IMAPGUARD_NET_TICKET_H
#define IMAPGUARD_NET_TICKET_H

#include <openssl/ssl.h>

#include "base/arena.h"

struct ticket_keys;

/*
 * Maps the keys in the arena, which wipes them at its end, and makes the first ones. NULL when memory or randomness is
 * short.
 */
struct ticket_keys *ticket_keys_new(struct arena *arena);

/* Frees what this process has besides the region. NULL is fine. */
void ticket_keys_free(struct ticket_keys *keys);

/*
 * Makes new tickets use a new key; tickets of the key before it are still taken, older ones are not.
 * 0, or -1 when randomness is short (then nothing changes). Master only.
 */
int ticket_keys_rotate(struct ticket_keys *keys);

/* Makes the context use these keys, which must outlive it. 0 or -1. */
int ticket_keys_use(struct ticket_keys *keys, SSL_CTX *ctx);

#endif
