/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/user_name.h"
#include "proxy/admission.h"
#include "proxy/attempt.h"
#include "proxy/backend_state.h"
#include "proxy/client.h"
#include "proxy/login_verdict.h"
#include "proxy/session_log.h"

/* The tag of our login: one that no answer to a client has by accident. */
#define TAG "guard-login"

enum {
    LINES_MAX = 64,           /* that a backend may say before it has answered the login */
    UNTAGGED_MAX = 96 * 1024, /* octets of the answer that stand before the tagged line */
    REWRITE_MAX = 16 * 1024,  /* by which the tagged line may grow: the client's tag and a response code */
    MESSAGE_MAX = 64 * 1024,
    CHALLENGE_MAX = 8 * 1024, /* octets of a challenge for the client */
};

/* --- the attempt ---------------------------------------------------------------------------------------------- */

int login_begin(struct session *s, struct span tag)
{
    s->attempt = attempt_new(tag);
    if (s->attempt == NULL) {
        return -1;
    }
    s->attempt->began = session_now(s);
    return 0;
}

/* The mailbox is that of the authorization identity, which decides on which backend it is. */
static const char *owner_of(const struct credentials *c)
{
    return c->authorize != NULL ? c->authorize : c->user;
}

/* Writes what a backend may be told of the client. Its texts are the TLS connection's, which outlasts the dial. */
static void describe_client(struct session *s, struct dial_client *client, const char *server_name)
{
    const unsigned char *protocol;
    unsigned len;
    SSL_get0_alpn_selected(s->client_stream.tls, &protocol, &len);
    *client = (struct dial_client){.header = {.source = s->connection.peer,
                                              .destination = s->connection.local,
                                              .tls = SSL_get_version(s->client_stream.tls),
                                              .cipher = SSL_get_cipher_name(s->client_stream.tls),
                                              .server_name = server_name,
                                              .alpn = {protocol, len},
                                              .id = client->session},
                                   .id = {buffer_data(&s->client_id), s->client_id.len}};
    snprintf(client->session, sizeof client->session, "%016llx", (unsigned long long)s->connection.id);
}

/* Returns true if a route is for the user; the order of its backends is known afterwards. */
static bool choose_route(struct session *s)
{
    struct attempt *a = s->attempt;
    const char *server_name = SSL_get_servername(s->client_stream.tls, TLSEXT_NAMETYPE_host_name);
    a->route = routes_find(s->connection.generation->backends->routes, owner_of(&a->credentials), server_name);
    if (a->route == NULL) {
        return false;
    }
    a->count = route_order(a->route, owner_of(&a->credentials), a->order);
    describe_client(s, &a->client, server_name);
    return true;
}

/* Takes over the credentials. Returns UNDECIDED if the rules allow their user, otherwise the rules' verdict. */
static struct login_verdict ask_rules(struct session *s, struct credentials *c)
{
    struct login_verdict v = {.kind = REJECTED};
    struct attempt *a = s->attempt;
    credentials_clear(&a->credentials);
    a->credentials = *c;
    *c = (struct credentials){0};
    if (!user_name_is_visible(a->credentials.user) ||
        (a->credentials.authorize != NULL && !user_name_is_visible(a->credentials.authorize))) {
        v.rejection = REJECTED_NAME;
        return v;
    }
    (void)(a->route != NULL || choose_route(s)); /* without a route, the login goes as far as CONNECT */
    a->account = route_account(a->route, a->credentials.user);
    if (a->account == NULL) {
        return (struct login_verdict){.kind = FAULTY, .fault = FAULT_OUT_OF_MEMORY};
    }
    switch (admission_login(s, &v.rule)) {
    case REASON_NONE:
        v.kind = UNDECIDED;
        break;
    case REASON_TARPIT:
        v.rejection = REJECTED_BY_TARPIT;
        break;
    case REASON_MEMORY:
        return (struct login_verdict){.kind = FAULTY, .fault = FAULT_OUT_OF_MEMORY};
    default:
        v.rejection = REJECTED_BY_RULE;
        break;
    }
    return v;
}

/* While the login waits for a backend that is down, others may be judged. */
static void give_up_turn(struct session *s)
{
    if (s->attempt->has_turn) {
        admission_settle(s, GUESS_UNSENT);
        s->attempt->has_turn = false;
    }
}

