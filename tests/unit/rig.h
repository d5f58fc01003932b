/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One session between a client and a backend that a test plays: all three in one thread, a round of the loop at a
 * time. What is said and what must be heard is written as a dialogue, one line for each step:
 *
 *   > TEXT    the client says TEXT and CRLF         < TEXT    the client hears exactly this line
 *   >~ TEXT   ... and no CRLF                       .         the client hears the end
 *   T         TLS: the handshake must succeed       c.        the client closes its side
 *   B         the backend gets a connection         c!        the client resets the connection
 *   b< TEXT   the backend says TEXT and CRLF        b> TEXT   the backend hears exactly this line
 *   b<~ TEXT  ... and no CRLF                       b.        the backend closes
 *   bend      the backend hears the end
 *   b0        no byte and no connection ever reached the backend
 *   idle      the session waits and owns no buffer
 *   log TEXT  the log has TEXT by now               nolog TEXT it has not
 *
 * In TEXT stand \r, \n, \\ and \xHH for what they stand for in C. At the end nothing may be left that was heard and
 * not expected, and the log may hold no PASSWORD and no internal-error.
 */
#ifndef IMAPGUARD_UNIT_RIG_H
#define IMAPGUARD_UNIT_RIG_H

#include "base/buffer.h"
#include "pki.h"
#include "proxy/session.h"
#include "support.h"

/* The password of every dialogue, and AUTHENTICATE PLAIN's message with it for the user "joe". */
#define PASSWORD "sEkReT1"
#define PLAIN_JOE "AGpvZQBzRWtSZVQx"

/* How octets are put on the wire. */
enum pace { WHOLE, TRICKLE, PACES };

struct rig {
    struct loop loop;
    struct arena *arena;
    struct generation generation;
    struct proxy proxy;
    struct tls_options tls_options;
    struct limits limits;                   /* short ones; a test may change them before rig_connect() */
    struct backend_options backend_options; /* of the only one, whose checks are nobody's business */
    struct option_list backend_list;
    struct option_list routes, capabilities; /* none */
    struct listener_options listener_options;
    struct listener listener;
    struct rule_options *rules;             /* a test may set them before rig_connect(), and keeps them */
    size_t rule_count;
    const char *peer;                       /* the client's address; NULL: 192.0.2.7 */
    struct activity activity;
    bool crowded; /* only the places are left that are kept */
    bool shared_address_logged;
    enum pace pace;
    unsigned ended;      /* sessions */

    int client;          /* -1 once closed */
    SSL *ssl;            /* NULL before TLS */
    bool client_deaf;    /* does not read */
    bool client_end;     /* heard the end */
    struct buffer heard;

    int door;            /* listens; -1: nobody does */
    int upstream;        /* the backend's end, -1: none */
    bool backend_deaf;
    bool backend_end;
    unsigned connections;
    uint64_t recorded;   /* octets that the backend ever got */
    struct buffer backend_heard;
    size_t most_kept;    /* the longest `out` of either stream after any round in RELAY or DRAIN */
};

/* Makes everything but the connection. rig_over() is to be called at the end. */
void rig_init(struct rig *r, enum listener_tls tls, enum pace pace);

/* Ends the session and checks what must be true of every dialogue. */
void rig_over(struct rig *r);

/* Makes the backends of the options, as rig_connect() does otherwise. */
void rig_set_backends(struct rig *r);

/* Makes rules and limits of what the test has set; rig_connect() does it for the first client. */
void rig_set_policy(struct rig *r);

/* A client comes in. */
void rig_connect(struct rig *r);

/* One round of the loop; both ends read what there is. */
void rig_round(struct rig *r);

/* Rounds until `done` says so; false when it does not within three seconds. */
bool rig_until(struct rig *r, bool (*done)(const struct rig *r));

/* Rounds until nothing happens any more. */
void rig_settle(struct rig *r);

/* The client, or the backend, sends all of these octets. */
void rig_client_says(struct rig *r, const void *bytes, size_t len);
void rig_backend_says(struct rig *r, const void *bytes, size_t len);

/* Plays a dialogue; `name` for the message when it goes otherwise. */
void rig_play(struct rig *r, const char *name, const char *dialogue);

/* The one session, or NULL when it has ended. */
const struct session *rig_session(const struct rig *r);

/* What the log holds. */
const char *rig_log(void);

/* A dialogue and how to play it: in every pace unless `whole_only`. */
struct dialogue {
    const char *name;
    enum listener_tls tls;
    const char *text;
    bool whole_only;
};

void rig_play_all(const struct dialogue *rows, size_t count);

#endif
