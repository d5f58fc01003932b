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

/* Reads a text; letters of either case, and colons between the octets, are accepted. Returns 0, or -1 if it is none. */
int fingerprint_parse(const char *text, struct fingerprint *out);

/* For option tables: returns NULL if the text is a fingerprint, or what was expected. */
const char *fingerprint_check(const char *text);

/* Computes the fingerprint of a certificate. Returns 0, or -1 when memory is short. */
int fingerprint_of(const X509 *certificate, struct fingerprint *out);

/* Writes the text that fingerprint_parse() reads, in lower case. Returns `text`. */
const char *fingerprint_text(const struct fingerprint *f, char text[FINGERPRINT_TEXT_SIZE]);

#endif