/* Forgets the talk with the backend that has failed: the next one of the route may do better. */
static struct step try_next_backend(struct session *s)
{
    struct attempt *a = s->attempt;
    stream_close(&s->backend_stream);
    dial_clear(&a->dial);
    response_reader_fini(&a->reader);
    login_command_clear(&a->command);
    a->lines = 0;
    return step_go(STATE_CONNECT);
}

/* Waits in QUEUED, and keeps no place at a backend meanwhile that was only dialled. */
static struct step queue(struct session *s)
{
    if (s->state == STATE_BACKEND_LOGIN && s->attempt->command.parts == 0) {
        (void)try_next_backend(s);
        session_leave_backend(s);
        s->attempt->tried = 0;
    }
    return s->state == STATE_QUEUED ? step_more() : step_go(STATE_QUEUED);
}

/* Asks whether the secret may be sent to a backend now, and takes the step `allowed` if it may. */
static struct step await_turn(struct session *s, struct step allowed)
{
    struct login_verdict v = {.kind = REJECTED};
    switch (admission_guess(s)) {
    case GUESS_ALLOWED:
        if (s->wrong_at_backend && s->wrong_password != 0 && admission_password_hash(s) == s->wrong_password) {
            v.rejection = REJECTED_BEFORE; /* many clients try the same one by each mechanism that they know */
            break;
        }
        s->attempt->has_turn = true;
        return allowed;
    case GUESS_WAITS:
    case GUESS_DELAYED:
        return queue(s);
    case GUESS_NETWORK_BANNED:
        v.rejection = REJECTED_BANNED;
        break;
    case GUESS_USER_BANNED:
        v.rejection = REJECTED_USER_BANNED;
        break;
    }
    return login_conclude(s, &v);
}

struct step login_take_turn(struct session *s)
{
    return await_turn(s, step_go(s->attempt->command.parts > 0 ? STATE_BACKEND_LOGIN : STATE_CONNECT));
}

/* A login that is refused goes the same way as others, and costs as much, up to where a backend would be asked. */
struct step login_submit(struct session *s, struct credentials *c)
{
    struct login_verdict v = ask_rules(s, c);
    if (v.kind == FAULTY) {
        return login_conclude(s, &v);
    }
    s->attempt->refusal = v;
    return login_take_turn(s);
}

struct step login_client_gone(struct session *s, enum reason reason)
{
    if (s->state == STATE_BACKEND_LOGIN && attempt_is_judged(s->attempt)) {
        client_bye(s, reason);
        s->attempt->client_reason = reason;
        return step_go(STATE_ABANDONED);
    }
    return step_end(reason);
}

struct step login_ask_backend(struct session *s, const struct sasl_mechanism *mechanism)
{
    s->attempt->credentials.method = mechanism->name;
    s->attempt->credentials.passthrough = mechanism;
    return login_take_turn(s); /* the place at the backend is what it costs until the user is known */
}

struct step login_abort(struct session *s, const char *reply)
{
    return login_conclude(s, &(struct login_verdict){.kind = ABORTED, .reply = reply});
}

void login_end(struct session *s)
{
    if (s->attempt != NULL) {
        (void)login_conclude(s, &(struct login_verdict){.kind = ABORTED});
    }
}

/* --- faults --------------------------------------------------------------------------------------------------- */

/* The first backend in order that was not tried, and is up if `up` is true. NULL if there is none. */
static struct backend *next_backend(struct session *s, bool up)
{
    struct attempt *a = s->attempt;
    for (size_t i = 0; i < a->count; i++) {
        struct backend *backend = &s->connection.generation->backends->items[a->order[i]];
        if ((a->tried >> backend->index & 1) == 0 && (!up || backend_is_up(backend))) {
            return backend;
        }
    }
    return NULL;
}

/* Backends that are down come last, but they are tried: a login finds out first that one is back. */
static struct backend *choose_backend(struct session *s)
{
    struct backend *backend = next_backend(s, true);
    return backend != NULL ? backend : next_backend(s, false);
}

/* Keeps what explains a fault or a rejection, for the log. */
static void note_said(struct attempt *a, struct span said)
{
    buffer_clear(&a->said);
    (void)buffer_append(&a->said, said.bytes, said.len, MESSAGE_MAX); /* without it the log says less */
}

