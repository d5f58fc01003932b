/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pki.h"
#include "support.h"

TestSuite(certificate, .fini = test_over);

enum { DAY_MS = 24 * 3600 * 1000 };

static struct test_report report;

/* Loads the pair; what is reported is in `report`. */
static int load(struct certificate *c, const struct certificate_options *pair)
{
    test_report_init(&report);
    static const struct certificate_paths paths = {"tls.certificates.[0].chain", "tls.certificates.[0].key"};
    return certificate_load(c, pair, &paths, 14u * DAY_MS, &report.report);
}

Test(certificate, names_are_those_of_the_certificate_in_lower_case)
{
    struct certificate_options pair = {0};
    struct certificate c;
    make_pair(&pair, "a", (struct wanted){.names = "DNS:Mail.Example.ORG,IP:192.0.2.1,email:joe@example.org,DNS:*.example.net"});
    cr_assert_eq(load(&c, &pair), 0, "%s", report.text);
    cr_expect_str_eq(report.text, "");
    cr_assert_eq(c.name_count, 2);
    cr_expect_str_eq(c.names[0], "mail.example.org");
    cr_expect_str_eq(c.names[1], "*.example.net");
    static const struct {
        const char *name;
        bool covers;
    } rows[] = {
        {"mail.example.org", true}, {"imap.example.org", false}, {"example.org", false}, {"a.example.net", true},
        {"example.net", false}, {"a.b.example.net", false}, {"common.example", false}, {"", false}, {".example.net", true},
        {"mail.example.org.", false}, {"192.0.2.1", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].name[0] != '.') { /* no name begins with a dot: tls.c never asks */
            cr_expect_eq(certificate_covers(&c, rows[i].name), rows[i].covers, "%s", rows[i].name);
        }
    }
    certificate_free(&c);
    option_free(&certificate_option_table, &pair);
}

Test(certificate, without_a_name_is_taken_and_covers_nothing)
{
    struct certificate_options pair = {0};
    struct certificate c;
    make_pair(&pair, "a", (struct wanted){.type = KEY_RSA});
    cr_assert_eq(load(&c, &pair), 0, "%s", report.text);
    cr_expect_eq(c.name_count, 0);
    cr_expect(!certificate_covers(&c, "common.example"));
    certificate_free(&c);
    option_free(&certificate_option_table, &pair);
}

