/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/tarpit.h"

enum { KEPT_MAX = 256 };

struct step tarpit_enter(struct session *s)
{
    struct proxy *proxy = s->proxy;
    if (proxy->tarpit.tqh_last == NULL) {
        TAILQ_INIT(&proxy->tarpit);
    }
    TAILQ_INSERT_TAIL(&proxy->tarpit, s, tarpit_entry);
    if (++proxy->tarpit_count > KEPT_MAX) {
        session_end(TAILQ_FIRST(&proxy->tarpit), REASON_TARPIT);
    }
    return step_more();
}

void tarpit_leave(struct session *s)
{
    if (s->tarpit_entry.tqe_prev != NULL) {
        TAILQ_REMOVE(&s->proxy->tarpit, s, tarpit_entry);
        s->tarpit_entry.tqe_prev = NULL;
        s->proxy->tarpit_count--;
    }
}

struct step tarpit_discard(struct session *s)
{
    size_t len;
    enum stream_status status = stream_read(&s->client_stream, s->proxy->loop->scratch, LOOP_SCRATCH_SIZE, &len);
    return status == STREAM_READY || status == STREAM_AGAIN ? step_more() : step_end(REASON_TARPIT);
}

struct step tarpit_expired(struct session *s)
{
    (void)s;
    return step_end(REASON_TARPIT);
}

ev_tstamp tarpit_deadline(const struct session *s)
{
    return session_after(s->started, s->connection.generation->limits->login_timeout_ms);
}
