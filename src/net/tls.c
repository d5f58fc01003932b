/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls.h"

#include <ctype.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "net/certificate.h"

enum version { VERSION_1_0, VERSION_1_1, VERSION_1_2, VERSION_1_3 };
static const char *const version_names[] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", NULL};
static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};

/* clang-format off */
static const struct option_row rows[] = {
    {.name = "certificates", .type = OPTION_LIST, .offset = offsetof(struct tls_options, certificates),
     .group = &certificate_option_table},
    {.name = "min_version", .type = OPTION_CHOICE, .offset = offsetof(struct tls_options, min_version),
     .default_value = "TLSv1.2", .choices = version_names},
    {.name = "ciphers", .type = OPTION_TEXT, .offset = offsetof(struct tls_options, ciphers), .default_value = ""},
    {.name = "ciphersuites", .type = OPTION_TEXT, .offset = offsetof(struct tls_options, ciphersuites),
     .default_value = ""},
    {.name = "groups", .type = OPTION_TEXT, .offset = offsetof(struct tls_options, groups),
     .default_value = "X25519:P-256:P-384"},
    {.name = "legacy_clients", .type = OPTION_FLAG, .offset = offsetof(struct tls_options, legacy_clients),
     .default_value = "false"},
    {.name = "session_tickets", .type = OPTION_FLAG, .offset = offsetof(struct tls_options, session_tickets),
     .default_value = "true"},
    {.name = "ticket_rotation", .type = OPTION_DURATION, .offset = offsetof(struct tls_options, ticket_rotation_ms),
     .default_value = "12h", .min = 60000, .max = 7 * 24 * 3600000u},
    {.name = "expiry_warning", .type = OPTION_DURATION, .offset = offsetof(struct tls_options, expiry_warning_ms),
     .default_value = "14d", .max = 45 * 24 * 3600000u},
    {0},
};
/* clang-format on */
const struct option_table tls_option_table = {sizeof(struct tls_options), rows};

/* RSA key exchange has no forward secrecy and a history of padding oracles. It is removed from every list. */
#define CIPHERS_NEVER ":!kRSA:!aNULL:!eNULL:!EXP:!PSK:!SRP"
#define CIPHERS_MODERN "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CIPHERS_LEGACY "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:DHE+AESGCM:DHE+AES"

/* A set of certificates is a uint64_t with a bit for each. */
enum { CERTIFICATES_MAX = 64 };

/* A set of certificates, at most one for each key type, and the context that offers them. */
struct offer {
    uint64_t set;
    SSL_CTX *ctx;
};

struct name {
    char *name;
    SSL_CTX *ctx; /* owned by an offer */
};

struct tls {
    const struct tls_options *options;
    struct certificate certificates[CERTIFICATES_MAX];
    size_t certificate_count;
    struct offer *offers; /* the first is the default */
    size_t offer_count;
    struct name *names; /* sorted */
    size_t name_count;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->name, ((const struct name *)b)->name);
}

static SSL_CTX *find_name(const struct tls *tls, char *name)
{
    struct name key = {.name = name};
    if (tls->name_count == 0) {
        return NULL;
    }
    const struct name *found = bsearch(&key, tls->names, tls->name_count, sizeof key, by_name);
    return found != NULL ? found->ctx : NULL;
}

/* Returns the context for a server name from the client, in any case: that of the name, or of its wildcard, or NULL. */
static SSL_CTX *choose(const struct tls *tls, const char *server_name)
{
    char name[256];
    size_t len = strlen(server_name);
    if (len == 0 || len >= sizeof name) {
        return NULL;
    }
    for (size_t i = 0; i <= len; i++) {
        name[i] = (char)tolower((unsigned char)server_name[i]);
    }
    SSL_CTX *ctx = find_name(tls, name);
    char *dot = strchr(name, '.');
    if (ctx == NULL && dot != NULL && dot > name) {
        *--dot = '*';
        ctx = find_name(tls, dot);
    }
    return ctx;
}

