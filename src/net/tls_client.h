/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS to a backend: imapguard is the client, verifies the backend's certificate, and resumes sessions. */
#ifndef IMAPGUARD_NET_TLS_CLIENT_H
#define IMAPGUARD_NET_TLS_CLIENT_H

#include <stdbool.h>

#include "base/option.h"
#include "net/certificate.h"
#include "net/stream.h"

struct tls_client_options {
    struct option_list fingerprints; /* of char *: only certificates with one of them are accepted; empty: see verify */
    bool verify;       /* without fingerprints: verify chain and name; false: every certificate is accepted */
    char *ca_file;     /* the trusted certificates in PEM; "": those of the system */
    char *server_name; /* the name to verify and to send as SNI; "": the host of the address */
    struct certificate_options certificate; /* of imapguard, for servers that request one; "" and "": none */
    bool legacy;                            /* allow TLS 1.0, SHA-1 and weak ciphers */
};

struct tls_client;

/*
 * Reads the files and builds the SSL_CTX for connections to `host`. A name is verified and sent as SNI (RFC 6066). A
 * numeric address must be among the IP addresses of the certificate. `host` is "" for a UNIX socket: server_name is
 * then mandatory if the name is verified. The arguments are used during the call only. `path` is the path of the option
 * group, for example "backends.[0]"; errors and warnings are added to `report` for options in it.
 *
 * The caller owns the result; tls_client_free() frees it. Returns NULL if the call has added an error to `report`.
 * If a text of `options` is NULL, NULL is returned without a new error: the malformed option was reported before.
 */
struct tls_client *tls_client_new(const struct tls_client_options *options, const char *host, const char *path,
                                  struct option_report *report);

/*
 * Frees c; does nothing if it is NULL. All streams of tls_client_connect() must be closed, because their session
 * tickets are stored in c.
 */
void tls_client_free(struct tls_client *c);

/*
 * Starts TLS on the open stream, as client; stream_handshake() must be called next. The buffers of the stream must be
 * empty. From now on the stream owns the TLS state and must not move in memory. Offers to resume the latest session of
 * this process with c (RFC 8446 2.2, RFC 5077). Returns 0, or -1 with the stream unchanged if there is no memory.
 */
int tls_client_connect(struct tls_client *c, struct stream *stream);

enum tls_client_failure {
    TLS_CLIENT_FAILED, /* no certificate was refused: another failure, or the connection was closed */
    TLS_CLIENT_EXPIRED,
    TLS_CLIENT_NOT_YET_VALID,
    TLS_CLIENT_SELF_SIGNED,
    TLS_CLIENT_NOT_TRUSTED, /* no chain to a trusted certificate */
    TLS_CLIENT_OTHER_NAME,  /* the certificate is for another name or address */
    TLS_CLIENT_FINGERPRINT, /* the certificate has none of the fingerprints */
    TLS_CLIENT_INVALID,     /* the certificate was refused for any other reason */
};

/*
 * Returns the cause of a failed handshake. Call it right after stream_handshake() on a stream of tls_client_connect(),
 * before any other handshake. Sets *text to an explanation, never NULL and valid until the next call: the error of
 * OpenSSL, followed by the fingerprint of a refused certificate; only its fingerprint for TLS_CLIENT_FINGERPRINT.
 * Empties OpenSSL's error queue.
 */
enum tls_client_failure tls_client_failure(const struct stream *stream, const char **text);

#endif
