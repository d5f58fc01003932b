/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_client.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "net/fingerprint.h"
#include "net/tls.h"

struct tls_client {
    SSL_CTX *ctx;
    SSL_SESSION *session;             /* the latest; NULL: none yet */
    char *server_name;                /* for SNI; NULL: an address, which SNI may not be */
    struct fingerprint *fingerprints; /* of the certificates that are accepted; NULL: chain and name are verified */
    size_t fingerprint_count;
};

enum { PATH_SIZE = 160, AUTHORITIES_FILE_MAX = 16 * 1024 * 1024 };

static const char *sub_path(char out[PATH_SIZE], const char *path, const char *key)
{
    snprintf(out, PATH_SIZE, "%s.%s", path, key);
    return out;
}

static bool is_address(const char *host)
{
    unsigned char octets[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, octets) == 1 || inet_pton(AF_INET6, host, octets) == 1;
}

/*
 * Servers that issue tickets do so when they like, in TLS 1.3 after the handshake. A copy is kept: OpenSSL forbids to
 * resume the session itself when its connection ends without close_notify, as they do when a client is just gone.
 */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_client *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION *copy = SSL_SESSION_dup(session);
    if (copy != NULL) {
        SSL_SESSION_free(c->session);
        c->session = copy;
    }
    return 0; /* the reference that was offered is not taken */
}

/* Adds the certificates and revocation lists of a PEM text. Returns NULL, or what is wrong with it. */
static const char *add_authorities(X509_STORE *store, struct span pem)
{
    int certificates = 0, failures = 0;
    BIO *in = BIO_new_mem_buf(pem.bytes, (int)pem.len);
    STACK_OF(X509_INFO) *all = in == NULL ? NULL : PEM_X509_INFO_read_bio(in, NULL, NULL, NULL);
    for (int i = 0; i < sk_X509_INFO_num(all); i++) {
        const X509_INFO *info = sk_X509_INFO_value(all, i);
        certificates += info->x509 != NULL;
        failures += info->x509 != NULL && X509_STORE_add_cert(store, info->x509) != 1;
        failures += info->crl != NULL && X509_STORE_add_crl(store, info->crl) != 1;
    }
    bool damaged = all == NULL || failures > 0;
    sk_X509_INFO_pop_free(all, X509_INFO_free);
    BIO_free(in);
    return damaged ? "a damaged certificate" : certificates == 0 ? "no certificates in PEM format" : NULL;
}

static void load_authorities(struct tls_client *c, const struct tls_client_options *o, const char *path,
                             struct option_report *report)
{
    char at[PATH_SIZE], cause[FILE_CAUSE_SIZE];
    size_t len;
    sub_path(at, path, "ca_file");
    if (o->ca_file[0] == '\0') {
        if (SSL_CTX_set_default_verify_paths(c->ctx) != 1) {
            option_error(report, at, "cannot use the system's certificates: %s", tls_take_error());
        }
        return;
    }
    char *pem = file_read(o->ca_file, AUTHORITIES_FILE_MAX, &len, cause);
    if (pem == NULL) {
        option_error(report, at, "cannot read %s: %s", o->ca_file, cause);
        return;
    }
    const char *wrong = add_authorities(SSL_CTX_get_cert_store(c->ctx), (struct span){(const uint8_t *)pem, len});
    free(pem);
    if (wrong != NULL) {
        option_error(report, at, "%s in %s", wrong, o->ca_file);
    }
    ERR_clear_error();
}

static void load_certificate(struct tls_client *c, const struct tls_client_options *o, const char *path,
                             struct option_report *report)
{
    char chain[PATH_SIZE], key[PATH_SIZE];
    struct certificate own;
    sub_path(chain, path, "certificate");
    sub_path(key, path, "key");
    if ((o->certificate.chain[0] == '\0') != (o->certificate.key[0] == '\0')) {
        option_error(report, o->certificate.key[0] == '\0' ? chain : key,
                     "expected both certificate and key, or neither");
        return;
    }
    if (o->certificate.chain[0] == '\0' ||
        certificate_load(&own, &o->certificate, &(struct certificate_paths){chain, key}, 0, report) != 0) {
        return;
    }
    if (SSL_CTX_use_cert_and_key(c->ctx, own.leaf, own.key, own.chain, 1) != 1) {
        option_error(report, chain, "OpenSSL does not take this certificate: %s", tls_take_error());
    }
    certificate_free(&own);
}

