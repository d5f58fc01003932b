/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/sasl.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "imap/command.h"

static enum sasl_result plain_step(struct sasl *s, struct span response, const char **challenge,
                                   struct credentials *out);
static enum sasl_result login_step(struct sasl *s, struct span response, const char **challenge,
                                   struct credentials *out);
static enum sasl_result xoauth2_step(struct sasl *s, struct span response, const char **challenge,
                                     struct credentials *out);
static enum sasl_result oauthbearer_step(struct sasl *s, struct span response, const char **challenge,
                                         struct credentials *out);
static enum sasl_result cram_md5_step(struct sasl *s, struct span response, const char **challenge,
                                      struct credentials *out);
static enum sasl_result scram_step(struct sasl *s, struct span response, const char **challenge,
                                   struct credentials *out);

static const struct sasl_mechanism mechanisms[SASL_COUNT] = {
    /* name, id, passthrough, hides_password, backend_first, first_challenge, step */
    [SASL_PLAIN] = {"PLAIN", SASL_PLAIN, false, false, false, "", plain_step},
    [SASL_LOGIN] = {"LOGIN", SASL_LOGIN, false, false, false, "VXNlcm5hbWU6", login_step}, /* "Username:" */
    [SASL_XOAUTH2] = {"XOAUTH2", SASL_XOAUTH2, true, false, false, "", xoauth2_step},
    [SASL_OAUTHBEARER] = {"OAUTHBEARER", SASL_OAUTHBEARER, true, false, false, "", oauthbearer_step},
    [SASL_CRAM_MD5] = {"CRAM-MD5", SASL_CRAM_MD5, true, true, true, NULL, cram_md5_step},
    [SASL_SCRAM_SHA_1] = {"SCRAM-SHA-1", SASL_SCRAM_SHA_1, true, true, false, "", scram_step},
    [SASL_SCRAM_SHA_256] = {"SCRAM-SHA-256", SASL_SCRAM_SHA_256, true, true, false, "", scram_step},
};

static enum sasl_result result_of(enum credentials_result result)
{
    return result == CREDENTIALS_SET ? SASL_DONE : result == CREDENTIALS_BAD ? SASL_BAD : SASL_MEMORY;
}

static enum sasl_result password_result(enum credentials_result result, enum login_form form, struct credentials *out)
{
    if (result == CREDENTIALS_SET) {
        out->form = form;
    }
    return result_of(result);
}

/* RFC 4616: [authzid] NUL authcid NUL passwd. credentials_set() refuses a third NUL. */
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
    return password_result(credentials_set(out, s->mechanism->name, part[1], part[0], part[2]), LOGIN_BY_PLAIN, out);
}

static enum sasl_result login_step(struct sasl *s, struct span response, const char **challenge,
                                   struct credentials *out)
{
    if (s->steps == 0) {
        if (response.len == 0) {
            return SASL_BAD;
        }
        if (buffer_append(&s->user, response.bytes, response.len, COMMAND_LINE_MAX) != 0) {
            return SASL_MEMORY; /* a response is never longer than a line */
        }
        *challenge = "UGFzc3dvcmQ6"; /* "Password:" */
        return SASL_CHALLENGE;
    }
    struct span user = {buffer_data(&s->user), s->user.len};
    return password_result(credentials_set(out, s->mechanism->name, user, (struct span){0}, response), LOGIN_BY_LOGIN,
                           out);
}

/* --- passthrough mechanisms: the message is kept unchanged, the user is read from it ---------------------- */

static enum sasl_result pass_through(const struct sasl *s, struct span user, struct span authorize, struct span message,
                                     struct credentials *out)
{
    enum sasl_result result = result_of(credentials_set(out, s->mechanism->name, user, authorize, message));
    if (result == SASL_DONE) {
        out->passthrough = s->mechanism;
    }
    return result;
}

/* Removes the octets up to the first `end` from `rest`, and writes those before it to `out`. False without an `end`. */
static bool cut(struct span *rest, char end, struct span *out)
{
    const uint8_t *at = rest->len > 0 ? memchr(rest->bytes, end, rest->len) : NULL;
    if (at == NULL) {
        return false;
    }
    *out = (struct span){rest->bytes, (size_t)(at - rest->bytes)};
    *rest = (struct span){at + 1, rest->len - out->len - 1};
    return true;
}

