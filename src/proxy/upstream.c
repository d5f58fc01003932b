/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/upstream.h"

#include <stdlib.h>
#include <string.h>

#include "proxy/admission.h"
#include "proxy/attempt.h"
#include "proxy/client.h"
#include "proxy/dial.h"
#include "proxy/session_log.h"

/* The tag of our login: one that no answer to a client could bear by accident. */
#define TAG_LOGIN "guard-login"

enum {
    LINES_MAX = 64,             /* that a backend may say before it has answered the login */
    ANSWER_MAX = 128 * 1024,    /* octets of what is passed on to the client ... */
    UNTAGGED_MAX = 96 * 1024,   /* ... of which so many stand before the tagged line */
    MESSAGE_MAX = 64 * 1024,
    CHALLENGE_MAX = 8 * 1024,   /* octets of a challenge for the client */
};

static struct span tag_of(const struct attempt *a)
{
    return (struct span){buffer_data(&a->tag), a->tag.len};
}

void upstream_disconnect(struct session *s)
{
    stream_close(&s->backend_stream);
    if (s->backend != NULL) {
        backend_release_session(s->backend);
        s->backend = NULL;
    }
}

static void end_attempt(struct session *s)
{
    attempt_free(s->attempt);
    s->attempt = NULL;
    upstream_disconnect(s);
}

/*
 * The attempt has failed for a reason that is not the user's: the client may try again, and nothing is counted. The
 * log has what was wrong with the latest backend.
 */
static struct step unavailable(struct session *s)
{
    struct attempt *a = s->attempt;
    struct span said = {buffer_data(&a->said), a->said.len};
    session_log_login_fault(s, a->fault, said);
    int result = client_reply(s, tag_of(a), faults[a->fault].reply);
    end_attempt(s);
    return result == 0 ? step_go(STATE_NOT_AUTHENTICATED) : step_end(REASON_MEMORY);
}

/* Remembers the latest fault; `said` is the backend's words, if they explain it. */
static void note_fault(struct attempt *a, enum fault fault, struct span said)
{
    a->fault = fault;
    buffer_clear(&a->said);
    (void)buffer_append(&a->said, said.bytes, said.len, MESSAGE_MAX); /* without them the log says less */
}

/* The next backend of the route may do better. */
static struct step go_elsewhere(struct session *s)
{
    struct attempt *a = s->attempt;
    stream_close(&s->backend_stream);
    dial_clear(&a->dial);
    response_reader_fini(&a->reader);
    login_command_clear(&a->command);
    buffer_clear(&a->untagged);
    a->lines = 0;
    return step_go(STATE_CONNECT);
}

/* The backend has failed after it got the login. A client that has talked with it cannot be handed to another. */
static struct step login_broken(struct session *s, enum fault fault, struct span said)
{
    note_fault(s->attempt, fault, said);
    return s->attempt->credentials.passthrough != NULL ? unavailable(s) : go_elsewhere(s);
}

/* --- CONNECT: the choice ---------------------------------------------------------------------------- */

/* Who acts in the mailbox decides which backend it is on. */
static const char *owner_of(const struct credentials *c)
{
    return c->authorize != NULL ? c->authorize : c->user;
}

static bool find_route(struct session *s)
{
    struct attempt *a = s->attempt;
    const char *server_name = SSL_get_servername(s->client_stream.tls, TLSEXT_NAMETYPE_host_name);
    a->route = routes_find(s->proxy->backends->routes, owner_of(&a->credentials), server_name);
    if (a->route == NULL) {
        return false;
    }
    a->count = route_order(a->route, owner_of(&a->credentials), a->order);
    a->client = (struct dial_client){
        .peer = s->connection.peer, .local = s->connection.local,
        .id = {buffer_data(&s->client_id), s->client_id.len}};
    return true;
}

