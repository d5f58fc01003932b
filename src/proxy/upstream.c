/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/upstream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "net/socket.h"
#include "proxy/admission.h"
#include "proxy/attempt.h"
#include "proxy/client.h"
#include "proxy/record.h"

/* Our commands: tags that no answer to a client could bear by accident. */
#define TAG_CAPABILITY "guard-capability"
#define TAG_LOGIN "guard-login"

enum {
    LINES_MAX = 64,             /* that a backend may say before it has answered the login */
    ANSWER_MAX = 128 * 1024,    /* octets of what is passed on to the client */
    MESSAGE_MAX = 64 * 1024,
};

static struct span tag_of(const struct attempt *a)
{
    return (struct span){buffer_data(&a->tag), a->tag.len};
}

static void end_attempt(struct session *s)
{
    attempt_free(s->attempt);
    s->attempt = NULL;
    stream_close(&s->backend);
}

/*
 * The attempt has failed for a reason that is not the user's: the client may try again, and nothing is
 * counted. `cause` is for the log, `said` what the backend said, if that explains it.
 */
static struct step unavailable(struct session *s, const char *cause, struct span said)
{
    record_login(s, LOG_LEVEL_WARNING, "login-unavailable", cause, said);
    int result = client_reply(s, tag_of(s->attempt), "NO [UNAVAILABLE] The mail server does not answer: try again.");
    end_attempt(s);
    return result == 0 ? step_go(STATE_SECURE) : step_end(REASON_MEMORY);
}

static const char *connect_cause(int error)
{
    return error == ECONNREFUSED ? "connection-refused" : error == ENOENT ? "no-such-socket" : "connection-failed";
}

/* --- CONNECT -------------------------------------------------------------------------------------- */

struct step upstream_connect(struct session *s)
{
    struct attempt *a = s->attempt;
    const struct endpoint *endpoint = &s->proxy->backend->endpoint;
    int error = 0;
    while (a->address < endpoint->count) {
        bool pending;
        int fd = socket_connect(&endpoint->addresses[a->address++], &pending);
        if (fd != -1) {
            stream_init(&s->backend, s->proxy->loop, fd, session_event, s);
            s->backend.connecting = pending;
            return pending ? step_more() : step_go(STATE_GREETING);
        }
        error = errno;
    }
    return unavailable(s, connect_cause(error), (struct span){0});
}

static struct step try_next_address(struct session *s, const char *cause)
{
    if (s->attempt->address == s->proxy->backend->endpoint.count) {
        return unavailable(s, cause, (struct span){0});
    }
    stream_close(&s->backend);
    return step_go(STATE_CONNECT);
}

struct step upstream_connected(struct session *s)
{
    if (stream_connected(&s->backend) != STREAM_READY) {
        return try_next_address(s, connect_cause(errno));
    }
    return step_go(STATE_GREETING);
}

struct step upstream_connect_expired(struct session *s)
{
    return try_next_address(s, "connect-timeout");
}

ev_tstamp upstream_connect_deadline(const struct session *s)
{
    return session_after(session_now(s), s->proxy->backend->options->connect_timeout_ms);
}

/* --- what both states of the talk share ------------------------------------------------------------ */

ev_tstamp upstream_login_deadline(const struct session *s)
{
    struct attempt *a = s->attempt;
    if (a->connected == 0) {
        a->connected = session_now(s);
    }
    return session_after(a->connected, s->proxy->backend->options->login_timeout_ms);
}

struct step upstream_expired(struct session *s)
{
    return unavailable(s, s->attempt->greeted ? "login-timeout" : "greeting-timeout", (struct span){0});
}

static const char *reading_cause(enum answer_result result)
{
    return result == ANSWER_TOO_LONG   ? "line-too-long"
           : result == ANSWER_BAD_BYTE ? "bad-byte"
                                       : "out-of-memory";
}

/* Reads lines and hands each to `take` for as long as that wants more. What follows is not touched. */
static struct step read_lines(struct session *s, struct step (*take)(struct session *s, struct span line))
{
    struct attempt *a = s->attempt;
    struct step step = step_more();
    while (step.kind == STEP_MORE) {
        struct span bytes, line;
        size_t taken;
        enum stream_status status = stream_peek(&s->backend, &bytes);
        if (status == STREAM_AGAIN) {
            return step;
        }
        if (status != STREAM_READY) {
            return unavailable(s, "connection-closed", (struct span){0});
        }
        bool all = true;
        enum answer_result result = answer_feed(&a->reader, bytes.bytes, bytes.len, &taken, &line);
        if (result == ANSWER_LINE) {
            all = taken == bytes.len;
            step = ++a->lines > LINES_MAX ? unavailable(s, "too-many-lines", (struct span){0}) : take(s, line);
        } else if (result != ANSWER_MORE) {
            return unavailable(s, reading_cause(result), (struct span){0});
        }
        if (stream_is_open(&s->backend) && stream_take(&s->backend, taken) != 0) {
            return step_end(REASON_MEMORY);
        }
        if (all) {
            break;
        }
    }
    return step;
}

