/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"

enum { PEEK_MAX = 16 * 1024 }; /* a TLS record */

void stream_init(struct stream *s, struct loop *loop, int fd, stream_callback *callback, void *data)
{
    *s = (struct stream){.loop = loop};
    ev_io_init(&s->io, callback, fd, 0);
    s->io.data = data;
}

bool stream_is_open(const struct stream *s)
{
    return s->loop != NULL;
}

void stream_close(struct stream *s)
{
    if (!stream_is_open(s)) {
        return;
    }
    ev_io_stop(s->loop->ev, &s->io);
    SSL_free(s->tls);
    buffer_clear(&s->in);
    buffer_clear(&s->out);
    close(s->io.fd);
    *s = (struct stream){0};
}

void stream_watch(struct stream *s, int events)
{
    int active = ev_is_active(&s->io) ? s->io.events & (EV_READ | EV_WRITE) : 0;
    if (s->end != STREAM_READY) {
        events &= ~EV_READ; /* the kernel would go on telling about an end that is known */
    }
    if (s->wants_write) {
        events = EV_WRITE;
    }
    if (s->connecting || s->out.len > 0) {
        events |= EV_WRITE;
    }
    if (events == active) {
        return;
    }
    ev_io_stop(s->loop->ev, &s->io);
    if (events != 0) {
        ev_io_set(&s->io, s->io.fd, events);
        ev_io_start(s->loop->ev, &s->io);
    }
}

enum stream_status stream_connected(struct stream *s)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(s->io.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    if (error != 0) {
        errno = error;
        return STREAM_RESET;
    }
    s->connecting = false;
    return STREAM_READY;
}

void stream_set_tls(struct stream *s, SSL *tls)
{
    s->tls = tls;
}

/* What OpenSSL says of a call that did not succeed. */
static enum stream_status tls_status(struct stream *s, int result)
{
    int error = errno;
    switch (SSL_get_error(s->tls, result)) {
    case SSL_ERROR_WANT_READ:
        s->drained = true;
        return STREAM_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        s->wants_write = true;
        return STREAM_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return STREAM_END;
    case SSL_ERROR_SYSCALL:
        errno = error;
        return error == 0 ? STREAM_END : STREAM_RESET;
    default:
        return STREAM_FAILED;
    }
}

enum stream_status stream_handshake(struct stream *s)
{
    s->wants_write = false;
    s->drained = false;
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(s->tls);
    return result == 1 ? STREAM_READY : tls_status(s, result);
}