/* The certificate that was refused last; a process makes one handshake at a time. Valid right after it. */
static char refused[FINGERPRINT_TEXT_SIZE];

static bool is_pinned(const struct tls_client *c, const struct fingerprint *f)
{
    for (size_t i = 0; i < c->fingerprint_count; i++) {
        if (memcmp(&c->fingerprints[i], f, sizeof *f) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * Verifies the backend's certificate, in place of OpenSSL, which calls it in each handshake that is not resumed. A
 * session is only kept for resumption after a handshake in which this has succeeded.
 */
static int verify(X509_STORE_CTX *ctx, void *data)
{
    const struct tls_client *c = data;
    struct fingerprint f;
    int result;
    if (c->fingerprints == NULL) {
        result = X509_verify_cert(ctx);
    } else {
        result = fingerprint_of(X509_STORE_CTX_get0_cert(ctx), &f) == 0 && is_pinned(c, &f);
        X509_STORE_CTX_set_error(ctx, result == 1 ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
    }
    refused[0] = '\0';
    if (result != 1 && fingerprint_of(X509_STORE_CTX_get0_cert(ctx), &f) == 0) {
        (void)fingerprint_text(&f, refused);
    }
    return result;
}

static void set_fingerprints(struct tls_client *c, const struct tls_client_options *o, const char *path,
                             struct option_report *report)
{
    char at[PATH_SIZE];
    char *const *texts = o->fingerprints.items;
    if (!o->verify) {
        option_error(report, sub_path(at, path, "verify"),
                     "expected true or nothing: with fingerprints the certificate "
                     "is always verified, by them");
    }
    c->fingerprints = calloc(o->fingerprints.count, sizeof *c->fingerprints);
    if (c->fingerprints == NULL) {
        option_error(report, path, "no memory for fingerprints");
        return;
    }
    for (size_t i = 0; i < o->fingerprints.count; i++) {
        (void)fingerprint_parse(texts[i], &c->fingerprints[c->fingerprint_count++]); /* checked by the option's table */
    }
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
}

static void set_verification(struct tls_client *c, const struct tls_client_options *o, const char *name,
                             const char *path, struct option_report *report)
{
    char at[PATH_SIZE];
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(c->ctx);
    SSL_CTX_set_cert_verify_callback(c->ctx, verify, c);
    if (o->fingerprints.count > 0) {
        set_fingerprints(c, o, path, report);
        return;
    }
    if (!o->verify) {
        option_warning(
            report, sub_path(at, path, "verify"),
            "the backend's certificate is not verified: an attacker on the way can read passwords; better set "
            "\"fingerprint\" to that of its certificate, see imapguard.conf(5)");
        return;
    }
    if (name[0] == '\0') {
        option_error(report, sub_path(at, path, "server_name"),
                     "expected the name in the certificate: a UNIX socket has none");
        return;
    }
    load_authorities(c, o, path, report);
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    int result = is_address(name) ? X509_VERIFY_PARAM_set1_ip_asc(param, name)
                                  : X509_VERIFY_PARAM_set1_host(param, name, 0);
    if (result != 1) {
        option_error(report, sub_path(at, path, "server_name"), "expected the name of a host, found \"%s\"", name);
    }
}

static void set_versions(struct tls_client *c, const struct tls_client_options *o, const char *path,
                         struct option_report *report)
{
    char at[PATH_SIZE];
    SSL_CTX_set_min_proto_version(c->ctx, o->legacy ? TLS1_VERSION : TLS1_2_VERSION);
    if (!o->legacy) {
        return;
    }
    /* Security level 0: SHA-1 signatures and short keys, which such servers have; and no RFC 5746 on their side. */
    option_warning(report, sub_path(at, path, "legacy_tls"),
                   "TLS 1.0 and weak ciphers are used if the backend knows no better");
    SSL_CTX_set_security_level(c->ctx, 0);
    (void)SSL_CTX_set_cipher_list(c->ctx, "DEFAULT:!aNULL:!eNULL:@SECLEVEL=0");
    SSL_CTX_set_options(c->ctx, SSL_OP_LEGACY_SERVER_CONNECT);
}

/* A text that is missing or malformed is NULL, and was reported. */
static bool is_complete(const struct tls_client_options *o)
{
    return o->server_name != NULL && o->ca_file != NULL && o->certificate.chain != NULL && o->certificate.key != NULL;
}

struct tls_client *tls_client_new(const struct tls_client_options *o, const char *host, const char *path,
                                  struct option_report *report)
{
    if (!is_complete(o)) {
        return NULL;
    }
    uint32_t errors = report->errors;
    const char *name = o->server_name[0] != '\0' ? o->server_name : host;
    struct tls_client *c = calloc(1, sizeof *c);
    ERR_clear_error();
    if (c == NULL || (c->ctx = SSL_CTX_new(TLS_client_method())) == NULL ||
        (name[0] != '\0' && !is_address(name) && (c->server_name = strdup(name)) == NULL)) {
        option_error(report, path, "no memory for TLS");
        tls_client_free(c);
        return NULL;
    }
    SSL_CTX_set_app_data(c->ctx, c);
    SSL_CTX_set_options(c->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(c->ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_clear_mode(c->ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(c->ctx, 1);
    SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->ctx, keep_session);
    set_versions(c, o, path, report);
    set_verification(c, o, name, path, report);
    load_certificate(c, o, path, report);
    if (report->errors != errors) {
        tls_client_free(c);
        return NULL;
    }
    return c;
}

void tls_client_free(struct tls_client *c)
{
    if (c == NULL) {
        return;
    }
    SSL_SESSION_free(c->session);
    SSL_CTX_free(c->ctx);
    free(c->server_name);
    free(c->fingerprints);
    free(c);
}

int tls_client_connect(struct tls_client *c, struct stream *stream)
{
    ERR_clear_error();
    SSL *ssl = SSL_new(c->ctx);
    if (ssl == NULL || (c->server_name != NULL && SSL_set_tlsext_host_name(ssl, c->server_name) != 1) ||
        stream_set_tls(stream, ssl) != 0) {
        SSL_free(ssl);
        return -1;
    }
    SSL_SESSION *copy = c->session != NULL ? SSL_SESSION_dup(c->session) : NULL; /* see keep_session() */
    (void)SSL_set_session(ssl, copy); /* without one the handshake is whole */
    SSL_SESSION_free(copy);
    SSL_set_connect_state(ssl);
    return 0;
}

enum tls_client_failure tls_client_failure(const struct stream *stream, const char **text)
{
    static const struct {
        long error;
        enum tls_client_failure failure;
    } rows[] = {
        {X509_V_ERR_CERT_HAS_EXPIRED, TLS_CLIENT_EXPIRED},
        {X509_V_ERR_CERT_NOT_YET_VALID, TLS_CLIENT_NOT_YET_VALID},
        {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, TLS_CLIENT_SELF_SIGNED},
        {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, TLS_CLIENT_NOT_TRUSTED},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, TLS_CLIENT_NOT_TRUSTED},
        {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, TLS_CLIENT_NOT_TRUSTED},
        {X509_V_ERR_APPLICATION_VERIFICATION, TLS_CLIENT_FINGERPRINT},
        {X509_V_ERR_HOSTNAME_MISMATCH, TLS_CLIENT_OTHER_NAME},
        {X509_V_ERR_IP_ADDRESS_MISMATCH, TLS_CLIENT_OTHER_NAME},
    };
    static char explanation[160];
    long error = SSL_get_verify_result(stream->tls);
    *text = tls_take_error();
    /* Without verification OpenSSL keeps the result all the same, and it ends no handshake. */
    if (error == X509_V_OK || SSL_get_verify_mode(stream->tls) == SSL_VERIFY_NONE) {
        return TLS_CLIENT_FAILED;
    }
    bool pinned = error == X509_V_ERR_APPLICATION_VERIFICATION;
    snprintf(explanation, sizeof explanation, "%s%s%s", pinned ? "" : X509_verify_cert_error_string(error),
             pinned ? "" : ", ", refused);
    *text = explanation;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].error == error) {
            return rows[i].failure;
        }
    }
    return TLS_CLIENT_INVALID;
}
