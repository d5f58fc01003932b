/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys of TLS session tickets (RFC 5077, RFC 8446 4.6.1), in memory that all processes share, so that a session of
 * one worker can be resumed in any other. The master creates and rotates the keys; workers read them.
 */
#ifndef IMAPGUARD_NET_TICKET_H
#define IMAPGUARD_NET_TICKET_H

#include <openssl/ssl.h>

#include "base/arena.h"

struct ticket_keys;

/*
 * Maps the keys in the arena and creates the first ones. Call it in the master, before the first fork. arena_fini()
 * wipes the keys; ticket_keys_free() frees the result, which the caller owns. Returns NULL if there is no memory or
 * OpenSSL has no random numbers.
 */
struct ticket_keys *ticket_keys_new(struct arena *arena);

/*
 * Frees the result of ticket_keys_new() in this process; does nothing if it is NULL. The keys stay in the arena. No
 * handshake may use them afterwards.
 */
void ticket_keys_free(struct ticket_keys *keys);

/*
 * Creates a new key for new tickets in all processes. Tickets of the key before it are still accepted, and replaced;
 * older ones are not accepted. Only the master may call it. Returns 0, or -1 with nothing changed if OpenSSL has no
 * random numbers.
 */
int ticket_keys_rotate(struct ticket_keys *keys);

/*
 * Makes the context encrypt and decrypt its tickets with these keys, which must outlive its handshakes. Returns 0, or
 * -1 if OpenSSL has no memory.
 */
int ticket_keys_use(struct ticket_keys *keys, SSL_CTX *ctx);

#endif
