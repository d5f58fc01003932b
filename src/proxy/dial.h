/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a connection to a backend that one can log in to: its addresses one after the other, the PROXY header, TLS
 * (implicit or by STARTTLS), the greeting, the capabilities, ID. Sessions do it for a login, and the monitor to see
 * whether it can be done. No credential comes near it. Nothing that a backend says before TLS is believed after it.
 *
 * The stream is the caller's, and so are its events and the timer; a dial reads and writes it, and says what for.
 */
#ifndef IMAPGUARD_PROXY_DIAL_H
#define IMAPGUARD_PROXY_DIAL_H

#include "base/address.h"
#include "imap/response.h"
#include "imap/capability.h"
#include "net/stream.h"
#include "proxy/backend.h"
#include "proxy/fault.h"

enum dial_phase {
    DIAL_CONNECT,    /* to an address */
    DIAL_TLS,        /* the handshake */
    DIAL_GREETING,   /* the backend's first line */
    DIAL_STARTTLS,   /* what it says to STARTTLS */
    DIAL_CAPABILITY, /* ... to CAPABILITY, before or after TLS */
    DIAL_ID,         /* ... to ID */
    DIAL_DONE,
};

/* For whom: all of it may be empty. Valid as long as the dial. */
struct dial_client {
    union address peer;  /* AF_UNSPEC: for ourselves */
    union address local; /* where the client came in */
    struct span id;      /* its ID, as id_forward() gives it */
};

struct dial {
    const struct backend *backend;
    const struct dial_client *client;
    struct loop *loop;
    stream_callback *callback; /* for the events of each connection that is tried */
    void *data;
    struct endpoint endpoint; /* as it was when the dial began */
    size_t address;           /* the next to try */
    enum dial_phase phase;
    bool encrypted;
    ev_tstamp began;          /* with the address that is tried now */
    ev_tstamp connected;      /* 0: not yet */
    struct response_reader reader;
    unsigned lines;           /* read so far */
    struct capabilities able;
    struct buffer list;       /* of its capabilities, after TLS where there is TLS */

    enum fault fault;  /* after DIAL_FAILED; before it, the fault of the addresses that were tried */
    char said[160];    /* after DIAL_FAILED: the words of the backend or of OpenSSL that explain it; "" for none */
};

enum dial_result { DIAL_MORE, DIAL_READY, DIAL_FAILED };

/* Begins; `stream` is closed and becomes the connection, with `callback` and `data` for its events. */
enum dial_result dial_begin(struct dial *d, const struct backend *backend, const struct dial_client *client,
                            struct stream *stream, struct loop *loop, stream_callback *callback, void *data);

/* The stream is connected, has failed to, or has something to read. */
enum dial_result dial_event(struct dial *d, struct stream *stream);

/* Returns the fault of a backend's stream whose read gave `status`, which is neither STREAM_READY nor STREAM_AGAIN. */
enum fault dial_stream_fault(const struct stream *stream, enum stream_status status);

/* Returns the fault of a line of the backend's for which response_feed() gave an error. */
enum fault dial_line_fault(enum response_result result);

/* The connection cannot be watched, for want of memory in the kernel: DIAL_FAILED. */
enum dial_result dial_watch_failed(struct dial *d);

/* The time is over: another address is tried, or it has failed. */
enum dial_result dial_expired(struct dial *d, struct stream *stream);

/* When the time is over: for the address that is tried, then for all that is said up to the answer to the login. */
ev_tstamp dial_deadline(const struct dial *d);

/* Gives back what it holds, not the stream. All zero is a dial that holds nothing. */
void dial_clear(struct dial *d);

#endif