static int servername_callback(SSL *ssl, int *alert, void *arg)
{
    const struct tls *tls = arg;
    const char *server_name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    SSL_CTX *ctx = server_name != NULL ? choose(tls, server_name) : NULL;
    if (ctx == NULL) {
        return SSL_TLSEXT_ERR_NOACK; /* use the default: some clients connect by address or by an alias */
    }
    SSL_set_SSL_CTX(ssl, ctx);
    return SSL_TLSEXT_ERR_OK;
}

static int alpn_callback(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                         unsigned int in_len, void *arg)
{
    static const unsigned char ours[] = {4, 'i', 'm', 'a', 'p'};
    struct stream *stream = SSL_get_app_data(ssl);
    unsigned char *selected;
    (void)arg;
    if (SSL_select_next_proto(&selected, out_len, ours, sizeof ours, in, in_len) == OPENSSL_NPN_NEGOTIATED) {
        *out = selected;
        return SSL_TLSEXT_ERR_OK;
    }
    stream->alpn_foreign = true;
    return stream->alpn_strict ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
}

static enum version least_version(const struct tls_options *o)
{
    return o->legacy_clients && o->min_version == VERSION_1_2 ? VERSION_1_0 : (enum version)o->min_version;
}

/* Configures what all contexts have in common. Reports each option that OpenSSL refuses. Returns 0 or -1. */
static int configure(SSL_CTX *ctx, const struct tls_options *o, struct ticket_keys *tickets,
                     struct option_report *report)
{
    static const unsigned char id[] = "imapguard";
    char ciphers[4096];
    uint32_t errors = report->errors;

    if (o->legacy_clients) {
        SSL_CTX_set_security_level(ctx, 0); /* allows SHA-1 signatures, which TLS 1.0 and 1.1 need */
    }
    const char *list = o->ciphers[0] != '\0' ? o->ciphers : o->legacy_clients ? CIPHERS_LEGACY : CIPHERS_MODERN;
    snprintf(ciphers, sizeof ciphers, "%s%s", list, CIPHERS_NEVER);
    if (SSL_CTX_set_cipher_list(ctx, ciphers) != 1) {
        option_error(report, "tls.ciphers", "expected a cipher list that OpenSSL knows (openssl-ciphers(1))");
    }
    if (o->ciphersuites[0] != '\0' && SSL_CTX_set_ciphersuites(ctx, o->ciphersuites) != 1) {
        option_error(report, "tls.ciphersuites", "expected TLS 1.3 cipher suites that OpenSSL knows");
    }
    if (SSL_CTX_set1_groups_list(ctx, o->groups) != 1) {
        option_error(report, "tls.groups", "expected groups that OpenSSL knows, such as \"X25519:P-256\"");
    }
    SSL_CTX_set_min_proto_version(ctx, versions[least_version(o)]);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* Without RELEASE_BUFFERS an idle session would keep 34 KiB of empty record buffers. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(ctx, 1); /* reads header and body of a record with one system call */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(ctx, alpn_callback, NULL);
    SSL_CTX_set_timeout(ctx, o->ticket_rotation_ms / 1000);
    if (SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1) != 1) {
        option_error(report, "tls", "OpenSSL: %s", tls_take_error());
    }
    if (!o->session_tickets) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
    } else if (ticket_keys_use(tickets, ctx) != 0) {
        option_error(report, "tls.session_tickets", "OpenSSL: %s", tls_take_error());
    }
    return report->errors == errors ? 0 : -1;
}

/* Returns the set for a name: of each key type, the first certificate that covers it; for NULL, the first of all. */
static uint64_t certificates_for(const struct tls *tls, const char *name)
{
    uint64_t set = name == NULL ? 1 : 0;
    for (size_t i = 0; i < tls->certificate_count && name != NULL; i++) {
        bool have_type = false;
        for (size_t j = 0; j < i; j++) {
            have_type |= (set >> j & 1) != 0 && EVP_PKEY_get_base_id(tls->certificates[j].key) ==
                                                    EVP_PKEY_get_base_id(tls->certificates[i].key);
        }
        if (!have_type && certificate_covers(&tls->certificates[i], name)) {
            set |= (uint64_t)1 << i;
        }
    }
    return set;
}

