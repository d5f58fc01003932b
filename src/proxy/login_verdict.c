/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/login_verdict.h"

#include <stdlib.h>
#include <string.h>

#include "proxy/admission.h"
#include "proxy/attempt.h"
#include "proxy/client.h"
#include "proxy/session_log.h"

static int put(struct buffer *out, const char *text)
{
    return buffer_append(out, text, strlen(text), ATTEMPT_ANSWER_MAX);
}

enum delay { DELAY_NONE, DELAY_GROWING, DELAY_LONGEST };

/*
 * One text, in the same time, whether the password is wrong, or nobody has this name, or a rule denies the user: no
 * answer tells a guesser which it is.
 */
#define AUTHENTICATION_FAILED "NO [AUTHENTICATIONFAILED] Authentication failed."

/* What a rejection means for the client, the log and the counts. */
/* clang-format off */
static const struct rejection_row {
    const char *word;  /* `reason` in the log */
    const char *reply; /* the text of the tagged answer; NULL: the backend's own, in the attempt */
    bool tried;        /* "login-failed" in the log; else "login-refused" */
    bool judged;       /* by a backend */
    bool charged;      /* as a wrong guess, like any other: else a guesser would learn which it is */
    bool ends;         /* the session */
    enum delay delay;
} rejections[] = {
    [REJECTED_BY_BACKEND] = {"authentication-failed", AUTHENTICATION_FAILED, true, true, true, false, DELAY_GROWING},
    [REJECTED_BEFORE] = {"authentication-failed", AUTHENTICATION_FAILED, true, true, true, false, DELAY_GROWING},
    [REJECTED_AS_EXPIRED] = {"authentication-failed", "NO [EXPIRED] The password has expired.", true, true, true, false, DELAY_GROWING},
    [REJECTED_TO_CONTACT_ADMIN] = {"authentication-failed", "NO [CONTACTADMIN] Ask the administrator of the mail server.",
                                   true, true, true, false, DELAY_GROWING},
    [REJECTED_IN_ITS_WORDS] = {"authentication-failed", NULL, true, true, true, false, DELAY_GROWING},
    [REJECTED_NO_ROUTE] = {"no-route", AUTHENTICATION_FAILED, true, false, true, false, DELAY_GROWING},
    [REJECTED_NAME] = {"invisible-characters", AUTHENTICATION_FAILED, false, false, true, false, DELAY_GROWING},
    [REJECTED_BY_RULE] = {"rule", AUTHENTICATION_FAILED, false, false, true, false, DELAY_GROWING},
    [REJECTED_BY_TARPIT] = {"rule", AUTHENTICATION_FAILED, false, false, true, false, DELAY_LONGEST},
    [REJECTED_BANNED] = {"banned", "NO [CONTACTADMIN] Too many failed logins from your network.", false, false, false, true,
                         DELAY_NONE},
    [REJECTED_USER_BANNED] = {"user-banned", "NO [CONTACTADMIN] Too many failed logins of this user from your network.",
                              false, false, false, true, DELAY_NONE},
};
/* clang-format on */

/* The user stays known to the session, for its last line in the log. */
static void keep_user(struct session *s)
{
    struct credentials *c = &s->attempt->credentials;
    if (c->user != NULL) {
        free(s->user);
        s->user = c->user;
        s->method = c->method;
        c->user = NULL;
    }
}

static void end_attempt(struct session *s)
{
    keep_user(s);
    attempt_free(s->attempt);
    s->attempt = NULL;
}

/* The answer to the client in the attempt becomes the tag and that text. Returns 0, or -1 when memory is short. */
static int set_answer(struct attempt *a, const char *text)
{
    buffer_clear(&a->answer);
    return buffer_append(&a->answer, buffer_data(&a->tag), a->tag.len, ATTEMPT_ANSWER_MAX) == 0 &&
                   put(&a->answer, " ") == 0 && put(&a->answer, text) == 0 && put(&a->answer, "\r\n") == 0
               ? 0
               : -1;
}

static struct step accepted(struct session *s)
{
    struct attempt *a = s->attempt;
    admission_settle(s, GUESS_RIGHT);
    session_log_login(s);
    int result = stream_queue(&s->client_stream, buffer_data(&a->answer), a->answer.len, ATTEMPT_ANSWER_MAX);
    end_attempt(s);
    s->active = session_now(s);
    return result == 0 ? step_go(STATE_RELAY) : step_end(REASON_MEMORY);
}

static uint32_t delay_ms(const struct session *s, enum delay kind)
{
    const struct limits *limits = s->connection.generation->limits;
    uint64_t delay = kind == DELAY_NONE      ? 0
                     : kind == DELAY_LONGEST ? limits->login_delay_max_ms
                                             : limits->login_delay_ms;
    for (unsigned i = 1; i < s->delay_level && delay > 0 && delay < limits->login_delay_max_ms; i++) {
        delay *= 2;
    }
    return delay < limits->login_delay_max_ms ? (uint32_t)delay : limits->login_delay_max_ms;
}

/* Goes to PENALTY, where neither the credentials nor the connection to the backend are needed. */
static struct step punish(struct session *s, enum delay delay, bool repeated)
{
    struct attempt *a = s->attempt;
    s->failed_logins++;
    s->delay_level += repeated ? 0 : 1;
    a->penalty_ms = delay_ms(s, delay);
    keep_user(s);
    credentials_clear(&a->credentials);
    login_command_clear(&a->command);
    session_leave_backend(s);
    return step_go(STATE_PENALTY);
}

