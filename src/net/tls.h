/* SPDX-License-Identifier: BSD-2-Clause */
/* The TLS that clients see: contexts for the certificates, chosen by server name and key type. */
#ifndef IMAPGUARD_NET_TLS_H
#define IMAPGUARD_NET_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/option.h"
#include "net/stream.h"
#include "net/ticket.h"

struct tls_options {
    struct option_list certificates; /* of struct certificate_options */
    uint32_t min_version;            /* index of the choices */
    char *ciphers;
    char *ciphersuites;
    char *groups;
    bool legacy_clients;
    bool session_tickets;
    uint32_t ticket_rotation_ms;
    uint32_t expiry_warning_ms;
};

extern const struct option_table tls_option_table;

struct tls;

/*
 * Reads the certificates and builds a context for each set of them that some server name asks for. NULL when
 * `report` holds an error then, of these or from before. `options` and `tickets` must outlive it.
 */
struct tls *tls_new(const struct tls_options *options, struct ticket_keys *tickets, struct option_report *report);

/* Frees it; connections that were accepted with it go on. */
void tls_free(struct tls *tls);

/*
 * Logs what an administrator should not forget: "certificate-expiry" for each certificate that ends within the
 * configured time, or has ended, and "legacy-clients" while weak TLS is let in.
 */
void tls_warn(const struct tls *tls);

/*
 * Makes the stream, whose first TLS byte is still to be read, the server's end of a TLS connection. With
 * `alpn_strict` a client that offers protocols without "imap" is refused with alert 120 (RFC 7301 3.2);
 * without it is let in, and stream->alpn_foreign says so. OpenSSL wipes what it has decrypted once that was read, until
 * tls_has_no_secrets() is called. 0, or -1 when memory is short.
 */
int tls_accept(struct tls *tls, struct stream *stream, bool alpn_strict);

/* From here on the client sends no password: nothing that it sends is wiped any more. */
void tls_has_no_secrets(struct stream *stream);

/* Why TLS failed just now, in OpenSSL's words, and empties its queue of errors. Never NULL. */
const char *tls_failure(void);

#endif
