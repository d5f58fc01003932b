/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/admission.h"

enum { PATIENCE_MS = 3000, KEEP_MAX = 256 * 1024 * 1024 };

static bool claim_shared_address_warning(struct proxy *proxy)
{
    struct rig *r = proxy->data;
    bool first = !r->shared_address_logged;
    r->shared_address_logged = true;
    return first;
}

static bool is_crowded(const struct proxy *proxy)
{
    return ((struct rig *)proxy->data)->crowded;
}

static bool make_room(struct proxy *proxy, const struct connection *conn)
{
    return !is_crowded(proxy) || (conn != NULL && admission_sessions(proxy, conn) == 1);
}

static void session_has_ended(struct proxy *proxy)
{
    ((struct rig *)proxy->data)->ended++;
}

const char *rig_log(void)
{
    return file_text(temp_path("log"));
}

void rig_init(struct rig *r, enum listener_tls tls, enum pace pace)
{
    struct test_report report;
    struct certificate_options *pair = calloc(1, sizeof *pair);
    struct log_options log = {.target = (char *)temp_path("log"), .level = LOG_LEVEL_DEBUG};
    char address[600];

    *r = (struct rig){.client = -1, .upstream = -1, .pace = pace, .arena = test_arena(1)};
    signal(SIGPIPE, SIG_IGN);
    unlink(log.target);
    cr_assert(log_open(&log, -1) == 0 && loop_init(&r->loop) == 0);

    make_pair(pair, "pair", (struct wanted){.names = "DNS:localhost"});
    option_set_defaults(&tls_option_table, &r->tls_options);
    r->tls_options.certificates = (struct option_list){pair, 1};
    r->tls_options.session_tickets = false;
    test_report_init(&report);
    r->generation.tls = tls_new(&r->tls_options, NULL, &report.report);
    cr_assert_not_null(r->generation.tls, "%s", report.text);

    option_set_defaults(&limits_option_table, &r->limits);
    r->limits.login_delay_ms = r->limits.login_delay_max_ms = 0;
    option_set_defaults(&backend_option_table, &r->backend_options);
    snprintf(address, sizeof address, "unix:%s", temp_path("door"));
    r->backend_options.name = strdup("legacy");
    r->backend_options.address = strdup(address);
    r->backend_list = (struct option_list){&r->backend_options, 1};
    r->listener_options = (struct listener_options){.name = (char *)"test", .tls = tls};
    r->listener.options = &r->listener_options;

    unlink(temp_path("door"));
    r->door = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct endpoint endpoint;
    cr_assert_null(endpoint_resolve(address, &endpoint, NULL));
    cr_assert(bind(r->door, &endpoint.addresses[0].sa, endpoint.addresses[0].len) == 0 && listen(r->door, 10) == 0);

    r->generation.references = 1; /* the rig's */
    r->proxy.generation = &r->generation;
    r->proxy.loop = &r->loop;
    r->generation.limits = &r->limits;
    r->proxy.activity = &r->activity;
    r->proxy.make_room = make_room;
    r->proxy.is_crowded = is_crowded;
    r->proxy.claim_shared_address_warning = claim_shared_address_warning;
    r->proxy.data = r;
    r->proxy.ended = session_has_ended;
}

void rig_set_backends(struct rig *r)
{
    struct backends_options options = {&r->backend_list, &r->routes, &r->capabilities};
    struct test_report report;
    test_report_init(&report);
    r->generation.backends = backends_new(&options, r->arena, &report.report);
    cr_assert_not_null(r->generation.backends, "%s", report.text);
}

