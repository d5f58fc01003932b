/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session_log.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "proxy/attempt.h"

/* What imapguard says itself stands before what the client and the backend said: no long name pushes it out of a line. */

enum event {
#define EVENT(name, word, quota) EVENT_##name,
#include "proxy/event.def"
#undef EVENT
    EVENT_COUNT
};
_Static_assert((int)EVENT_COUNT <= (int)LOG_QUOTA_EVENTS, "each event has a quota");

/* How many lines of an event one client network may cause. */
enum quota { QUOTA_CONNECTIONS, QUOTA_MINUTE, QUOTA_NONE };

static const struct event_row {
    const char *word;
    enum quota quota;
} events[EVENT_COUNT] = {
#define EVENT(name, word, quota) {word, QUOTA_##quota},
#include "proxy/event.def"
#undef EVENT
};

/* Returns true if the line may be written, and counts it. A client without limits has none here, either. */
static bool is_within_quota(const struct connection *conn, enum event event)
{
    static const struct option_rate minute = {1, 60000};
    enum quota quota = events[event].quota;
    const struct option_rate *rate = quota == QUOTA_MINUTE ? &minute
                                                           : &conn->generation->limits->network.connection_rate;
    return quota == QUOTA_NONE || conn->unlimited ||
           log_quota_take(conn->log_quota, &conn->facts.address, (unsigned)event, rate, clock_boot_us());
}

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

/* Begins a line with what is known of a client without work. Returns false if the line is not to be written. */
static bool begin_without_place(const struct connection *conn, struct log_line *line, enum log_level level,
                                enum event event)
{
    char id[24];
    if (!log_wants(level) || !is_within_quota(conn, event)) {
        return false;
    }
    snprintf(id, sizeof id, "%016llx", (unsigned long long)conn->id);
    log_begin(line, level, events[event].word);
    log_word(line, "session", id);
    put_address(line, "rip", "rport", &conn->peer);
    put_address(line, "lip", "lport", &conn->local);
    log_word(line, "listener", conn->listener->options->name);
    return true;
}

/* Begins a line with the keys that each line about a client has. Returns false if the line is not to be written. */
static bool begin_connection(struct connection *conn, struct log_line *line, enum log_level level, enum event event)
{
    if (!begin_without_place(conn, line, level, event)) {
        return false;
    }
    put_place(conn, line);
    return true;
}

/*
 * Begins a line with the keys that each line about a session has; tls and cipher once the handshake is done. Returns
 * false if the line is not to be written.
 */
static bool begin(struct session *s, struct log_line *line, enum log_level level, enum event event)
{
    if (!begin_without_place(&s->connection, line, level, event)) {
        return false;
    }
    if (s->client_stream.established) {
        log_word(line, "tls", SSL_get_version(s->client_stream.tls));
        log_word(line, "cipher", SSL_get_cipher_name(s->client_stream.tls));
    }
    put_place(&s->connection, line);
    return true;
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
    if (begin_connection(conn, &line, LOG_LEVEL_DEBUG, EVENT_CONNECT)) {
        log_end(&line);
    }
}

void session_log_cleartext(struct session *s, struct span user, const char *method, bool password)
{
    struct log_line line;
    if (!begin(s, &line, password ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
               password ? EVENT_CLEARTEXT_PASSWORD : EVENT_CLEARTEXT_LOGIN)) {
        return;
    }
    log_word(&line, "method", method);
    if (user.len > 0) {
        log_quoted(&line, "user", user.bytes, user.len);
    }
    log_end(&line);
}

void session_log_starttls_refused(struct session *s, const char *reason)
{
    struct log_line line;
    if (!begin(s, &line, LOG_LEVEL_INFO, EVENT_STARTTLS_REFUSED)) {
        return;
    }
    log_word(&line, "reason", reason);
    log_end(&line);
}

void session_log_tls_failed(struct session *s, const char *reason)
{
    struct log_line line;
    if (!begin(s, &line, LOG_LEVEL_INFO, EVENT_TLS_FAILED)) {
        return;
    }
    log_quoted(&line, "reason", reason, strlen(reason));
    log_end(&line);
}

void session_log_alpn_foreign(struct session *s)
{
    struct log_line line;
    if (!begin(s, &line, LOG_LEVEL_INFO, EVENT_ALPN_FOREIGN)) {
        return;
    }
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
}

/* Ends a line about a login with the names that the client gave and what the backend said. */
static void end_login(struct session *s, struct log_line *line, struct span said)
{
    put_credentials(line, s->attempt);
    put_client_name(s, line);
    if (said.len > 0) {
        log_quoted(line, "said", said.bytes, said.len);
    }
    log_end(line);
}

void session_log_login_refused(struct session *s, const char *reason, const char *rule)
{
    struct log_line line;
    if (!begin(s, &line, LOG_LEVEL_INFO, EVENT_LOGIN_REFUSED)) {
        return;
    }
    log_word(&line, "method", s->attempt->credentials.method);
    log_word(&line, "reason", reason);
    if (rule != NULL) {
        log_word(&line, "rule", rule);
    }
    end_login(s, &line, (struct span){NULL, 0});
}

/* As begin(), of a login that got as far as the choice of a backend. */
static bool begin_login(struct session *s, struct log_line *line, enum log_level level, enum event event)
{
    if (!begin(s, line, level, event)) {
        return false;
    }
    log_word(line, "method", s->attempt->credentials.method);
    if (s->backend != NULL) {
        log_word(line, "backend", s->backend->options->name);
    }
    return true;
}

