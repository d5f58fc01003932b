/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection to a client or a backend: a non-blocking socket with its watcher, with or without TLS. A stream owns its
 * descriptor, its TLS state and its buffers. An empty buffer uses no memory.
 *
 * Without TLS, the stream never reads more from the kernel than the caller consumes. Octets that a peer sends after
 * STARTTLS therefore stay in the socket: they cannot be taken for octets that arrived under TLS.
 */
#ifndef IMAPGUARD_NET_STREAM_H
#define IMAPGUARD_NET_STREAM_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/span.h"
#include "net/loop.h"

enum stream_status {
    STREAM_READY,
    STREAM_AGAIN,   /* would block: wait for an event */
    STREAM_END,     /* the peer has closed its side, with or without close_notify, and all octets are read */
    STREAM_RESET,   /* the connection is broken, or there is no memory; see read_error and write_error */
    STREAM_FAILED,  /* TLS failed: the cause is in OpenSSL's error queue */
    STREAM_FLOODED, /* the peer has exceeded STREAM_CONTROL_MAX */
};

/*
 * The number of TLS messages and alerts that a peer may send in a handshake; a normal handshake has less than ten.
 * After the handshake, the number of messages and alerts (KeyUpdate, NewSessionTicket, a refused ClientHello) that a
 * peer may send in excess of its records with application data.
 */
enum { STREAM_CONTROL_MAX = 32 };

struct stream {
    struct ev_io io;
    struct loop *loop;
    SSL *tls;                  /* NULL without TLS */
    struct buffer in;          /* decrypted octets that the caller has not consumed */
    struct buffer queued;      /* octets of stream_queue(), for the next flush */
    struct buffer out;         /* octets that the kernel has not accepted yet; encrypted under TLS */
    struct span peeked;        /* the result of the last stream_peek() */
    uint64_t received;         /* number of octets that the caller has consumed */
    uint64_t sent;             /* number of octets accepted from the caller */
    unsigned budget_iteration; /* the iteration of the loop in which read_budget was set */
    uint32_t read_budget;      /* octets of TLS that may still be read in that iteration */
    enum stream_status end;    /* how reading ended; STREAM_READY if it has not ended */
    int write_error;   /* errno of the failed write, after which all sent octets are discarded; 0: none failed */
    int read_error;    /* errno of the failed read; 0: none */
    uint8_t control;   /* TLS messages and alerts received, minus records with application data */
    bool eof_seen;     /* `end` was returned to the caller */
    bool drained;      /* OpenSSL has no complete record and must read from the kernel first */
    bool established;  /* the handshake is complete */
    bool connecting;   /* connect() is in progress; set by the caller, cleared by stream_connected() */
    bool alpn_strict;  /* see tls_start_server() */
    bool alpn_foreign; /* see tls_start_server() */
};

/*
 * Called for every event of the stream. io->data is the `data` of stream_init(). `revents` has EV_READ or EV_WRITE; it
 * has EV_ERROR if the kernel cannot watch the descriptor, and no further events come.
 */
typedef void stream_callback(struct ev_loop *ev, struct ev_io *io, int revents);

/*
 * Initialises s, whatever its content is. `fd` is a non-blocking descriptor, which s owns afterwards. `loop` must
 * outlive s. `callback` gets the events that stream_watch() selects, none at first.
 */
void stream_init(struct stream *s, struct loop *loop, int fd, stream_callback *callback, void *data);

/* Returns true between stream_init() and stream_close(). False for a stream that is all zero. */
bool stream_is_open(const struct stream *s);

/*
 * Closes the descriptor and frees all that s owns; unsent octets are lost, but the kernel sends those that it has
 * accepted. s is all zero afterwards. Does nothing if s is not open.
 */
void stream_close(struct stream *s);

/*
 * Makes the callback get these events: EV_READ, EV_WRITE, both or 0. EV_WRITE is added if octets are unsent or s is
 * connecting; EV_READ is removed if reading has ended. Does no work if nothing changes.
 */
void stream_watch(struct stream *s, int events);

