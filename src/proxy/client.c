/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imap/capability.h"
#include "imap/id.h"
#include "proxy/admission.h"
#include "proxy/backend_state.h"
#include "proxy/login.h"
#include "proxy/session_log.h"

enum {
    BAD_COMMANDS_MAX = 5,
    REPLIES_MAX = 128 * 1024, /* octets queued; never reached, since nothing is read while replies wait */
    REPLIES_FULL = 4 * 1024,  /* from here on, send before taking the next command */
    CLIENT_NAME_MAX = 64,
    CLIENT_ID_MAX = 1024, /* octets of it for a backend */
};

static enum command_phase phase(const struct session *s)
{
    return s->state == STATE_CLEARTEXT ? PHASE_CLEARTEXT : PHASE_TLS;
}

int client_reply(struct session *s, struct span tag, const char *text)
{
    struct stream *out = &s->client_stream;
    if (tag.len == 0) {
        tag = span_of("*");
    }
    return stream_queue(out, tag.bytes, tag.len, REPLIES_MAX) == 0 && stream_queue(out, " ", 1, REPLIES_MAX) == 0 &&
                   stream_queue(out, text, strlen(text), REPLIES_MAX) == 0 &&
                   stream_queue(out, "\r\n", 2, REPLIES_MAX) == 0
               ? 0
               : -1;
}

/* On an implicit listener, a client that speaks no TLS waits for a greeting. */
static bool seems_cleartext(const struct session *s)
{
    return s->client_stream.tls == NULL && s->connection.listener->options->tls == LISTENER_IMPLICIT;
}

/* A client that waits for TLS could not read a BYE; one that has done its handshake waits for the greeting. */
static bool may_be_told(const struct session *s, enum reason reason)
{
    switch (s->state) {
    case STATE_HANDSHAKE:
        return s->client_stream.established ||
               (seems_cleartext(s) && (reason == REASON_WRONG_PORT || reason == REASON_HANDSHAKE_TIMEOUT));
    case STATE_PROXY_HEADER:
        return reason_is_told_at_connect(reason) && s->connection.listener->options->tls == LISTENER_STARTTLS;
    default:
        return true;
    }
}

void client_bye(struct session *s, enum reason reason)
{
    static const uint8_t alert[] = {21, 3, 1, 0, 2, 2, 10}; /* fatal, unexpected_message (RFC 8446 6.2) */
    char text[128] = "BYE ";
    if (reason == REASON_FOREIGN_PROTOCOL && strcmp(s->lexer.protocol, "tls") == 0) {
        (void)stream_queue(&s->client_stream, alert, sizeof alert, REPLIES_MAX);
    } else if (reasons[reason].bye != NULL && may_be_told(s, reason)) {
        strncat(text, reasons[reason].bye, sizeof text - strlen(text) - 1);
        (void)client_reply(s, (struct span){0}, text); /* the session ends either way */
    }
}

/* Answers the command in the lexer and drops it. */
static struct step reply(struct session *s, const char *text)
{
    int result = client_reply(s, lexer_tag(&s->lexer), text);
    lexer_next(&s->lexer);
    return result == 0 ? step_more() : step_end(REASON_MEMORY);
}

/* As reply(), with an untagged line in front. */
static struct step reply_with(struct session *s, const char *untagged, const char *text)
{
    if (client_reply(s, (struct span){0}, untagged) != 0) {
        return step_end(REASON_MEMORY);
    }
    return reply(s, text);
}

/* As reply(), to a command that no client should send. */
static struct step reply_bad(struct session *s, const char *text)
{
    struct step step = reply(s, text);
    if (step.kind == STEP_MORE && ++s->bad_commands >= BAD_COMMANDS_MAX) {
        return step_end(REASON_BAD_COMMANDS);
    }
    return step;
}