void rig_set_policy(struct rig *r)
{
    static const char *const names[] = {"test"};
    struct access_context context = {.listeners = names, .listener_count = 1};
    struct option_list rules = {r->rules, r->rule_count};
    struct test_report report;
    test_report_init(&report);
    r->generation.access = access_new(&rules, &context, &report.report);
    cr_assert_not_null(r->generation.access, "%s", report.text);
    r->proxy.table = client_table_new(&r->limits.network, r->arena);
    cr_assert_not_null(r->proxy.table);
    client_table_set_worker(r->proxy.table, 0);
    r->proxy.log_quota = log_quota_new(32, 64, r->arena);
    cr_assert_not_null(r->proxy.log_quota);
}

void rig_connect(struct rig *r)
{
    int fds[2];
    if (r->generation.access == NULL) {
        rig_set_policy(r);
    }
    if (r->generation.backends == NULL) {
        rig_set_backends(r);
    }
    union address peer, local;
    SSL_free(r->ssl); /* of the client before */
    r->ssl = NULL;
    socket_pair(fds, false);
    cr_assert(address_parse(r->peer != NULL ? r->peer : "192.0.2.7", 40000, &peer) == 0 && address_parse("192.0.2.1", 143, &local) == 0);
    r->client = fds[1];
    cr_assert_eq(session_start(&r->proxy, fds[0], &r->listener, &peer, &local), 0);
}

static void close_client(struct rig *r)
{
    SSL_free(r->ssl);
    r->ssl = NULL;
    if (r->client != -1) {
        close(r->client);
        r->client = -1;
    }
}

static void close_backend(struct rig *r)
{
    if (r->upstream != -1) {
        close(r->upstream);
        r->upstream = -1;
    }
}

void rig_over(struct rig *r)
{
    session_drop_all(&r->proxy);
    cr_expect(r->proxy.count == 0 && LIST_EMPTY(&r->proxy.sessions));
    close_client(r);
    close_backend(r);
    if (r->door != -1) {
        close(r->door);
    }
    access_free((struct access *)r->generation.access);
    client_table_free(r->proxy.table);
    log_quota_free(r->proxy.log_quota);
    listener_clear(&r->listener);
    option_free(&limits_option_table, &r->limits);
    tls_free(r->generation.tls);
    option_free(&tls_option_table, &r->tls_options);
    backends_free(r->generation.backends);
    option_free(&backend_option_table, &r->backend_options);
    loop_fini(&r->loop);
    log_close();
    buffer_clear(&r->heard);
    buffer_clear(&r->backend_heard);

    static const char *const never[] = {"internal-error", "out-of-memory", PASSWORD, PLAIN_JOE};
    for (size_t i = 0; i < COUNT(never); i++) {
        cr_expect_null(strstr(rig_log(), never[i]), "\"%s\" in the log:\n%s", never[i], rig_log());
    }
}

const struct session *rig_session(const struct rig *r)
{
    return LIST_FIRST(&r->proxy.sessions);
}

/* --- rounds --------------------------------------------------------------------------------------------- */

static bool client_listens(struct rig *r)
{
    static uint8_t octets[65536];
    ssize_t n = -1;
    if (r->client == -1 || r->client_deaf || r->client_end) {
        return false;
    }
    if (r->ssl == NULL) {
        n = recv(r->client, octets, sizeof octets, 0);
        r->client_end = n == 0 || (n == -1 && errno == ECONNRESET);
    } else if (SSL_is_init_finished(r->ssl)) {
        n = SSL_read(r->ssl, octets, sizeof octets);
        r->client_end = n <= 0 && SSL_get_error(r->ssl, (int)n) != SSL_ERROR_WANT_READ;
    }
    if (n > 0) {
        cr_assert_eq(buffer_append(&r->heard, octets, (size_t)n, KEEP_MAX), 0);
    }
    return n > 0 || r->client_end;
}