/* Removes a prefix from s. Returns false, with s unchanged, if s begins differently; case matters. */
static bool take(struct span *s, const char *prefix)
{
    size_t len = strlen(prefix);
    if (s->len < len || memcmp(s->bytes, prefix, len) != 0) {
        return false;
    }
    *s = (struct span){s->bytes + len, s->len - len};
    return true;
}

/*
 * "user=" user ^A "auth=" token ^A ^A. Repeated or additional fields are refused, because the backend might read
 * another user from them.
 */
static enum sasl_result xoauth2_step(struct sasl *s, struct span response, const char **challenge,
                                     struct credentials *out)
{
    struct span rest = response, user, token;
    (void)challenge;
    if (!take(&rest, "user=") || !cut(&rest, 1, &user) || !take(&rest, "auth=") || !cut(&rest, 1, &token) ||
        rest.len != 1 || rest.bytes[0] != 1) {
        return SASL_BAD;
    }
    return pass_through(s, user, (struct span){0}, response, out);
}

/* Decodes a saslname of RFC 5801: "=2C" is a comma and "=3D" an equals sign. Returns false if it is malformed. */
static bool saslname(struct span in, uint8_t out[COMMAND_LINE_MAX], struct span *name)
{
    size_t len = 0;
    for (size_t i = 0; i < in.len && len < COMMAND_LINE_MAX; i++) {
        uint8_t c = in.bytes[i];
        if (c == '=') {
            bool whole = in.len - i >= 3;
            if (whole && memcmp(in.bytes + i, "=2C", 3) == 0) {
                c = ',';
            } else if (!whole || memcmp(in.bytes + i, "=3D", 3) != 0) {
                return false;
            }
            i += 2;
        }
        out[len++] = c;
    }
    *name = (struct span){out, len};
    return true;
}

/*
 * The gs2-header of RFC 5801 section 4: "n" or "y", then an optional "a=" with the authorization identity. Channel
 * binding ("p=") is refused: imapguard ends the TLS channel.
 */
static bool gs2_header(struct span *rest, struct span *authorize)
{
    struct span flag;
    if (!cut(rest, ',', &flag) || flag.len != 1 || (flag.bytes[0] != 'n' && flag.bytes[0] != 'y') ||
        !cut(rest, ',', authorize)) {
        return false;
    }
    return authorize->len == 0 || (take(authorize, "a=") && authorize->len > 0);
}

/* RFC 7628 3.1: the header with the user, ^A, key=value pairs that each end with ^A, and a last ^A. */
static enum sasl_result oauthbearer_step(struct sasl *s, struct span response, const char **challenge,
                                         struct credentials *out)
{
    uint8_t name[COMMAND_LINE_MAX];
    struct span rest = response, authorize, user, pair;
    unsigned tokens = 0;
    (void)challenge;
    if (!gs2_header(&rest, &authorize) || !saslname(authorize, name, &user) || !take(&rest, "\1")) {
        return SASL_BAD;
    }
    while (cut(&rest, 1, &pair) && pair.len > 0) {
        if (take(&pair, "user=")) {
            return SASL_BAD; /* some servers read the user from here */
        }
        tokens += take(&pair, "auth=");
    }
    if (tokens != 1 || rest.len > 0) {
        return SASL_BAD;
    }
    return pass_through(s, user, (struct span){0}, response, out);
}

/* The client-first-message of RFC 5802 section 7: header, "n=" user, "r=" nonce. The reserved "m=" is refused. */
static enum sasl_result scram_step(struct sasl *s, struct span response, const char **challenge,
                                   struct credentials *out)
{
    uint8_t user_name[COMMAND_LINE_MAX], authorize_name[COMMAND_LINE_MAX];
    struct span rest = response, authorize, user;
    (void)challenge;
    if (!gs2_header(&rest, &authorize) || !saslname(authorize, authorize_name, &authorize) || !take(&rest, "n=") ||
        !cut(&rest, ',', &user) || !saslname(user, user_name, &user) || !take(&rest, "r=") || rest.len == 0) {
        return SASL_BAD;
    }
    return pass_through(s, user, authorize, response, out);
}

