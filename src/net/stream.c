/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"

enum {
    PEEK_MAX = 16 * 1024,    /* octets of a TLS record */
    READ_BUDGET = 64 * 1024, /* octets of TLS that a stream reads in one iteration of the loop */
    CONTROL_COST = 1024,     /* octets of this budget for each TLS message or alert: a change of keys is expensive */
    OUT_MAX = 192 * 1024,    /* exceeded only if a peer provokes TLS responses and does not read them */
};

void stream_init(struct stream *s, struct loop *loop, int fd, stream_callback *callback, void *data)
{
    *s = (struct stream){.loop = loop, .budget_iteration = ev_iteration(loop->ev), .read_budget = READ_BUDGET};
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
    buffer_clear(&s->queued);
    buffer_clear(&s->out);
    close(s->io.fd);
    *s = (struct stream){0};
}

void stream_watch(struct stream *s, int events)
{
    int active = ev_is_active(&s->io) ? s->io.events & (EV_READ | EV_WRITE) : 0;
    if (s->end != STREAM_READY) {
        events &= ~EV_READ; /* the kernel would report the end again and again */
    }
    if (s->connecting || stream_unsent(s) > 0) {
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

/* --- writing to the kernel --------------------------------------------------------------------------------- */

/*
 * Discards all unsent octets and shuts the socket down in both directions. Octets that have already arrived can still
 * be read.
 */
static void write_failed(struct stream *s, int error)
{
    if (s->write_error != 0) {
        return;
    }
    s->write_error = error;
    s->loop->wire_len = 0;
    buffer_clear(&s->queued);
    buffer_clear(&s->out);
    (void)shutdown(s->io.fd, SHUT_RDWR);
}

/* Returns the number of octets that the kernel accepted. */
static size_t put(struct stream *s, const uint8_t *bytes, size_t len)
{
    ssize_t n = send(s->io.fd, bytes, len, MSG_NOSIGNAL);
    if (n >= 0) {
        return (size_t)n;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        write_failed(s, errno);
    }
    return 0;
}

/* Sends octets after those in `out`, and keeps those that the kernel does not accept. */
static void put_or_keep(struct stream *s, const uint8_t *bytes, size_t len)
{
    if (s->write_error != 0 || len == 0) {
        return;
    }
    size_t done = s->out.len == 0 ? put(s, bytes, len) : 0;
    if (s->write_error == 0 && buffer_append(&s->out, bytes + done, len - done, OUT_MAX) != 0) {
        bool flooded = s->out.len + len - done > OUT_MAX;
        s->end = flooded && s->end == STREAM_READY ? STREAM_FLOODED : s->end;
        write_failed(s, flooded ? EPIPE : ENOMEM);
    }
}

/* Sends the octets in `out`. */
static void put_out(struct stream *s)
{
    if (s->out.len > 0) {
        buffer_consume(&s->out, put(s, buffer_data(&s->out), s->out.len));
    }
}

/* Sends the records that bio_write() has collected in the loop's `wire`. */
static void put_wire(struct stream *s)
{
    size_t len = s->loop->wire_len;
    s->loop->wire_len = 0;
    put_or_keep(s, s->loop->wire, len);
}

/* --- how OpenSSL reads and writes -------------------------------------------------------------------------- */

/*
 * A write never fails and is never partial: records are collected in the loop's `wire`, and octets that the kernel does
 * not accept are kept in `out`. OpenSSL therefore never has to retry a write, not even of its own responses to the
 * peer, and a read never waits for a write.
 */
static int bio_write(BIO *bio, const char *bytes, int len)
{
    struct stream *s = BIO_get_data(bio);
    struct loop *loop = s->loop;
    size_t size = (size_t)len;
    if (s->write_error != 0) {
        return len;
    }
    if (loop->wire_len + size > LOOP_WIRE_SIZE) {
        put_wire(s);
    }
    if (size > LOOP_WIRE_SIZE) {
        put_or_keep(s, (const uint8_t *)bytes, size); /* for example a handshake with a long certificate chain */
    } else if (s->write_error == 0) {
        memcpy(loop->wire + loop->wire_len, bytes, size);
        loop->wire_len += size;
    }
    return len;
}

/* Returns the octets that s may read now. A stream without budget continues in the next iteration of the loop. */
static size_t renew_budget(struct stream *s)
{
    unsigned iteration = ev_iteration(s->loop->ev);
    if (s->budget_iteration != iteration) {
        s->budget_iteration = iteration;
        s->read_budget = READ_BUDGET;
    }
    return s->read_budget;
}

static int bio_read(BIO *bio, char *into, int size)
{
    struct stream *s = BIO_get_data(bio);
    size_t budget = renew_budget(s);
    BIO_clear_retry_flags(bio);
    if (budget == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    ssize_t n = recv(s->io.fd, into, (size_t)size < budget ? (size_t)size : budget, 0);
    if (n > 0) {
        s->read_budget -= (uint32_t)n;
    } else if (n == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        BIO_set_retry_read(bio);
    }
    return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : command == BIO_CTRL_EOF ? BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 : 0;
}

/* Created once, and inherited by all children. */
static const BIO_METHOD *bio_method(void)
{
    static BIO_METHOD *method;
    if (method == NULL && (method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream")) != NULL) {
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_ctrl(method, bio_ctrl);
    }
    return method;
}

/*
 * OpenSSL calls this for each message that it reads. SSL_read_ex() reads on as long as such messages arrive.
 * SSL_RECEIVED_SHUTDOWN makes it return.
 */
static void count_control(int written, int version, int type, const void *bytes, size_t len, SSL *ssl, void *data)
{
    struct stream *s = data;
    bool message = type == SSL3_RT_HANDSHAKE || type == SSL3_RT_ALERT || type == SSL3_RT_CHANGE_CIPHER_SPEC;
    (void)version, (void)bytes, (void)len;
    if (written || !message) {
        return;
    }
    s->read_budget -= s->read_budget < CONTROL_COST ? s->read_budget : CONTROL_COST;
    if (s->control++ == STREAM_CONTROL_MAX) {
        SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
    }
}

int stream_set_tls(struct stream *s, SSL *tls)
{
    const BIO_METHOD *method = bio_method();
    BIO *bio = method != NULL ? BIO_new(method) : NULL;
    if (bio == NULL) {
        return -1;
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls, bio, bio);
    SSL_set_msg_callback(tls, count_control);
    SSL_set_msg_callback_arg(tls, s);
    s->tls = tls;
    return 0;
}

/* Returns true if OpenSSL failed because there was no memory. */
static bool lacks_memory(void)
{
    return ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE ||
           ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

/* Returns the status for the `result` of a failed OpenSSL call. Sets errno for STREAM_RESET. */
static enum stream_status tls_status(struct stream *s, int result)
{
    int error = errno;
    if (s->control > STREAM_CONTROL_MAX) {
        return STREAM_FLOODED;
    }
    switch (SSL_get_error(s->tls, result)) {
    case SSL_ERROR_WANT_READ:
        s->drained = true;
        return STREAM_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return STREAM_END;
    case SSL_ERROR_SYSCALL:
        errno = error;
        return error == 0 ? STREAM_END : STREAM_RESET;
    default:
        errno = ENOMEM;
        return lacks_memory() ? STREAM_RESET : STREAM_FAILED;
    }
}

enum stream_status stream_handshake(struct stream *s)
{
    s->drained = false;
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(s->tls);
    enum stream_status status = result == 1 ? STREAM_READY : tls_status(s, result);
    s->read_error = status == STREAM_RESET ? errno : 0;
    put_wire(s);
    if (status == STREAM_READY) {
        s->established = true;
        s->control = 0;
    }
    return s->write_error != 0 ? STREAM_RESET : status;
}

/* --- reading ------------------------------------------------------------------------------------------------ */

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

/* Fills `into` with the records that have already arrived, within the budget. */
static enum stream_status tls_read(struct stream *s, uint8_t *into, size_t size, size_t *len)
{
    enum stream_status status = STREAM_READY;
    *len = 0;
    (void)renew_budget(s);
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
        s->control = s->control > 0 ? (uint8_t)(s->control - 1) : 0;
        *len += n;
    } while (*len < size && s->read_budget > 0 && SSL_has_pending(s->tls));
    int error = errno;
    put_wire(s);
    errno = error;
    return status;
}

/* Reads from the socket. If octets and an end are read together, the next call returns the end. */
static enum stream_status read_more(struct stream *s, uint8_t *into, size_t size, int flags, size_t *len)
{
    enum stream_status status = s->end;
    *len = 0;
    if (status == STREAM_READY) {
        status = s->tls != NULL ? tls_read(s, into, size, len) : raw_read(s, into, size, flags, len);
        if (status == STREAM_END && s->write_error != 0) {
            status = STREAM_RESET; /* write_failed() has caused the end */
        }
        if (status == STREAM_RESET && s->write_error == 0) {
            s->read_error = errno;
        }
        if (status != STREAM_READY && status != STREAM_AGAIN) {
            s->end = status;
        }
    }
    if (*len > 0) {
        return STREAM_READY;
    }
    s->eof_seen = s->end != STREAM_READY;
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

/* Removes octets from the socket without TLS. A peek has shown that they are there. */
static int raw_discard(struct stream *s, size_t len)
{
    uint8_t octets[1024];
    while (len > 0) {
        ssize_t n = recv(s->io.fd, octets, len < sizeof octets ? len : sizeof octets, 0);
        if (n > 0) {
            secret_wipe(octets, (size_t)n);
            len -= (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            return -1; /* octets that stay would be parsed as the next command */
        }
    }
    return 0;
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
        result = raw_discard(s, len);
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
    return s->in.len > 0 || (s->end != STREAM_READY && !s->eof_seen) ||
           (s->tls != NULL && !s->drained && SSL_has_pending(s->tls));
}

/* --- sending ------------------------------------------------------------------------------------------------ */

/* Encrypts octets into the loop's `wire`. */
static void encrypt(struct stream *s, const uint8_t *bytes, size_t len)
{
    size_t n;
    ERR_clear_error();
    if (SSL_write_ex(s->tls, bytes, len, &n) != 1) {
        write_failed(s, lacks_memory() ? ENOMEM : EPIPE); /* after a failed read, OpenSSL does not write either */
    }
}

static bool is_over(const struct stream *s, size_t len, size_t limit)
{
    return len > limit || stream_unsent(s) > limit - len;
}

int stream_send(struct stream *s, const void *bytes, size_t len, size_t limit)
{
    stream_flush(s);
    if (s->write_error != 0 || len == 0) {
        s->sent += len;
        return 0;
    }
    if (s->tls != NULL) {
        if (is_over(s, len, limit)) {
            return -1;
        }
        s->sent += len;
        encrypt(s, bytes, len);
        put_wire(s);
        return 0;
    }
    size_t done = s->out.len == 0 ? put(s, bytes, len) : 0;
    s->sent += len;
    return s->write_error != 0 ? 0 : buffer_append(&s->out, (const uint8_t *)bytes + done, len - done, limit);
}

int stream_queue(struct stream *s, const void *bytes, size_t len, size_t limit)
{
    if (s->write_error == 0 && (is_over(s, len, limit) || buffer_append(&s->queued, bytes, len, limit) != 0)) {
        return -1;
    }
    s->sent += len;
    return 0;
}

void stream_flush(struct stream *s)
{
    put_out(s);
    if (s->queued.len > 0) {
        if (s->tls != NULL) {
            encrypt(s, buffer_data(&s->queued), s->queued.len);
            put_wire(s);
        } else {
            put_or_keep(s, buffer_data(&s->queued), s->queued.len);
        }
        buffer_clear(&s->queued);
    }
}

static bool is_local_error(int error)
{
    switch (error) {
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
    case EMFILE:
    case ENFILE:
    case EIO:
    case EBADF:
    case EFAULT:
    case EINVAL:
        return true;
    default:
        return false;
    }
}

bool stream_failed_locally(const struct stream *s)
{
    return is_local_error(s->write_error) || is_local_error(s->read_error);
}

size_t stream_unsent(const struct stream *s)
{
    return (size_t)s->queued.len + s->out.len;
}

void stream_shutdown(struct stream *s)
{
    if (s->tls != NULL && s->write_error == 0 && s->established) {
        ERR_clear_error();
        (void)SSL_shutdown(s->tls);
        put_wire(s);
        buffer_clear(&s->out); /* do not wait to send the close_notify */
    }
    (void)shutdown(s->io.fd, SHUT_WR);
}
