/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/certificate.h"
#include "net/tls_client.h"
#include "pki.h"
#include "support.h"

TestSuite(tls, .fini = test_over);

static struct loop loop;
static struct tls_options options;
static struct test_report report;
static struct certificate_options *pairs;

static void on_event(struct ev_loop *ev, struct ev_io *io, int revents)
{
    (void)ev, (void)io, (void)revents;
}

/* Options with one certificate for each of `wanted`, everything else by default. */
static void prepare(const struct wanted *wanted, size_t count)
{
    pairs = calloc(count, sizeof *pairs);
    option_set_defaults(&tls_option_table, &options);
    for (size_t i = 0; i < count; i++) {
        char name[] = {(char)('a' + i), '\0'};
        make_pair(&pairs[i], name, wanted[i]);
    }
    options.certificates = (struct option_list){pairs, count};
    options.session_tickets = false;
    cr_assert_eq(loop_init(&loop), 0);
}

static struct tls *build(void)
{
    test_report_init(&report);
    return tls_new(&options, NULL, &report.report);
}

static void done(struct tls *tls)
{
    tls_free(tls);
    option_free(&tls_option_table, &options);
    loop_fini(&loop);
}

/* A connection: the server's stream and the client. */
struct connection {
    struct stream *server;
    SSL *client;
    int peer;
    bool good;
};

static struct connection connection(struct tls *tls, struct client_options how, bool strict)
{
    struct connection c = {.server = calloc(1, sizeof *c.server)}; /* which stays where it is: OpenSSL points to it */
    int fds[2];
    socket_pair(fds, false);
    stream_init(c.server, &loop, fds[0], on_event, NULL);
    c.peer = fds[1];
    c.client = client_new(fds[1], how);
    cr_assert_eq(tls_start_server(tls, c.server, strict), 0);
    ERR_clear_error();
    c.good = shake_hands(c.server, c.client);
    return c;
}

static void disconnect(struct connection *c)
{
    stream_close(c->server);
    free(c->server);
    SSL_free(c->client);
    close(c->peer);
}

/* Which of the pairs the client was shown: 'a', 'b', ... */
static char shown(const struct connection *c)
{
    X509 *got = SSL_get1_peer_certificate(c->client);
    char letter = '-';
    for (size_t i = 0; got != NULL && i < options.certificates.count; i++) {
        FILE *f = fopen(pairs[i].chain, "r");
        X509 *own = PEM_read_X509(f, NULL, NULL, NULL);
        fclose(f);
        letter = X509_cmp(own, got) == 0 ? (char)('a' + i) : letter;
        X509_free(own);
    }
    X509_free(got);
    return letter;
}

Test(tls, the_certificate_is_chosen_by_server_name_and_key_type)
{
    static const struct wanted wanted[] = {
        {.names = "DNS:mail.example.org"},
        {.names = "DNS:*.example.net"},
        {.names = "DNS:special.example.net", .type = KEY_RSA},
        {.names = "DNS:mail.example.org,DNS:imap.example.org", .type = KEY_RSA},
        {.names = "DNS:mail.example.org"},
    };
    static const char rsa_only[] = "RSA-PSS+SHA256:RSA+SHA256";
    static const struct {
        const char *server_name, *signatures;
        char want;
    } rows[] = {
        {NULL, NULL, 'a'},
        {"mail.example.org", NULL, 'a'},
        {"MAIL.Example.ORG", NULL, 'a'},
        {"mail.example.org", rsa_only, 'd'},
        {NULL, rsa_only, 'd'},
        {"imap.example.org", NULL, 'd'},
        {"any.example.net", NULL, 'b'},
        {"special.example.net", NULL, 'b'},
        {"special.example.net", rsa_only, 'c'},
        {"example.net", NULL, 'a'},
        {"a.b.example.net", NULL, 'a'},
        {"unknown.example", NULL, 'a'},
        {"localhost", NULL, 'a'},
    };
    prepare(wanted, COUNT(wanted));
    struct tls *tls = build();
    cr_assert_not_null(tls, "%s", report.text);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        for (size_t i = 0; i < COUNT(rows); i++) {
            struct connection c = connection(
                tls, (struct client_options){.server_name = rows[i].server_name, .version = version,
                                             .signatures = rows[i].signatures}, true);
            cr_assert(c.good, "%s", rows[i].server_name);
            cr_expect_eq(shown(&c), rows[i].want, "%s, %s: got %c", rows[i].server_name,
                         rows[i].signatures ? "RSA" : "any", shown(&c));
            disconnect(&c);
        }
    }
    done(tls);
}