/* Writes the capabilities of the present state to `list`. */
static void list_capabilities(const struct session *s, char list[CAPABILITY_OFFER_MAX])
{
    if (phase(s) == PHASE_CLEARTEXT) {
        snprintf(list, CAPABILITY_OFFER_MAX, "%s", CAPABILITY_CLEARTEXT);
    } else {
        offer_read(&s->connection.generation->backends->offer, list);
    }
}

struct step client_greet(struct session *s)
{
    char list[CAPABILITY_OFFER_MAX], greeting[CAPABILITY_OFFER_MAX + 64];
    if (backends_are_down(s->connection.generation->backends)) {
        return step_end(REASON_BACKENDS_DOWN); /* before a client asks its user for a password */
    }
    list_capabilities(s, list);
    snprintf(greeting, sizeof greeting, "OK [CAPABILITY %s] imapguard ready.", list);
    return client_reply(s, (struct span){0}, greeting) == 0 ? step_more() : step_end(REASON_MEMORY);
}

/* --- commands; each has its command complete in s->lexer ----------------------------------------- */

static struct step do_capability(struct session *s)
{
    char list[CAPABILITY_OFFER_MAX], line[CAPABILITY_OFFER_MAX + 16];
    list_capabilities(s, list);
    snprintf(line, sizeof line, "CAPABILITY %s", list);
    return reply_with(s, line, "OK CAPABILITY completed.");
}

static struct step do_noop(struct session *s)
{
    return reply(s, "OK NOOP completed.");
}

static struct step do_logout(struct session *s)
{
    struct step step = reply_with(s, "BYE Logging out.", "OK LOGOUT completed.");
    return step.kind == STEP_MORE ? step_end(REASON_LOGOUT) : step;
}

static struct step do_id(struct session *s)
{
    struct span name;
    if (id_parse(&s->lexer, &name) != 0) {
        return reply_bad(s, "BAD ID takes NIL or a list of at most 30 pairs of strings.");
    }
    free(s->client_name);
    s->client_name = NULL;
    if (name.len > 0) {
        size_t len = name.len < CLIENT_NAME_MAX ? name.len : CLIENT_NAME_MAX;
        s->client_name = strndup((const char *)name.bytes, len);
    }
    buffer_clear(&s->client_id);
    if (phase(s) == PHASE_TLS && s->connection.generation->backends->forward_id) {
        id_forward(&s->lexer, &s->client_id, CLIENT_ID_MAX);
    }
    return reply_with(s, "ID (\"name\" \"imapguard\")", "OK ID completed.");
}

/*
 * Returns true if octets that are no TLS handshake follow the command. An attacker may have sent them, so that they are
 * taken for the client's once TLS is there (CVE-2011-0411). A handshake may follow at once (RFC 9051 6.2.1): it is
 * still in the kernel, and only TLS will read it.
 */
static bool is_injection(struct session *s)
{
    static const uint8_t handshake[] = {0x16, 0x03};
    uint8_t behind[sizeof handshake];
    size_t len = stream_waiting(&s->client_stream, behind, sizeof behind);
    return len > 0 && memcmp(behind, handshake, len) != 0;
}

static struct step do_starttls(struct session *s)
{
    if (phase(s) == PHASE_TLS) {
        return reply_bad(s, "BAD TLS is already active.");
    }
    if (is_injection(s)) {
        session_log_starttls_refused(s, reasons[REASON_STARTTLS_INJECTION].word);
        return step_end(REASON_STARTTLS_INJECTION);
    }
    struct step step = reply(s, "OK Begin TLS negotiation now.");
    return step.kind == STEP_MORE ? step_go(STATE_STARTTLS) : step;
}

/* The first argument, if it is a string or an atom. */
static struct span first_argument(const struct session *s)
{
    enum lexer_token_type type;
    if (lexer_token_count(&s->lexer) == 0) {
        return (struct span){0};
    }
    struct span token = lexer_token(&s->lexer, 0, &type);
    return type == TOKEN_ATOM || type == TOKEN_STRING ? token : (struct span){0};
}

