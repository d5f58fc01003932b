/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/certificate.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/secret.h"
#include "net/private_key.h"

static const struct option_row rows[] = {
    {.name = "chain", .type = OPTION_TEXT, .offset = offsetof(struct certificate_options, chain)},
    {.name = "key", .type = OPTION_TEXT, .offset = offsetof(struct certificate_options, key)},
    {0},
};
const struct option_table certificate_option_table = {sizeof(struct certificate_options), rows};

enum { CHAIN_FILE_MAX = 1024 * 1024 };

/* Returns NULL, or what is wrong with the text. What was read before that is in c. */
static const char *parse_chain(struct certificate *c, struct span pem)
{
    BIO *in = BIO_new_mem_buf(pem.bytes, (int)pem.len);
    c->leaf = in == NULL ? NULL : PEM_read_bio_X509_AUX(in, NULL, NULL, NULL);
    c->chain = sk_X509_new_null();
    for (X509 *next; c->leaf != NULL && c->chain != NULL && (next = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL;) {
        if (sk_X509_push(c->chain, next) == 0) {
            X509_free(next);
            break;
        }
    }
    BIO_free(in);
    if (c->leaf == NULL || c->chain == NULL) {
        return "no certificate in PEM format";
    }
    /* The reading above ends with "no start line": anything else is a damaged certificate in the chain. */
    return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? NULL : "a damaged certificate in the chain";
}

static int load_chain(struct certificate *c, const char *file, const char *path, struct option_report *report)
{
    char cause[FILE_CAUSE_SIZE];
    size_t len;
    char *pem = file_read(file, CHAIN_FILE_MAX, &len, cause);
    if (pem == NULL) {
        option_error(report, path, "cannot read %s: %s", file, cause);
        return -1;
    }
    const char *wrong = parse_chain(c, (struct span){(const uint8_t *)pem, len});
    free(pem);
    if (wrong != NULL) {
        option_error(report, path, "%s in %s", wrong, file);
        return -1;
    }
    return 0;
}

static int load_key(struct certificate *c, const char *file, const char *path, struct option_report *report)
{
    struct stat st;
    char cause[FILE_CAUSE_SIZE];
    size_t len;
    bool locked;
    char *pem = file_read(file, PRIVATE_KEY_FILE_MAX, &len, cause);
    if (pem == NULL) {
        option_error(report, path, "cannot read %s: %s", file, cause);
        return -1;
    }
    c->key = private_key_parse((struct span){(const uint8_t *)pem, len}, &locked);
    secret_wipe(pem, len);
    free(pem);
    if (c->key == NULL) {
        option_error(report, path,
                     locked ? "the key in %s has a passphrase: store it without one"
                            : "no private key in PEM format in %s",
                     file);
        return -1;
    }
    if (stat(file, &st) == 0 && (st.st_mode & S_IROTH) != 0) {
        option_warning(report, path, "everybody on this host can read the key in %s", file);
    }
    return 0;
}

static int add_name(struct certificate *c, const unsigned char *text, int len)
{
    /* A NUL inside is an old trick to be taken for another name. */
    if (len <= 0 || memchr(text, '\0', (size_t)len) != NULL) {
        return 0;
    }
    char **names = realloc(c->names, (c->name_count + 1) * sizeof *names);
    if (names == NULL) {
        return -1;
    }
    c->names = names;
    char *name = strndup((const char *)text, (size_t)len);
    if (name == NULL) {
        return -1;
    }
    for (char *at = name; *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    c->names[c->name_count++] = name;
    return 0;
}

static int load_names(struct certificate *c)
{
    int result = 0;
    GENERAL_NAMES *all = X509_get_ext_d2i(c->leaf, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(all) && result == 0; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
        if (name->type == GEN_DNS) {
            result = add_name(c, ASN1_STRING_get0_data(name->d.dNSName), ASN1_STRING_length(name->d.dNSName));
        }
    }
    GENERAL_NAMES_free(all);
    return result;
}

static void check_dates(struct certificate *c, const char *file, const char *path, uint32_t warn_ms,
                        struct option_report *report)
{
    struct tm end;
    time_t now = time(NULL);
    if (ASN1_TIME_to_tm(X509_get0_notAfter(c->leaf), &end) == 1) {
        c->not_after = timegm(&end);
    }
    if (c->not_after < now) {
        option_warning(report, path, "the certificate in %s has expired: it will be refused", file);
    } else if (c->not_after < now + (time_t)(warn_ms / 1000)) {
        option_warning(report, path, "the certificate in %s expires soon", file);
    }
    if (X509_cmp_current_time(X509_get0_notBefore(c->leaf)) > 0) {
        option_warning(report, path, "the certificate in %s is not valid yet: it will be refused", file);
    }
}

static bool key_is_of_chain(const struct certificate *c)
{
    for (int i = 0; i < sk_X509_num(c->chain); i++) {
        if (X509_check_private_key(sk_X509_value(c->chain, i), c->key) == 1) {
            return true;
        }
    }
    return false;
}

static int check_key(const struct certificate *c, const struct certificate_options *options,
                     const struct certificate_paths *paths, struct option_report *report)
{
    if (X509_check_private_key(c->leaf, c->key) == 1) {
        return 0;
    }
    if (key_is_of_chain(c)) {
        option_error(report, paths->chain,
                     "the key in %s is that of a later certificate in %s: the file must begin with the server's own "
                     "certificate, and those of the authorities follow",
                     options->key, options->chain);
    } else {
        option_error(report, paths->key, "the key in %s does not match the certificate in %s", options->key,
                     options->chain);
    }
    return -1;
}

int certificate_load(struct certificate *c, const struct certificate_options *options,
                     const struct certificate_paths *paths, uint32_t warn_ms, struct option_report *report)
{
    *c = (struct certificate){0};
    if (options->chain == NULL || options->key == NULL) {
        return -1; /* reported already, as missing or malformed */
    }
    ERR_clear_error();

    /* Both are tried, so that both are reported. */
    int chain = load_chain(c, options->chain, paths->chain, report);
    int key = load_key(c, options->key, paths->key, report);
    if (chain != 0 || key != 0) {
        goto fail;
    }
    if (check_key(c, options, paths, report) != 0) {
        goto fail;
    }
    if (load_names(c) != 0) {
        option_error(report, paths->chain, "no memory for the names in %s", options->chain);
        goto fail;
    }
    check_dates(c, options->chain, paths->chain, warn_ms, report);
    ERR_clear_error();
    return 0;
fail:
    ERR_clear_error();
    certificate_free(c);
    return -1;
}

void certificate_free(struct certificate *c)
{
    X509_free(c->leaf);
    sk_X509_pop_free(c->chain, X509_free);
    EVP_PKEY_free(c->key);
    for (size_t i = 0; i < c->name_count; i++) {
        free(c->names[i]);
    }
    free(c->names);
    *c = (struct certificate){0};
}

bool certificate_covers(const struct certificate *c, const char *name)
{
    const char *dot = strchr(name, '.');
    for (size_t i = 0; i < c->name_count; i++) {
        const char *own = c->names[i];
        if (strcmp(own, name) == 0) {
            return true;
        }
        if (dot != NULL && own[0] == '*' && own[1] == '.' && strcmp(own + 1, dot) == 0) {
            return true;
        }
    }
    return false;
}
