/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/relay.h"

#include "proxy/client.h"

enum {
    DRAIN_MS = 10000, /* without progress, after one side has ended */
    ENDS_MAX = 16,    /* sessions that a backend may end in a second: more of them are a death */
    SPREAD_MS = 5000, /* over which the rest of its sessions end, so that their clients do not all come back at once */
};

struct step relay_begin(struct session *s)
{
    tls_stop_wiping(&s->client_stream);
    stream_flush(&s->client_stream);
    return relay_flushed(s);
}

/* Nothing more can be relayed to a side whose writes fail. */
struct step relay_flushed(struct session *s)
{
    return s->client_stream.write_error != 0 || s->backend_stream.write_error != 0 ? step_go(STATE_DRAIN) : step_more();
}

/*
 * Octets that the kernel does not take are kept in `to`, and nothing is read from `from` until they are gone: that is
 * the only back-pressure. A stream whose writes fail accepts everything, so that what `from` sent before is still read.
 */
static struct step copy(struct session *s, struct stream *from, struct stream *to)
{
    uint8_t *scratch = s->proxy->loop->scratch;
    size_t len;
    enum stream_status status = stream_read(from, scratch, LOOP_SCRATCH_SIZE, &len);
    if (status == STREAM_READY) {
        if (to->write_error == 0) {
            s->active = session_now(s); /* octets that are thrown away are no progress */
        }
        if (stream_send(to, scratch, len, LOOP_SCRATCH_SIZE) != 0) {
            return step_end(REASON_MEMORY);
        }
        return s->state == STATE_DRAIN ? relay_drain(s) : relay_flushed(s);
    }
    if (status == STREAM_AGAIN) {
        return step_more();
    }
    return s->state == STATE_RELAY ? step_go(STATE_DRAIN) : relay_drain(s);
}

struct step relay_client(struct session *s)
{
    return copy(s, &s->client_stream, &s->backend_stream);
}

struct step relay_backend(struct session *s)
{
    return copy(s, &s->backend_stream, &s->client_stream);
}

static bool flushed(const struct stream *to)
{
    return stream_unsent(to) == 0;
}

/*
 * Counts one end more. Returns true if the session is one of many that the backend has ended in the same second, unless
 * octets moved in the last second: then the backend has ended this session on purpose.
 */
static bool count_backend_end(struct session *s)
{
    bool idle = session_now(s) - s->active > 1.;
    struct backend_ends *ends = &s->proxy->ends[s->backend->index];
    if (session_now(s) - ends->since > 1.) {
        *ends = (struct backend_ends){.since = session_now(s)};
    }
    return ++ends->count > ENDS_MAX && idle && s->client_stream.end == STREAM_READY;
}

static enum reason backend_end(const struct stream *backend)
{
    switch (backend->end) {
    case STREAM_FLOODED:
        return REASON_BACKEND_TLS_FLOOD;
    case STREAM_FAILED:
        return REASON_BACKEND_TLS_BROKEN;
    case STREAM_RESET:
        return stream_failed_locally(backend) ? REASON_BACKEND_FAILED : REASON_BACKEND_RESET;
    default:
        return REASON_BACKEND_CLOSED;
    }
}

static struct step backend_ended(struct session *s)
{
    s->reason = backend_end(&s->backend_stream);
    if (!count_backend_end(s)) {
        return step_end(s->reason);
    }
    s->active = session_now(s);
    return step_go(STATE_ORPHAN);
}

struct step relay_drain_begin(struct session *s)
{
    s->ended = session_now(s);
    return relay_drain(s);
}

struct step relay_drain(struct session *s)
{
    if (s->backend_stream.end != STREAM_READY) {
        /* The session is over once the client has all that the backend sent. */
        bool as_told = s->shutdown_sent && !stream_failed_locally(&s->backend_stream);
        return !flushed(&s->client_stream) ? step_more() : as_told ? step_end(REASON_CLIENT_CLOSED) : backend_ended(s);
    }
    if (s->client_stream.end == STREAM_READY || !flushed(&s->backend_stream)) {
        return step_more();
    }
    if (s->client_stream.end != STREAM_END) {
        return step_end(client_end(&s->client_stream));
    }
    if (s->client_stream.write_error != 0) {
        return step_end(stream_failed_locally(&s->client_stream) ? REASON_CLIENT_FAILED : REASON_CLIENT_RESET);
    }
    /* The client may have closed only its sending side, and still read answers. */
    if (!s->shutdown_sent) {
        s->shutdown_sent = true;
        stream_shutdown(&s->backend_stream);
    }
    return step_more();
}

ev_tstamp relay_deadline(const struct session *s)
{
    return session_after(s->active, s->connection.generation->limits->idle_timeout_ms);
}

ev_tstamp relay_drain_deadline(const struct session *s)
{
    return session_after(s->active > s->ended ? s->active : s->ended, DRAIN_MS);
}

struct step relay_expired(struct session *s)
{
    return relay_deadline(s) > session_now(s) ? step_more() : step_end(REASON_IDLE_TIMEOUT);
}

struct step relay_drain_expired(struct session *s)
{
    return relay_drain_deadline(s) > session_now(s) ? step_more() : step_end(REASON_DRAIN_TIMEOUT);
}

struct step relay_orphan(struct session *s)
{
    stream_close(&s->backend_stream);
    return step_more();
}

/* A client that sends something waits for an answer: its session is ended at once. */
struct step relay_orphan_client(struct session *s)
{
    size_t len;
    enum stream_status status = stream_read(&s->client_stream, s->proxy->loop->scratch, LOOP_SCRATCH_SIZE, &len);
    return status == STREAM_AGAIN ? step_more() : step_end(s->reason);
}

struct step relay_orphan_expired(struct session *s)
{
    return relay_orphan_deadline(s) > session_now(s) ? step_more() : step_end(s->reason);
}

/* Multiples of the golden ratio: sessions that follow each other lie far apart, and all together evenly. */
ev_tstamp relay_orphan_deadline(const struct session *s)
{
    uint32_t fraction = (uint32_t)s->connection.id * 2654435769u;
    return session_after(s->active, (uint32_t)((uint64_t)fraction * SPREAD_MS >> 32));
}