/* Returns the mechanism that AUTHENTICATE names; NULL: none that is known. */
static const struct sasl_mechanism *named_mechanism(const struct session *s)
{
    return lexer_command(&s->lexer)->id == COMMAND_AUTHENTICATE ? sasl_find(first_argument(s)) : NULL;
}

/* Returns the user of an initial response, which the caller frees with `sent`. */
static struct span user_of_response(const struct session *s, const struct sasl_mechanism *mechanism,
                                    struct credentials *sent)
{
    struct sasl sasl = {0};
    enum lexer_token_type type;
    const char *challenge;
    sasl_start(&sasl, mechanism);
    (void)sasl_step(&sasl, lexer_token(&s->lexer, 1, &type), &challenge, sent);
    sasl_clear(&sasl);
    return sent->user != NULL ? span_of(sent->user) : (struct span){0};
}

/*
 * Refuses a password, or a command that announces one, before TLS. Its octets are wiped with the command. The user's
 * name is logged if the command has it: if a password came with it, the network knows that now.
 */
static struct step refuse_cleartext(struct session *s, bool well_formed)
{
    size_t count = lexer_token_count(&s->lexer);
    bool login = lexer_command(&s->lexer)->id == COMMAND_LOGIN, invited = lexer_literal_refused(&s->lexer);
    const struct sasl_mechanism *mechanism = well_formed ? named_mechanism(s) : NULL;
    /* A malformed command may have the password in the place of the user name. */
    bool announced = well_formed && (invited || (mechanism != NULL && (count == 1 || mechanism->hides_password)));
    struct span user = {0};
    struct credentials sent = {0};
    if (login && well_formed && (count == 2 || invited)) {
        user = first_argument(s);
    } else if (mechanism != NULL && count == 2) {
        user = user_of_response(s, mechanism, &sent);
    }
    session_log_cleartext(s, user, login ? "LOGIN" : "AUTHENTICATE", !announced);
    credentials_clear(&sent);
    return reply_bad(s, "NO [PRIVACYREQUIRED] Log in only over TLS: use STARTTLS or port 993.");
}

/* Ends a login that the client has cancelled, or whose response is malformed. */
static struct step abort_login(struct session *s, const char *text)
{
    struct step step = login_abort(s, text);
    sasl_clear(&s->sasl);
    lexer_next(&s->lexer);
    return step.kind != STEP_END && ++s->bad_commands >= BAD_COMMANDS_MAX ? step_end(REASON_BAD_COMMANDS) : step;
}

static struct step do_login(struct session *s)
{
    enum lexer_token_type user_type, password_type;
    if (phase(s) == PHASE_CLEARTEXT) {
        return refuse_cleartext(s, true);
    }
    if (lexer_token_count(&s->lexer) != 2) {
        return reply_bad(s, "BAD LOGIN takes a user name and a password.");
    }
    struct span user = lexer_token(&s->lexer, 0, &user_type);
    struct span password = lexer_token(&s->lexer, 1, &password_type);
    if (user_type > TOKEN_STRING || password_type > TOKEN_STRING) {
        return reply_bad(s, "BAD LOGIN takes a user name and a password.");
    }
    struct credentials c = {0};
    enum credentials_result result = credentials_set(&c, "LOGIN", user, (struct span){0}, password);
    if (result == CREDENTIALS_BAD) {
        return reply_bad(s, "BAD The user name is empty.");
    }
    if (result == CREDENTIALS_MEMORY || login_begin(s, lexer_tag(&s->lexer)) != 0) {
        credentials_clear(&c);
        return step_end(REASON_MEMORY);
    }
    lexer_next(&s->lexer);
    return login_submit(s, &c);
}

