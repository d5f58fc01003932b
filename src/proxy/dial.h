/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connects to a backend and makes the connection ready for a login. A dial tries the addresses of the backend in order;
 * then come the PROXY header, TLS (implicit or by STARTTLS), the greeting, the capabilities and ID. Sessions dial for a
 * login, and the monitor dials to check the backend. A dial never has credentials. It discards the capabilities that
 * the backend sent before TLS.
 *
 * The caller owns the stream and the timer. After DIAL_MORE, it waits for EV_READ with stream_watch(), except while the
 * stream is connecting, and for dial_deadline(); it also checks stream_pending(). The dial reads and writes the stream.
 */
#ifndef IMAPGUARD_PROXY_DIAL_H
#define IMAPGUARD_PROXY_DIAL_H

#include "base/address.h"
#include "imap/capability.h"
#include "imap/response.h"
#include "net/proxy_header.h"
#include "net/stream.h"
#include "proxy/backend.h"
#include "proxy/fault.h"

enum dial_phase {
    DIAL_CONNECT,    /* waits for the connection to an address */
    DIAL_TLS,        /* waits for the end of the handshake */
    DIAL_GREETING,   /* waits for the first line of the backend */
    DIAL_STARTTLS,   /* waits for the answer to STARTTLS */
    DIAL_CAPABILITY, /* waits for the answer to CAPABILITY, before or after TLS */
    DIAL_ID,         /* waits for the answer to ID */
    DIAL_DONE,       /* a login can be sent */
};

/* The client that logs in. The caller keeps it valid until the dial has ended. All zero: the dial is a check. */
struct dial_client {
    struct proxy_header_client header; /* what a PROXY header tells of it */
    char session[24];                  /* header.id */
    struct span id;                    /* the arguments of its ID, as id_forward() writes them; empty: none */
};

struct dial {
    const struct backend *backend;
    const struct dial_client *client;
    struct loop *loop;
    stream_callback *callback; /* for stream_init(), for each address that is tried */
    void *data;                /* for stream_init() */
    struct endpoint endpoint;  /* as it was when the dial began */
    size_t address;            /* index of the next address to try */
    enum dial_phase phase;
    bool encrypted;
    bool listed_in_greeting; /* `able` is what the greeting listed */
    bool introduced;         /* see dial_has_introduced() */
    ev_tstamp began;         /* when the attempt at the present address began */
    ev_tstamp connected;     /* when the connection was made; 0: not yet */
    struct response_reader reader;
    unsigned lines; /* number of lines read from the backend */
    /* By what a login goes, also in a check: the list in the greeting, or without one the answer to CAPABILITY. */
    struct capabilities able;
    struct buffer list; /* the last list of the backend; a check has asked for it. With TLS, as it was after TLS. */

    enum fault fault; /* after DIAL_FAILED; before it, the fault of the addresses that were tried */
    char said[160];   /* after DIAL_FAILED: the explanation of the backend or of OpenSSL, terminated; "": none */
};

enum dial_result {
    DIAL_MORE,   /* the dial waits for an event of the stream or for its deadline */
    DIAL_READY,  /* a login can be sent on the stream; d->able and d->list are complete */
    DIAL_FAILED, /* see d->fault and d->said */
};

/*
 * Begins a dial in d, whose content before is replaced without being freed. `stream` is closed, or all zero; it becomes
 * the connection, with `callback` and `data` for its events. `backend`, `client` and `loop` must stay valid until
 * dial_clear(). After any result, the caller must call stream_close() and dial_clear() at the end.
 */
enum dial_result dial_begin(struct dial *d, const struct backend *backend, const struct dial_client *client,
                            struct stream *stream, struct loop *loop, stream_callback *callback, void *data);

/*
 * Returns true if the client's address or ID was sent to the backend: its responses may then depend on this client. Can
 * be called after any result of the dial.
 */
bool dial_has_introduced(const struct dial *d);

/*
 * Continues the dial after DIAL_MORE, when an event of the stream has arrived: the stream is connected, has failed to
 * connect, or can be read.
 */
enum dial_result dial_event(struct dial *d, struct stream *stream);

/* Returns the fault for a read of a backend's stream that returned `status`, neither STREAM_READY nor STREAM_AGAIN. */
enum fault dial_stream_fault(const struct stream *stream, enum stream_status status);

/* Returns the fault for an error of response_feed(): any result except RESPONSE_MORE and RESPONSE_LINE. */
enum fault dial_line_fault(enum response_result result);

/* Call it after EV_ERROR: the kernel cannot watch the stream. Returns DIAL_FAILED with FAULT_OUT_OF_MEMORY. */
enum dial_result dial_watch_failed(struct dial *d);

/*
 * Continues the dial after DIAL_MORE, when dial_deadline() has passed: tries the next address while it is connecting,
 * and fails otherwise.
 */
enum dial_result dial_expired(struct dial *d, struct stream *stream);

/*
 * Returns the deadline in the time of loop_now(): connect_timeout_ms for the connection to the present address; once it
 * is connected, login_timeout_ms for everything up to the answer to the login. Can also be called after DIAL_READY.
 */
ev_tstamp dial_deadline(const struct dial *d);

/* Frees what the dial owns; the stream stays as it is. d is all zero afterwards. d may be all zero before. */
void dial_clear(struct dial *d);

#endif
