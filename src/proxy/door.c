/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/door.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/proxy_header.h"
#include "proxy/admission.h"
#include "proxy/client.h"

enum { HELD_MAX = 256 }; /* in one worker: a tarpit must not eat the descriptors of those who are welcome */

enum session_state door_first_state(const struct listener *listener)
{
    return listener->options->tls == LISTENER_IMPLICIT ? STATE_HANDSHAKE : STATE_CLEARTEXT;
}

void door_refuse(int fd, const struct listener *listener, enum reason reason)
{
    char text[128];
    if (reason == REASON_SESSIONS && listener->options->tls == LISTENER_STARTTLS) {
        int len = snprintf(text, sizeof text, "* BYE %s\r\n", reasons[reason].bye);
        (void)!send(fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL); /* an empty socket buffer takes it whole */
    }
    close(fd);
}

/* --- PROXY_HEADER ------------------------------------------------------------------------------------- */

/* The real address is known: asks for it what is asked at connect. */
static struct step admit(struct session *s)
{
    enum reason reason = admission_connect(s->proxy, &s->connection);
    return reason == REASON_NONE     ? step_go(door_first_state(s->connection.listener))
           : reason == REASON_TARPIT ? step_go(STATE_TARPIT)
                                     : step_end(reason);
}

struct step door_header(struct session *s)
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

struct step door_header_expired(struct session *s)
{
    (void)s;
    return step_end(REASON_PROXY_HEADER);
}

ev_tstamp door_header_deadline(const struct session *s)
{
    return session_after(s->started, s->proxy->limits->handshake_timeout_ms);
}

/* --- TARPIT --------------------------------------------------------------------------------------------- */

struct step door_hold(struct session *s)
{
    struct proxy *proxy = s->proxy;
    if (proxy->held == NULL) {
        proxy->held_end = &proxy->held;
    }
    s->held_link = proxy->held_end;
    *proxy->held_end = s;
    proxy->held_end = &s->held_next;
    if (++proxy->held_count > HELD_MAX) {
        session_end(proxy->held, REASON_TARPIT);
    }
    return step_more();
}

void door_release(struct session *s)
{
    struct proxy *proxy = s->proxy;
    if (s->held_link == NULL) {
        return;
    }
    *s->held_link = s->held_next;
    if (s->held_next != NULL) {
        s->held_next->held_link = s->held_link;
    } else {
        proxy->held_end = s->held_link;
    }
    s->held_link = NULL;
    s->held_next = NULL;
    proxy->held_count--;
}

struct step door_ignore(struct session *s)
{
    size_t len;
    enum stream_status status = stream_read(&s->client_stream, s->proxy->loop->scratch, LOOP_SCRATCH_SIZE, &len);
    return status == STREAM_READY || status == STREAM_AGAIN ? step_more() : step_end(REASON_TARPIT);
}

struct step door_hold_expired(struct session *s)
{
    (void)s;
    return step_end(REASON_TARPIT);
}

ev_tstamp door_hold_deadline(const struct session *s)
{
    return session_after(s->started, s->proxy->limits->login_timeout_ms);
}
