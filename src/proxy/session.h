/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session: a client, after its login a backend, and a state. The states are the rows of one table in session.c.
 * Handlers return a step; only session.c changes the state of a session, and only session.c frees it.
 */
#ifndef IMAPGUARD_PROXY_SESSION_H
#define IMAPGUARD_PROXY_SESSION_H

#include <ev.h>

#include "imap/lexer.h"
#include "imap/sasl.h"
#include "net/stream.h"
#include "proxy/connection.h"
#include "proxy/proxy.h"
#include "proxy/reason.h"

enum session_state {
    STATE_NEW,
    STATE_PROXY_HEADER, /* reads the header of a load balancer */
    STATE_TARPIT,       /* refused, and kept waiting without an answer */
    STATE_CLEARTEXT,    /* the dialogue before TLS */
    STATE_STARTTLS,     /* sends the OK to STARTTLS */
    STATE_HANDSHAKE,
    STATE_NOT_AUTHENTICATED, /* the dialogue between TLS and login (RFC 9051 3.1) */
    STATE_QUEUED,            /* waits to be allowed to guess, or for a place to be challenged, see guess.h */
    STATE_CONNECT,           /* chooses a backend and dials it */
    STATE_BACKEND_LOGIN,     /* waits for the backend's answer to the login */
    STATE_CHALLENGE,         /* waits for the client's response to a challenge of the backend's */
    STATE_ABANDONED,         /* the client has gone: waits for the verdict on its guess */
    STATE_PENALTY,           /* delays the answer to a login that failed */
    STATE_RELAY,
    STATE_DRAIN,  /* one side has ended: sends the other what is left */
    STATE_ORPHAN, /* the backend has ended many sessions at once: delays the end of this one */
    STATE_LINGER, /* sends BYE and close_notify */
    STATE_DEAD,
    STATE_COUNT
};

enum side { SIDE_CLIENT = 1, SIDE_BACKEND = 2 };

/* What a handler asks session.c to do; returned by the three functions below. */
struct step {
    enum { STEP_MORE, STEP_GO, STEP_END } kind;
    enum session_state state; /* STEP_GO */
    enum reason reason;       /* STEP_END */
};

/* Stays in the state and waits for the next event. */
struct step step_more(void);
/* Goes to that state; the present state's row must allow it. */
struct step step_go(enum session_state state);
/* Ends the session for that reason. */
struct step step_end(enum reason reason);

struct attempt; /* a login in progress, see attempt.h */

struct session {
    struct proxy *proxy;
    LIST_ENTRY(session) entry;          /* in proxy->sessions */
    TAILQ_ENTRY(session) tarpit_entry;  /* TARPIT: in proxy->tarpit */
    TAILQ_ENTRY(session) waiting_entry; /* QUEUED: in proxy->waiting */
    struct connection connection;
    struct proxy_header *proxy_header; /* PROXY_HEADER: what was read of it */

    enum session_state state;
    enum reason reason;    /* why the session ends; valid once it does */
    int error;             /* errno of what failed on one of its sockets, for the log; 0: nothing */
    struct ev_timer timer; /* the state's deadline */
    struct loop_task again;
    ev_tstamp started;
    ev_tstamp active; /* when octets last moved in RELAY and DRAIN; when ORPHAN began */
    ev_tstamp ended;  /* when DRAIN began: one side has ended */

    struct stream client_stream;
    struct stream backend_stream;

    /* The dialogue with the client, up to the relay. */
    struct lexer lexer;
    struct sasl sasl;        /* an AUTHENTICATE that waits for a response */
    struct attempt *attempt; /* from LOGIN or AUTHENTICATE to its answer */
    unsigned bad_commands;
    unsigned failed_logins;
    unsigned delay_level;    /* those of them that made the delay longer: not with a password that was wrong before */
    bool wrong_at_backend;   /* a backend has rejected that login, and would do so again */
    uint64_t wrong_password; /* admission_password_hash() of the last login that was rejected; 0: none */
    char *client_name;       /* from ID after TLS; for the log */
    struct buffer client_id; /* all of it, if a backend is sent the client's ID */
    struct backend *backend; /* has this session reserved; NULL: none */

    /* Of the last login that was decided. */
    char *user;
    const char *method;
    bool shutdown_sent; /* DRAIN: the end of the client's side was sent to the backend */
};

/* Returns the first state of a client that was let in: CLEARTEXT or HANDSHAKE. */
enum session_state session_first_state(const struct listener *listener);

/* Returns the moment `ms` milliseconds after `from`. */
ev_tstamp session_after(ev_tstamp from, uint32_t ms);

/* Returns the time at the beginning of the loop's present iteration, see loop_now(). */
ev_tstamp session_now(const struct session *s);

/* Returns true if the client has not logged in, and the session still waits for that. */
bool session_is_before_login(const struct session *s);

/* Tells the client why, as far as it takes that at once, and frees s. Never call it from one of s's own handlers. */
void session_drop(struct session *s, enum reason reason);

/* Ends s and may free it. Never call it from one of s's own handlers: they return step_end(). */
void session_end(struct session *s, enum reason reason);

/*
 * Asks whether a session in QUEUED may go on now, and lets it. Returns true if it still waits; otherwise it may be
 * freed.
 */
bool session_retry(struct session *s);

/* Closes the connection to the backend, which counts the session no more. Does nothing if there is none. */
void session_leave_backend(struct session *s);

/* The callback of both streams. */
stream_callback session_event;

#endif