Test(tls, only_imap_is_negotiated_and_a_strict_listener_refuses_the_rest)
{
    static const struct {
        const char *alpn;
        bool strict, good, foreign;
    } rows[] = {
        {NULL, true, true, false}, {NULL, false, true, false}, {"imap", true, true, false}, {"imap", false, true, false},
        {"http/1.1", true, false, true}, {"http/1.1", false, true, true}, {"h2", true, false, true}, {"IMAP", true, false, true},
    };
    prepare(&(struct wanted){0}, 1);
    struct tls *tls = build();
    cr_assert_not_null(tls, "%s", report.text);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const unsigned char *selected;
        unsigned len;
        struct connection c = connection(tls, (struct client_options){.alpn = rows[i].alpn}, rows[i].strict);
        cr_expect_eq(c.good, rows[i].good, "%s", rows[i].alpn);
        cr_expect_eq(c.server->alpn_foreign, rows[i].foreign, "%s", rows[i].alpn);
        SSL_get0_alpn_selected(c.client, &selected, &len);
        bool imap = rows[i].alpn != NULL && !rows[i].foreign;
        cr_expect(imap ? len == 4 && memcmp(selected, "imap", 4) == 0 : len == 0, "%s", rows[i].alpn);
        if (!rows[i].good) {
            bool alert = false;
            for (unsigned long e; (e = ERR_get_error()) != 0;) {
                alert |= ERR_GET_REASON(e) == SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL;
            }
            cr_expect(alert, "%s: the client is told so by alert 120", rows[i].alpn);
        }
        disconnect(&c);
    }
    done(tls);
}