/* Returns the context for the set; creates it if there is none. Returns NULL if OpenSSL fails, or without memory. */
static SSL_CTX *offer(struct tls *tls, uint64_t set, const struct tls_options *o, struct ticket_keys *tickets,
                      struct option_report *report)
{
    for (size_t i = 0; i < tls->offer_count; i++) {
        if (tls->offers[i].set == set) {
            return tls->offers[i].ctx;
        }
    }
    struct offer *offers = realloc(tls->offers, (tls->offer_count + 1) * sizeof *offers);
    if (offers == NULL) {
        return NULL;
    }
    tls->offers = offers;
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || configure(ctx, o, tickets, report) != 0) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    for (size_t i = 0; i < tls->certificate_count; i++) {
        const struct certificate *c = &tls->certificates[i];
        if ((set >> i & 1) != 0 && SSL_CTX_use_cert_and_key(ctx, c->leaf, c->key, c->chain, 1) != 1) {
            char path[64];
            snprintf(path, sizeof path, "tls.certificates.[%zu].chain", i);
            option_error(report, path, "OpenSSL does not take this certificate: %s", tls_take_error());
            SSL_CTX_free(ctx);
            return NULL;
        }
    }
    tls->offers[tls->offer_count++] = (struct offer){set, ctx};
    return ctx;
}

static int load_certificates(struct tls *tls, const struct tls_options *o, struct option_report *report)
{
    const struct certificate_options *list = o->certificates.items;
    int result = 0;
    if (o->certificates.count == 0 || o->certificates.count > CERTIFICATES_MAX) {
        option_error(report, "tls.certificates", "expected 1 to %d certificates", CERTIFICATES_MAX);
        return -1;
    }
    for (size_t i = 0; i < o->certificates.count; i++) {
        char chain[64], key[64];
        snprintf(chain, sizeof chain, "tls.certificates.[%zu].chain", i);
        snprintf(key, sizeof key, "tls.certificates.[%zu].key", i);
        if (certificate_load(&tls->certificates[tls->certificate_count], &list[i],
                             &(struct certificate_paths){chain, key}, o->expiry_warning_ms, report) != 0) {
            result = -1;
        } else {
            tls->certificate_count++;
        }
    }
    return result;
}

static int add_name(struct tls *tls, const char *name, SSL_CTX *ctx)
{
    struct name *names = realloc(tls->names, (tls->name_count + 1) * sizeof *names);
    if (names == NULL) {
        return -1;
    }
    tls->names = names;
    char *copy = strdup(name);
    if (copy == NULL) {
        return -1;
    }
    tls->names[tls->name_count++] = (struct name){copy, ctx};
    return 0;
}

/* A name of several certificates is added several times, always with the same context. bsearch() may find any. */
static int build_names(struct tls *tls, const struct tls_options *o, struct ticket_keys *tickets,
                       struct option_report *report)
{
    for (size_t i = 0; i < tls->certificate_count; i++) {
        const struct certificate *c = &tls->certificates[i];
        for (size_t j = 0; j < c->name_count; j++) {
            SSL_CTX *ctx = offer(tls, certificates_for(tls, c->names[j]), o, tickets, report);
            if (ctx == NULL || add_name(tls, c->names[j], ctx) != 0) {
                return -1;
            }
        }
    }
    if (tls->name_count > 0) {
        qsort(tls->names, tls->name_count, sizeof *tls->names, by_name);
    }
    return 0;
}

static void check_versions(const struct tls_options *o, struct option_report *report)
{
    if (o->min_version < VERSION_1_2 && !o->legacy_clients) {
        option_error(report, "tls.min_version",
                     "expected \"TLSv1.2\" or \"TLSv1.3\": older ones need "
                     "legacy_clients = true");
    } else if (o->legacy_clients && o->min_version == VERSION_1_3) {
        option_error(report, "tls.legacy_clients", "expected false, because min_version is \"TLSv1.3\"");
    } else if (o->legacy_clients) {
        option_warning(report, "tls.legacy_clients", "TLS 1.0, TLS 1.1 and CBC ciphers are let in; they are weak");
    }
}

