/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The talk with a client before its login: RFC 9051 6.1 and 6.2, with STARTTLS enforced.
 * These are the handlers of the states CLEARTEXT, STARTTLS, HANDSHAKE and NOT_AUTHENTICATED, and the replies.
 */
#ifndef IMAPGUARD_PROXY_CLIENT_H
#define IMAPGUARD_PROXY_CLIENT_H

#include "proxy/session.h"

/* CLEARTEXT: greets. */
struct step client_greet(struct session *s);
/* CLEARTEXT and NOT_AUTHENTICATED: the client has said something. */
struct step client_talk(struct session *s);

/*
 * CONNECT to PENALTY: a client that leaves takes its login with it. What it says meanwhile is kept, a record
 * at most, and is read when the login is decided.
 */
struct step client_wait(struct session *s);

/* STARTTLS: goes on once the OK has left. */
struct step client_starttls(struct session *s);

/* CHALLENGE: the next line of the client answers the backend. */
struct step client_challenged(struct session *s);
/* CHALLENGE: took too long. */
struct step client_challenge_expired(struct session *s);

/* HANDSHAKE: the next flight of the client. */
struct step client_handshake(struct session *s);
/* HANDSHAKE: took too long. */
struct step client_handshake_expired(struct session *s);
ev_tstamp client_handshake_deadline(const struct session *s);

/* Why a client's stream has ended. */
enum reason client_end(const struct stream *client);

/* Queues a line: `tag` (empty: "*"), a blank, and the text. 0, or -1 when memory is short. */
int client_reply(struct session *s, struct span tag, const char *text);

/* Queues "* BYE" with what the reason tells the client, where that may still be said. */
void client_bye(struct session *s, enum reason reason);

#endif
