/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/login.h"

#include <stdio.h>
#include <string.h>

#include "imap/quote.h"
#include "imap/sasl.h"

enum { MESSAGE_MAX = 64 * 1024 };

static int put(struct login_message *m, const char *text)
{
    return buffer_append(&m->bytes, text, strlen(text), MESSAGE_MAX);
}

static void end_part(struct login_message *m)
{
    m->end[m->parts++] = m->bytes.len;
}

/* One astring; a literal ends the part behind its size. */
static int put_string(struct login_message *m, struct span s)
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

static int build_login(struct login_message *m, const char *tag, const struct credentials *c)
{
    struct span password = {c->password.bytes, c->password.len};
    if (put(m, tag) != 0 || put(m, " LOGIN ") != 0 || put_string(m, span_of(c->user)) != 0 || put(m, " ") != 0 ||
        put_string(m, password) != 0 || put(m, "\r\n") != 0) {
        return -1;
    }
    end_part(m);
    return 0;
}

static int build_plain(struct login_message *m, const char *tag, const struct credentials *c, bool sasl_ir)
{
    if (put(m, tag) != 0 || put(m, " AUTHENTICATE PLAIN") != 0 || put(m, sasl_ir ? " " : "\r\n") != 0) {
        return -1;
    }
    if (!sasl_ir) {
        end_part(m);
    }
    if (sasl_plain_message(c, &m->bytes, MESSAGE_MAX) != 0 || put(m, "\r\n") != 0) {
        return -1;
    }
    end_part(m);
    return 0;
}

enum login_result login_build(struct login_message *m, const char *tag, const struct credentials *c,
                              const struct capabilities *able)
{
    *m = (struct login_message){0};
    if (!able->auth_plain && c->authorize != NULL) {
        return LOGIN_NOT_AUTHORIZE;
    }
    if (!able->auth_plain && able->login_disabled) {
        return LOGIN_FORBIDDEN;
    }
    int result = able->auth_plain ? build_plain(m, tag, c, able->sasl_ir) : build_login(m, tag, c);
    if (result != 0) {
        login_clear(m);
        return LOGIN_TOO_BIG;
    }
    return LOGIN_READY;
}

bool login_next(struct login_message *m, struct span *part)
{
    if (m->next == m->parts) {
        return false;
    }
    size_t start = m->next == 0 ? 0 : m->end[m->next - 1];
    *part = (struct span){buffer_data(&m->bytes) + start, m->end[m->next] - start};
    m->next++;
    return true;
}

void login_clear(struct login_message *m)
{
    buffer_clear(&m->bytes);
    *m = (struct login_message){0};
}