struct tls *tls_new(const struct tls_options *options, struct ticket_keys *tickets, struct option_report *report)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        option_error(report, "tls", "no memory");
        return NULL;
    }
    tls->options = options;
    check_versions(options, report);
    if (load_certificates(tls, options, report) != 0 || report->errors > 0) {
        goto fail;
    }
    const struct certificate *first = &tls->certificates[0];
    const char *default_name = first->name_count > 0 ? first->names[0] : NULL;
    SSL_CTX *standard = offer(tls, certificates_for(tls, default_name), options, tickets, report);
    if (standard == NULL || build_names(tls, options, tickets, report) != 0) {
        goto fail;
    }
    SSL_CTX_set_tlsext_servername_callback(standard, servername_callback);
    SSL_CTX_set_tlsext_servername_arg(standard, tls);
    return tls;
fail:
    if (report->errors == 0) {
        option_error(report, "tls", "no memory");
    }
    tls_free(tls);
    return NULL;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL) {
        return;
    }
    for (size_t i = 0; i < tls->name_count; i++) {
        free(tls->names[i].name);
    }
    for (size_t i = 0; i < tls->offer_count; i++) {
        SSL_CTX_free(tls->offers[i].ctx);
    }
    for (size_t i = 0; i < tls->certificate_count; i++) {
        certificate_free(&tls->certificates[i]);
    }
    free(tls->names);
    free(tls->offers);
    free(tls);
}

/* `left`: seconds, negative once it has ended. */
static void log_expiry(const char *chain, time_t left)
{
    struct log_line line;
    char days[24];
    snprintf(days, sizeof days, "%ld", (long)(left / (24L * 3600)));
    log_begin(&line, LOG_LEVEL_WARNING, "certificate-expiry");
    log_quoted(&line, "chain", chain, strlen(chain));
    log_word(&line, "days", days);
    log_end(&line);
}

void tls_warn(const struct tls *tls)
{
    const struct certificate_options *options = tls->options->certificates.items;
    time_t now = time(NULL);
    if (tls->options->legacy_clients) {
        log_event(LOG_LEVEL_WARNING, "legacy-clients", "min_version=%s", version_names[least_version(tls->options)]);
    }
    for (size_t i = 0; i < tls->certificate_count; i++) {
        time_t left = tls->certificates[i].not_after - now;
        if (left < (time_t)(tls->options->expiry_warning_ms / 1000)) {
            log_expiry(options[i].chain, left);
        }
    }
}

int tls_start_server(struct tls *tls, struct stream *stream, bool alpn_strict)
{
    ERR_clear_error();
    SSL *ssl = SSL_new(tls->offers[0].ctx);
    if (ssl == NULL || SSL_set_app_data(ssl, stream) != 1 || stream_set_tls(stream, ssl) != 0) {
        SSL_free(ssl);
        return -1;
    }
    SSL_set_accept_state(ssl);
    (void)SSL_set_options(ssl, SSL_OP_CLEANSE_PLAINTEXT); /* a password would stay in the record buffer */
    stream->alpn_strict = alpn_strict;
    return 0;
}

void tls_stop_wiping(struct stream *stream)
{
    (void)SSL_clear_options(stream->tls, SSL_OP_CLEANSE_PLAINTEXT);
}

const char *tls_take_client_error(void)
{
    static const struct {
        int reason;
        const char *text;
    } alerts[] = {
        {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the client does not trust the certificate: unknown authority"},
        {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the client does not trust the certificate"},
        {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the client does not trust the certificate: bad certificate"},
        {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the client does not trust the certificate: it has expired"},
    };
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    const char *text = tls_take_error();
    for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++) {
        if (reason == alerts[i].reason) {
            return alerts[i].text;
        }
    }
    return text;
}

const char *tls_take_error(void)
{
    unsigned long error = ERR_peek_last_error();
    const char *text = error != 0 ? ERR_reason_error_string(error) : NULL;
    ERR_clear_error();
    return text != NULL ? text : "connection closed";
}
