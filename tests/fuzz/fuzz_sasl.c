/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client's first message of every mechanism on any bytes: a user is read or it is refused, and what would be sent on
 * is what came. The first byte of the input chooses the mechanism; the rest is the message before its base64.
 */
#include <stdlib.h>
#include <string.h>

#include "imap/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_passing(const struct credentials *c, struct span message)
{
    if (c->user == NULL || c->user[0] == '\0' || c->secret.len != message.len ||
        memcmp(c->secret.bytes, message.bytes, message.len) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sasl s = {0};
    struct credentials c = {0};
    struct buffer line = {0};
    const char *challenge;
    if (size < 2 || size > 4096) {
        return 0;
    }
    struct span message = {data + 1, size - 1};
    if (sasl_encode(message, &line, UINT32_MAX) != 0) {
        abort();
    }
    sasl_start(&s, sasl_mechanism((enum sasl_id)(data[0] % SASL_COUNT)));
    enum sasl_result result = sasl_step(&s, (struct span){buffer_data(&line), line.len}, &challenge, &c);
    if (result == SASL_DONE && c.passthrough != NULL) {
        check_passing(&c, message);
    } else if (result != SASL_DONE && c.user != NULL) {
        abort();
    }
    credentials_clear(&c);
    sasl_clear(&s);
    /* As it is, it is hardly ever base64. */
    sasl_start(&s, sasl_mechanism((enum sasl_id)(data[0] % SASL_COUNT)));
    if (sasl_step(&s, message, &challenge, &c) == SASL_DONE && !sasl_is_base64(message) && message.len > 1) {
        abort();
    }
    credentials_clear(&c);
    sasl_clear(&s);
    buffer_clear(&line);
    return 0;
}