/* Takes a response of the client to a challenge of ours; it lies in the lexer. */
static struct step take_response(struct session *s, struct span response)
{
    const char *challenge = "";
    struct credentials c = {0};
    switch (sasl_step(&s->sasl, response, &challenge, &c)) {
    case SASL_CHALLENGE:
        lexer_next(&s->lexer);
        lexer_expect_response(&s->lexer);
        return client_reply(s, span_of("+"), challenge) == 0 ? step_more() : step_end(REASON_MEMORY);
    case SASL_DONE:
        sasl_clear(&s->sasl);
        lexer_next(&s->lexer);
        return login_submit(s, &c);
    case SASL_CANCELLED:
        return abort_login(s, "BAD Authentication cancelled.");
    case SASL_MEMORY:
        return step_end(REASON_MEMORY);
    case SASL_BAD:
        break;
    }
    return abort_login(s, "BAD Malformed response.");
}

struct step client_challenged(struct session *s)
{
    lexer_expect_response(&s->lexer);
    return step_more();
}

ev_tstamp client_challenge_deadline(const struct session *s)
{
    return session_after(session_now(s), s->connection.generation->limits->challenge_timeout_ms);
}

/* From now on the client's next line is a command again. */
struct step client_challenge_expired(struct session *s)
{
    return abort_login(s, "NO [UNAVAILABLE] No response to the challenge within the time allowed.");
}

/*
 * Takes a response of the client to a challenge of the backend's. The first response of a mechanism in which the
 * backend speaks first says who the user is.
 */
static struct step pass_response(struct session *s, struct span response)
{
    const char *challenge;
    struct credentials c = {0};
    bool names_user = login_needs_user(s);
    enum sasl_result result = names_user ? sasl_step(&s->sasl, response, &challenge, &c)
                                         : sasl_check_response(response);
    if (result == SASL_MEMORY) {
        return step_end(REASON_MEMORY);
    }
    if (result != SASL_DONE) {
        return abort_login(s, result == SASL_CANCELLED ? "BAD Authentication cancelled." : "BAD Malformed response.");
    }
    struct step step = login_respond(s, response, names_user ? &c : NULL);
    credentials_clear(&c); /* which has something only if memory was short */
    sasl_clear(&s->sasl);
    lexer_next(&s->lexer);
    return step;
}

/* Only mechanisms that are offered are accepted: the backend may lack others, and others may get around a rule. */
static bool is_offered(const struct session *s, const struct sasl_mechanism *mechanism)
{
    char list[CAPABILITY_OFFER_MAX];
    offer_read(&s->connection.generation->backends->offer, list);
    return capability_allows_mechanism(span_of(list), mechanism);
}

static struct step do_authenticate(struct session *s)
{
    enum lexer_token_type type = TOKEN_ATOM;
    size_t count = lexer_token_count(&s->lexer);
    if (phase(s) == PHASE_CLEARTEXT) {
        return refuse_cleartext(s, true);
    }
    if (count < 1 || count > 2 || first_argument(s).len == 0) {
        return reply_bad(s, "BAD AUTHENTICATE takes a mechanism and at most one initial response.");
    }
    struct span initial = count == 2 ? lexer_token(&s->lexer, 1, &type) : (struct span){0};
    if (type != TOKEN_ATOM) {
        return reply_bad(s, "BAD The initial response is not base64.");
    }
    const struct sasl_mechanism *mechanism = sasl_find(first_argument(s));
    if (mechanism == NULL || !is_offered(s, mechanism)) {
        return reply_bad(s, "NO [CANNOT] Unsupported authentication mechanism.");
    }
    if (mechanism->backend_first && count == 2) {
        return reply_bad(s, "BAD This mechanism has no initial response.");
    }
    sasl_start(&s->sasl, mechanism);
    if (login_begin(s, lexer_tag(&s->lexer)) != 0) {
        return step_end(REASON_MEMORY);
    }
    if (mechanism->backend_first) {
        lexer_next(&s->lexer);
        return login_ask_backend(s, mechanism);
    }
    if (count == 2) {
        return take_response(s, initial);
    }
    lexer_next(&s->lexer);
    lexer_expect_response(&s->lexer);
    return client_reply(s, span_of("+"), mechanism->first_challenge) == 0 ? step_more() : step_end(REASON_MEMORY);
}