static bool backend_listens(struct rig *r)
{
    static uint8_t octets[65536];
    if (r->upstream == -1) {
        r->upstream = r->door != -1 ? accept4(r->door, NULL, NULL, SOCK_NONBLOCK) : -1;
        r->connections += r->upstream != -1;
        r->backend_end = false;
        return r->upstream != -1;
    }
    if (r->backend_deaf || r->backend_end) {
        return false;
    }
    ssize_t n = recv(r->upstream, octets, sizeof octets, 0);
    if (n > 0) {
        r->recorded += (uint64_t)n;
        cr_assert_eq(buffer_append(&r->backend_heard, octets, (size_t)n, KEEP_MAX), 0);
    }
    r->backend_end = n == 0 || (n == -1 && errno == ECONNRESET);
    return n > 0 || r->backend_end;
}

/* Whether anything happened. */
static bool one_round(struct rig *r)
{
    const struct session *s = rig_session(r);
    enum session_state before = s != NULL ? s->state : STATE_DEAD;
    ev_run(r->loop.ev, EVRUN_NOWAIT);
    bool listed = !LIST_EMPTY(&r->loop.tasks);
    s = rig_session(r);
    if (s != NULL && (s->state == STATE_RELAY || s->state == STATE_DRAIN)) {
        size_t kept = s->client_stream.out.len > s->backend_stream.out.len ? s->client_stream.out.len : s->backend_stream.out.len;
        r->most_kept = kept > r->most_kept ? kept : r->most_kept;
    }
    bool heard = client_listens(r);
    heard |= backend_listens(r);
    return heard || listed || (s != NULL ? s->state : STATE_DEAD) != before;
}

void rig_round(struct rig *r)
{
    (void)one_round(r);
}

void rig_settle(struct rig *r)
{
    for (int quiet = 0, rounds = 0; quiet < 4; rounds++) {
        quiet = one_round(r) ? 0 : quiet + 1;
        cr_assert_lt(rounds, 100000, "the loop does not come to rest");
    }
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool rig_until(struct rig *r, bool (*done)(const struct rig *r))
{
    uint64_t start = now_ms();
    while (!done(r)) {
        if (!one_round(r)) {
            usleep(200);
        }
        if (now_ms() - start > PATIENCE_MS) {
            return false;
        }
    }
    return true;
}

/* --- saying ------------------------------------------------------------------------------------------------ */

void rig_client_says(struct rig *r, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t start = now_ms();
    while (len > 0 && r->client != -1) {
        size_t n = r->pace == TRICKLE ? 1 : len;
        ssize_t done = r->ssl != NULL ? SSL_write(r->ssl, at, (int)n) : send(r->client, at, n, MSG_NOSIGNAL);
        if (done > 0) {
            at += done;
            len -= (size_t)done;
        } else if (r->ssl == NULL ? errno == EPIPE || errno == ECONNRESET
                                  : SSL_get_error(r->ssl, (int)done) != SSL_ERROR_WANT_WRITE) {
            return; /* the session has ended meanwhile: the dialogue says whether it should have */
        }
        if (r->pace == TRICKLE || done <= 0) {
            rig_round(r);
        }
        cr_assert_lt(now_ms() - start, 60000);
    }
}

void rig_backend_says(struct rig *r, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t start = now_ms();
    while (len > 0 && r->upstream != -1) {
        size_t n = r->pace == TRICKLE ? 1 : len;
        ssize_t done = send(r->upstream, at, n, MSG_NOSIGNAL);
        if (done > 0) {
            at += done;
            len -= (size_t)done;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return;
        }
        if (r->pace == TRICKLE || done <= 0) {
            rig_round(r);
        }
        cr_assert_lt(now_ms() - start, 60000);
    }
}

/* --- dialogues --------------------------------------------------------------------------------------------- */

static bool has_line(const struct buffer *b)
{
    return b->len > 0 && memchr(buffer_data(b), '\n', b->len) != NULL;
}

static bool client_has_line(const struct rig *r)
{
    return has_line(&r->heard) || r->client_end;
}

static bool backend_has_line(const struct rig *r)
{
    return has_line(&r->backend_heard) || r->backend_end;
}

static bool client_at_end(const struct rig *r)
{
    return r->client_end;
}

static bool backend_at_end(const struct rig *r)
{
    return r->backend_end;
}

static bool backend_connected(const struct rig *r)
{
    return r->upstream != -1;
}

/* The log may not be complete when the last words are: a line is written when the session is gone. */
static const char *wanted_in_log;

static bool log_has(const struct rig *r)
{
    (void)r;
    return strstr(rig_log(), wanted_in_log) != NULL;
}

/* Cuts the first line off what was heard, without CRLF, or all of it when there is no whole line. Static. */
static const char *cut_line(struct buffer *b)
{
    static char text[4096];
    const uint8_t *lf = b->len > 0 ? memchr(buffer_data(b), '\n', b->len) : NULL;
    size_t len = lf != NULL ? (size_t)(lf - buffer_data(b)) + 1 : b->len;
    struct span line = {buffer_data(b), len};
    if (len >= 2 && memcmp(line.bytes + len - 2, "\r\n", 2) == 0) {
        line.len -= 2;
    }
    snprintf(text, sizeof text, "%s", show(line));
    buffer_consume(b, len);
    return text;
}

/* Resolves the escapes of a dialogue's text; the length. */
static size_t resolve(const char *text, char *out)
{
    size_t n = 0;
    unsigned value;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '\\') {
            out[n++] = *at;
        } else if (*++at == 'x') {
            cr_assert_eq(sscanf(at + 1, "%2x", &value), 1);
            out[n++] = (char)value;
            at += 2;
        } else {
            out[n++] = *at == 'r' ? '\r' : *at == 'n' ? '\n' : *at;
        }
    }
    return n;
}

