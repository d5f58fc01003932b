/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates made on the spot, a TLS client to look at them, and pairs of sockets. */
#ifndef IMAPGUARD_UNIT_PKI_H
#define IMAPGUARD_UNIT_PKI_H

#include <openssl/ssl.h>

#include "net/certificate.h"
#include "net/stream.h"

enum key_type { KEY_EC, KEY_RSA };

/* What a certificate is to be; all zero is one for nobody, valid for 90 days from yesterday. */
struct wanted {
    const char *names;      /* "DNS:a.example,DNS:*.b.example"; NULL: none */
    enum key_type type;
    long from_days, to_days; /* from today */
    const char *passphrase; /* of the key; NULL: none */
};

/*
 * Makes a self-signed certificate and its key, in files NAME.crt and NAME.key, and writes their paths to `out`,
 * which is freed by option_free().
 */
void make_pair(struct certificate_options *out, const char *name, struct wanted wanted);

/* A TLS client as a test wants it; all zero offers TLS 1.2 and 1.3. */
struct client_options {
    const char *server_name;
    const char *alpn;        /* one protocol */
    int version;             /* the only one that is offered */
    const char *ciphers;     /* of TLS 1.2 */
    const char *signatures;  /* such as "RSA-PSS+SHA256" */
    SSL_SESSION *resume;
};

/* A client on the descriptor, which stays the caller's; to be freed by SSL_free(). It verifies nothing. */
SSL *client_new(int fd, struct client_options options);

/* Shakes hands, both ends in turn. True when both are done; false when either has failed. */
bool shake_hands(struct stream *server, SSL *client);

/* Two connected, non-blocking sockets; their buffers are of the system's least size when `small`. */
void socket_pair(int fds[2], bool small);

#endif
