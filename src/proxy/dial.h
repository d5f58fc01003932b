/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connects to a backend and makes the connection ready for a login: tries the backend's addresses in order, and then
 * goes through the PROXY header, TLS (implicit or by STARTTLS), the greeting, the capabilities and ID. Sessions dial for
 * a login, and the monitor dials to check the backend. A dial never has credentials. It forgets what the backend said
 * before TLS.
 *
 * The caller owns the stream, waits for its events, and keeps the timer; the dial reads and writes the stream.
 */
#ifndef IMAPGUARD_PROXY_DIAL_H
#define IMAPGUARD_PROXY_DIAL_H

#include "base/address.h"
#include "imap/capability.h"
#include "imap/response.h"
#include "net/stream.h"
#include "proxy/backend.h"
#include "proxy/fault.h"

enum dial_phase {
    DIAL_CONNECT,    /* waits for a connection to an address */
    DIAL_TLS,        /* ... for the end of the handshake */
    DIAL_GREETING,   /* ... for the backend's first line */
    DIAL_STARTTLS,   /* ... for the answer to STARTTLS */
    DIAL_CAPABILITY, /* ... to CAPABILITY, before or after TLS */
    DIAL_ID,         /* ... to ID */
    DIAL_DONE,
};

/* The client for whom the dial is. The caller keeps it valid as long as the dial; all zero: the dial is a check. */
struct dial_client {
    union address peer;  /* AF_UNSPEC: none */
    union address local; /* the address that the client connected to */
    struct span id;      /* its ID, as id_forward() gives it */
};

struct dial {
    const struct backend *backend;
    const struct dial_client *client;
    struct loop *loop;
    stream_callback *callback; /* of the stream, for each connection that is tried */
    void *data;
    struct endpoint endpoint; /* as it was when the dial began */
    size_t address;           /* index of the next address to try */
    enum dial_phase phase;
    bool encrypted;
    bool introduced;     /* see dial_has_introduced() */
    ev_tstamp began;     /* when the attempt at the present address began */
    ev_tstamp connected; /* when the connection was made; 0: not yet */
    struct response_reader reader;
    unsigned lines; /* read so far from the backend */
    struct capabilities able;
    struct buffer list; /* the backend's capability list; with TLS, the list that it gave after TLS */

    enum fault fault; /* after DIAL_FAILED; before it, the fault of the addresses that were tried */
    char said[160];   /* after DIAL_FAILED: the words of the backend or of OpenSSL that explain it; "" for none */
};

enum dial_result { DIAL_MORE, DIAL_READY, DIAL_FAILED };

/*
 * Begins a dial; `stream` is a closed stream and becomes the connection, with `callback` and `data` for its events.
 * Returns DIAL_MORE while the dial waits for an event, DIAL_READY when a login can be sent, or DIAL_FAILED with d->fault.
 */
enum dial_result dial_begin(struct dial *d, const struct backend *backend, const struct dial_client *client,
                            struct stream *stream, struct loop *loop, stream_callback *callback, void *data);

/* Returns true if the backend was told the client's address or ID, so that its answers may be for this client alone. */
bool dial_has_introduced(const struct dial *d);

/* Goes on after an event of the stream: it is connected, has failed to connect, or can be read. Returns as above. */
enum dial_result dial_event(struct dial *d, struct stream *stream);

/* Returns the fault of a backend's stream whose read gave `status`, which is neither STREAM_READY nor STREAM_AGAIN. */
enum fault dial_stream_fault(const struct stream *stream, enum stream_status status);

/* Returns the fault of a line of the backend's for which response_feed() gave an error. */
enum fault dial_line_fault(enum response_result result);

/* Ends a dial whose socket the kernel cannot watch for lack of memory. Returns DIAL_FAILED. */
enum dial_result dial_watch_failed(struct dial *d);

/* Goes on when the deadline has passed: tries the next address, or fails. Returns as above. */
enum dial_result dial_expired(struct dial *d, struct stream *stream);

/* Returns the deadline: of the present address (connect_timeout), then of all up to the answer to the login (login_timeout). */
ev_tstamp dial_deadline(const struct dial *d);

/* Frees what the dial owns; the stream stays as it is. All zero is a dial that owns nothing. */
void dial_clear(struct dial *d);

#endif
