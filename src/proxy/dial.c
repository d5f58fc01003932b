/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/dial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "imap/id.h"
#include "net/proxy_header.h"
#include "net/socket.h"

/* Our commands: one tag for each, that no other answer bears. */
#define TAG_CAPABILITY "guard-capability"
#define TAG_STARTTLS "guard-starttls"
#define TAG_ID "guard-id"

enum {
    LINES_MAX = 64,          /* that a backend may say up to here */
    MESSAGE_MAX = 64 * 1024,
    PROXY_TTL = 5,           /* Dovecot's own: how many proxies may follow each other */
};

static enum dial_result next_phase(struct dial *d, struct stream *stream);

static enum dial_result fail_with(struct dial *d, const char *cause, struct span said)
{
    int len = said.len < sizeof d->said ? (int)said.len : (int)sizeof d->said - 1;
    d->cause = cause;
    snprintf(d->said, sizeof d->said, "%.*s", len, len > 0 ? (const char *)said.bytes : "");
    return DIAL_FAILED;
}

static enum dial_result fail(struct dial *d, const char *cause)
{
    return fail_with(d, cause, (struct span){0});
}

static enum dial_result fail_for_memory(struct dial *d)
{
    d->local = true;
    return fail(d, "out-of-memory");
}

enum dial_result dial_watch_failed(struct dial *d)
{
    return fail_for_memory(d);
}

static enum dial_result say(struct dial *d, struct stream *stream, enum dial_phase phase, const char *command)
{
    d->phase = phase;
    return stream_send(stream, command, strlen(command), MESSAGE_MAX) == 0 ? DIAL_MORE : fail_for_memory(d);
}

/* --- CONNECT: addresses one after the other --------------------------------------------------------------- */

/* What connect() and socket() say. */
static const struct connect_fault {
    int error;
    const char *cause;
    bool local;
} connect_faults[] = {
    {ECONNREFUSED, "connection-refused", false},
    {ENOENT, "no-such-socket", false},
    {EMFILE, "no-descriptors", true},
    {ENFILE, "no-descriptors", true},
    {EADDRNOTAVAIL, "no-local-port", true},
    {ENETUNREACH, "network-unreachable", true},
    {EAFNOSUPPORT, "network-unreachable", true},
    {ENOBUFS, "out-of-memory", true},
    {ENOMEM, "out-of-memory", true},
    {0, "connection-failed", false},
};

/* Of several addresses the one that fails for a reason of the backend's says more than all that fail for ours. */
static void note_fault(struct dial *d, int error)
{
    const struct connect_fault *fault = connect_faults;
    while (fault->error != 0 && fault->error != error) {
        fault++;
    }
    if (d->local || !fault->local) {
        d->cause = fault->cause;
        d->local = fault->local;
    }
}

static enum dial_result reached(struct dial *d, struct stream *stream)
{
    uint8_t header[PROXY_HEADER_V1_MAX];
    size_t len = proxy_header_write((enum proxy_header_version)d->backend->options->proxy_protocol, &d->client->peer,
                                    &d->client->local, header);
    d->connected = loop_now(d->loop);
    d->local = false;
    if (stream_send(stream, header, len, MESSAGE_MAX) != 0) {
        return fail_for_memory(d);
    }
    return next_phase(d, stream);
}

/* Why the address before could not be had is in `d` already. */
static enum dial_result connect_next(struct dial *d, struct stream *stream)
{
    stream_close(stream);
    while (d->address < d->endpoint.count) {
        bool pending;
        int fd = socket_connect(&d->endpoint.addresses[d->address++], &pending);
        if (fd == -1) {
            note_fault(d, errno);
            continue;
        }
        stream_init(stream, d->loop, fd, d->callback, d->data);
        stream->connecting = pending;
        d->began = loop_now(d->loop);
        return pending ? DIAL_MORE : reached(d, stream);
    }
    return fail(d, d->cause);
}