/* --- GREETING --------------------------------------------------------------------------------------- */

/* The capabilities are known: goes on if there is a backend behind them that one can log in to. */
static struct step judge(struct session *s)
{
    return s->attempt->able.imap ? step_go(STATE_BACKEND_LOGIN) : unavailable(s, "no-imap", (struct span){0});
}

static struct step take_greeting(struct session *s, struct span line)
{
    static const char ask[] = TAG_CAPABILITY " CAPABILITY\r\n";
    struct attempt *a = s->attempt;
    struct span list;
    struct answer said = answer_parse(line, TAG_CAPABILITY);

    if (said.kind == ANSWER_BYE) {
        return unavailable(s, "bye", line);
    }
    if (said.kind == ANSWER_PREAUTH) {
        return unavailable(s, "preauth", line);
    }
    if (said.kind != ANSWER_OK) {
        return unavailable(s, "no-greeting", line);
    }
    a->greeted = true;
    if (answer_code_capability(&said, &list)) {
        capability_parse(list, &a->able);
        return judge(s);
    }
    return stream_send(&s->backend, ask, sizeof ask - 1, MESSAGE_MAX) == 0 ? step_more() : step_end(REASON_MEMORY);
}

static struct step take_capability(struct session *s, struct span line)
{
    struct answer said = answer_parse(line, TAG_CAPABILITY);
    if (said.kind == ANSWER_CAPABILITY) {
        capability_parse(said.text, &s->attempt->able);
        return step_more();
    }
    if (said.tagged && said.kind == ANSWER_OK) {
        return judge(s);
    }
    if (!said.tagged && (said.kind == ANSWER_OTHER || said.kind == ANSWER_OK || said.kind == ANSWER_NO)) {
        return step_more();
    }
    return unavailable(s, said.kind == ANSWER_BYE ? "bye" : "no-capabilities", line);
}

static struct step take_line(struct session *s, struct span line)
{
    return s->attempt->greeted ? take_capability(s, line) : take_greeting(s, line);
}

struct step upstream_greeting(struct session *s)
{
    return read_lines(s, take_line);
}

/* --- BACKEND_LOGIN ---------------------------------------------------------------------------------- */

/* Sends the next part of the login; false when the backend asks for more than there is. */
static bool send_part(struct session *s)
{
    struct span part;
    return login_next(&s->attempt->message, &part) &&
           stream_send(&s->backend, part.bytes, part.len, MESSAGE_MAX) == 0;
}

struct step upstream_login(struct session *s)
{
    struct attempt *a = s->attempt;
    switch (login_build(&a->message, TAG_LOGIN, &a->credentials, &a->able)) {
    case LOGIN_READY:
        return send_part(s) ? step_more() : step_end(REASON_MEMORY);
    case LOGIN_FORBIDDEN:
        return unavailable(s, "login-disabled", (struct span){0});
    case LOGIN_TOO_BIG:
        return unavailable(s, "login-too-long", (struct span){0});
    case LOGIN_NOT_AUTHORIZE:
        break;
    }
    record_login(s, LOG_LEVEL_INFO, "login-refused", "no-authorize", (struct span){0});
    int result = client_reply(s, tag_of(a), "NO [AUTHORIZATIONFAILED] The mail server cannot act for another user.");
    end_attempt(s);
    return result == 0 ? step_go(STATE_SECURE) : step_end(REASON_MEMORY);
}

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

/* The client's tagged answer, from the backend's; `code` is ours when the backend gave none that fits. */
static int put_answer(struct buffer *out, struct span tag, const char *word, const char *code,
                      const struct answer *said)
{
    struct span list;
    bool has_list = answer_code_capability(said, &list);
    if (put(out, tag) != 0 || put_text(out, word) != 0) {
        return -1;
    }
    if (has_list && code[0] == '\0') {
        if (put_text(out, "[CAPABILITY ") != 0 || capability_pass(list, out, ANSWER_MAX) != 0 ||
            put_text(out, "] ") != 0) {
            return -1;
        }
    } else if (said->code.len > 0 && !has_list) {
        if (put_text(out, "[") != 0 || put(out, said->code) != 0 || put_text(out, "] ") != 0) {
            return -1;
        }
    } else if (put_text(out, code) != 0) {
        return -1;
    }
    struct span text = said->text.len > 0 ? said->text : span_of("Done.");
    return keep_line(out, text);
}

