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