/* A client that has exchanged messages with one backend cannot be handed to another. */
static struct step backend_failed(struct session *s, enum fault fault)
{
    struct attempt *a = s->attempt;
    bool sent = a->command.parts > 0;
    a->judged = attempt_is_judged(a);
    a->fault = fault;
    if (faults[fault].marks_down && !sent && !dial_has_introduced(&a->dial)) {
        backend_mark_down(s->backend, fault, attempt_said(a));
    }
    if (s->state == STATE_ABANDONED || !faults[fault].tries_next || (sent && a->credentials.passthrough != NULL)) {
        return login_conclude(s, &(struct login_verdict){.kind = FAULTY, .fault = fault});
    }
    if (choose_backend(s) != NULL) {
        session_log_passed_over(s, fault, attempt_said(a));
    }
    return try_next_backend(s);
}

/* --- CONNECT -------------------------------------------------------------------------------------------------- */

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
    note_said(a, span_of(a->dial.said));
    return backend_failed(s, a->dial.fault);
}

struct step login_connect(struct session *s)
{
    struct attempt *a = s->attempt;
    if (a->refusal.kind != UNDECIDED) {
        return login_conclude(s, &a->refusal);
    }
    if (a->route == NULL && !choose_route(s)) {
        return login_conclude(s, &(struct login_verdict){.kind = REJECTED, .rejection = REJECTED_NO_ROUTE});
    }
    for (struct backend *next; (next = choose_backend(s)) != NULL;) {
        a->tried |= (uint64_t)1 << next->index;
        if (!backend_reserve_session(next, admission_sessions(s->proxy, &s->connection) > 1)) {
            if (a->fault == FAULT_NONE) {
                a->fault = FAULT_MAX_SESSIONS; /* the fault of a backend that was dialled says more */
            }
            continue;
        }
        if (!backend_is_up(next) && !a->judged) {
            give_up_turn(s);
        }
        session_leave_backend(s);
        s->backend = next;
        buffer_clear(&a->said);
        buffer_clear(&a->answer); /* with the last backend's NO, it would be the client's answer */
        return dialled(s, dial_begin(&a->dial, next, &a->client, &s->backend_stream, s->proxy->loop, session_event, s));
    }
    return login_conclude(s, &(struct login_verdict){.kind = FAULTY, .fault = a->fault});
}

struct step login_dial(struct session *s)
{
    return dialled(s, dial_event(&s->attempt->dial, &s->backend_stream));
}

struct step login_watch_failed(struct session *s)
{
    return dialled(s, dial_watch_failed(&s->attempt->dial));
}

ev_tstamp login_deadline(const struct session *s)
{
    return dial_deadline(&s->attempt->dial);
}

struct step login_connect_expired(struct session *s)
{
    bool over = login_deadline(s) <= session_now(s); /* the time of another phase may have begun since */
    return over ? dialled(s, dial_expired(&s->attempt->dial, &s->backend_stream)) : step_more();
}

/* --- BACKEND_LOGIN -------------------------------------------------------------------------------------------- */

struct step login_expired(struct session *s)
{
    return backend_failed(s, FAULT_LOGIN_TIMEOUT);
}

static int send_part(struct session *s, struct span part)
{
    return stream_send(&s->backend_stream, part.bytes, part.len, MESSAGE_MAX);
}

/* As login_command_build(), with the name by which the backends of the route know the user. */
static enum login_command_result build_command(struct attempt *a)
{
    struct credentials c = a->credentials; /* a view: the attempt stays the owner */
    if (c.user == NULL) {
        return login_command_build(&a->command, TAG, &c, &a->dial.able);
    }
    c.user = strndup(c.user, route_user_len(a->route, c.user));
    c.authorize = c.authorize != NULL ? strndup(c.authorize, route_user_len(a->route, c.authorize)) : NULL;
    enum login_command_result result = c.user == NULL || (a->credentials.authorize != NULL && c.authorize == NULL)
                                           ? LOGIN_COMMAND_MEMORY
                                           : login_command_build(&a->command, TAG, &c, &a->dial.able);
    free(c.user);
    free(c.authorize);
    return result;
}