static struct step login_accepted(struct session *s, const struct answer *said)
{
    struct attempt *a = s->attempt;
    if (put_answer(&a->untagged, tag_of(a), " OK ", "", said) != 0) {
        return step_end(REASON_MEMORY);
    }
    record_login(s, LOG_LEVEL_INFO, "login", NULL, (struct span){0});
    s->user = a->credentials.user;
    s->method = a->credentials.method;
    a->credentials.user = NULL;
    if (stream_queue(&s->client, buffer_data(&a->untagged), a->untagged.len, ANSWER_MAX) != 0) {
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
    struct span word;
    if (!span_word(&code, &word)) {
        return false;
    }
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (span_is(word, codes[i])) {
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

static struct step login_rejected(struct session *s, const struct answer *said)
{
    struct attempt *a = s->attempt;
    if (put_answer(&a->answer, tag_of(a), " NO ", "[AUTHENTICATIONFAILED] ", said) != 0) {
        return step_end(REASON_MEMORY);
    }
    if (is_trouble(said->code)) {
        record_login(s, LOG_LEVEL_WARNING, "login-unavailable", "backend-refused", said->code);
        int result = stream_queue(&s->client, buffer_data(&a->answer), a->answer.len, ANSWER_MAX);
        end_attempt(s);
        return result == 0 ? step_go(STATE_SECURE) : step_end(REASON_MEMORY);
    }
    record_login(s, LOG_LEVEL_INFO, "login-failed", "authentication-failed", said->code);
    admission_login_failed(s);
    a->penalty_ms = penalty_ms(s->proxy->limits, ++s->failed_logins);
    credentials_clear(&a->credentials); /* neither they nor the connection are needed while the client waits */
    stream_close(&s->backend);
    return step_go(STATE_PENALTY);
}

static struct step take_answer(struct session *s, struct span line)
{
    struct attempt *a = s->attempt;
    struct answer said = answer_parse(line, TAG_LOGIN);

    if (said.kind == ANSWER_CONTINUE) {
        return send_part(s) ? step_more() : unavailable(s, "unexpected-continuation", (struct span){0});
    }
    if (said.tagged && said.kind == ANSWER_OK) {
        return login_accepted(s, &said);
    }
    if (said.tagged && said.kind == ANSWER_NO) {
        return login_rejected(s, &said);
    }
    if (said.kind == ANSWER_CAPABILITY) {
        return keep_capability(&a->untagged, said.text) == 0 ? step_more() : step_end(REASON_MEMORY);
    }
    if (!said.tagged && (said.kind == ANSWER_OK || said.kind == ANSWER_NO || said.kind == ANSWER_BAD)) {
        struct span list; /* such as [ALERT], which a client must show (RFC 9051 7.1) */
        if (answer_code_capability(&said, &list)) {
            return keep_capability(&a->untagged, list) == 0 ? step_more() : step_end(REASON_MEMORY);
        }
        return keep_line(&a->untagged, line) == 0 ? step_more() : step_end(REASON_MEMORY);
    }
    if (said.kind == ANSWER_OTHER) {
        return step_more();
    }
    /* From here on only codes are logged: some servers repeat the command in what they say, password and all. */
    return unavailable(s, said.kind == ANSWER_BYE   ? "bye"
                          : said.kind == ANSWER_BAD ? "backend-bad"
                                                    : "nonsense",
                       said.code);
}

struct step upstream_answer(struct session *s)
{
    return read_lines(s, take_answer);
}

/* --- PENALTY ---------------------------------------------------------------------------------------- */

ev_tstamp upstream_penalty_deadline(const struct session *s)
{
    return session_after(session_now(s), s->attempt->penalty_ms);
}

struct step upstream_penalty_over(struct session *s)
{
    struct attempt *a = s->attempt;
    int result = stream_queue(&s->client, buffer_data(&a->answer), a->answer.len, ANSWER_MAX);
    end_attempt(s);
    if (result != 0) {
        return step_end(REASON_MEMORY);
    }
    return s->failed_logins >= s->proxy->limits->login_attempts ? step_end(REASON_LOGIN_ATTEMPTS)
                                                                : step_go(STATE_SECURE);
}
