/* SPDX-License-Identifier: BSD-2-Clause */
#include "pki.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "support.h"

static X509 *make_certificate(EVP_PKEY *key, struct wanted wanted)
{
    static long serial = 1;
    X509 *x = X509_new();
    cr_assert(X509_set_version(x, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), serial++) == 1);
    if (wanted.from_days == 0 && wanted.to_days == 0) {
        wanted.from_days = -1;
        wanted.to_days = 90;
    }
    X509_time_adj_ex(X509_getm_notBefore(x), (int)wanted.from_days, 0, NULL);
    X509_time_adj_ex(X509_getm_notAfter(x), (int)wanted.to_days, 0, NULL);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"common.example", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, key);
    if (wanted.names != NULL) {
        X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, wanted.names);
        cr_assert(ext != NULL && X509_add_ext(x, ext, -1) == 1);
        X509_EXTENSION_free(ext);
    }
    cr_assert_gt(X509_sign(x, key, EVP_sha256()), 0);
    return x;
}

void make_pair(struct certificate_options *out, const char *name, struct wanted wanted)
{
    char file[64];
    EVP_PKEY *key = wanted.type == KEY_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    cr_assert_not_null(key);
    X509 *x = make_certificate(key, wanted);

    snprintf(file, sizeof file, "%s.crt", name);
    out->chain = strdup(temp_path(file));
    FILE *f = fopen(out->chain, "w");
    cr_assert(f != NULL && PEM_write_X509(f, x) == 1 && fclose(f) == 0);

    snprintf(file, sizeof file, "%s.key", name);
    out->key = strdup(temp_path(file));
    f = fopen(out->key, "w");
    cr_assert(f != NULL && fchmod(fileno(f), 0600) == 0);
    cr_assert_eq(PEM_write_PrivateKey(f, key, wanted.passphrase != NULL ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
                                      (void *)wanted.passphrase), 1);
    fclose(f);
    X509_free(x);
    EVP_PKEY_free(key);
}

SSL *client_new(int fd, struct client_options options)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, options.version);
    SSL_CTX_set_max_proto_version(ctx, options.version);
    cr_assert(options.ciphers == NULL || SSL_CTX_set_cipher_list(ctx, options.ciphers) == 1);
    cr_assert(options.signatures == NULL || SSL_CTX_set1_sigalgs_list(ctx, options.signatures) == 1);
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    cr_assert(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_set_connect_state(ssl);
    if (options.server_name != NULL) {
        cr_assert_eq(SSL_set_tlsext_host_name(ssl, options.server_name), 1);
    }
    if (options.alpn != NULL) {
        unsigned char list[64] = {(unsigned char)strlen(options.alpn)};
        memcpy(list + 1, options.alpn, list[0]);
        cr_assert_eq(SSL_set_alpn_protos(ssl, list, list[0] + 1u), 0);
    }
    if (options.resume != NULL) {
        cr_assert_eq(SSL_set_session(ssl, options.resume), 1);
    }
    return ssl;
}

bool shake_hands(struct stream *server, SSL *client)
{
    enum stream_status there = STREAM_AGAIN;
    int here = 0;
    for (int round = 0; round < 1000 && (there == STREAM_AGAIN || here != 1); round++) {
        if (here != 1) {
            here = SSL_do_handshake(client);
            int error = SSL_get_error(client, here);
            if (here != 1 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
                return false;
            }
        }
        if (there == STREAM_AGAIN) {
            there = stream_handshake(server);
        }
        if (there != STREAM_AGAIN && there != STREAM_READY) {
            (void)SSL_do_handshake(client); /* so that it sees the alert */
            return false;
        }
    }
    return there == STREAM_READY && here == 1;
}

void socket_pair(int fds[2], bool small)
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    for (int i = 0; i < 2 && small; i++) {
        int least = 1;
        setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    }
}
