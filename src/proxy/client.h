/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dialogue with a client before its login: the commands of RFC 9051 6.1 and 6.2, with TLS enforced. The handlers of
 * the states CLEARTEXT, STARTTLS, HANDSHAKE and NOT_AUTHENTICATED, the client's part of CHALLENGE, and the replies.
 */
#ifndef IMAPGUARD_PROXY_CLIENT_H
#define IMAPGUARD_PROXY_CLIENT_H

#include "proxy/session.h"

/* CLEARTEXT: queues the greeting. */
struct step client_greet(struct session *s);
/* CLEARTEXT, NOT_AUTHENTICATED and CHALLENGE: reads what the client says and runs its commands. */
struct step client_talk(struct session *s);

/*
 * CONNECT, BACKEND_LOGIN and PENALTY: keeps what the client says, at most one record of TLS, until the login is
 * decided. Ends the session if the client has closed.
 */
struct step client_wait(struct session *s);

/* STARTTLS: begins the handshake once the kernel has taken the OK. Called on entering, and after each flush. */
struct step client_starttls(struct session *s);

/* CHALLENGE: takes the client's next line as its response to the backend. */
struct step client_challenged(struct session *s);
/* CHALLENGE: limits.challenge_timeout is over. */
struct step client_challenge_expired(struct session *s);
/* When CHALLENGE ends, if it begins now. Called once, on entering it. */
ev_tstamp client_challenge_deadline(const struct session *s);

/* HANDSHAKE: goes on with the handshake. */
struct step client_handshake(struct session *s);
/* HANDSHAKE: limits.handshake_timeout is over. */
struct step client_handshake_expired(struct session *s);
/* When HANDSHAKE ends, if it begins now. Called once, on entering it. */
ev_tstamp client_handshake_deadline(const struct session *s);

/* Returns why the client's stream has ended; its `end` is not STREAM_READY. */
enum reason client_end(const struct stream *client);

/*
 * Queues a line for the client: the tag (empty: "*"), a space, the text and CRLF. Returns 0, or -1 when memory is
 * short: the session must end, because its client waits for an answer.
 */
int client_reply(struct session *s, struct span tag, const char *text);

/* Queues "* BYE" with the text of the reason. Does nothing if the reason has none, or the client could not read it. */
void client_bye(struct session *s, enum reason reason);

#endif