/* RFC 2195: user, a space, and the digest in 32 hexadecimal digits. The user may contain spaces. */
static enum sasl_result cram_md5_step(struct sasl *s, struct span response, const char **challenge,
                                      struct credentials *out)
{
    enum { DIGEST = 32 };
    (void)challenge;
    if (response.len < DIGEST + 2 || response.bytes[response.len - DIGEST - 1] != ' ') {
        return SASL_BAD;
    }
    for (size_t i = response.len - DIGEST; i < response.len; i++) {
        if (!isxdigit(response.bytes[i])) {
            return SASL_BAD;
        }
    }
    return pass_through(s, (struct span){response.bytes, response.len - DIGEST - 1}, (struct span){0}, response, out);
}

/* --- the exchange ------------------------------------------------------------------------------------------ */

const struct sasl_mechanism *sasl_find(struct span name)
{
    for (size_t i = 0; i < SASL_COUNT; i++) {
        if (span_is(name, mechanisms[i].name)) {
            return &mechanisms[i];
        }
    }
    return NULL;
}

const struct sasl_mechanism *sasl_mechanism(enum sasl_id id)
{
    return &mechanisms[id];
}

void sasl_start(struct sasl *s, const struct sasl_mechanism *mechanism)
{
    *s = (struct sasl){.mechanism = mechanism};
}

/* OpenSSL's decoder accepts spaces and misplaced padding. The backend might decode such a login differently. */
bool sasl_is_base64(struct span s)
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

/* Decodes up to COMMAND_LINE_MAX octets of base64 to `out`. Returns the decoded length, or -1 if it is malformed. */
static int base64_decode(struct span in, uint8_t out[COMMAND_LINE_MAX])
{
    if (in.len > COMMAND_LINE_MAX || !sasl_is_base64(in)) {
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

enum sasl_result sasl_check_response(struct span response)
{
    return span_is(response, "*") ? SASL_CANCELLED : sasl_is_base64(response) ? SASL_DONE : SASL_BAD;
}

void sasl_clear(struct sasl *s)
{
    buffer_clear(&s->user);
    *s = (struct sasl){0};
}

int sasl_encode(struct span octets, struct buffer *out, size_t limit)
{
    size_t size = (octets.len + 2) / 3 * 4 + 1;
    uint8_t *text = malloc(size);
    if (text == NULL) {
        return -1;
    }
    int len = EVP_EncodeBlock(text, octets.bytes, (int)octets.len);
    int result = buffer_append(out, text, (size_t)len, limit);
    secret_wipe(text, size);
    free(text);
    return result;
}

int sasl_plain_message(const struct credentials *c, struct buffer *out, size_t limit)
{
    struct buffer message = {0};
    int result = -1;
    const char *authorize = c->authorize != NULL ? c->authorize : "";
    /* The terminator of each name is the separator of PLAIN. */
    if (buffer_append(&message, authorize, strlen(authorize) + 1, limit) != 0 ||
        buffer_append(&message, c->user, strlen(c->user) + 1, limit) != 0 ||
        buffer_append(&message, c->secret.bytes, c->secret.len, limit) != 0) {
        goto done;
    }
    result = sasl_encode((struct span){buffer_data(&message), message.len}, out, limit);
done:
    buffer_clear(&message);
    return result;
}

enum sasl_final sasl_final_of(const struct sasl_mechanism *mechanism, struct span challenge)
{
    if (!mechanism->hides_password) {
        return SASL_FINAL_WRONG;
    }
    /* The base64 of "v=" and "e=" and whatever follows. */
    bool final = !mechanism->backend_first && challenge.len >= 3 && challenge.bytes[2] >= '0' &&
                 challenge.bytes[2] <= '3';
    return final && memcmp(challenge.bytes, "dj", 2) == 0   ? SASL_FINAL_RIGHT
           : final && memcmp(challenge.bytes, "ZT", 2) == 0 ? SASL_FINAL_WRONG
                                                            : SASL_FINAL_NONE;
}
