/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/dial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "imap/id.h"
#include "net/proxy_header.h"
#include "net/socket.h"
#include "proxy/backend_state.h"

/* Each of our commands has a tag of its own, so that no answer can be taken for that of another. */
#define TAG_CAPABILITY "guard-capability"
#define TAG_STARTTLS "guard-starttls"
#define TAG_ID "guard-id"

enum {
    LINES_MAX = 64, /* that a backend may say up to here */
    MESSAGE_MAX = 64 * 1024,
    PROXY_TTL = 5, /* Dovecot's default: how many proxies may follow each other */
};

static enum dial_result next_phase(struct dial *d, struct stream *stream);

static enum dial_result fail_with(struct dial *d, enum fault fault, struct span said)
{
    int len = said.len < sizeof d->said ? (int)said.len : (int)sizeof d->said - 1;
    d->fault = fault;
    snprintf(d->said, sizeof d->said, "%.*s", len, len > 0 ? (const char *)said.bytes : "");
    return DIAL_FAILED;
}

static enum dial_result fail(struct dial *d, enum fault fault)
{
    return fail_with(d, fault, (struct span){0});
}

static enum dial_result fail_for_memory(struct dial *d)
{
    return fail(d, FAULT_OUT_OF_MEMORY);
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

/* Returns the fault that an errno of socket() or connect() stands for. */
static enum fault connect_fault(int error)
{
    /* clang-format off */
    static const struct {
        int error;
        enum fault fault;
    } rows[] = {
        {ECONNREFUSED, FAULT_CONNECTION_REFUSED},   {ENOENT, FAULT_NO_SUCH_SOCKET},
        {EMFILE, FAULT_NO_DESCRIPTORS},             {ENFILE, FAULT_NO_DESCRIPTORS},
        {EADDRNOTAVAIL, FAULT_NO_LOCAL_PORT},       {ENETUNREACH, FAULT_NETWORK_UNREACHABLE},
        {EAFNOSUPPORT, FAULT_NETWORK_UNREACHABLE},  {ENOBUFS, FAULT_OUT_OF_MEMORY},
        {ENOMEM, FAULT_OUT_OF_MEMORY},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].error == error) {
            return rows[i].fault;
        }
    }
    return FAULT_CONNECTION_FAILED;
}

/* Of several addresses, a fault of the backend's at one says more than a fault of this host's at the others. */
static void note_fault(struct dial *d, enum fault fault)
{
    if (!faults[d->fault].marks_down || faults[fault].marks_down) {
        d->fault = fault;
    }
}

/* Returns true if the dial is a check. */
static bool is_own(const struct dial *d)
{
    return d->client->header.source.sa.sa_family == AF_UNSPEC;
}

/*
 * A check tells of itself as of a client with TLS, where a header can: some servers let nobody log in without, and are up
 * for our clients all the same. On a UNIX socket it has no address to tell.
 */
static struct proxy_header_client own_header(int fd)
{
    struct proxy_header_client own = {.tls = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384"};
    socklen_t source = sizeof own.source, destination = sizeof own.destination;
    bool known = getsockname(fd, &own.source.sa, &source) == 0 &&
                 getpeername(fd, &own.destination.sa, &destination) == 0 && own.source.sa.sa_family != AF_UNIX;
    return known ? own : (struct proxy_header_client){0};
}

static enum dial_result reached(struct dial *d, struct stream *stream)
{
    uint8_t header[PROXY_HEADER_MAX];
    enum proxy_header_version version = (enum proxy_header_version)d->backend->options->proxy_protocol;
    struct proxy_header_client own = {0};
    if (is_own(d) && version == PROXY_HEADER_V2) {
        own = own_header(stream->io.fd);
    }
    size_t len = proxy_header_write(version, is_own(d) ? &own : &d->client->header, header);
    d->connected = loop_now(d->loop);
    d->introduced = len > 0 && !is_own(d);
    if (stream_send(stream, header, len, MESSAGE_MAX) != 0) {
        return fail_for_memory(d);
    }
    return next_phase(d, stream);
}

/* Tries the next address; the fault of the one before is in `d`. */
static enum dial_result connect_next(struct dial *d, struct stream *stream)
{
    stream_close(stream);
    d->introduced = false;
    while (d->address < d->endpoint.count) {
        bool pending;
        int fd = socket_connect(&d->endpoint.addresses[d->address++], &pending);
        if (fd == -1) {
            note_fault(d, connect_fault(errno));
            continue;
        }
        stream_init(stream, d->loop, fd, d->callback, d->data);
        stream->connecting = pending;
        d->began = loop_now(d->loop);
        return pending ? DIAL_MORE : reached(d, stream);
    }
    return fail(d, d->fault != FAULT_NONE ? d->fault : FAULT_NO_ADDRESS);
}

bool dial_has_introduced(const struct dial *d)
{
    return d->introduced;
}

enum dial_result dial_begin(struct dial *d, const struct backend *backend, const struct dial_client *client,
                            struct stream *stream, struct loop *loop, stream_callback *callback, void *data)
{
    *d = (struct dial){.backend = backend, .client = client, .loop = loop, .callback = callback, .data = data};
    backend_endpoint(backend, &d->endpoint);
    return connect_next(d, stream);
}

/* --- TLS ------------------------------------------------------------------------------------------------- */

static const enum fault tls_faults[] = {
    [TLS_CLIENT_FAILED] = FAULT_TLS_FAILED,
    [TLS_CLIENT_EXPIRED] = FAULT_CERTIFICATE_EXPIRED,
    [TLS_CLIENT_NOT_YET_VALID] = FAULT_CERTIFICATE_NOT_YET,
    [TLS_CLIENT_SELF_SIGNED] = FAULT_CERTIFICATE_SELF_SIGNED,
    [TLS_CLIENT_NOT_TRUSTED] = FAULT_CERTIFICATE_NOT_TRUSTED,
    [TLS_CLIENT_OTHER_NAME] = FAULT_CERTIFICATE_OTHER_NAME,
    [TLS_CLIENT_FINGERPRINT] = FAULT_CERTIFICATE_FINGERPRINT,
    [TLS_CLIENT_INVALID] = FAULT_CERTIFICATE_INVALID,
};

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
        return fail(d, dial_stream_fault(stream, status));
    }
    enum tls_client_failure failure = tls_client_failure(stream, &text);
    return status == STREAM_FAILED ? fail_with(d, tls_faults[failure], span_of(text)) : fail(d, FAULT_TLS_CLOSED);
}