void session_log_login(struct session *s)
{
    struct log_line line;
    if (!begin_login(s, &line, LOG_LEVEL_INFO, EVENT_LOGIN)) {
        return;
    }
    end_login(s, &line, (struct span){NULL, 0});
}

void session_log_login_failed(struct session *s, const char *reason, struct span said)
{
    struct log_line line;
    if (!begin_login(s, &line, LOG_LEVEL_INFO, EVENT_LOGIN_FAILED)) {
        return;
    }
    log_word(&line, "reason", reason);
    end_login(s, &line, said);
}

void session_log_passed_over(struct session *s, enum fault fault, struct span said)
{
    struct log_line line;
    if (!begin_login(s, &line, LOG_LEVEL_INFO, EVENT_PASSED_OVER)) {
        return;
    }
    log_word(&line, "reason", faults[fault].word);
    log_word(&line, "origin", fault_origin_word(fault));
    end_login(s, &line, said);
}

void session_log_login_fault(struct session *s, enum fault fault, struct span said)
{
    struct log_line line;
    bool clients = faults[fault].origin == ORIGIN_CLIENT;
    if (!begin_login(s, &line, clients ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
                     clients ? EVENT_LOGIN_REFUSED : EVENT_LOGIN_UNAVAILABLE)) {
        return;
    }
    log_word(&line, "reason", faults[fault].word);
    log_word(&line, "origin", fault_origin_word(fault));
    end_login(s, &line, said);
}

void session_log_denied(struct connection *conn, const char *rule, const char *action)
{
    struct log_line line;
    if (!begin_connection(conn, &line, LOG_LEVEL_INFO, EVENT_DENIED)) {
        return;
    }
    log_word(&line, "rule", rule);
    log_word(&line, "action", action);
    log_end(&line);
}

void session_log_observed(struct connection *conn, const char *rule, const char *action)
{
    struct log_line line;
    if (!begin_connection(conn, &line, LOG_LEVEL_INFO, EVENT_OBSERVED)) {
        return;
    }
    log_word(&line, "rule", rule);
    log_word(&line, "action", action);
    if (conn->facts.user != NULL) {
        log_quoted(&line, "user", conn->facts.user, strlen(conn->facts.user));
    }
    log_end(&line);
}

void session_log_limited(struct connection *conn, enum reason reason)
{
    struct log_line line;
    if (!begin_connection(conn, &line, LOG_LEVEL_INFO, EVENT_LIMITED)) {
        return;
    }
    log_word(&line, "reason", reasons[reason].word);
    log_end(&line);
}

void session_log_login_aborted(struct session *s, const char *verdict)
{
    struct log_line line;
    if (!begin_login(s, &line, LOG_LEVEL_INFO, EVENT_LOGIN_ABORTED)) {
        return;
    }
    log_word(&line, "verdict", verdict);
    end_login(s, &line, (struct span){NULL, 0});
}

void session_log_banned(struct session *s, const struct client_table_ban *ban, uint64_t now_us)
{
    struct log_line line;
    char text[NETWORK_TEXT_SIZE];
    if (ban->follows) {
        client_table_log_unbanned(ban);
    }
    if (!begin_connection(&s->connection, &line, LOG_LEVEL_WARNING, EVENT_BANNED)) {
        return;
    }
    log_word(&line, "network", network_text(&ban->network, text));
    log_number(&line, "level", ban->level);
    log_number(&line, "duration", ban->until_us > now_us ? (ban->until_us - now_us + 500000) / 1000000 : 0);
    if (ban->user != 0 && s->attempt != NULL && s->attempt->credentials.user != NULL) {
        log_quoted(&line, "user", s->attempt->credentials.user, strlen(s->attempt->credentials.user));
    }
    log_end(&line);
}

void session_log_user_attacked(struct session *s)
{
    struct log_line line;
    if (!begin_connection(&s->connection, &line, LOG_LEVEL_WARNING, EVENT_USER_ATTACKED)) {
        return;
    }
    log_quoted(&line, "user", s->attempt->account, strlen(s->attempt->account));
    log_end(&line);
}

void session_log_suppressed(void *data, const struct log_quota_summary *summary)
{
    struct log_line line;
    char text[NETWORK_TEXT_SIZE];
    (void)data;
    log_begin(&line, LOG_LEVEL_WARNING, "lines-suppressed");
    log_word(&line, "network", network_text(&summary->network, text));
    log_word(&line, "event", summary->event < EVENT_COUNT ? events[summary->event].word : "?");
    log_number(&line, "suppressed", summary->suppressed);
    log_end(&line);
}

void session_log_state(const struct session *s, const char *from, const char *to)
{
    struct log_line line;
    if (begin_without_place(&s->connection, &line, LOG_LEVEL_DEBUG, EVENT_STATE)) {
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
    if (!begin(s, &line, reason->level, EVENT_DISCONNECT)) {
        return;
    }
    if (s->user != NULL) {
        log_word(&line, "method", s->method);
    }
    if (s->backend != NULL) {
        log_word(&line, "backend", s->backend->options->name);
    }
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
    if (s->user != NULL) {
        log_quoted(&line, "user", s->user, strlen(s->user));
    }
    put_client_name(s, &line);
    log_end(&line);
}
