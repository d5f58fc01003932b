/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session_log.h"

#include <stdio.h>
#include <string.h>

#include "proxy/attempt.h"

static void put_address(struct log_line *line, const char *ip_key, const char *port_key, const union address *a)
{
    char text[ADDRESS_TEXT_SIZE];
    log_word(line, ip_key, address_text(a, text));
    log_number(line, port_key, address_port(a));
}

static void put_place(struct connection *conn, struct log_line *line)
{
    if (conn->facts.geoip == NULL) {
        return;
    }
    const struct place *place = facts_place(&conn->facts);
    log_word(line, "country", place->country);
    if (place->asn != 0) {
        log_number(line, "asn", place->asn);
    }
}

static void begin_without_place(const struct connection *conn, struct log_line *line, enum log_level level,
                                const char *event)
{
    char id[24];
    snprintf(id, sizeof id, "%016llx", (unsigned long long)conn->id);
    log_begin(line, level, event);
    log_word(line, "session", id);
    put_address(line, "rip", "rport", &conn->peer);
    put_address(line, "lip", "lport", &conn->local);
    log_word(line, "listener", conn->listener->options->name);
}

/* Begins a line with the keys that each line about a client has. */
static void begin_connection(struct connection *conn, struct log_line *line, enum log_level level, const char *event)
{
    begin_without_place(conn, line, level, event);
    put_place(conn, line);
}

/* Begins a line with the keys that each line about a session has; tls and cipher once the handshake is done. */
static void begin(struct session *s, struct log_line *line, enum log_level level, const char *event)
{
    begin_without_place(&s->connection, line, level, event);
    if (s->client_stream.established) {
        log_word(line, "tls", SSL_get_version(s->client_stream.tls));
        log_word(line, "cipher", SSL_get_cipher_name(s->client_stream.tls));
    }
    put_place(&s->connection, line);
}

static void put_client_name(const struct session *s, struct log_line *line)
{
    if (s->client_name != NULL) {
        log_quoted(line, "client", s->client_name, strlen(s->client_name));
    }
}

void session_log_connect(struct connection *conn)
{
    struct log_line line;
    if (log_wants(LOG_LEVEL_DEBUG)) {
        begin_connection(conn, &line, LOG_LEVEL_DEBUG, "connect");
        log_end(&line);
    }
}

void session_log_cleartext(struct session *s, struct span user, const char *method)
{
    struct log_line line;
    begin(s, &line, LOG_LEVEL_WARNING, "cleartext-password");
    if (user.len > 0) {
        log_quoted(&line, "user", user.bytes, user.len);
    }
    log_word(&line, "method", method);
    log_end(&line);
}

void session_log_starttls_refused(struct session *s, const char *reason)
{
    struct log_line line;
    begin(s, &line, LOG_LEVEL_INFO, "starttls-refused");
    log_word(&line, "reason", reason);
    log_end(&line);
}

void session_log_tls_failed(struct session *s, const char *reason)
{
    struct log_line line;
    begin(s, &line, LOG_LEVEL_INFO, "tls-failed");
    log_quoted(&line, "reason", reason, strlen(reason));
    log_end(&line);
}

void session_log_alpn_foreign(struct session *s)
{
    struct log_line line;
    begin(s, &line, LOG_LEVEL_INFO, "alpn-foreign");
    log_end(&line);
}

static void put_credentials(struct log_line *line, const struct attempt *a)
{
    const struct credentials *c = &a->credentials;
    if (c->user != NULL) {
        log_quoted(line, "user", c->user, strlen(c->user));
    }
    if (c->authorize != NULL) {
        log_quoted(line, "authorize", c->authorize, strlen(c->authorize));
    }
    if (a->account != NULL && c->user != NULL && strcmp(a->account, c->user) != 0) {
        log_quoted(line, "account", a->account, strlen(a->account));
    }
    log_word(line, "method", c->method);
}

void session_log_login_refused(struct session *s, const char *reason, const char *rule)
{
    struct log_line line;
    begin(s, &line, LOG_LEVEL_INFO, "login-refused");
    put_credentials(&line, s->attempt);
    put_client_name(s, &line);
    log_word(&line, "reason", reason);
    if (rule != NULL) {
        log_word(&line, "rule", rule);
    }
    log_end(&line);
}

/* Begins a line about a login that got as far as the choice of a backend. */
static void begin_login(struct session *s, struct log_line *line, enum log_level level, const char *event)
{
    begin(s, line, level, event);
    put_credentials(line, s->attempt);
    if (s->backend != NULL) {
        log_word(line, "backend", s->backend->options->name);
    }
    put_client_name(s, line);
}

static void put_said(struct log_line *line, struct span said)
{
    if (said.len > 0) {
        log_quoted(line, "said", said.bytes, said.len);
    }
}

void session_log_login(struct session *s)
{
    struct log_line line;
    begin_login(s, &line, LOG_LEVEL_INFO, "login");
    log_end(&line);
}