/* The first in order that was not tried and is up, or at least may be. NULL: all were. */
static struct backend *next_backend(struct session *s, bool up)
{
    struct attempt *a = s->attempt;
    for (size_t i = 0; i < a->count; i++) {
        struct backend *backend = &s->proxy->backends->items[a->order[i]];
        if ((a->tried >> backend->index & 1) == 0 && (!up || backend_is_up(backend))) {
            return backend;
        }
    }
    return NULL;
}

/* Those that are down come last: nobody knows better than a login that one of them is back. */
static struct backend *choose(struct session *s)
{
    struct backend *backend = next_backend(s, true);
    return backend != NULL ? backend : next_backend(s, false);
}

/* A user whom no route is for is one that no backend knows. */
static struct step refuse_unknown(struct session *s);

static struct step dialled(struct session *s, enum dial_result result)
{
    struct attempt *a = s->attempt;
    switch (result) {
    case DIAL_MORE:
        return step_more();
    case DIAL_READY:
        backend_mark_up(s->backend);
        return step_go(STATE_BACKEND_LOGIN);
    case DIAL_FAILED:
        break;
    }
    if (faults[a->dial.fault].marks_down) {
        backend_mark_down(s->backend, a->dial.fault);
    }
    note_fault(a, a->dial.fault, span_of(a->dial.said));
    return go_elsewhere(s);
}

struct step upstream_connect(struct session *s)
{
    struct attempt *a = s->attempt;
    if (a->route == NULL && !find_route(s)) {
        return refuse_unknown(s);
    }
    for (struct backend *next; (next = choose(s)) != NULL;) {
        a->tried |= (uint64_t)1 << next->index;
        if (!backend_reserve_session(next)) {
            if (a->fault == FAULT_NONE) {
                note_fault(a, FAULT_MAX_SESSIONS, (struct span){0}); /* of one that failed there is more to say */
            }
            continue;
        }
        upstream_disconnect(s);
        s->backend = next;
        return dialled(s, dial_begin(&a->dial, next, &a->client, &s->backend_stream, s->proxy->loop, session_event, s));
    }
    return unavailable(s);
}

struct step upstream_dial(struct session *s)
{
    return dialled(s, dial_event(&s->attempt->dial, &s->backend_stream));
}

struct step upstream_watch_failed(struct session *s)
{
    return dialled(s, dial_watch_failed(&s->attempt->dial));
}

ev_tstamp upstream_deadline(const struct session *s)
{
    return dial_deadline(&s->attempt->dial);
}

struct step upstream_connect_expired(struct session *s)
{
    bool over = upstream_deadline(s) <= session_now(s); /* the time of another phase has begun since */
    return over ? dialled(s, dial_expired(&s->attempt->dial, &s->backend_stream)) : step_more();
}

/* --- BACKEND_LOGIN ------------------------------------------------------------------------------------ */

struct step upstream_login_expired(struct session *s)
{
    return login_broken(s, FAULT_LOGIN_TIMEOUT, (struct span){0});
}

static struct step take_answer(struct session *s, struct span line);

/* Reads lines for as long as they do not decide. What follows is not touched: it is the relay's. */
struct step upstream_answer(struct session *s)
{
    struct attempt *a = s->attempt;
    struct step step = step_more();
    while (step.kind == STEP_MORE) {
        struct span bytes, line;
        size_t taken;
        enum stream_status status = stream_peek(&s->backend_stream, &bytes);
        if (status == STREAM_AGAIN) {
            return step;
        }
        if (status != STREAM_READY) {
            return login_broken(s, dial_stream_fault(&s->backend_stream, status), (struct span){0});
        }
        bool all = true;
        enum response_result result = response_feed(&a->reader, bytes.bytes, bytes.len, &taken, &line);
        if (result == RESPONSE_LINE) {
            all = taken == bytes.len;
            step = ++a->lines > LINES_MAX ? login_broken(s, FAULT_TOO_MANY_LINES, (struct span){0}) : take_answer(s, line);
        } else if (result != RESPONSE_MORE) {
            return login_broken(s, dial_line_fault(result), (struct span){0});
        }
        if (stream_is_open(&s->backend_stream) && stream_take(&s->backend_stream, taken) != 0) {
            return step_end(REASON_MEMORY);
        }
        if (all) {
            break;
        }
    }
    return step;
}