static enum dial_result begin_tls(struct dial *d, struct stream *stream)
{
    /* What came before TLS may be an attacker's. */
    d->phase = DIAL_TLS;
    d->able = (struct capabilities){0};
    d->listed_in_greeting = false;
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
    if (!d->listed_in_greeting) {
        capability_parse(list, &d->able);
    }
    buffer_clear(&d->list);
    return buffer_append(&d->list, list.bytes, list.len, RESPONSE_LINE_MAX) == 0 ? DIAL_MORE : fail_for_memory(d);
}

static enum dial_result introduce(struct dial *d, struct stream *stream)
{
    char text[2][ADDRESS_TEXT_SIZE], number[3][8];
    struct buffer out = {0};
    const struct dial_client *c = d->client;
    snprintf(number[0], sizeof number[0], "%u", address_port(&c->header.source));
    snprintf(number[1], sizeof number[1], "%u", address_port(&c->header.destination));
    snprintf(number[2], sizeof number[2], "%d", PROXY_TTL);
    /* clang-format off */
    const char *const pairs[][2] = {
        {"x-originating-ip", address_text(&c->header.source, text[0])},   {"x-originating-port", number[0]},
        {"x-connected-ip", address_text(&c->header.destination, text[1])},    {"x-connected-port", number[1]},
        {"x-proxy-ttl", number[2]},
    };
    /* clang-format on */
    static const char command[] = TAG_ID " ID (";
    struct buffer list = {0};
    bool well = true;
    d->introduced = true;
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

/* Goes on to the phase that follows from the present one and from the backend's options. */
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
        /*
         * Some servers list in their greeting only what a login needs: a check asks for the whole list, for what clients
         * are offered. d->able stays that of the greeting, by which logins go.
         */
        if (!d->able.known || is_own(d)) {
            return ask_capability(d, stream);
        }
        /* fall through */
    case DIAL_CAPABILITY:
        if (o->tls == BACKEND_TLS_STARTTLS && !d->encrypted) {
            return d->able.starttls ? say(d, stream, DIAL_STARTTLS, TAG_STARTTLS " STARTTLS\r\n")
                                    : fail(d, FAULT_NO_STARTTLS);
        }
        if (!d->able.imap) {
            return fail(d, FAULT_NO_IMAP);
        }
        if (backend_forwards_id(o, &d->able) && !is_own(d)) {
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
        return fail_with(d,
                         said.kind == RESPONSE_BYE       ? FAULT_BYE
                         : said.kind == RESPONSE_PREAUTH ? FAULT_PREAUTH
                                                         : FAULT_NO_GREETING,
                         line);
    }
    if (response_code_capability(&said, &list)) {
        if (keep_list(d, list) == DIAL_FAILED) {
            return DIAL_FAILED;
        }
        d->listed_in_greeting = d->able.known;
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
    return fail_with(d, said.kind == RESPONSE_BYE ? FAULT_BYE : FAULT_NO_CAPABILITIES, line);
}

/*
 * Accepts nothing but the tagged OK, and nothing behind it: an attacker on the way could send octets that would be
 * taken for octets from inside TLS (CVE-2011-0411).
 */
static enum dial_result take_starttls(struct dial *d, struct stream *stream, struct span line)
{
    struct response said = response_parse(line, TAG_STARTTLS);
    (void)stream;
    if (said.tagged && said.kind == RESPONSE_OK) {
        return DIAL_MORE; /* see read_line(): octets behind it can be seen once the line was taken */
    }
    if (said.tagged || said.kind == RESPONSE_BYE) {
        return fail_with(d, said.kind == RESPONSE_BYE ? FAULT_BYE : FAULT_STARTTLS_REFUSED, line);
    }
    return fail_with(d, FAULT_STARTTLS_INJECTION, line);
}

/* ID is advisory: its result is ignored. */
static enum dial_result take_id(struct dial *d, struct stream *stream, struct span line)
{
    struct response said = response_parse(line, TAG_ID);
    if (said.tagged) {
        return next_phase(d, stream);
    }
    if (said.kind == RESPONSE_OTHER || said.kind == RESPONSE_OK || said.kind == RESPONSE_NO) {
        return DIAL_MORE;
    }
    return fail_with(d, said.kind == RESPONSE_BYE ? FAULT_BYE : FAULT_NONSENSE, line);
}

static enum dial_result take_line(struct dial *d, struct stream *stream, struct span line)
{
    if (++d->lines > LINES_MAX) {
        return fail(d, FAULT_TOO_MANY_LINES);
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
        return fail(d, FAULT_NONSENSE);
    }
}

/* After the OK to STARTTLS. */
static enum dial_result look_behind(struct dial *d, struct stream *stream)
{
    uint8_t octet;
    return stream_waiting(stream, &octet, sizeof octet) > 0 ? fail(d, FAULT_STARTTLS_INJECTION) : next_phase(d, stream);
}

enum fault dial_stream_fault(const struct stream *stream, enum stream_status status)
{
    return stream_failed_locally(stream) ? FAULT_IO_FAILED
           : status == STREAM_FLOODED    ? FAULT_TLS_FLOOD
           : status == STREAM_FAILED     ? FAULT_TLS_BROKEN
                                         : FAULT_CONNECTION_CLOSED;
}

enum fault dial_line_fault(enum response_result result)
{
    return result == RESPONSE_TOO_LONG   ? FAULT_LINE_TOO_LONG
           : result == RESPONSE_BAD_BYTE ? FAULT_BAD_BYTE
                                         : FAULT_OUT_OF_MEMORY;
}

/* Reads one line at most, and writes to `more` whether octets of another may be there already. */
static enum dial_result read_line(struct dial *d, struct stream *stream, bool *more)
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
        return fail(d, dial_stream_fault(stream, status));
    }
    enum response_result read = response_feed(&d->reader, bytes.bytes, bytes.len, &taken, &line);
    enum dial_result result = read == RESPONSE_LINE   ? take_line(d, stream, line)
                              : read == RESPONSE_MORE ? DIAL_MORE
                                                      : fail(d, dial_line_fault(read));
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
            note_fault(d, connect_fault(errno));
            return connect_next(d, stream);
        }
        result = reached(d, stream);
    }
    while (result == DIAL_MORE && more) {
        if (d->phase == DIAL_TLS) {
            result = shake_hands(d, stream);
            more = d->phase != DIAL_TLS; /* the next octets may have come with the handshake's last record */
        } else {
            result = read_line(d, stream, &more);
        }
    }
    return result;
}

