/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/balancer.h"

#include <stdlib.h>

#include "net/proxy_header.h"
#include "proxy/admission.h"
#include "proxy/client.h"
#include "proxy/shed.h"

/* Decides as at connect, now that the client's address is known. */
static struct step admit(struct session *s)
{
    enum reason reason = admission_connect(s->proxy, &s->connection);
    unsigned sessions = reason == REASON_NONE ? admission_sessions(s->proxy, &s->connection) : 1;
    if (sessions > 1 && s->proxy->is_crowded(s->proxy) && !shed_idle(s->proxy, &s->connection, s)) {
        reason = admission_crowded(s->proxy, &s->connection);
    }
    return reason == REASON_NONE     ? step_go(session_first_state(s->connection.listener))
           : reason == REASON_TARPIT ? step_go(STATE_TARPIT)
                                     : step_end(reason);
}

struct step balancer_read(struct session *s)
{
    struct span bytes;
    size_t taken;
    if (s->proxy_header == NULL && (s->proxy_header = calloc(1, sizeof *s->proxy_header)) == NULL) {
        return step_end(REASON_MEMORY);
    }
    enum stream_status status = stream_peek(&s->client_stream, &bytes);
    if (status != STREAM_READY) {
        return status == STREAM_AGAIN ? step_more() : step_end(client_end(&s->client_stream));
    }
    struct proxy_header *h = s->proxy_header;
    enum proxy_header_result result = proxy_header_feed(h, bytes.bytes, bytes.len, &taken);
    if (stream_take(&s->client_stream, taken) != 0) {
        return step_end(REASON_MEMORY);
    }
    switch (result) {
    case PROXY_HEADER_MORE:
        return step_more();
    case PROXY_HEADER_BAD:
        return step_end(REASON_PROXY_HEADER);
    case PROXY_HEADER_ADDRESS:
        s->connection.peer = h->source;
        s->connection.local = h->destination;
        break;
    case PROXY_HEADER_LOCAL:
        break;
    }
    free(h);
    s->proxy_header = NULL;
    return admit(s);
}

struct step balancer_expired(struct session *s)
{
    (void)s;
    return step_end(REASON_PROXY_HEADER);
}

ev_tstamp balancer_deadline(const struct session *s)
{
    return session_after(s->started, s->connection.generation->limits->handshake_timeout_ms);
}
