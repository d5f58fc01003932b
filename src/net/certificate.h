/* SPDX-License-Identifier: BSD-2-Clause */
/* A server certificate with its chain, its key and its names, read from PEM files. */
#ifndef IMAPGUARD_NET_CERTIFICATE_H
#define IMAPGUARD_NET_CERTIFICATE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/option.h"

struct certificate_options {
    char *chain; /* path of the certificate, followed by its intermediates */
    char *key;   /* path of the private key */
};

extern const struct option_table certificate_option_table;

/* The names of the options for error messages, for example "tls.certificates.[0].chain". */
struct certificate_paths {
    const char *chain;
    const char *key;
};

struct certificate {
    X509 *leaf;
    STACK_OF(X509) *chain; /* the intermediates in the order of the file, without `leaf`; may be empty */
    EVP_PKEY *key;
    time_t not_after;  /* the end of validity */
    char **names;      /* the DNS names of subjectAltName in lower case; a wildcard begins with "*." */
    size_t name_count; /* may be 0 */
};

/*
 * Reads the two files of `options` into c, whose content before does not matter, and checks that the key belongs to the
 * certificate. `paths` names the options in reports. c owns what it points to; certificate_free() frees it. Empties
 * OpenSSL's error queue.
 *
 * Adds a warning to `report`, and succeeds, if the certificate is expired, is not valid yet, or expires within
 * `warn_ms` milliseconds, or if every account of this host can read the key. Returns 0, or -1 with c all zero and the
 * errors in `report`. If a path of `options` is NULL, -1 is returned without a new error: the missing option was
 * reported before.
 */
int certificate_load(struct certificate *c, const struct certificate_options *options,
                     const struct certificate_paths *paths, uint32_t warn_ms, struct option_report *report);

/* Frees all that c owns. c is all zero afterwards. */
void certificate_free(struct certificate *c);

/*
 * Returns true if the certificate has the name, or a wildcard that stands for its first label. The caller passes the
 * name in lower case. A `name` that is a wildcard itself matches only the same wildcard. Only the names of
 * subjectAltName count, not the common name. RFC 6125 6.4.
 */
bool certificate_covers(const struct certificate *c, const char *name);

#endif