/* Sends the next part of the login; false when there is none. */
static bool send_part(struct session *s)
{
    struct span part;
    return login_command_next(&s->attempt->command, &part) &&
           stream_send(&s->backend_stream, part.bytes, part.len, MESSAGE_MAX) == 0;
}

/* As login_command_build(), with the name by which the backends of the route know the user. */
static enum login_command_result build(struct attempt *a)
{
    struct credentials c = a->credentials; /* which stay their owner's */
    if (c.user == NULL) {
        return login_command_build(&a->command, TAG_LOGIN, &c, &a->dial.able);
    }
    c.user = strndup(c.user, route_user_len(a->route, c.user));
    c.authorize = c.authorize != NULL ? strndup(c.authorize, route_user_len(a->route, c.authorize)) : NULL;
    enum login_command_result result = c.user == NULL || (a->credentials.authorize != NULL && c.authorize == NULL)
                                   ? LOGIN_COMMAND_MEMORY
                                   : login_command_build(&a->command, TAG_LOGIN, &c, &a->dial.able);
    free(c.user);
    free(c.authorize);
    return result;
}

struct step upstream_login(struct session *s)
{
    struct attempt *a = s->attempt;
    if (a->command.parts > 0) {
        return step_more();
    }
    switch (build(a)) {
    case LOGIN_COMMAND_READY:
        return send_part(s) ? step_more() : step_end(REASON_MEMORY);
    case LOGIN_COMMAND_FORBIDDEN:
        note_fault(a, FAULT_LOGIN_DISABLED, (struct span){0});
        return go_elsewhere(s);
    case LOGIN_COMMAND_NO_MECHANISM:
        note_fault(a, FAULT_NO_MECHANISM, (struct span){0});
        return go_elsewhere(s);
    case LOGIN_COMMAND_MEMORY:
        return step_end(REASON_MEMORY);
    case LOGIN_COMMAND_TOO_BIG:
        note_fault(a, FAULT_LOGIN_TOO_LONG, (struct span){0});
        return unavailable(s);
    case LOGIN_COMMAND_NOT_AUTHORIZE:
        break;
    }
    note_fault(a, FAULT_NO_AUTHORIZE, (struct span){0});
    return unavailable(s);
}

/* --- CHALLENGE ---------------------------------------------------------------------------------------- */

/* What the backend says behind "+" goes to the client, if it is what RFC 9051 has there. */
static struct step challenge(struct session *s, struct span line)
{
    struct span text = {line.bytes + 1, line.len - 1};
    while (text.len > 0 && text.bytes[0] == ' ') {
        text = (struct span){text.bytes + 1, text.len - 1};
    }
    if (text.len > CHALLENGE_MAX || !sasl_is_base64(text)) {
        return login_broken(s, FAULT_NONSENSE, (struct span){0});
    }
    if (stream_queue(&s->client_stream, "+ ", 2, ANSWER_MAX) != 0 ||
        stream_queue(&s->client_stream, text.bytes, text.len, ANSWER_MAX) != 0 ||
        stream_queue(&s->client_stream, "\r\n", 2, ANSWER_MAX) != 0) {
        return step_end(REASON_MEMORY);
    }
    return step_go(STATE_CHALLENGE);
}

struct step upstream_respond(struct session *s, struct span response)
{
    if (stream_queue(&s->backend_stream, response.bytes, response.len, MESSAGE_MAX) != 0 ||
        stream_queue(&s->backend_stream, "\r\n", 2, MESSAGE_MAX) != 0) {
        return step_end(REASON_MEMORY);
    }
    stream_flush(&s->backend_stream);
    return step_go(STATE_BACKEND_LOGIN);
}

/* --- the answer --------------------------------------------------------------------------------------- */

static int put(struct buffer *out, struct span s)
{
    return buffer_append(out, s.bytes, s.len, ANSWER_MAX);
}