enum dial_result dial_expired(struct dial *d, struct stream *stream)
{
    /* clang-format off */
    static const enum fault timeouts[] = {
        [DIAL_TLS] = FAULT_TLS_TIMEOUT,           [DIAL_GREETING] = FAULT_GREETING_TIMEOUT,
        [DIAL_STARTTLS] = FAULT_STARTTLS_TIMEOUT, [DIAL_CAPABILITY] = FAULT_CAPABILITY_TIMEOUT, [DIAL_ID] = FAULT_ID_TIMEOUT,
        [DIAL_DONE] = FAULT_LOGIN_TIMEOUT,
    };
    /* clang-format on */
    if (d->phase == DIAL_CONNECT) {
        note_fault(d, FAULT_CONNECT_TIMEOUT);
        return connect_next(d, stream);
    }
    return fail(d, timeouts[d->phase]);
}

ev_tstamp dial_deadline(const struct dial *d)
{
    const struct backend_options *o = d->backend->options;
    bool greeted = d->phase != DIAL_GREETING && !(d->phase == DIAL_TLS && o->tls == BACKEND_TLS_IMPLICIT);
    if (d->connected == 0) {
        return d->began + o->connect_timeout_ms / 1000.;
    }
    uint32_t ms = greeted || o->login_timeout_ms < o->greeting_timeout_ms ? o->login_timeout_ms
                                                                          : o->greeting_timeout_ms;
    return d->connected + ms / 1000.;
}

void dial_clear(struct dial *d)
{
    response_reader_fini(&d->reader);
    buffer_clear(&d->list);
    *d = (struct dial){0};
}
