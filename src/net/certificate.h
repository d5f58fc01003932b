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
    STACK_OF(X509) *chain;
    EVP_PKEY *key;
    time_t not_after;
    char **names; /* DNS names in lower case; a wildcard begins with "*." */
    size_t name_count;
};

/*
 * Reads and checks the files into c, whatever its content is. A certificate that is expired, not valid yet, or expires
 * within `warn_ms` milliseconds is accepted with a warning. c owns what it points to; certificate_free() frees it.
 * Returns 0, or -1 with the errors in `report` and nothing to free.
 */
int certificate_load(struct certificate *c, const struct certificate_options *options,
                     const struct certificate_paths *paths, uint32_t warn_ms, struct option_report *report);

/* Frees all that c owns. c is all zero afterwards. */
void certificate_free(struct certificate *c);

/*
 * Returns true if the certificate has the name, which is in lower case, or a wildcard that replaces its first label.
 * RFC 6125 6.4.
 */
bool certificate_covers(const struct certificate *c, const char *name);

#endif
