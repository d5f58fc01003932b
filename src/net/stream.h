/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One end of a session: a socket, raw or under TLS, with its watcher. Client and backend are the same here.
 * A stream owns its descriptor, its TLS state, what was read and not taken yet (`in`), and what the peer
 * would not take yet (`out`); the last two hold memory only while there is something in them.
 *
 * Before TLS nothing is taken from the kernel that the caller did not take: what a peer sends behind its
 * STARTTLS stays in the socket, and can therefore not survive into the time after it.
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
    STREAM_AGAIN,   /* nothing now: wait for an event */
    STREAM_END,     /* the peer has closed its side, in order or not, and there is nothing left to read */
    STREAM_RESET,   /* the connection is broken */
    STREAM_FAILED,  /* TLS failed, or memory is short */
    STREAM_FLOODED, /* the peer sends TLS messages in place of application data, more than STREAM_CONTROL_MAX */
};

/*
 * Messages and alerts that a peer may send in a handshake (a real one has less than ten), and after it (KeyUpdate,
 * NewSessionTicket, a refused ClientHello) in excess of its records with application data.
 */
enum { STREAM_CONTROL_MAX = 32 };

struct stream {
    struct ev_io io;
    struct loop *loop;
    SSL *tls;               /* NULL: raw */
    struct buffer in;       /* decrypted and not taken */
    struct buffer queued;   /* accepted by stream_queue(), for the next flush */
    struct buffer out;      /* ready for the kernel (encrypted, under TLS), which did not take it yet */
    struct span peeked;     /* what stream_peek() gave out */
    uint64_t received;      /* octets taken by the caller */
    uint64_t sent;          /* octets accepted from the caller */
    unsigned budget_iteration; /* the iteration of the loop in which read_budget was set */
    uint32_t read_budget;   /* octets of TLS that may still be read in that iteration */
    enum stream_status end; /* how reading ended; STREAM_READY while it has not */
    int write_error;        /* errno of the write that failed: everything sent since is thrown away; 0: none failed */
    int read_error;         /* errno of the read that failed; 0: none */
    uint8_t control;        /* messages and alerts of TLS that came, less records with application data */
    bool eof_seen;          /* the caller knows */
    bool drained;           /* TLS wants more from the kernel before it gives anything */
    bool established;       /* the handshake is done */
    bool connecting;
    bool alpn_strict;       /* see tls.h */
    bool alpn_foreign;
};

/* Called for every event of the stream; `data` is what stream_init() was given. */
typedef void stream_callback(struct ev_loop *ev, struct ev_io *io, int revents);

/* Takes over the non-blocking descriptor `fd`. Nothing is watched yet. */
void stream_init(struct stream *s, struct loop *loop, int fd, stream_callback *callback, void *data);

/* Whether it has a descriptor. A stream that is all zero has none, also after stream_close(). */
bool stream_is_open(const struct stream *s);

/* Closes at once and frees all. What the kernel has accepted is still sent. */
void stream_close(struct stream *s);

/* Waits for these events (EV_READ, EV_WRITE or 0), and for EV_WRITE while octets are unsent. Cheap when nothing changes. */
void stream_watch(struct stream *s, int events);

/* Ends the wait for a non-blocking connect(): STREAM_READY, or STREAM_RESET with errno set. */
enum stream_status stream_connected(struct stream *s);

/*
 * Puts a TLS state on the stream, which owns it from then on. Nothing may be read ahead or unsent, and the stream stays
 * where it is, since OpenSSL points to it. 0, or -1 when memory is short: then `tls` stays the caller's.
 */
int stream_set_tls(struct stream *s, SSL *tls);

/* Goes on with the handshake: STREAM_READY when it is done; STREAM_FAILED leaves the cause in OpenSSL's queue. */
enum stream_status stream_handshake(struct stream *s);

/*
 * Shows what there is to read without taking it; at most a record. On STREAM_READY, `bytes` is valid until
 * stream_take(), which must follow. Uses the loop's scratch buffer.
 */
enum stream_status stream_peek(struct stream *s, struct span *bytes);

/*
 * Takes the first `len` octets of what was shown; the scratch buffer is wiped, since it may hold a password.
 * 0, or -1 when memory is short: then they may be shown once more, and the stream must be closed.
 */
int stream_take(struct stream *s, size_t len);

/*
 * Looks whether raw octets wait in the socket: writes up to `size` of them without taking them, and returns
 * how many (0: none).
 */
size_t stream_waiting(struct stream *s, uint8_t *into, size_t size);

/*
 * Reads up to `size` octets. STREAM_READY with `len` > 0, or why there is nothing. TLS gives no more in one iteration
 * of the loop than a fixed share of octets on the wire, whatever records they make.
 */
enum stream_status stream_read(struct stream *s, uint8_t *into, size_t size, size_t *len);

/* Whether a read would give something though the kernel has nothing: to be asked before waiting for EV_READ. */
bool stream_pending(const struct stream *s);

/*
 * Sends, and keeps what the peer does not take now. 0, or -1 when more than `limit` octets (and TLS's overhead) would
 * have to be kept, or memory is short for keeping them.
 *
 * After a write that failed, `write_error` is set, and the stream takes everything and sends nothing. Reading gives
 * what had already arrived, and ends then with STREAM_RESET.
 */
int stream_send(struct stream *s, const void *bytes, size_t len, size_t limit);

/* As stream_send(), but only keeps: for several small pieces that are to go out in one record and packet. */
int stream_queue(struct stream *s, const void *bytes, size_t len, size_t limit);

/* Tries to send what was kept. */
void stream_flush(struct stream *s);

/* Whether reading or writing failed because of this host (no memory, say), and not because of the peer. */
bool stream_failed_locally(const struct stream *s);

/* Octets that were accepted and that the kernel has not taken; TLS counts its overhead. */
size_t stream_unsent(const struct stream *s);

/* Tells the peer that nothing more comes: close_notify, and the end of the TCP stream. Nothing should be unsent. */
void stream_shutdown(struct stream *s);

#endif
