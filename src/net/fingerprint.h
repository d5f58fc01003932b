/* SPDX-License-Identifier: BSD-2-Clause */
/* Fingerprints of certificates: "sha256:" and the SHA-256 of the certificate in DER, in hexadecimal. */
#ifndef IMAPGUARD_NET_FINGERPRINT_H
#define IMAPGUARD_NET_FINGERPRINT_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

enum { FINGERPRINT_SIZE = 32, FINGERPRINT_TEXT_SIZE = 72 };

struct fingerprint {
    uint8_t octets[FINGERPRINT_SIZE];
};

/*
 * Parses a terminated text. Letters of either case, and colons between the octets, are accepted. Returns 0, or -1 if
 * the text is no fingerprint; `out` is undefined then.
 */
int fingerprint_parse(const char *text, struct fingerprint *out);

/* Checks the value of an option. Returns NULL if it is a fingerprint, or a static description of the expected text. */
const char *fingerprint_check(const char *text);

/* Computes the fingerprint of a certificate. Returns 0, or -1 if there is no memory; `out` is undefined then. */
int fingerprint_of(const X509 *certificate, struct fingerprint *out);

/* Writes the text of a fingerprint in lower case, without colons and terminated. Returns `text`. */
const char *fingerprint_text(const struct fingerprint *f, char text[FINGERPRINT_TEXT_SIZE]);

#endif
