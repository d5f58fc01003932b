/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/attempt.h"

#include <stdlib.h>

#include "imap/command.h"

struct attempt *attempt_new(struct span tag)
{
    struct attempt *a = calloc(1, sizeof *a);
    if (a != NULL && buffer_append(&a->tag, tag.bytes, tag.len, COMMAND_LINE_MAX) != 0) {
        free(a);
        return NULL;
    }
    return a;
}

struct span attempt_tag(const struct attempt *a)
{
    return (struct span){buffer_data(&a->tag), a->tag.len};
}

struct span attempt_said(const struct attempt *a)
{
    return (struct span){buffer_data(&a->said), a->said.len};
}

bool attempt_is_judged(const struct attempt *a)
{
    const struct sasl_mechanism *m = a->credentials.passthrough;
    bool sent = a->command.parts > 0 && a->command.next == a->command.parts;
    return a->judged || (sent && (m == NULL || !m->hides_password || a->responses > 0));
}

void attempt_free(struct attempt *a)
{
    if (a == NULL) {
        return;
    }
    credentials_clear(&a->credentials);
    free(a->account);
    dial_clear(&a->dial);
    response_reader_fini(&a->reader);
    buffer_clear(&a->said);
    login_command_clear(&a->command);
    buffer_clear(&a->response);
    buffer_clear(&a->tag);
    buffer_clear(&a->answer);
    free(a);
}