struct step login_send(struct session *s)
{
    struct span part;
    struct attempt *a = s->attempt;
    if (a->refusal.kind != UNDECIDED) {
        return login_conclude(s, &a->refusal);
    }
    if (a->response.len > 0) {
        if (login_deadline(s) <= session_now(s)) { /* it has waited too long in QUEUED for a verdict to come in time */
            return backend_failed(s, FAULT_LOGIN_TIMEOUT);
        }
        int result = stream_send(&s->backend_stream, buffer_data(&a->response), a->response.len, MESSAGE_MAX);
        buffer_clear(&a->response);
        a->responses++;
        return result == 0 ? step_more() : step_end(REASON_MEMORY);
    }
    if (a->command.parts > 0) {
        return step_more();
    }
    if (!a->has_turn) {
        struct step step = await_turn(s, step_more());
        if (s->attempt == NULL || !a->has_turn) {
            return step;
        }
    }
    switch (build_command(a)) {
    case LOGIN_COMMAND_READY:
        (void)login_command_next(&a->command, &part); /* there is always a first part */
        return send_part(s, part) == 0 ? step_more() : step_end(REASON_MEMORY);
    case LOGIN_COMMAND_FORBIDDEN:
        return backend_failed(s, FAULT_LOGIN_DISABLED);
    case LOGIN_COMMAND_NO_MECHANISM:
        return backend_failed(s, FAULT_NO_MECHANISM);
    case LOGIN_COMMAND_TOO_BIG:
        return backend_failed(s, FAULT_OUT_OF_MEMORY);
    case LOGIN_COMMAND_NOT_AUTHORIZE:
        return backend_failed(s, FAULT_NO_AUTHORIZE);
    case LOGIN_COMMAND_MEMORY:
        break;
    }
    return step_end(REASON_MEMORY);
}

/* What one line of the backend's means for the login. Only octets that were copied outlive the line. */
struct outcome {
    enum { NEXT_LINE, CHALLENGED, DECIDED, BROKEN, NO_MEMORY } kind;
    struct login_verdict verdict; /* DECIDED */
    enum fault fault;             /* BROKEN */
};

static struct outcome broken(enum fault fault)
{
    return (struct outcome){.kind = BROKEN, .fault = fault};
}

/* What the backend says behind "+" goes to the client, if it is a challenge as in RFC 9051 6.2.2. */
static struct outcome pass_challenge(struct session *s, struct span line)
{
    struct span text = {line.bytes + 1, line.len - 1};
    while (text.len > 0 && text.bytes[0] == ' ') {
        text = (struct span){text.bytes + 1, text.len - 1};
    }
    if (text.len > CHALLENGE_MAX || !sasl_is_base64(text)) {
        return broken(FAULT_NONSENSE);
    }
    struct attempt *a = s->attempt;
    a->final = attempt_is_judged(a) ? sasl_final_of(a->credentials.passthrough, text) : SASL_FINAL_NONE;
    bool queued = stream_queue(&s->client_stream, "+ ", 2, ATTEMPT_ANSWER_MAX) == 0 &&
                  stream_queue(&s->client_stream, text.bytes, text.len, ATTEMPT_ANSWER_MAX) == 0 &&
                  stream_queue(&s->client_stream, "\r\n", 2, ATTEMPT_ANSWER_MAX) == 0;
    return (struct outcome){.kind = queued ? CHALLENGED : NO_MEMORY};
}

static struct outcome take_continuation(struct session *s, struct span line)
{
    struct span part;
    if (login_command_next(&s->attempt->command, &part)) {
        return (struct outcome){.kind = send_part(s, part) == 0 ? NEXT_LINE : NO_MEMORY};
    }
    return s->attempt->credentials.passthrough != NULL ? pass_challenge(s, line)
                                                       : broken(FAULT_UNEXPECTED_CONTINUATION);
}

static enum rejection rejection_of(const struct response *r, bool in_its_words)
{
    return in_its_words                       ? REJECTED_IN_ITS_WORDS
           : span_is(r->code, "EXPIRED")      ? REJECTED_AS_EXPIRED
           : span_is(r->code, "CONTACTADMIN") ? REJECTED_TO_CONTACT_ADMIN
                                              : REJECTED_BY_BACKEND;
}

/* A NO that is not due to the password is a fault. The answer is the client's if no other backend is left. */
static struct outcome take_no(struct session *s, const struct response *r)
{
    struct attempt *a = s->attempt;
    bool unavailable = response_is_unavailable(r) || !attempt_is_judged(a);
    struct login_verdict wrong = {.kind = REJECTED,
                                  .rejection = rejection_of(r, s->backend->options->pass_refusal_text)};
    buffer_clear(&a->answer); /* untagged lines of a login that failed are not passed on */
    if (response_for_client(r, attempt_tag(a), unavailable ? "UNAVAILABLE" : "AUTHENTICATIONFAILED", &a->answer,
                            ATTEMPT_ANSWER_MAX) != 0) {
        return (struct outcome){.kind = NO_MEMORY};
    }
    return unavailable ? broken(FAULT_BACKEND_REFUSED) : (struct outcome){.kind = DECIDED, .verdict = wrong};
}