static struct step rejected(struct session *s, const struct login_verdict *v)
{
    const struct rejection_row *row = &rejections[v->rejection];
    struct attempt *a = s->attempt;
    uint64_t password = admission_password_hash(s);
    bool repeated = password != 0 && password == s->wrong_password;
    s->wrong_at_backend = row->judged && (v->rejection != REJECTED_BEFORE || s->wrong_at_backend);
    s->wrong_password = password;
    admission_settle(s, row->charged ? GUESS_WRONG : GUESS_UNSENT);
    if (row->reply != NULL && set_answer(a, row->reply) != 0) {
        return step_end(REASON_MEMORY);
    }
    if (row->tried) {
        session_log_login_failed(s, row->word, attempt_said(a));
    } else {
        session_log_login_refused(s, row->word, v->rule);
    }
    if (row->ends) {
        (void)stream_queue(&s->client_stream, buffer_data(&a->answer), a->answer.len, ATTEMPT_ANSWER_MAX);
        end_attempt(s);
        return step_end(REASON_BANNED);
    }
    return punish(s, row->delay, repeated);
}

static const char *const verdict_words[] = {
    [GUESS_UNKNOWN] = "unknown", [GUESS_RIGHT] = "right", [GUESS_WRONG] = "wrong", [GUESS_UNSENT] = "none"};

/* The verdict on a login that ends without one; `otherwise` if the backend has not even said it by a challenge. */
static enum guess_verdict verdict_of_end(const struct attempt *a, enum guess_verdict otherwise)
{
    return !attempt_is_judged(a)          ? GUESS_UNSENT
           : a->final == SASL_FINAL_RIGHT ? GUESS_RIGHT
           : a->final == SASL_FINAL_WRONG ? GUESS_WRONG
                                          : otherwise;
}

/* A client that cancels after its secret was judged does so because it was wrong; one that has gone may not know. */
static struct step aborted(struct session *s, const char *reply)
{
    bool challenged = s->state == STATE_CHALLENGE;
    enum guess_verdict verdict = verdict_of_end(s->attempt, reply != NULL ? GUESS_WRONG : GUESS_UNKNOWN);
    admission_settle(s, verdict);
    if (s->attempt->credentials.user != NULL) {
        session_log_login_aborted(s, verdict_words[verdict]);
    }
    int result = reply != NULL ? client_reply(s, attempt_tag(s->attempt), reply) : 0;
    end_attempt(s);
    session_leave_backend(s);
    return result != 0 ? step_end(REASON_MEMORY) : challenged ? step_go(STATE_NOT_AUTHENTICATED) : step_more();
}

static struct step faulty(struct session *s, enum fault fault)
{
    struct attempt *a = s->attempt;
    const char *reply = faults[fault].reply;
    bool judged = attempt_is_judged(a);
    admission_settle(s, verdict_of_end(a, GUESS_UNKNOWN));
    session_log_login_fault(s, fault, attempt_said(a));
    if (judged) {
        return reply == NULL || set_answer(a, reply) == 0 ? punish(s, DELAY_GROWING, false) : step_end(REASON_MEMORY);
    }
    int result = reply != NULL
                     ? client_reply(s, attempt_tag(a), reply)
                     : stream_queue(&s->client_stream, buffer_data(&a->answer), a->answer.len, ATTEMPT_ANSWER_MAX);
    end_attempt(s);
    session_leave_backend(s);
    return result != 0                           ? step_end(REASON_MEMORY)
           : s->state == STATE_NOT_AUTHENTICATED ? step_more()
                                                 : step_go(STATE_NOT_AUTHENTICATED);
}

/* ABANDONED: the client does not hear the verdict, but it counts. */
static struct step abandoned(struct session *s, const struct login_verdict *v)
{
    enum reason reason = s->attempt->client_reason;
    enum guess_verdict verdict = v->kind == ACCEPTED   ? GUESS_RIGHT
                                 : v->kind == REJECTED ? GUESS_WRONG
                                                       : verdict_of_end(s->attempt, GUESS_UNKNOWN);
    admission_settle(s, verdict);
    session_log_login_aborted(s, verdict_words[verdict]);
    end_attempt(s);
    session_leave_backend(s);
    return step_end(reason);
}

struct step login_conclude(struct session *s, const struct login_verdict *v)
{
    if (s->state == STATE_ABANDONED) {
        return abandoned(s, v);
    }
    switch (v->kind) {
    case ACCEPTED:
        return accepted(s);
    case REJECTED:
        return rejected(s, v);
    case ABORTED:
        return aborted(s, v->reply);
    case FAULTY:
    case UNDECIDED: /* which nobody concludes */
        break;
    }
    return faulty(s, v->fault);
}

/* --- PENALTY -------------------------------------------------------------------------------------------------- */

ev_tstamp login_penalty_deadline(const struct session *s)
{
    return session_after(s->attempt->began, s->attempt->penalty_ms);
}

struct step login_penalty_over(struct session *s)
{
    struct attempt *a = s->attempt;
    int result = stream_queue(&s->client_stream, buffer_data(&a->answer), a->answer.len, ATTEMPT_ANSWER_MAX);
    end_attempt(s);
    if (result != 0) {
        return step_end(REASON_MEMORY);
    }
    return s->failed_logins >= s->connection.generation->limits->login_attempts ? step_end(REASON_LOGIN_ATTEMPTS)
                                                                                : step_go(STATE_NOT_AUTHENTICATED);
}
