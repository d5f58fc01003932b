/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session: a client, later a backend, and the state that says what may happen next. The states are the
 * rows of one table in session.c. Handlers return a step; they never free and never move the session
 * themselves: session.c alone does both.
 */
#ifndef IMAPGUARD_PROXY_SESSION_H
#define IMAPGUARD_PROXY_SESSION_H

#include <ev.h>

#include "imap/lexer.h"
#include "imap/sasl.h"
#include "net/stream.h"
#include "proxy/proxy.h"
#include "proxy/reason.h"
#include "proxy/connection.h"

enum session_state {
    STATE_NEW,
    STATE_PROXY_HEADER,  /* a load balancer tells whom the connection is from */
    STATE_TARPIT,        /* refused, and held without a word */
    STATE_CLEARTEXT,     /* the talk before TLS */
    STATE_STARTTLS,      /* the OK to STARTTLS is on its way */
    STATE_HANDSHAKE,
    STATE_NOT_AUTHENTICATED, /* the talk between TLS and login (RFC 9051 3.1) */
    STATE_CONNECT,       /* a backend is chosen, and made ready for the login */
    STATE_BACKEND_LOGIN, /* the login was sent to the backend */
    STATE_CHALLENGE,     /* the backend has asked the client something */
    STATE_PENALTY,       /* the delay before a refusal */
    STATE_RELAY,
    STATE_DRAIN,         /* one side has ended: what is left goes to the other */
    STATE_ORPHAN,        /* the backend died with many sessions: they do not all end in the same moment */
    STATE_LINGER,        /* the goodbye is on its way */
    STATE_DEAD,
    STATE_COUNT
};

enum side { SIDE_CLIENT = 1, SIDE_BACKEND = 2 };

/* What a handler wants to happen: made by the three functions below. */
struct step {
    enum { STEP_MORE, STEP_GO, STEP_END } kind;
    enum session_state state; /* STEP_GO */
    enum reason reason;       /* STEP_END */
};

/* Stay and wait for the next event. */
struct step step_more(void);
/* Go to that state, which the table must allow. */
struct step step_go(enum session_state state);
/* End the session. */
struct step step_end(enum reason reason);

struct attempt; /* a login on its way, see attempt.h */

struct session {
    struct proxy *proxy;
    LIST_ENTRY(session) entry;         /* in proxy->sessions */
    TAILQ_ENTRY(session) tarpit_entry; /* TARPIT: in proxy->tarpit */
    struct connection connection;
    struct proxy_header *proxy_header; /* PROXY_HEADER: as far as it has come */

    enum session_state state;
    enum reason reason;   /* once it ends, or is to end */
    int error;            /* errno of what failed on one of its sockets, for the log; 0: nothing */
    struct ev_timer timer; /* the state's deadline */
    struct loop_task again;
    ev_tstamp started;
    ev_tstamp active;      /* when octets last moved in RELAY and DRAIN; when ORPHAN began */

    struct stream client_stream;
    struct stream backend_stream;

    /* The talk with the client, up to the relay. */
    struct lexer lexer;
    struct sasl sasl;        /* an AUTHENTICATE that waits for a response */
    struct attempt *attempt; /* from LOGIN or AUTHENTICATE to its answer */
    unsigned bad_commands;
    unsigned failed_logins;
    char *client_name;       /* from ID after TLS; for the log */
    struct buffer client_id; /* the whole of it, where a backend is to have it */
    struct backend *backend;  /* counted there; NULL: none */

    /* After a login. */
    char *user;
    const char *method;
    bool shutdown_sent; /* DRAIN: the backend knows that the client has ended */
};

/* The state of a client that was let in. */
enum session_state session_first_state(const struct listener *listener);

/* The moment `ms` milliseconds after `from`. */
ev_tstamp session_after(ev_tstamp from, uint32_t ms);

/* The time of the current round of the loop. */
ev_tstamp session_now(const struct session *s);

/* Ends a session, of which it may be the last that is heard: never the one whose handler runs. */
void session_end(struct session *s, enum reason reason);

/* Closes the connection to the backend, which counts the session no more. Does nothing if there is none. */
void session_leave_backend(struct session *s);

/* The callback of both streams. */
stream_callback session_event;

#endif