static int put_text(struct buffer *out, const char *text)
{
    return put(out, span_of(text));
}

/* Keeps an untagged capability list, as a client of imapguard may see it. */
static int keep_capability(struct buffer *out, struct span list)
{
    return put_text(out, "* CAPABILITY ") == 0 && capability_pass(list, out, ANSWER_MAX) == 0 &&
                   put_text(out, "\r\n") == 0
               ? 0
               : -1;
}

static int keep_line(struct buffer *out, struct span line)
{
    return put(out, line) == 0 && put_text(out, "\r\n") == 0 ? 0 : -1;
}

/* The first word of a response code. */
static bool code_is(struct span code, const char *word)
{
    struct span first;
    return span_word(&code, &first) && span_is(first, word);
}

/* The client's tagged answer, from the backend's; `code` is ours when the backend gave none that fits. */
static int put_answer(struct buffer *out, struct span tag, const char *word, const char *code,
                      const struct response *said)
{
    struct span list;
    bool has_list = response_code_capability(said, &list);
    /* RFC 2221 would lead the client around us, to a server that may not even speak TLS. */
    bool passes = said->code.len > 0 && !has_list && !code_is(said->code, "REFERRAL");
    if (put(out, tag) != 0 || put_text(out, word) != 0) {
        return -1;
    }
    if (has_list && code[0] == '\0') {
        if (put_text(out, "[CAPABILITY ") != 0 || capability_pass(list, out, ANSWER_MAX) != 0 ||
            put_text(out, "] ") != 0) {
            return -1;
        }
    } else if (passes) {
        if (put_text(out, "[") != 0 || put(out, said->code) != 0 || put_text(out, "] ") != 0) {
            return -1;
        }
    } else if (put_text(out, code) != 0) {
        return -1;
    }
    struct span text = said->text.len > 0 ? said->text : span_of("Done.");
    return keep_line(out, text);
}

static struct step login_accepted(struct session *s, const struct response *said)
{
    struct attempt *a = s->attempt;
    if (put_answer(&a->untagged, tag_of(a), " OK ", "", said) != 0) {
        return step_end(REASON_MEMORY);
    }
    session_log_login(s);
    s->user = a->credentials.user;
    s->method = a->credentials.method;
    a->credentials.user = NULL;
    if (stream_queue(&s->client_stream, buffer_data(&a->untagged), a->untagged.len, ANSWER_MAX) != 0) {
        return step_end(REASON_MEMORY);
    }
    attempt_free(a);
    s->attempt = NULL;
    s->active = session_now(s);
    return step_go(STATE_RELAY);
}

/* Response codes (RFC 5530) by which a backend says that it is not the user's fault. */
static bool is_trouble(struct span code)
{
    static const char *const codes[] = {"UNAVAILABLE", "SERVERBUG", "INUSE", "LIMIT"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (code_is(code, codes[i])) {
            return true;
        }
    }
    return false;
}

/* The delay before the answer to the latest of so many failed logins. */
static uint32_t penalty_ms(const struct limits *limits, unsigned failed_logins)
{
    uint64_t delay = limits->login_delay_ms;
    for (unsigned i = 1; i < failed_logins && delay < limits->login_delay_max_ms; i++) {
        delay *= 2;
    }
    return delay < limits->login_delay_max_ms ? (uint32_t)delay : limits->login_delay_max_ms;
}

/* The answer in the attempt goes to the client after its delay. */
static struct step punish(struct session *s)
{
    struct attempt *a = s->attempt;
    if (a->credentials.user != NULL) {
        admission_login_failed(s);
    }
    a->penalty_ms = penalty_ms(s->proxy->limits, ++s->failed_logins);
    credentials_clear(&a->credentials); /* neither they nor the connection are needed while the client waits */
    upstream_disconnect(s);
    return step_go(STATE_PENALTY);
}