static struct outcome take_line(struct session *s, struct span line)
{
    struct attempt *a = s->attempt;
    struct response r = response_parse(line, TAG);
    if (++a->lines > LINES_MAX) {
        return broken(FAULT_TOO_MANY_LINES);
    }
    if (a->answer.len + line.len > (r.tagged ? ATTEMPT_ANSWER_MAX - REWRITE_MAX : UNTAGGED_MAX)) {
        return broken(FAULT_ANSWER_TOO_LONG);
    }
    if (r.tagged || r.kind == RESPONSE_BYE || r.kind == RESPONSE_NONSENSE) {
        note_said(a, r.code); /* and not the text: some servers repeat the command in it, password and all */
    }
    switch (r.kind) {
    case RESPONSE_CONTINUE:
        return take_continuation(s, line);
    case RESPONSE_NO:
        if (r.tagged) {
            return take_no(s, &r);
        }
        break;
    case RESPONSE_BAD:
        if (r.tagged) {
            return broken(FAULT_BACKEND_BAD);
        }
        break;
    case RESPONSE_BYE:
        return broken(FAULT_BYE);
    case RESPONSE_PREAUTH:
    case RESPONSE_NONSENSE:
        return broken(FAULT_NONSENSE);
    case RESPONSE_OK:
        if (r.tagged && !attempt_is_judged(a)) {
            return broken(FAULT_NONSENSE); /* nobody has logged in: it has not seen the secret */
        }
        break;
    case RESPONSE_CAPABILITY:
    case RESPONSE_OTHER:
        break;
    }
    if (response_for_client(&r, attempt_tag(a), "", &a->answer, ATTEMPT_ANSWER_MAX) != 0) {
        return (struct outcome){.kind = NO_MEMORY};
    }
    return (struct outcome){.kind = r.tagged ? DECIDED : NEXT_LINE, .verdict = {.kind = ACCEPTED}};
}

static struct step apply_outcome(struct session *s, const struct outcome *o)
{
    switch (o->kind) {
    case CHALLENGED:
        return s->state == STATE_ABANDONED ? login_expired(s) : step_go(STATE_CHALLENGE); /* nobody will respond */
    case DECIDED:
        return login_conclude(s, &o->verdict);
    case BROKEN:
        return backend_failed(s, o->fault);
    case NO_MEMORY:
        return step_end(REASON_MEMORY);
    case NEXT_LINE:
        break;
    }
    return step_more();
}

/* Reads lines for as long as they do not decide. What follows the verdict is not read: it is the relay's. */
struct step login_read(struct session *s)
{
    struct attempt *a = s->attempt;
    bool more = true;
    while (more) {
        struct span bytes, line;
        size_t taken;
        struct outcome o = {.kind = NEXT_LINE};
        enum stream_status status = stream_peek(&s->backend_stream, &bytes);
        if (status == STREAM_AGAIN) {
            break;
        }
        if (status != STREAM_READY) {
            return backend_failed(s, dial_stream_fault(&s->backend_stream, status));
        }
        enum response_result result = response_feed(&a->reader, bytes.bytes, bytes.len, &taken, &line);
        if (result == RESPONSE_LINE) {
            o = take_line(s, line);
        } else if (result != RESPONSE_MORE) {
            o = broken(dial_line_fault(result));
        }
        more = taken < bytes.len;
        if (stream_take(&s->backend_stream, taken) != 0) {
            return step_end(REASON_MEMORY);
        }
        if (o.kind != NEXT_LINE) {
            return apply_outcome(s, &o);
        }
    }
    return step_more();
}

/* --- CHALLENGE ------------------------------------------------------------------------------------------------ */

bool login_needs_user(const struct session *s)
{
    return s->attempt->credentials.user == NULL;
}

struct step login_respond(struct session *s, struct span response, struct credentials *c)
{
    struct buffer *kept = &s->attempt->response;
    const struct sasl_mechanism *m = s->attempt->credentials.passthrough;
    if (buffer_append(kept, response.bytes, response.len, MESSAGE_MAX) != 0 ||
        buffer_append(kept, "\r\n", 2, MESSAGE_MAX) != 0) {
        return step_end(REASON_MEMORY);
    }
    if (s->attempt->responses > 0 || !m->hides_password) {
        return step_go(STATE_BACKEND_LOGIN);
    }
    s->attempt->has_turn = false; /* it was to ask for a challenge; the place that it took for that is kept */
    return c != NULL ? login_submit(s, c) : login_take_turn(s);
}