enum dial_result dial_begin(struct dial *d, const struct backend *backend, const struct dial_client *client,
                            struct stream *stream, struct loop *loop, stream_callback *callback, void *data)
{
    *d = (struct dial){.backend = backend, .client = client, .loop = loop, .callback = callback, .data = data,
                       .cause = "no-address"};
    backend_endpoint(backend, &d->endpoint);
    d->local = d->endpoint.count > 0; /* until an address fails for another reason */
    return connect_next(d, stream);
}

/* --- TLS ------------------------------------------------------------------------------------------------- */

static enum dial_result shake_hands(struct dial *d, struct stream *stream)
{
    const char *text;
    enum stream_status status = stream_handshake(stream);
    if (status == STREAM_AGAIN) {
        return DIAL_MORE;
    }
    if (status == STREAM_READY) {
        d->encrypted = true;
        return next_phase(d, stream);
    }
    if (status == STREAM_FLOODED || stream_failed_locally(stream)) {
        d->local = stream_failed_locally(stream);
        return fail(d, dial_end(stream, status));
    }
    const char *cause = tls_client_failure(stream, &text);
    return status == STREAM_FAILED ? fail_with(d, cause, span_of(text)) : fail(d, "tls-closed");
}

static enum dial_result begin_tls(struct dial *d, struct stream *stream)
{
    /* What was said in the clear may have been said by anybody. */
    d->phase = DIAL_TLS;
    d->able = (struct capabilities){0};
    buffer_clear(&d->list);
    return tls_client_connect(d->backend->tls, stream) == 0 ? shake_hands(d, stream) : fail_for_memory(d);
}

/* --- what the backend says -------------------------------------------------------------------------------- */

static enum dial_result ask_capability(struct dial *d, struct stream *stream)
{
    return say(d, stream, DIAL_CAPABILITY, TAG_CAPABILITY " CAPABILITY\r\n");
}

static enum dial_result keep_list(struct dial *d, struct span list)
{
    capability_parse(list, &d->able);
    buffer_clear(&d->list);
    return buffer_append(&d->list, list.bytes, list.len, RESPONSE_LINE_MAX) == 0 ? DIAL_MORE : fail_for_memory(d);
}

static enum dial_result introduce(struct dial *d, struct stream *stream)
{
    char text[2][ADDRESS_TEXT_SIZE], number[3][8];
    struct buffer out = {0};
    const struct dial_client *c = d->client;
    snprintf(number[0], sizeof number[0], "%u", address_port(&c->peer));
    snprintf(number[1], sizeof number[1], "%u", address_port(&c->local));
    snprintf(number[2], sizeof number[2], "%d", PROXY_TTL);
    const char *const pairs[][2] = {
        {"x-originating-ip", address_text(&c->peer, text[0])},   {"x-originating-port", number[0]},
        {"x-connected-ip", address_text(&c->local, text[1])},    {"x-connected-port", number[1]},
        {"x-proxy-ttl", number[2]},
    };
    static const char command[] = TAG_ID " ID (";
    struct buffer list = {0};
    bool well = true;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        well = well && id_pair_append(span_of(pairs[i][0]), span_of(pairs[i][1]), &list, MESSAGE_MAX) == 0;
    }
    well = well && buffer_append(&list, c->id.bytes, c->id.len, MESSAGE_MAX) == 0 &&
           buffer_append(&out, command, sizeof command - 1, MESSAGE_MAX) == 0 &&
           buffer_append(&out, buffer_data(&list) + 1, list.len - 1, MESSAGE_MAX) == 0 && /* without its first blank */
           buffer_append(&out, ")\r\n", 3, MESSAGE_MAX) == 0 &&
           stream_send(stream, buffer_data(&out), out.len, MESSAGE_MAX) == 0;
    buffer_clear(&list);
    buffer_clear(&out);
    d->phase = DIAL_ID;
    return well ? DIAL_MORE : fail_for_memory(d);
}

/* For no client: a check. */
static bool is_own(const struct dial *d)
{
    return d->client->peer.sa.sa_family == AF_UNSPEC;
}