static void expect_line(const char *name, const char *step, struct buffer *b, const char *text)
{
    char want[4096];
    size_t len = resolve(text, want);
    const char *got = cut_line(b);
    const char *wanted = show((struct span){(const uint8_t *)want, len});
    cr_assert_str_eq(got, wanted, "%s: \"%s\": heard \"%s\", the log:\n%s", name, step, got, rig_log());
}

static void shake(struct rig *r, const char *name)
{
    uint64_t start = now_ms();
    r->ssl = client_new(r->client, (struct client_options){0});
    while (SSL_do_handshake(r->ssl) != 1) {
        rig_round(r);
        cr_assert(rig_session(r) != NULL && now_ms() - start < PATIENCE_MS, "%s: no TLS: %s", name, rig_log());
    }
    rig_settle(r);
}

static void reset_client(struct rig *r)
{
    /* A UNIX socket that is closed with unread octets resets its peer, as TCP does. */
    r->client_deaf = true;
    close_client(r);
}

static void expect_idle(struct rig *r, const char *name)
{
    rig_settle(r);
    const struct session *s = rig_session(r);
    cr_assert_not_null(s, "%s: %s", name, rig_log());
    cr_expect(s->client_stream.in.bytes == NULL && s->client_stream.out.bytes == NULL && s->client_stream.queued.bytes == NULL, "%s: the client's stream owns a buffer", name);
    cr_expect(s->backend_stream.in.bytes == NULL && s->backend_stream.out.bytes == NULL && s->backend_stream.queued.bytes == NULL, "%s: the backend's stream owns one", name);
    cr_expect(s->lexer.line == NULL && s->attempt == NULL && s->sasl.user.bytes == NULL, "%s: the talk owns one", name);
    cr_expect(LIST_EMPTY(&r->loop.tasks), "%s: it does not sleep", name);
}

