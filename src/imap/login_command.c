/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/login_command.h"

#include <stdio.h>
#include <string.h>

#include "imap/quote.h"
#include "imap/sasl.h"

enum { MESSAGE_MAX = 64 * 1024 };

static int put(struct login_command *m, const char *text)
{
    return buffer_append(&m->bytes, text, strlen(text), MESSAGE_MAX);
}

static void end_part(struct login_command *m)
{
    m->end[m->parts++] = m->bytes.len;
}

/* Appends an astring. A literal ends the part after its size, because the backend then sends "+". */
static int put_string(struct login_command *m, struct span s)
{
    char size[32];
    if (quote_fits(s)) {
        return quote_append(s, &m->bytes, MESSAGE_MAX);
    }
    snprintf(size, sizeof size, "{%zu}\r\n", s.len);
    if (put(m, size) != 0) {
        return -1;
    }
    end_part(m);
    return buffer_append(&m->bytes, s.bytes, s.len, MESSAGE_MAX);
}

static int build_command(struct login_command *m, const char *tag, const struct credentials *c)
{
    struct span password = {c->secret.bytes, c->secret.len};
    if (put(m, tag) != 0 || put(m, " LOGIN ") != 0 || put_string(m, span_of(c->user)) != 0 || put(m, " ") != 0 ||
        put_string(m, password) != 0 || put(m, "\r\n") != 0) {
        return -1;
    }
    end_part(m);
    return 0;
}

static int put_authenticate(struct login_command *m, const char *tag, const char *mechanism)
{
    return put(m, tag) == 0 && put(m, " AUTHENTICATE ") == 0 && put(m, mechanism) == 0 ? 0 : -1;
}

/* Appends AUTHENTICATE without its first message. The message follows in the same line, or after "+" in a new part. */
static int put_authenticate_with(struct login_command *m, const char *tag, const char *mechanism, bool sasl_ir)
{
    if (put_authenticate(m, tag, mechanism) != 0 || put(m, sasl_ir ? " " : "\r\n") != 0) {
        return -1;
    }
    if (!sasl_ir) {
        end_part(m);
    }
    return 0;
}

static int end_line(struct login_command *m)
{
    if (put(m, "\r\n") != 0) {
        return -1;
    }
    end_part(m);
    return 0;
}

static int build_plain(struct login_command *m, const char *tag, const struct credentials *c, bool sasl_ir)
{
    return put_authenticate_with(m, tag, "PLAIN", sasl_ir) == 0 && sasl_plain_message(c, &m->bytes, MESSAGE_MAX) == 0 &&
                   end_line(m) == 0
               ? 0
               : -1;
}

/* AUTHENTICATE LOGIN is sent without initial response, because servers disagree about its meaning. */
static int build_sasl_login(struct login_command *m, const char *tag, const struct credentials *c)
{
    struct span password = {c->secret.bytes, c->secret.len};
    return put_authenticate(m, tag, "LOGIN") == 0 && end_line(m) == 0 &&
                   sasl_encode(span_of(c->user), &m->bytes, MESSAGE_MAX) == 0 && end_line(m) == 0 &&
                   sasl_encode(password, &m->bytes, MESSAGE_MAX) == 0 && end_line(m) == 0
               ? 0
               : -1;
}

/* Appends the unchanged message of the client. In a server-first mechanism there is no message yet. */
static int build_passthrough(struct login_command *m, const char *tag, const struct credentials *c, bool sasl_ir)
{
    struct span message = {c->secret.bytes, c->secret.len};
    if (c->passthrough->backend_first) {
        return put_authenticate(m, tag, c->passthrough->name) == 0 && end_line(m) == 0 ? 0 : -1;
    }
    return put_authenticate_with(m, tag, c->passthrough->name, sasl_ir) == 0 &&
                   sasl_encode(message, &m->bytes, MESSAGE_MAX) == 0 && end_line(m) == 0
               ? 0
               : -1;
}

static bool has_mechanism(const struct capabilities *able, enum sasl_id id)
{
    return (able->auth & capability_bit(id)) != 0;
}

/* By the client's form, the order in which forms are tried: its own, and then those that servers disagree about least. */
static const enum login_form orders[LOGIN_FORMS][LOGIN_FORMS] = {
    [LOGIN_BY_COMMAND] = {LOGIN_BY_COMMAND, LOGIN_BY_PLAIN, LOGIN_BY_LOGIN},
    [LOGIN_BY_PLAIN] = {LOGIN_BY_PLAIN, LOGIN_BY_COMMAND, LOGIN_BY_LOGIN},
    [LOGIN_BY_LOGIN] = {LOGIN_BY_LOGIN, LOGIN_BY_COMMAND, LOGIN_BY_PLAIN},
};

/* Returns true if the backend says that it takes a password in that form. */
static bool is_taken(const struct capabilities *able, enum login_form form)
{
    return form == LOGIN_BY_COMMAND ? !able->login_disabled
                                    : has_mechanism(able, form == LOGIN_BY_PLAIN ? SASL_PLAIN : SASL_LOGIN);
}

static int build_form(struct login_command *m, const char *tag, const struct credentials *c, enum login_form form,
                      bool sasl_ir)
{
    return form == LOGIN_BY_COMMAND ? build_command(m, tag, c)
           : form == LOGIN_BY_PLAIN ? build_plain(m, tag, c, sasl_ir)
                                    : build_sasl_login(m, tag, c);
}

static enum login_command_result finished(struct login_command *m, int result)
{
    if (result != 0) {
        login_command_clear(m);
        return LOGIN_COMMAND_TOO_BIG;
    }
    return LOGIN_COMMAND_READY;
}

enum login_command_result login_command_build(struct login_command *m, const char *tag, const struct credentials *c,
                                              const struct capabilities *able)
{
    *m = (struct login_command){0};
    if (c->passthrough != NULL) {
        return has_mechanism(able, c->passthrough->id) ? finished(m, build_passthrough(m, tag, c, able->sasl_ir))
                                                       : LOGIN_COMMAND_NO_MECHANISM;
    }
    if (c->authorize != NULL) {
        return is_taken(able, LOGIN_BY_PLAIN) ? finished(m, build_form(m, tag, c, LOGIN_BY_PLAIN, able->sasl_ir))
                                              : LOGIN_COMMAND_NOT_AUTHORIZE;
    }
    for (size_t i = 0; i < LOGIN_FORMS; i++) {
        enum login_form form = orders[c->form][i];
        if (is_taken(able, form)) {
            return finished(m, build_form(m, tag, c, form, able->sasl_ir));
        }
    }
    return LOGIN_COMMAND_FORBIDDEN;
}

bool login_command_next(struct login_command *m, struct span *part)
{
    if (m->next == m->parts) {
        return false;
    }
    size_t start = m->next == 0 ? 0 : m->end[m->next - 1];
    *part = (struct span){buffer_data(&m->bytes) + start, m->end[m->next] - start};
    m->next++;
    return true;
}

void login_command_clear(struct login_command *m)
{
    buffer_clear(&m->bytes);
    *m = (struct login_command){0};
}