/* What remains to be done, from what has been. */
static enum dial_result next_phase(struct dial *d, struct stream *stream)
{
    const struct backend_options *o = d->backend->options;
    switch (d->phase) {
    case DIAL_CONNECT:
        if (o->tls == BACKEND_TLS_IMPLICIT) {
            return begin_tls(d, stream);
        }
        d->phase = DIAL_GREETING;
        return DIAL_MORE;
    case DIAL_TLS:
        if (o->tls == BACKEND_TLS_IMPLICIT) {
            d->phase = DIAL_GREETING;
            return DIAL_MORE;
        }
        return ask_capability(d, stream);
    case DIAL_STARTTLS:
        return begin_tls(d, stream);
    case DIAL_GREETING:
        /* Some servers list in their greeting only what a login needs: who wants to learn asks for the rest. */
        if (!d->able.known || is_own(d)) {
            return ask_capability(d, stream);
        }
        /* fall through */
    case DIAL_CAPABILITY:
        if (o->tls == BACKEND_TLS_STARTTLS && !d->encrypted) {
            return d->able.starttls ? say(d, stream, DIAL_STARTTLS, TAG_STARTTLS " STARTTLS\r\n")
                                    : fail(d, "no-starttls");
        }
        if (!d->able.imap) {
            return fail(d, "no-imap");
        }
        if (o->forward_id && d->able.id && !is_own(d)) {
            return introduce(d, stream);
        }
        /* fall through */
    case DIAL_ID:
        d->phase = DIAL_DONE;
        /* fall through */
    case DIAL_DONE:
        break;
    }
    return DIAL_READY;
}

static enum dial_result take_greeting(struct dial *d, struct stream *stream, struct span line)
{
    struct span list;
    struct response said = response_parse(line, "");
    if (said.kind != RESPONSE_OK) {
        return fail_with(d, said.kind == RESPONSE_BYE       ? "bye"
                            : said.kind == RESPONSE_PREAUTH ? "preauth"
                                                          : "no-greeting",
                         line);
    }
    if (response_code_capability(&said, &list) && keep_list(d, list) == DIAL_FAILED) {
        return DIAL_FAILED;
    }
    return next_phase(d, stream);
}

static enum dial_result take_capability(struct dial *d, struct stream *stream, struct span line)
{
    struct response said = response_parse(line, TAG_CAPABILITY);
    if (said.kind == RESPONSE_CAPABILITY) {
        return keep_list(d, said.text);
    }
    if (said.tagged && said.kind == RESPONSE_OK) {
        return next_phase(d, stream);
    }
    if (!said.tagged && (said.kind == RESPONSE_OTHER || said.kind == RESPONSE_OK || said.kind == RESPONSE_NO)) {
        return DIAL_MORE;
    }
    return fail_with(d, said.kind == RESPONSE_BYE ? "bye" : "no-capabilities", line);
}

/*
 * Nothing but its OK, and nothing behind it: whoever sits in between would want us to take it for something that was
 * said inside TLS (CVE-2011-0411 and its family).
 */
static enum dial_result take_starttls(struct dial *d, struct stream *stream, struct span line)
{
    struct response said = response_parse(line, TAG_STARTTLS);
    (void)stream;
    if (said.tagged && said.kind == RESPONSE_OK) {
        return DIAL_MORE; /* see talk(): what is behind it can be looked for once it is taken */
    }
    if (said.tagged || said.kind == RESPONSE_BYE) {
        return fail_with(d, said.kind == RESPONSE_BYE ? "bye" : "starttls-refused", line);
    }
    return fail_with(d, "starttls-injection", line);
}

/* Whether it likes to know is its own affair. */
static enum dial_result take_id(struct dial *d, struct stream *stream, struct span line)
{
    struct response said = response_parse(line, TAG_ID);
    if (said.tagged) {
        return next_phase(d, stream);
    }
    if (said.kind == RESPONSE_OTHER || said.kind == RESPONSE_OK || said.kind == RESPONSE_NO) {
        return DIAL_MORE;
    }
    return fail_with(d, said.kind == RESPONSE_BYE ? "bye" : "nonsense", line);
}