void session_log_login_failed(struct session *s, const char *reason, struct span said)
{
    struct log_line line;
    begin_login(s, &line, LOG_LEVEL_INFO, "login-failed");
    log_word(&line, "reason", reason);
    put_said(&line, said);
    log_end(&line);
}

void session_log_passed_over(struct session *s, enum fault fault, struct span said)
{
    struct log_line line;
    begin_login(s, &line, LOG_LEVEL_INFO, "backend-passed-over");
    log_word(&line, "reason", faults[fault].word);
    log_word(&line, "origin", fault_origin_word(fault));
    put_said(&line, said);
    log_end(&line);
}

void session_log_login_fault(struct session *s, enum fault fault, struct span said)
{
    struct log_line line;
    bool clients = faults[fault].origin == ORIGIN_CLIENT;
    begin_login(s, &line, clients ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
                clients ? "login-refused" : "login-unavailable");
    log_word(&line, "reason", faults[fault].word);
    log_word(&line, "origin", fault_origin_word(fault));
    put_said(&line, said);
    log_end(&line);
}

void session_log_denied(struct connection *conn, const char *rule, const char *action)
{
    struct log_line line;
    begin_connection(conn, &line, LOG_LEVEL_INFO, "denied");
    log_word(&line, "rule", rule);
    log_word(&line, "action", action);
    log_end(&line);
}

void session_log_observed(struct connection *conn, const char *rule, const char *action)
{
    struct log_line line;
    begin_connection(conn, &line, LOG_LEVEL_INFO, "observed");
    if (conn->facts.user != NULL) {
        log_quoted(&line, "user", conn->facts.user, strlen(conn->facts.user));
    }
    log_word(&line, "rule", rule);
    log_word(&line, "action", action);
    log_end(&line);
}

void session_log_limited(struct connection *conn, enum reason reason)
{
    struct log_line line;
    begin_connection(conn, &line, LOG_LEVEL_INFO, "limited");
    log_word(&line, "reason", reasons[reason].word);
    log_end(&line);
}

void session_log_login_aborted(struct session *s, const char *verdict)
{
    struct log_line line;
    begin_login(s, &line, LOG_LEVEL_INFO, "login-aborted");
    log_word(&line, "verdict", verdict);
    log_end(&line);
}

void session_log_banned(struct session *s, const struct client_table_ban *ban, uint64_t now_us)
{
    struct log_line line;
    char text[NETWORK_TEXT_SIZE];
    if (ban->follows) {
        client_table_log_unbanned(ban);
    }
    begin_connection(&s->connection, &line, LOG_LEVEL_WARNING, "banned");
    log_word(&line, "network", network_text(&ban->network, text));
    if (ban->user != 0 && s->attempt != NULL && s->attempt->credentials.user != NULL) {
        log_quoted(&line, "user", s->attempt->credentials.user, strlen(s->attempt->credentials.user));
    }
    log_number(&line, "level", ban->level);
    log_number(&line, "duration", ban->until_us > now_us ? (ban->until_us - now_us + 500000) / 1000000 : 0);
    log_end(&line);
}

void session_log_user_attacked(struct session *s)
{
    struct log_line line;
    begin_connection(&s->connection, &line, LOG_LEVEL_WARNING, "user-attacked");
    log_quoted(&line, "user", s->attempt->account, strlen(s->attempt->account));
    log_end(&line);
}

void session_log_state(const struct session *s, const char *from, const char *to)
{
    struct log_line line;
    if (log_wants(LOG_LEVEL_DEBUG)) {
        begin_without_place(&s->connection, &line, LOG_LEVEL_DEBUG, "state");
        log_word(&line, "from", from);
        log_word(&line, "to", to);
        log_end(&line);
    }
}

void session_log_disconnect(struct session *s)
{
    struct log_line line;
    char duration[32];
    const struct reason_row *reason = &reasons[s->reason];
    if (!log_wants(reason->level)) {
        return;
    }
    begin(s, &line, reason->level, "disconnect");
    if (s->user != NULL) {
        log_quoted(&line, "user", s->user, strlen(s->user));
        log_word(&line, "method", s->method);
    }
    if (s->backend != NULL) {
        log_word(&line, "backend", s->backend->options->name);
    }
    put_client_name(s, &line);
    log_word(&line, "reason", reason->word);
    if (s->reason == REASON_FOREIGN_PROTOCOL) {
        log_word(&line, "protocol", s->lexer.protocol);
    }
    if (s->error != 0) {
        log_quoted(&line, "error", strerror(s->error), strlen(strerror(s->error)));
    }
    log_number(&line, "in", s->client_stream.received);
    log_number(&line, "out", s->client_stream.sent);
    snprintf(duration, sizeof duration, "%.3f", session_now(s) - s->started);
    log_word(&line, "duration", duration);
    log_end(&line);
}