/*
 * Gets the result of a non-blocking connect(). Call it after EV_WRITE on a stream that is connecting. Returns
 * STREAM_READY, or STREAM_RESET with errno set.
 */
enum stream_status stream_connected(struct stream *s);

/*
 * Starts TLS on s: all later octets go through `tls`. The buffers of s must be empty, and s must not move in memory,
 * because OpenSSL points to it. s owns `tls` afterwards. Returns 0, or -1 with s unchanged if there is no memory; `tls`
 * then still belongs to the caller.
 */
int stream_set_tls(struct stream *s, SSL *tls);

/*
 * Continues the TLS handshake of a stream on which tls_start_server() or tls_client_connect() has started TLS. Returns
 * STREAM_READY if it is complete, and STREAM_AGAIN if the caller must call it again after the next event. Any other
 * result means that it has failed; the caller must then close the stream. After STREAM_FAILED, tls_take_error() returns
 * the cause.
 */
enum stream_status stream_handshake(struct stream *s);

/*
 * Reads up to 16 KiB without consuming them. On STREAM_READY, `bytes` has at least one octet. It points into a buffer
 * of s or into the scratch buffer of the loop, and is valid until stream_take(), which must be called next. Other
 * results mean that there are no octets.
 */
enum stream_status stream_peek(struct stream *s, struct span *bytes);

/*
 * Consumes the first `len` octets of the preceding stream_peek(); the others are returned by the next one. Wipes the
 * scratch buffer, because it may contain a password. Returns 0, or -1 if there is no memory or the socket fails. After
 * -1 the caller must close the stream, because octets may be lost or returned twice.
 */
int stream_take(struct stream *s, size_t len);

/*
 * Copies up to `size` octets that wait in the socket to `into`, without consuming or decrypting them. Octets in the
 * buffers of s are not among them. Returns their number; 0 if there are none or the socket fails.
 */
size_t stream_waiting(struct stream *s, uint8_t *into, size_t size);

/*
 * Reads and consumes up to `size` octets, and writes their number to `len`. On STREAM_READY, `len` is at least 1. Other
 * results mean that there are no octets. Under TLS, one iteration of the loop reads 64 KiB from the socket at most, so
 * that one stream does not starve the others; afterwards the result is STREAM_AGAIN.
 */
enum stream_status stream_read(struct stream *s, uint8_t *into, size_t size, size_t *len);

/*
 * Returns true if a read may return octets or an end that are already in s. The kernel reports no EV_READ for them, so
 * the caller must check this before it waits for EV_READ.
 */
bool stream_pending(const struct stream *s);

/*
 * Sends `len` octets; a copy of those that the kernel does not accept is kept in s and sent later. Up to `limit` octets
 * may be kept, not counting the overhead of TLS. Returns 0, or -1 if more would have to be kept or there is no memory;
 * the caller must then close the stream.
 *
 * A failed write is no failure of this call: it sets `write_error`. From then on s accepts and discards all octets.
 * Reads return the octets that have already arrived, then STREAM_RESET.
 */
int stream_send(struct stream *s, const void *bytes, size_t len, size_t limit);

/*
 * As stream_send(), but only keeps the octets until the next stream_flush() or stream_send(). Several small pieces then
 * share one TLS record and one packet. On -1, nothing was added.
 */
int stream_queue(struct stream *s, const void *bytes, size_t len, size_t limit);

/* Sends the kept octets, as many as the kernel accepts. A failed write sets `write_error`. */
void stream_flush(struct stream *s);

/* Returns true if a read or write failed because of this host (for example ENOMEM), not because of the peer. */
bool stream_failed_locally(const struct stream *s);

/* Returns the number of octets that the kernel has not accepted yet, including the overhead of encrypted ones. */
size_t stream_unsent(const struct stream *s);

/*
 * Ends the sending side: sends close_notify under TLS, then shuts the socket down for writing. Unsent octets may be
 * lost, so the caller should wait until stream_unsent() is 0. The descriptor stays open for reading.
 */
void stream_shutdown(struct stream *s);

#endif