/* A step without a text; false when it is none of these. */
static bool play_word(struct rig *r, const char *name, const char *step)
{
    if (strcmp(step, "T") == 0) {
        shake(r, name);
    } else if (strcmp(step, ".") == 0) {
        cr_assert(rig_until(r, client_at_end), "%s: \"%s\": no end: %s", name, step, rig_log());
    } else if (strcmp(step, "c.") == 0) {
        if (r->ssl != NULL) {
            SSL_shutdown(r->ssl);
        }
        shutdown(r->client, SHUT_WR);
    } else if (strcmp(step, "c!") == 0) {
        reset_client(r);
    } else if (strcmp(step, "B") == 0) {
        cr_assert(rig_until(r, backend_connected), "%s: no connection to the backend: %s", name, rig_log());
    } else if (strcmp(step, "b.") == 0) {
        close_backend(r);
    } else if (strcmp(step, "bend") == 0) {
        cr_assert(rig_until(r, backend_at_end), "%s: the backend hears no end: %s", name, rig_log());
        close_backend(r);
    } else if (strcmp(step, "b0") == 0) {
        rig_settle(r);
        cr_assert(r->connections == 0 && r->recorded == 0, "%s: the backend was reached", name);
    } else if (strcmp(step, "idle") == 0) {
        expect_idle(r, name);
    } else {
        return false;
    }
    return true;
}

static void play_step(struct rig *r, const char *name, const char *step)
{
    char bytes[4096];
    const char *text = strchr(step, ' ') != NULL ? strchr(step, ' ') + 1 : "";
    size_t len = resolve(text, bytes), word = strcspn(step, " ");
    if (step[word - 1] == '>' || step[word - 1] == '<') {
        memcpy(bytes + len, "\r\n", 2);
    }
    if (play_word(r, name, step)) {
        return;
    }
    if (strncmp(step, "> ", 2) == 0 || strncmp(step, ">~ ", 3) == 0) {
        rig_client_says(r, bytes, len + (step[1] == '~' ? 0 : 2));
    } else if (strncmp(step, "b< ", 3) == 0 || strncmp(step, "b<~ ", 4) == 0) {
        rig_backend_says(r, bytes, len + (step[2] == '~' ? 0 : 2));
    } else if (strncmp(step, "< ", 2) == 0) {
        (void)rig_until(r, client_has_line);
        expect_line(name, step, &r->heard, text);
    } else if (strncmp(step, "b> ", 3) == 0) {
        (void)rig_until(r, backend_has_line);
        expect_line(name, step, &r->backend_heard, text);
    } else if (strncmp(step, "log ", 4) == 0) {
        wanted_in_log = text;
        cr_assert(rig_until(r, log_has), "%s: not in the log: %s\n%s", name, text, rig_log());
    } else if (strncmp(step, "nolog ", 6) == 0) {
        cr_assert_null(strstr(rig_log(), text), "%s: in the log: %s\n%s", name, text, rig_log());
    } else {
        cr_assert_fail("%s: no such step: %s", name, step);
    }
}

void rig_play(struct rig *r, const char *name, const char *dialogue)
{
    char step[4096];
    for (const char *at = dialogue, *end; *at != '\0'; at = end + 1) {
        end = strchr(at, '\n');
        cr_assert_not_null(end, "%s: each step is a line", name);
        snprintf(step, sizeof step, "%.*s", (int)(end - at), at);
        play_step(r, name, step);
    }
    rig_settle(r);
    cr_assert_eq(r->heard.len, 0, "%s: the client also heard \"%s\"", name, cut_line(&r->heard));
    cr_assert_eq(r->backend_heard.len, 0, "%s: the backend also heard \"%s\"", name, cut_line(&r->backend_heard));
}

void rig_play_all(const struct dialogue *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (enum pace pace = WHOLE; pace < PACES; pace++) {
            struct rig r;
            char name[256];
            if (pace == TRICKLE && rows[i].whole_only) {
                continue;
            }
            snprintf(name, sizeof name, "%s (%s)", rows[i].name, pace == TRICKLE ? "trickled" : "whole");
            rig_init(&r, rows[i].tls, pace);
            rig_connect(&r);
            rig_play(&r, name, rows[i].text);
            rig_over(&r);
        }
    }
}