/* clang-format off */
static const struct {
    struct step (*run)(struct session *s);
    bool arguments;
} actions[] = {
    [COMMAND_CAPABILITY] = {do_capability, false}, [COMMAND_NOOP] = {do_noop, false},
    [COMMAND_ID] = {do_id, true},                  [COMMAND_LOGOUT] = {do_logout, false},
    [COMMAND_STARTTLS] = {do_starttls, false},     [COMMAND_LOGIN] = {do_login, true},
    [COMMAND_AUTHENTICATE] = {do_authenticate, true},
};
/* clang-format on */

static struct step run_command(struct session *s)
{
    enum command_id id = lexer_command(&s->lexer)->id;
    if (!actions[id].arguments && lexer_token_count(&s->lexer) > 0) {
        return reply_bad(s, "BAD This command takes no arguments.");
    }
    return actions[id].run(s);
}

static struct step run_bad(struct session *s)
{
    const struct command *command = lexer_command(&s->lexer);
    bool secret = command != NULL && (command->id == COMMAND_LOGIN || command->id == COMMAND_AUTHENTICATE);
    if (s->attempt != NULL) {
        return abort_login(s, "BAD Malformed response.");
    }
    if (secret && phase(s) == PHASE_CLEARTEXT) {
        return refuse_cleartext(s, false); /* malformed or not: it was a password before TLS */
    }
    return reply_bad(s,
                     command == NULL ? "BAD Unknown command, or not allowed before login." : "BAD Malformed command.");
}

static enum reason fault_reason(enum lexer_fault fault)
{
    switch (fault) {
    case LEXER_FAULT_FOREIGN:
        return REASON_FOREIGN_PROTOCOL;
    case LEXER_FAULT_TAG:
        return REASON_BAD_TAG;
    case LEXER_FAULT_LINE:
        return REASON_LINE_TOO_LONG;
    case LEXER_FAULT_NUL:
        return REASON_NUL;
    case LEXER_FAULT_LITERAL:
        return REASON_LITERAL;
    case LEXER_FAULT_MEMORY:
        break;
    }
    return REASON_MEMORY;
}

static struct step run(struct session *s, enum lexer_result result)
{
    switch (result) {
    case LEXER_MORE:
        return step_more();
    case LEXER_COMMAND:
        return run_command(s);
    case LEXER_BAD:
        return run_bad(s);
    case LEXER_INVITE:
        return client_reply(s, span_of("+"), "OK") == 0 ? step_more() : step_end(REASON_MEMORY);
    case LEXER_RESPONSE:
        return s->state == STATE_CHALLENGE ? pass_response(s, lexer_response(&s->lexer))
                                           : take_response(s, lexer_response(&s->lexer));
    case LEXER_FATAL:
        break;
    }
    return step_end(fault_reason(s->lexer.fault));
}

enum reason client_end(const struct stream *client)
{
    switch (client->end) {
    case STREAM_END:
        return REASON_CLIENT_CLOSED;
    case STREAM_FLOODED:
        return REASON_TLS_FLOOD;
    case STREAM_FAILED:
        return REASON_TLS_BROKEN;
    default:
        return stream_failed_locally(client) ? REASON_CLIENT_FAILED : REASON_CLIENT_RESET;
    }
}

struct step client_wait(struct session *s)
{
    struct span bytes;
    enum stream_status status = stream_peek(&s->client_stream, &bytes);
    if (status == STREAM_AGAIN) {
        return step_more();
    }
    if (status != STREAM_READY) {
        return login_client_gone(s, client_end(&s->client_stream));
    }
    return stream_take(&s->client_stream, 0) == 0 ? step_more() : step_end(REASON_MEMORY);
}