static enum stream_status raw_status(ssize_t n)
{
    if (n > 0) {
        return STREAM_READY;
    }
    if (n == 0) {
        return STREAM_END;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? STREAM_AGAIN : STREAM_RESET;
}

static enum stream_status raw_read(struct stream *s, uint8_t *into, size_t size, int flags, size_t *len)
{
    ssize_t n = recv(s->io.fd, into, size, flags);
    enum stream_status status = raw_status(n);
    *len = status == STREAM_READY ? (size_t)n : 0;
    return status;
}

/* Fills `into` with as many records as are there already. */
static enum stream_status tls_read(struct stream *s, uint8_t *into, size_t size, size_t *len)
{
    enum stream_status status = STREAM_READY;
    *len = 0;
    s->wants_write = false;
    do {
        size_t n = 0;
        ERR_clear_error();
        errno = 0;
        int result = SSL_read_ex(s->tls, into + *len, size - *len, &n);
        if (result != 1) {
            status = tls_status(s, result);
            break;
        }
        s->drained = false;
        *len += n;
    } while (*len < size && SSL_has_pending(s->tls));
    return status;
}

/* Reads from the socket. An end that follows octets is remembered and told by the next call. */
static enum stream_status read_more(struct stream *s, uint8_t *into, size_t size, int flags, size_t *len)
{
    enum stream_status status = s->end;
    *len = 0;
    if (status == STREAM_READY) {
        status = s->tls != NULL ? tls_read(s, into, size, len) : raw_read(s, into, size, flags, len);
        if (status != STREAM_READY && status != STREAM_AGAIN) {
            s->end = status;
        }
    }
    if (*len > 0) {
        return STREAM_READY;
    }
    s->end_told = s->end != STREAM_READY;
    return status;
}

enum stream_status stream_peek(struct stream *s, struct span *bytes)
{
    size_t len = s->in.len;
    uint8_t *data = buffer_data(&s->in);
    enum stream_status status = STREAM_READY;
    if (len == 0) {
        data = s->loop->scratch;
        status = read_more(s, data, PEEK_MAX, MSG_PEEK, &len);
    }
    s->peeked = (struct span){data, len};
    *bytes = s->peeked;
    return status;
}

/* Drops octets from a raw socket that were peeked at before, so that they are there. */
static void raw_discard(struct stream *s, size_t len)
{
    uint8_t octets[1024];
    while (len > 0) {
        ssize_t n = recv(s->io.fd, octets, len < sizeof octets ? len : sizeof octets, 0);
        if (n <= 0) {
            break;
        }
        secret_wipe(octets, (size_t)n);
        len -= (size_t)n;
    }
}

int stream_take(struct stream *s, size_t len)
{
    int result = 0;
    struct span peeked = s->peeked;
    s->received += len;
    s->peeked = (struct span){0};
    if (s->in.len > 0) {
        buffer_consume(&s->in, len);
        return 0;
    }
    if (s->tls == NULL) {
        raw_discard(s, len);
    } else if (len < peeked.len) {
        result = buffer_append(&s->in, peeked.bytes + len, peeked.len - len, PEEK_MAX);
    }
    secret_wipe(s->loop->scratch, peeked.len);
    return result;
}

size_t stream_waiting(struct stream *s, uint8_t *into, size_t size)
{
    size_t len;
    (void)raw_read(s, into, size, MSG_PEEK, &len);
    return len;
}

enum stream_status stream_read(struct stream *s, uint8_t *into, size_t size, size_t *len)
{
    enum stream_status status = STREAM_READY;
    if (s->in.len > 0) {
        *len = s->in.len < size ? s->in.len : size;
        memcpy(into, buffer_data(&s->in), *len);
        buffer_consume(&s->in, *len);
    } else {
        status = read_more(s, into, size, 0, len);
    }
    s->received += *len;
    return status;
}

bool stream_pending(const struct stream *s)
{
    return s->in.len > 0 || (s->end != STREAM_READY && !s->end_told) ||
           (s->tls != NULL && !s->drained && SSL_has_pending(s->tls));
}

/* Writes as much as is taken; returns how much. */
static size_t write_some(struct stream *s, const uint8_t *bytes, size_t len)
{
    size_t done = 0;
    while (done < len && !s->broken) {
        enum stream_status status;
        size_t n = 0;
        if (s->tls != NULL) {
            ERR_clear_error();
            errno = 0;
            int result = SSL_write_ex(s->tls, bytes + done, len - done, &n);
            status = result == 1 ? STREAM_READY : tls_status(s, result);
            s->wants_write = false; /* `out` waits for that already */
        } else {
            ssize_t result = send(s->io.fd, bytes + done, len - done, MSG_NOSIGNAL);
            status = raw_status(result);
            n = status == STREAM_READY ? (size_t)result : 0;
        }
        done += n;
        if (status == STREAM_AGAIN) {
            break;
        }
        s->broken = status != STREAM_READY;
    }
    return s->broken ? len : done;
}

int stream_send(struct stream *s, const void *bytes, size_t len, size_t limit)
{
    size_t done = s->out.len == 0 ? write_some(s, bytes, len) : 0;
    s->sent += done;
    return stream_queue(s, (const uint8_t *)bytes + done, len - done, limit);
}

int stream_queue(struct stream *s, const void *bytes, size_t len, size_t limit)
{
    s->sent += len;
    return s->broken ? 0 : buffer_append(&s->out, bytes, len, limit);
}

void stream_flush(struct stream *s)
{
    if (s->out.len > 0) {
        buffer_consume(&s->out, write_some(s, buffer_data(&s->out), s->out.len));
    }
}

void stream_shutdown(struct stream *s)
{
    if (s->tls != NULL && !s->broken && SSL_is_init_finished(s->tls)) {
        ERR_clear_error();
        (void)SSL_shutdown(s->tls);
    }
    (void)shutdown(s->io.fd, SHUT_WR);
}
