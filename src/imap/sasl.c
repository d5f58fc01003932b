/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/sasl.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "imap/command.h"

struct sasl_mechanism {
    const char *name;
    const char *first_challenge; /* base64 */
    /* Takes a decoded response. */
    enum sasl_result (*step)(struct sasl *s, struct span response, const char **challenge, struct credentials *out);
};

static enum sasl_result plain_step(struct sasl *s, struct span response, const char **challenge,
                                   struct credentials *out);
static enum sasl_result login_step(struct sasl *s, struct span response, const char **challenge,
                                   struct credentials *out);

static const struct sasl_mechanism mechanisms[] = {
    {"PLAIN", "", plain_step},
    {"LOGIN", "VXNlcm5hbWU6", login_step}, /* "Username:" */
};

/* RFC 4616: [authzid] NUL authcid NUL passwd, and not one NUL more. */
static enum sasl_result plain_step(struct sasl *s, struct span response, const char **challenge,
                                   struct credentials *out)
{
    (void)challenge;
    struct span part[3];
    const uint8_t *at = response.bytes, *end = response.bytes + response.len;
    for (int i = 0; i < 2; i++) {
        const uint8_t *nul = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;
        if (nul == NULL) {
            return SASL_BAD;
        }
        part[i] = (struct span){at, (size_t)(nul - at)};
        at = nul + 1;
    }
    part[2] = (struct span){at, (size_t)(end - at)};
    return credentials_set(out, s->mechanism->name, part[1], part[0], part[2]) == 0 ? SASL_DONE : SASL_BAD;
}

static enum sasl_result login_step(struct sasl *s, struct span response, const char **challenge,
                                   struct credentials *out)
{
    if (s->steps == 0) {
        if (response.len == 0 || buffer_append(&s->user, response.bytes, response.len, COMMAND_LINE_MAX) != 0) {
            return SASL_BAD;
        }
        *challenge = "UGFzc3dvcmQ6"; /* "Password:" */
        return SASL_CHALLENGE;
    }
    struct span user = {buffer_data(&s->user), s->user.len};
    return credentials_set(out, s->mechanism->name, user, (struct span){0}, response) == 0 ? SASL_DONE : SASL_BAD;
}

int sasl_start(struct sasl *s, struct span name)
{
    for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++) {
        if (span_is(name, mechanisms[i].name)) {
            *s = (struct sasl){.mechanism = &mechanisms[i]};
            return 0;
        }
    }
    return -1;
}

const char *sasl_first_challenge(const struct sasl *s)
{
    return s->mechanism->first_challenge;
}

/* OpenSSL's decoder forgives blanks and padding in the wrong place; a login that can be read in two ways is refused. */
static bool is_base64(struct span s)
{
    size_t padding = 0;
    if (s.len % 4 != 0) {
        return false;
    }
    while (padding < 2 && padding < s.len && s.bytes[s.len - 1 - padding] == '=') {
        padding++;
    }
    for (size_t i = 0; i < s.len - padding; i++) {
        uint8_t c = s.bytes[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && c != '+' && c != '/') {
            return false;
        }
    }
    return true;
}

/* Decodes at most a line's worth into `out`, of three quarters of a line. Its length, or -1. */
static int base64_decode(struct span in, uint8_t out[COMMAND_LINE_MAX])
{
    if (in.len > COMMAND_LINE_MAX || !is_base64(in)) {
        return -1;
    }
    if (in.len == 0) {
        return 0;
    }
    int len = EVP_DecodeBlock(out, in.bytes, (int)in.len);
    for (size_t i = in.len; len > 0 && in.bytes[i - 1] == '='; i--) {
        len--; /* EVP_DecodeBlock() counts the padding as octets */
    }
    return len;
}

enum sasl_result sasl_step(struct sasl *s, struct span response, const char **challenge, struct credentials *out)
{
    uint8_t decoded[COMMAND_LINE_MAX];
    if (span_is(response, "*")) {
        return SASL_CANCELLED;
    }
    if (s->steps == 0 && span_is(response, "=")) {
        response.len = 0;
    }
    int len = base64_decode(response, decoded);
    enum sasl_result result = SASL_BAD;
    if (len >= 0) {
        result = s->mechanism->step(s, (struct span){decoded, (size_t)len}, challenge, out);
        s->steps++;
    }
    secret_wipe(decoded, sizeof decoded);
    return result;
}

void sasl_clear(struct sasl *s)
{
    buffer_clear(&s->user);
    *s = (struct sasl){0};
}

int sasl_plain_message(const struct credentials *c, struct buffer *out, size_t limit)
{
    struct buffer message = {0};
    int result = -1;
    const char *authorize = c->authorize != NULL ? c->authorize : "";
    /* Each name goes with its terminator, which is PLAIN's separator. */
    if (buffer_append(&message, authorize, strlen(authorize) + 1, limit) != 0 ||
        buffer_append(&message, c->user, strlen(c->user) + 1, limit) != 0 ||
        buffer_append(&message, c->password.bytes, c->password.len, limit) != 0) {
        goto done;
    }
    size_t size = ((size_t)message.len + 2) / 3 * 4 + 1;
    uint8_t *text = malloc(size);
    if (text == NULL) {
        goto done;
    }
    int len = EVP_EncodeBlock(text, buffer_data(&message), (int)message.len);
    result = buffer_append(out, text, (size_t)len, limit);
    secret_wipe(text, size);
    free(text);
done:
    buffer_clear(&message);
    return result;
}
