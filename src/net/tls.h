/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS for clients. The certificate is chosen by server name (SNI) and key type. */
#ifndef IMAPGUARD_NET_TLS_H
#define IMAPGUARD_NET_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/option.h"
#include "net/stream.h"
#include "net/ticket.h"

struct tls_options {
    struct option_list certificates; /* of struct certificate_options */
    uint32_t min_version;            /* index of a choice of `tls.min_version` */
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
 * Reads the certificates and builds an SSL_CTX for each set of certificates that a server name selects. `options` and
 * `tickets` must outlive the result. The caller owns the result; tls_free() frees it. Returns NULL if `report` has an
 * error afterwards, even one from before the call.
 */
struct tls *tls_new(const struct tls_options *options, struct ticket_keys *tickets, struct option_report *report);

/*
 * Frees tls; does nothing if it is NULL. Established connections stay usable. No handshake may be in progress, because
 * handshakes look server names up in tls.
 */
void tls_free(struct tls *tls);

/*
 * Logs warnings for the administrator: "certificate-expiry" for each certificate that has expired or expires within
 * `expiry_warning`, and "legacy-clients" if TLS 1.0 and 1.1 are enabled.
 */
void tls_warn(const struct tls *tls);

/*
 * Starts TLS on the stream, as server. No octet of the TLS connection may have been read. A client that offers ALPN
 * protocols without "imap" gets alert 120 if `alpn_strict` is true; otherwise it is accepted, and stream->alpn_foreign
 * is set. OpenSSL wipes decrypted octets after they are read, until tls_stop_wiping() is called. stream_handshake()
 * must be called next. Returns 0, or -1 if there is no memory. RFC 7301 3.2.
 */
int tls_start_server(struct tls *tls, struct stream *stream, bool alpn_strict);

/* Stops wiping decrypted octets. Call it after the login, when the client sends no more passwords. */
void tls_stop_wiping(struct stream *stream);

/*
 * Returns the latest error of OpenSSL as a static text; "connection closed" if there is none. Empties OpenSSL's error
 * queue. Call it right after the failure.
 */
const char *tls_take_error(void);

#endif
