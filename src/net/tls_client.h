/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS to a server: the backend's end of a session is verified, and resumed where that can be. */
#ifndef IMAPGUARD_NET_TLS_CLIENT_H
#define IMAPGUARD_NET_TLS_CLIENT_H

#include <stdbool.h>

#include "base/option.h"
#include "net/certificate.h"
#include "net/stream.h"

struct tls_client_options {
    struct option_list fingerprints; /* of char *: of the certificates that are accepted; none: verified as below */
    bool verify;                     /* chain and name; otherwise anybody is believed */
    char *ca_file;                   /* PEM; "": the system's */
    char *server_name;               /* to verify and to send as SNI; "": the host that one connects to */
    struct certificate_options certificate; /* for servers that ask for one; "" and "": none */
    bool legacy;                            /* speak TLS 1.0 and SHA-1 with servers that know no better */
};

struct tls_client;

/*
 * Reads the files and builds the context for a server that is called `host`: a name, which is verified and sent as
 * SNI (RFC 6066), or an address, which must be among the IP addresses of its certificate; "" (a UNIX socket) with
 * `verify` needs a server_name. NULL when that is wrong, reported for the option group at `path`.
 */
struct tls_client *tls_client_new(const struct tls_client_options *options, const char *host, const char *path,
                                  struct option_report *report);

/* Frees it; NULL is fine. Connections that were made with it go on. */
void tls_client_free(struct tls_client *c);

/*
 * Makes the stream, which nothing may be buffered on, the client's end of a TLS connection: stream_handshake()
 * comes next. The latest session of this process is resumed (RFC 8446 2.2, RFC 5077). 0, or -1 when memory is short.
 */
int tls_client_connect(struct tls_client *c, struct stream *stream);

enum tls_client_failure {
    TLS_CLIENT_FAILED, /* nothing is known of a certificate */
    TLS_CLIENT_EXPIRED,
    TLS_CLIENT_NOT_YET_VALID,
    TLS_CLIENT_SELF_SIGNED,
    TLS_CLIENT_NOT_TRUSTED, /* no chain to a trusted certificate */
    TLS_CLIENT_OTHER_NAME,  /* the certificate is for another name or address */
    TLS_CLIENT_FINGERPRINT, /* the certificate has none of the fingerprints */
    TLS_CLIENT_INVALID,     /* anything else that is wrong with the certificate */
};

/*
 * Returns why the handshake of that stream failed. Writes the explanation to `text` (static, never NULL): OpenSSL's words,
 * and for a certificate that was refused its fingerprint. Empties OpenSSL's queue of errors.
 */
enum tls_client_failure tls_client_failure(const struct stream *stream, const char **text);

#endif