static enum dial_result take_line(struct dial *d, struct stream *stream, struct span line)
{
    if (++d->lines > LINES_MAX) {
        return fail(d, "too-many-lines");
    }
    switch (d->phase) {
    case DIAL_GREETING:
        return take_greeting(d, stream, line);
    case DIAL_CAPABILITY:
        return take_capability(d, stream, line);
    case DIAL_STARTTLS:
        return take_starttls(d, stream, line);
    case DIAL_ID:
        return take_id(d, stream, line);
    default:
        return fail(d, "nonsense");
    }
}

/* After the OK to STARTTLS. */
static enum dial_result look_behind(struct dial *d, struct stream *stream)
{
    uint8_t octet;
    return stream_waiting(stream, &octet, sizeof octet) > 0 ? fail(d, "starttls-injection") : next_phase(d, stream);
}

const char *dial_end(const struct stream *stream, enum stream_status status)
{
    return stream_failed_locally(stream)  ? "io-failed"
           : status == STREAM_FLOODED ? "tls-flood"
           : status == STREAM_FAILED  ? "tls-broken"
                                      : "connection-closed";
}

/* Reads a line at most; `more` says whether another may be there already. */
static enum dial_result talk(struct dial *d, struct stream *stream, bool *more)
{
    struct span bytes, line;
    size_t taken;
    enum dial_phase phase = d->phase;
    enum stream_status status = stream_peek(stream, &bytes);
    *more = false;
    if (status == STREAM_AGAIN) {
        return DIAL_MORE;
    }
    if (status != STREAM_READY) {
        d->local = stream_failed_locally(stream);
        return fail(d, dial_end(stream, status));
    }
    enum response_result read = response_feed(&d->reader, bytes.bytes, bytes.len, &taken, &line);
    enum dial_result result = read == RESPONSE_LINE   ? take_line(d, stream, line)
                              : read == RESPONSE_MORE ? DIAL_MORE
                                                    : fail(d, response_fault(read));
    *more = taken < bytes.len;
    if (result != DIAL_FAILED && stream_take(stream, taken) != 0) {
        return fail_for_memory(d);
    }
    return result == DIAL_MORE && read == RESPONSE_LINE && phase == DIAL_STARTTLS ? look_behind(d, stream) : result;
}

enum dial_result dial_event(struct dial *d, struct stream *stream)
{
    enum dial_result result = DIAL_MORE;
    bool more = true;
    if (d->phase == DIAL_CONNECT) {
        if (stream_connected(stream) != STREAM_READY) {
            note_fault(d, errno);
            return connect_next(d, stream);
        }
        result = reached(d, stream);
    }
    while (result == DIAL_MORE && more) {
        if (d->phase == DIAL_TLS) {
            result = shake_hands(d, stream);
            more = d->phase != DIAL_TLS; /* what comes next may have come with the handshake's last record */
        } else {
            result = talk(d, stream, &more);
        }
    }
    return result;
}

enum dial_result dial_expired(struct dial *d, struct stream *stream)
{
    static const char *const causes[] = {
        [DIAL_CONNECT] = "connect-timeout",   [DIAL_TLS] = "tls-timeout",           [DIAL_GREETING] = "greeting-timeout",
        [DIAL_STARTTLS] = "starttls-timeout", [DIAL_CAPABILITY] = "capability-timeout", [DIAL_ID] = "id-timeout",
        [DIAL_DONE] = "login-timeout",
    };
    d->cause = causes[d->phase];
    d->local = false;
    return d->phase == DIAL_CONNECT ? connect_next(d, stream) : fail(d, d->cause);
}

ev_tstamp dial_deadline(const struct dial *d)
{
    const struct backend_options *o = d->backend->options;
    return d->connected == 0 ? d->began + o->connect_timeout_ms / 1000. : d->connected + o->login_timeout_ms / 1000.;
}

void dial_clear(struct dial *d)
{
    response_reader_fini(&d->reader);
    buffer_clear(&d->list);
    *d = (struct dial){0};
}
