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
    char *ciphers;                   /* up to TLS 1.2, as openssl-ciphers(1) reads it; "": a default of tls.c */
    char *ciphersuites;              /* of TLS 1.3; "": OpenSSL's default */
    char *groups;                    /* for the key exchange */
    bool legacy_clients;             /* enable TLS 1.0, TLS 1.1 and CBC ciphers */
    bool session_tickets;
    uint32_t ticket_rotation_ms; /* the interval of ticket_keys_rotate(), and the lifetime of a session */
    uint32_t expiry_warning_ms;  /* a certificate that expires within this time is a warning */
};

extern const struct option_table tls_option_table;

struct tls;

/*
 * Reads the certificates and builds an SSL_CTX for each set of certificates that a server name selects. `options` and
 * `tickets` must outlive the result. The caller owns the result; tls_free() frees it. Adds errors and warnings to
 * `report`. Returns NULL exactly if report->errors is not 0 afterwards, even if the error is from before the call.
 */
struct tls *tls_new(const struct tls_options *options, struct ticket_keys *tickets, struct option_report *report);

/*
 * Frees tls; does nothing if it is NULL. Established connections stay usable. No handshake may be in progress, because
 * handshakes look server names up in tls.
 */
void tls_free(struct tls *tls);

/*
 * Logs warnings for the administrator: "certificate-expiry" for each certificate that has expired or expires within
 * expiry_warning_ms, and "legacy-clients" if legacy_clients is true.
 */
void tls_warn(const struct tls *tls);

/*
 * Starts TLS on the open stream, as server; stream_handshake() must be called next. The buffers of the stream must be
 * empty, and no octet of the TLS connection may have been read. From now on the stream owns the TLS state and must not
 * move in memory.
 *
 * If the client offers ALPN protocols and "imap" is not among them, the handshake sets stream->alpn_foreign. It then
 * fails with alert 120 if `alpn_strict` is true, and continues without ALPN otherwise. RFC 7301 3.2.
 *
 * OpenSSL wipes decrypted octets after they are read, until tls_stop_wiping() is called. Returns 0, or -1 with the
 * stream unchanged if there is no memory.
 */
int tls_start_server(struct tls *tls, struct stream *stream, bool alpn_strict);

/*
 * Stops wiping decrypted octets. The stream must have TLS from tls_start_server(). Call it after the login, when the
 * client sends no more passwords.
 */
void tls_stop_wiping(struct stream *stream);

/*
 * Takes the latest error from OpenSSL's error queue of this thread and empties the queue. Returns its static text;
 * "connection closed" if the queue is empty or OpenSSL has no text for the error. Call it right after the failure.
 */
const char *tls_take_error(void);

/* As tls_take_error(), after a handshake with a client; alerts about our certificate are named as what they are. */
const char *tls_take_client_error(void);

#endif