static struct step refuse_unknown(struct session *s)
{
    struct attempt *a = s->attempt;
    if (put(&a->answer, tag_of(a)) != 0 ||
        put_text(&a->answer, " NO [AUTHENTICATIONFAILED] Authentication failed.\r\n") != 0) {
        return step_end(REASON_MEMORY);
    }
    session_log_login_failed(s, "no-route", (struct span){0});
    return punish(s);
}

static struct step login_rejected(struct session *s, const struct response *said)
{
    struct attempt *a = s->attempt;
    /* Who did not say yet who it is cannot have said it wrong. */
    bool trouble = is_trouble(said->code) || a->credentials.user == NULL;
    const char *code = trouble ? "[UNAVAILABLE] " : "[AUTHENTICATIONFAILED] ";
    if (put_answer(&a->answer, tag_of(a), " NO ", code, said) != 0) {
        return step_end(REASON_MEMORY);
    }
    if (trouble) {
        session_log_login_fault(s, FAULT_BACKEND_REFUSED, said->code);
        int result = stream_queue(&s->client_stream, buffer_data(&a->answer), a->answer.len, ANSWER_MAX);
        end_attempt(s);
        return result == 0 ? step_go(STATE_NOT_AUTHENTICATED) : step_end(REASON_MEMORY);
    }
    session_log_login_failed(s, "authentication-failed", said->code);
    return punish(s);
}

static struct step take_answer(struct session *s, struct span line)
{
    struct attempt *a = s->attempt;
    struct response said = response_parse(line, TAG_LOGIN);

    if (!said.tagged && a->untagged.len + line.len > UNTAGGED_MAX) {
        return login_broken(s, FAULT_ANSWER_TOO_LONG, (struct span){0});
    }
    if (said.kind == RESPONSE_CONTINUE) {
        return send_part(s)                       ? step_more()
               : a->credentials.passthrough != NULL ? challenge(s, line)
                                               : login_broken(s, FAULT_UNEXPECTED_CONTINUATION, (struct span){0});
    }
    if (said.tagged && said.kind == RESPONSE_OK) {
        return login_accepted(s, &said);
    }
    if (said.tagged && said.kind == RESPONSE_NO) {
        return login_rejected(s, &said);
    }
    if (said.kind == RESPONSE_CAPABILITY) {
        return keep_capability(&a->untagged, said.text) == 0 ? step_more() : step_end(REASON_MEMORY);
    }
    if (!said.tagged && (said.kind == RESPONSE_OK || said.kind == RESPONSE_NO || said.kind == RESPONSE_BAD)) {
        struct span list; /* such as [ALERT], which a client must show (RFC 9051 7.1) */
        if (response_code_capability(&said, &list)) {
            return keep_capability(&a->untagged, list) == 0 ? step_more() : step_end(REASON_MEMORY);
        }
        return keep_line(&a->untagged, line) == 0 ? step_more() : step_end(REASON_MEMORY);
    }
    if (said.kind == RESPONSE_OTHER) {
        return step_more();
    }
    /* From here on only codes are logged: some servers repeat the command in what they say, password and all. */
    return login_broken(s, said.kind == RESPONSE_BYE   ? FAULT_BYE
                           : said.kind == RESPONSE_BAD ? FAULT_BACKEND_BAD
                                                     : FAULT_NONSENSE,
                        said.code);
}

/* --- PENALTY ---------------------------------------------------------------------------------------- */

ev_tstamp upstream_penalty_deadline(const struct session *s)
{
    return session_after(session_now(s), s->attempt->penalty_ms);
}

struct step upstream_penalty_over(struct session *s)
{
    struct attempt *a = s->attempt;
    int result = stream_queue(&s->client_stream, buffer_data(&a->answer), a->answer.len, ANSWER_MAX);
    end_attempt(s);
    if (result != 0) {
        return step_end(REASON_MEMORY);
    }
    return s->failed_logins >= s->proxy->limits->login_attempts ? step_end(REASON_LOGIN_ATTEMPTS)
                                                                : step_go(STATE_NOT_AUTHENTICATED);
}