Test(certificate, that_is_out_of_date_is_taken_with_a_warning)
{
    static const struct {
        const char *name;
        long from, to;
        const char *warning; /* NULL: none */
    } rows[] = {
        {"valid", -1, 30, NULL}, {"expired", -30, -1, "has expired"}, {"soon", -1, 10, "expires soon"},
        {"not yet", 1, 30, "is not valid yet"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct certificate_options pair = {0};
        struct certificate c;
        make_pair(&pair, "a", (struct wanted){.from_days = rows[i].from, .to_days = rows[i].to});
        cr_assert_eq(load(&c, &pair), 0, "%s: %s", rows[i].name, report.text);
        if (rows[i].warning == NULL) {
            cr_expect_str_eq(report.text, "", "%s: %s", rows[i].name, report.text);
        } else {
            cr_expect_eq(strncmp(report.text, "warning tls.certificates.[0].chain: ", 36), 0, "%s", report.text);
            cr_expect_not_null(strstr(report.text, rows[i].warning), "%s: %s", rows[i].name, report.text);
        }
        certificate_free(&c);
        option_free(&certificate_option_table, &pair);
    }
}

Test(certificate, chain_with_intermediates_is_read_whole)
{
    struct certificate_options pair = {0}, other = {0};
    struct certificate c;
    char both[16384];
    make_pair(&pair, "leaf", (struct wanted){0});
    make_pair(&other, "intermediate", (struct wanted){0});
    size_t len = (size_t)snprintf(both, sizeof both, "%s", file_text(pair.chain));
    len += (size_t)snprintf(both + len, sizeof both - len, "%s%s", file_text(other.chain), file_text(other.chain));
    temp_file("leaf.crt", both, len);
    cr_assert_eq(load(&c, &pair), 0, "%s", report.text);
    cr_expect_eq(sk_X509_num(c.chain), 2);
    certificate_free(&c);
    temp_file("leaf.crt", both, len - 100);
    cr_expect_eq(load(&c, &pair), -1);
    cr_expect_not_null(strstr(report.text, "error tls.certificates.[0].chain: "), "%s", report.text);
    cr_expect_not_null(strstr(report.text, "damaged"), "%s", report.text);
    option_free(&certificate_option_table, &pair);
    option_free(&certificate_option_table, &other);
}

Test(certificate, and_key_may_stand_in_one_file)
{
    struct certificate_options pair = {0};
    struct certificate c;
    char both[16384];
    make_pair(&pair, "a", (struct wanted){0});
    size_t len = (size_t)snprintf(both, sizeof both, "%s", file_text(pair.key));
    len += (size_t)snprintf(both + len, sizeof both - len, "%s", file_text(pair.chain));
    temp_file("a.crt", both, len);
    temp_file("a.key", both, len);
    cr_expect_eq(load(&c, &pair), 0, "%s", report.text);
    certificate_free(&c);
    option_free(&certificate_option_table, &pair);
}

Test(certificate, errors_name_the_option_and_the_file)
{
    struct certificate_options good = {0}, locked = {0}, other = {0}, old = {0};
    struct certificate c;
    make_pair(&good, "good", (struct wanted){0});
    make_pair(&other, "other", (struct wanted){0});
    make_pair(&old, "rsa", (struct wanted){.type = KEY_RSA});
    make_pair(&locked, "locked", (struct wanted){.passphrase = "open sesame"});
    char *missing = strdup(temp_path("missing")), *text = strdup(temp_file("text", "not PEM\n", 8));
    char *empty = strdup(temp_file("empty", "", 0)), all[16384];
    size_t len = (size_t)snprintf(all, sizeof all, "%s", file_text(other.chain));
    len += (size_t)snprintf(all + len, sizeof all - len, "%s", file_text(good.chain));
    char *reversed = strdup(temp_file("reversed", all, len));
    const struct {
        const char *name;
        char *chain, *key;
        const char *wanted;
    } rows[] = {
        {"chain is missing", missing, good.key, "[0].chain: cannot read"},
        {"key is missing", good.chain, missing, "[0].key: cannot read"},
        {"chain is a folder", (char *)"/", good.key, "[0].chain: "},
        {"chain is text", text, good.key, "[0].chain: no certificate in PEM format"},
        {"chain is empty", empty, good.key, "[0].chain: no certificate in PEM format"},
        {"chain is the key", good.key, good.key, "[0].chain: no certificate in PEM format"},
        {"key is text", good.chain, text, "[0].key: no private key in PEM format"},
        {"key is the chain", good.chain, good.chain, "[0].key: no private key in PEM format"},
        {"key of another", good.chain, other.key, "[0].key: the key in"},
        {"key of another type", good.chain, old.key, "[0].key: the key in"},
        {"key of a later one", reversed, good.key, "[0].chain: the key in"},
        {"key of a later one, which is said", reversed, good.key, "must begin with the server's own certificate"},
        {"key of none of them", reversed, old.key, "[0].key: the key in"},
        {"key with a passphrase", locked.chain, locked.key, "passphrase"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct certificate_options pair = {rows[i].chain, rows[i].key};
        cr_expect_eq(load(&c, &pair), -1, "%s", rows[i].name);
        cr_expect_eq(report.report.errors, 1, "%s: %s", rows[i].name, report.text);
        cr_expect_not_null(strstr(report.text, rows[i].wanted), "%s: %s", rows[i].name, report.text);
        cr_expect(c.leaf == NULL && c.key == NULL && c.chain == NULL && c.names == NULL, "%s", rows[i].name);
    }
    struct certificate_options both = {missing, missing};
    cr_expect_eq(load(&c, &both), -1);
    cr_expect_eq(report.report.errors, 2, "both are reported: %s", report.text);
    free(missing);
    free(text);
    free(empty);
    free(reversed);
    option_free(&certificate_option_table, &good);
    option_free(&certificate_option_table, &other);
    option_free(&certificate_option_table, &old);
    option_free(&certificate_option_table, &locked);
}

Test(certificate, a_key_that_everybody_can_read_is_warned_about)
{
    struct certificate_options pair = {0};
    struct certificate c;
    make_pair(&pair, "a", (struct wanted){0});
    cr_assert_eq(chmod(pair.key, 0644), 0);
    cr_assert_eq(load(&c, &pair), 0);
    cr_expect_not_null(strstr(report.text, "warning tls.certificates.[0].key: "), "%s", report.text);
    certificate_free(&c);
    option_free(&certificate_option_table, &pair);
}