struct step client_talk(struct session *s)
{
    struct step step = step_more();
    while (step.kind == STEP_MORE && stream_unsent(&s->client_stream) < REPLIES_FULL) {
        struct span bytes;
        size_t taken;
        enum stream_status status = stream_peek(&s->client_stream, &bytes);
        if (status != STREAM_READY) {
            return status == STREAM_AGAIN ? step_more() : step_end(client_end(&s->client_stream));
        }
        enum lexer_result result = lexer_feed(&s->lexer, bytes.bytes, bytes.len, &taken);
        if (stream_take(&s->client_stream, taken) != 0) {
            return step_end(REASON_MEMORY);
        }
        step = run(s, result);
        if (taken == bytes.len) {
            break; /* an event tells when there is more: no system call only to hear that there is not */
        }
    }
    return step;
}

struct step client_starttls(struct session *s)
{
    stream_flush(&s->client_stream);
    return stream_unsent(&s->client_stream) == 0 ? step_go(STATE_HANDSHAKE) : step_more();
}

ev_tstamp client_handshake_deadline(const struct session *s)
{
    return session_after(session_now(s), s->connection.generation->limits->handshake_timeout_ms);
}

struct step client_handshake_expired(struct session *s)
{
    session_log_tls_failed(s, "timeout");
    return step_end(REASON_HANDSHAKE_TIMEOUT);
}

/* Nothing that was said in plaintext is known any more (RFC 9051 6.2.1). */
static void forget_plaintext(struct session *s)
{
    lexer_fini(&s->lexer);
    lexer_init(&s->lexer, PHASE_TLS);
    free(s->client_name);
    s->client_name = NULL;
    buffer_clear(&s->client_id);
    s->bad_commands = 0;
}

/* Ends a session whose client says first what is no TLS record of type handshake, nor an SSLv2 ClientHello. */
static struct step expect_tls(struct session *s)
{
    struct span first;
    enum stream_status status = stream_peek(&s->client_stream, &first);
    if (status == STREAM_READY) {
        uint8_t type = first.bytes[0];
        bool tls = stream_take(&s->client_stream, 0) != 0 || type == 22 || (type & 0x80) != 0;
        return tls ? step_more() : step_end(REASON_WRONG_PORT);
    }
    return status == STREAM_AGAIN || status == STREAM_END ? step_more() : step_end(client_end(&s->client_stream));
}

struct step client_handshake(struct session *s)
{
    if (seems_cleartext(s)) {
        struct step step = expect_tls(s);
        if (step.kind != STEP_MORE) {
            return step;
        }
    }
    /* TLS state is made at the client's first octet: a client that only connects costs none. */
    if (s->client_stream.tls == NULL &&
        tls_start_server(s->connection.generation->tls, &s->client_stream,
                         s->connection.listener->options->alpn == LISTENER_ALPN_STRICT) != 0) {
        return step_end(REASON_MEMORY);
    }
    enum stream_status status = stream_handshake(&s->client_stream);
    if (status == STREAM_AGAIN) {
        return step_more();
    }
    if (status != STREAM_READY) {
        bool flooded = status == STREAM_FLOODED;
        session_log_tls_failed(s, flooded ? reasons[REASON_TLS_FLOOD].word : tls_take_client_error());
        return step_end(flooded ? REASON_TLS_FLOOD : REASON_TLS_FAILED);
    }
    if (s->client_stream.alpn_foreign) {
        session_log_alpn_foreign(s);
    }
    admission_secured(s);
    forget_plaintext(s);
    if (s->connection.listener->options->tls == LISTENER_IMPLICIT) {
        struct step step = client_greet(s);
        if (step.kind != STEP_MORE) {
            return step;
        }
    }
    return step_go(STATE_NOT_AUTHENTICATED);
}
