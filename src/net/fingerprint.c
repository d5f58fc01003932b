/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/fingerprint.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PREFIX "sha256:"

static int digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

int fingerprint_parse(const char *text, struct fingerprint *out)
{
    if (strncasecmp(text, PREFIX, strlen(PREFIX)) != 0) {
        return -1;
    }
    text += strlen(PREFIX);
    for (size_t i = 0; i < FINGERPRINT_SIZE; i++) {
        if (i > 0 && *text == ':') {
            text++;
        }
        int high = digit(text[0]), low = high >= 0 ? digit(text[1]) : -1;
        if (low < 0) {
            return -1;
        }
        out->octets[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return *text == '\0' ? 0 : -1;
}

const char *fingerprint_check(const char *text)
{
    struct fingerprint f;
    return fingerprint_parse(text, &f) == 0
               ? NULL
               : "\"sha256:\" and 64 hexadecimal digits, as the log shows them (said=), or "
                 "\"openssl x509 -noout -fingerprint -sha256 -in FILE\"";
}

int fingerprint_of(const X509 *certificate, struct fingerprint *out)
{
    unsigned len = FINGERPRINT_SIZE;
    return X509_digest(certificate, EVP_sha256(), out->octets, &len) == 1 ? 0 : -1;
}

const char *fingerprint_text(const struct fingerprint *f, char text[FINGERPRINT_TEXT_SIZE])
{
    size_t len = (size_t)snprintf(text, FINGERPRINT_TEXT_SIZE, "%s", PREFIX);
    for (size_t i = 0; i < FINGERPRINT_SIZE; i++) {
        len += (size_t)snprintf(text + len, FINGERPRINT_TEXT_SIZE - len, "%02x", f->octets[i]);
    }
    return text;
}