Test(tls, weak_versions_and_key_exchanges_are_not_offered)
{
    static const struct {
        const char *name;
        struct client_options how;
        bool good;
    } rows[] = {
        {"TLS 1.3", {.version = TLS1_3_VERSION}, true},
        {"TLS 1.2", {.version = TLS1_2_VERSION}, true},
        {"TLS 1.1", {.version = TLS1_1_VERSION}, false},
        {"TLS 1.0", {.version = TLS1_VERSION}, false},
        {"ECDHE", {.version = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"}, true},
        {"ChaCha", {.version = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-CHACHA20-POLY1305"}, true},
        {"RSA key exchange", {.version = TLS1_2_VERSION, .ciphers = "kRSA"}, false},
        {"anonymous", {.version = TLS1_2_VERSION, .ciphers = "aNULL:@SECLEVEL=0"}, false},
        {"no encryption", {.version = TLS1_2_VERSION, .ciphers = "eNULL:@SECLEVEL=0"}, false},
        {"CBC", {.version = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-SHA"}, false},
        {"DHE", {.version = TLS1_2_VERSION, .ciphers = "DHE-RSA-AES128-GCM-SHA256"}, false},
    };
    prepare(&(struct wanted){.type = KEY_RSA}, 1);
    struct tls *tls = build();
    cr_assert_not_null(tls, "%s", report.text);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct connection c = connection(tls, rows[i].how, true);
        cr_expect_eq(c.good, rows[i].good, "%s", rows[i].name);
        cr_expect(!c.good || SSL_get_current_compression(c.client) == NULL);
        disconnect(&c);
    }
    done(tls);
}

Test(tls, rsa_key_exchange_is_not_offered_whatever_the_list_says)
{
    prepare(&(struct wanted){.type = KEY_RSA}, 1);
    free(options.ciphers);
    options.ciphers = strdup("AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ALL");
    struct tls *tls = build();
    cr_assert_not_null(tls, "%s", report.text);
    struct connection c = connection(tls, (struct client_options){.version = TLS1_2_VERSION, .ciphers = "kRSA"}, true);
    cr_expect(!c.good);
    disconnect(&c);
    c = connection(tls, (struct client_options){.version = TLS1_2_VERSION}, true);
    cr_expect(c.good);
    disconnect(&c);
    done(tls);
}

Test(tls, old_clients_get_in_only_where_that_is_allowed)
{
    prepare(&(struct wanted){.type = KEY_RSA}, 1);
    options.legacy_clients = true;
    struct tls *tls = build();
    cr_assert_not_null(tls, "%s", report.text);
    cr_expect_not_null(strstr(report.text, "warning tls.legacy_clients: "), "%s", report.text);
    for (int version = TLS1_VERSION; version <= TLS1_3_VERSION; version++) {
        struct connection c = connection(tls, (struct client_options){.version = version, .ciphers = "ALL:@SECLEVEL=0"}, true);
        cr_expect(c.good, "version %x", (unsigned)version);
        disconnect(&c);
    }
    done(tls);
}

Test(tls, renegotiation_is_refused)
{
    char octet;
    size_t len;
    prepare(&(struct wanted){0}, 1);
    struct tls *tls = build();
    struct connection c = connection(tls, (struct client_options){.version = TLS1_2_VERSION}, true);
    cr_assert(c.good);
    cr_assert_eq(SSL_renegotiate(c.client), 1);
    (void)SSL_do_handshake(c.client);
    (void)stream_read(c.server, (uint8_t *)&octet, 1, &len);
    (void)SSL_do_handshake(c.client);
    cr_expect_neq(SSL_do_handshake(c.client), 1);
    disconnect(&c);
    done(tls);
}

Test(tls, bad_options_are_reported_under_their_key)
{
    static const struct {
        const char *name, *ciphers, *suites, *groups;
        uint32_t min_version;
        bool legacy;
        const char *wanted;
    } rows[] = {
        {"ciphers", "NO-SUCH-CIPHER", "", "X25519", 2, false, "error tls.ciphers: "},
        {"ciphersuites", "", "TLS_NO_SUCH", "X25519", 2, false, "error tls.ciphersuites: "},
        {"groups", "", "", "no-such-group", 2, false, "error tls.groups: "},
        {"old version", "", "", "X25519", 0, false, "error tls.min_version: "},
        {"contradiction", "", "", "X25519", 3, true, "error tls.legacy_clients: "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        prepare(&(struct wanted){0}, 1);
        free(options.ciphers);
        free(options.ciphersuites);
        free(options.groups);
        options.ciphers = strdup(rows[i].ciphers);
        options.ciphersuites = strdup(rows[i].suites);
        options.groups = strdup(rows[i].groups);
        options.min_version = rows[i].min_version;
        options.legacy_clients = rows[i].legacy;
        struct tls *tls = build();
        cr_expect_null(tls, "%s: tls.h says NULL when something is wrong", rows[i].name);
        cr_expect_not_null(strstr(report.text, rows[i].wanted), "%s: %s", rows[i].name, report.text);
        cr_expect_gt(report.report.errors, 0, "%s", rows[i].name);
        done(tls);
    }
}

Test(tls, without_a_certificate_there_is_none)
{
    prepare(NULL, 0);
    cr_expect_null(build());
    cr_expect_not_null(strstr(report.text, "error tls.certificates: "), "%s", report.text);
    done(NULL);
}

Test(tls, every_certificate_that_is_wrong_is_reported)
{
    static const struct wanted wanted[] = {{0}, {.passphrase = "x"}, {.passphrase = "y"}};
    prepare(wanted, COUNT(wanted));
    cr_expect_null(build());
    cr_expect_not_null(strstr(report.text, "error tls.certificates.[1].key: "), "%s", report.text);
    cr_expect_not_null(strstr(report.text, "error tls.certificates.[2].key: "), "%s", report.text);
    cr_expect_eq(report.report.errors, 2);
    done(NULL);
}

Test(tls, a_malformed_option_of_a_backend_was_reported_before)
{
    char *empty = strdup(""), *ca_file = strdup("/nowhere");
    const struct tls_client_options rows[] = {
        {.verify = true, .ca_file = NULL, .server_name = empty, .certificate = {empty, empty}},
        {.verify = true, .ca_file = ca_file, .server_name = NULL, .certificate = {empty, empty}},
        {.verify = true, .ca_file = ca_file, .server_name = empty, .certificate = {NULL, empty}},
        {.verify = true, .ca_file = ca_file, .server_name = empty, .certificate = {empty, NULL}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_report_init(&report);
        cr_expect_null(tls_client_new(&rows[i], "localhost", "backends.[0]", &report.report), "row %zu", i);
        cr_expect_str_eq(report.text, "", "row %zu: %s", i, report.text);
    }
    free(empty);
    free(ca_file);
}

Test(tls, a_reason_for_a_failure_is_always_given)
{
    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL);
    ERR_clear_error();
    cr_expect_str_eq(tls_take_error(), "connection closed");
    ERR_raise(ERR_LIB_SSL, SSL_R_HTTP_REQUEST);
    cr_expect_str_eq(tls_take_error(), "http request");
    cr_expect_eq(ERR_peek_error(), 0, "the queue is empty again");
}
