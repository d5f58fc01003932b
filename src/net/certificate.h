/* SPDX-License-Identifier: BSD-2-Clause */
/* A server's certificate with its chain and its key, read from PEM files, and the names it is for. */
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

/* The option of each file, for what there is to say of it: "tls.certificates.[0].chain". */
struct certificate_paths {
    const char *chain;
    const char *key;
};

struct certificate {
    X509 *leaf;
    STACK_OF(X509) *chain;
    EVP_PKEY *key;
    time_t not_after;
    char **names;   /* DNS names in lower case, "*." in front of a wildcard */
    size_t name_count;
};

/*
 * Reads and checks the files. 0, or -1 with what is wrong reported and nothing
 * to free. A certificate that is out of date, or ends within `warn_ms`, is taken and warned about.
 */
int certificate_load(struct certificate *c, const struct certificate_options *options,
                     const struct certificate_paths *paths, uint32_t warn_ms, struct option_report *report);

/* Frees what a load has filled. */
void certificate_free(struct certificate *c);

/* Whether it is for that name (lower case): listed, or matched by a wildcard in place of the first label (RFC 6125). */
bool certificate_covers(const struct certificate *c, const char *name);

#endif
