/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/config_check.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

TestSuite(config_check, .fini = test_over);

#define TLS "tls = { certificates = ( { chain = \"/c\"; key = \"/k\"; } ); };\n"
#define LISTENER(address) "{ name = \"a\"; address = \"" address "\"; tls = \"starttls\"; }"
#define OTHER(address) "{ name = \"b\"; address = \"" address "\"; tls = \"implicit\"; }"
#define LISTENERS(list) "listeners = ( " list " );\n"
#define BACKEND(rest) "backends = ( { name = \"old\"; address = " rest "; } );\n"

/* What is said of a configuration, without the name of the file. `backends`: look their names up. */
static const char *checked(const char *text, bool backends, const struct account *account)
{
    static char out[8192];
    static const struct account none;
    struct config config;
    struct config_source source;
    const char *path = temp_file("imapguard.conf", text, strlen(text));
    capture_begin();
    cr_assert_eq(config_load(&config, &source, path), 0);
    struct backends_options options = {.backends = &config.backends, .routes = &config.routes, .capabilities = &config.capabilities};
    struct arena arena;
    arena_init(&arena, 1);
    struct backends *made = backends ? backends_new(&options, &arena, &source.report) : NULL;
    config_check(&config, made, account != NULL ? account : &none, &source.report);
    backends_free(made);
    arena_fini(&arena);
    config_source_fini(&source);
    config_free(&config);
    size_t n = 0;
    for (const char *line = capture_end(); *line != '\0'; line = strchr(line, '\n') + 1) {
        line += strlen(path);
        n += (size_t)snprintf(out + n, sizeof out - n, "%.*s\n", (int)strcspn(line, "\n"), line);
    }
    out[n] = '\0';
    return out;
}

Test(config_check, two_listeners_on_one_address_are_refused)
{
    static const struct {
        const char *text;
        bool refused;
    } rows[] = {
        {LISTENERS(LISTENER("127.0.0.1:143") ",\n" OTHER("127.0.0.1:143")), true},
        {LISTENERS(LISTENER("127.0.0.1:143") ",\n" OTHER("127.0.0.1:993")), false},
        {LISTENERS(LISTENER("127.0.0.1:143") ",\n" OTHER("127.0.0.2:143")), false},
        {LISTENERS(LISTENER("*:143") ",\n" OTHER("127.0.0.1:143")), true},
        {LISTENERS(LISTENER("[::1]:143") ",\n" OTHER("*:143")), true},
        {LISTENERS(LISTENER("*:143") ",\n" OTHER("[::]:143")), true},
        {LISTENERS(LISTENER("*:143") ",\n" OTHER("*:144")), false},
        {LISTENERS(LISTENER("0.0.0.0:143") ",\n" OTHER("192.0.2.1:143")), true},
        {LISTENERS(LISTENER("0.0.0.0:143") ",\n" OTHER("[::]:143")), false},
        {LISTENERS(LISTENER("0.0.0.0:143") ",\n" OTHER("[2001:db8::1]:143")), false},
        {LISTENERS(LISTENER("[2001:db8:0::1]:143") ",\n" OTHER("[2001:DB8::0001]:0143")), true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[1024];
        snprintf(text, sizeof text, "%s%s", rows[i].text, TLS BACKEND("\"127.0.0.1:1\""));
        const char *got = checked(text, false, NULL);
        bool refused = strncmp(got, ":2: listeners.[1].address: expected an address and port that no other listener has, found", 86) == 0;
        cr_expect_eq(refused, rows[i].refused, "%s: %s", rows[i].text, got);
        cr_expect(refused || got[0] == '\0', "%s: %s", rows[i].text, got);
    }
}

Test(config_check, a_listener_that_nobody_reaches_is_refused)
{
    static const struct {
        const char *listener, *want; /* NULL: it is good */
    } rows[] = {
        {LISTENER("[::ffff:192.0.2.1]:143"), "found \"[::ffff:192.0.2.1]:143\": write \"192.0.2.1:143\"\n"},
        {LISTENER("[::ffff:c000:201]:993"), "write \"192.0.2.1:993\"\n"}, {LISTENER("[::ffff:0.0.0.0]:143"), "write \"0.0.0.0:143\"\n"},
        {LISTENER("[fe80::1]:143"), "a link-local address: write that of an interface, or \"[::]:143\" for all\n"},
        {LISTENER("[ff02::1]:143"), "a multicast address: write that of an interface, or \"[::]:143\" for all\n"},
        {LISTENER("224.0.0.1:143"), "a multicast address: write that of an interface, or \"0.0.0.0:143\" for all\n"},
        {LISTENER("239.255.255.255:143"), "a multicast address"}, {LISTENER("255.255.255.255:143"), "the broadcast address"},
        {LISTENER("[::ffff:224.0.0.1]:143"), "a multicast address: write that of an interface, or \"0.0.0.0:143\" for all\n"},
        {LISTENER("*:143"), NULL}, {LISTENER("[::]:143"), NULL}, {LISTENER("[fd00::1]:143"), NULL}, {LISTENER("223.255.255.255:143"), NULL},
        {LISTENER("240.0.0.1:143"), NULL}, {LISTENER("[fec0::1]:143"), NULL}, {LISTENER("0.0.0.0:143"), NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[1024];
        snprintf(text, sizeof text, "listeners = ( %s );\n" TLS BACKEND("\"192.0.2.9:1\""), rows[i].listener);
        const char *got = checked(text, false, NULL);
        if (rows[i].want == NULL) {
            cr_expect_str_eq(got, "", "%s: %s", rows[i].listener, got);
        } else {
            cr_expect_eq(strncmp(got, ":1: listeners.[0].address: expected an ", 39), 0, "%s: %s", rows[i].listener, got);
            cr_expect_not_null(strstr(got, rows[i].want), "%s: %s", rows[i].listener, got);
        }
    }
}

/* An address of this host that is not a loopback address does not exist everywhere: integration tests have one. */
Test(config_check, a_backend_that_is_a_listener_is_refused)
{
    static const struct {
        const char *listener, *backend;
        bool lookup, refused;
    } rows[] = {
        {LISTENER("127.0.0.1:143"), "\"127.0.0.1:143\"", false, true},
        {LISTENER("127.0.0.1:143"), "\"127.0.0.1:144\"", false, false},
        {LISTENER("127.0.0.1:143"), "\"127.0.0.2:143\"", false, false},
        {LISTENER("127.0.0.1:143"), "\"0.0.0.0:143\"", false, true},
        {LISTENER("127.0.0.2:143"), "\"0.0.0.0:143\"", false, false},
        {LISTENER("[::1]:143"), "\"[::]:143\"", false, true},
        {LISTENER("[::1]:143"), "\"127.0.0.1:143\"", false, false},
        {LISTENER("*:143"), "\"127.8.9.1:143\"", false, true},
        {LISTENER("*:143"), "\"[::1]:143\"", false, true},
        {LISTENER("*:143"), "\"[::ffff:127.0.0.1]:143\"", false, true},
        {LISTENER("*:143"), "\"192.0.2.1:143\"", false, false},
        {LISTENER("*:143"), "\"[2001:db8::1]:143\"", false, false},
        {LISTENER("*:143"), "\"unix:/run/imap:143\"", false, false},
        {LISTENER("0.0.0.0:143"), "\"[::1]:143\"", false, false},
        {LISTENER("[::]:143"), "\"[::1]:143\"", false, true},
        {LISTENER("192.0.2.1:143"), "\"192.0.2.1:143\"", false, true},
        {LISTENER("127.0.0.1:993") ", " OTHER("127.0.0.1:143"), "\"127.0.0.1:143\"", false, true},
        {LISTENER("*:143"), "\"localhost:143\"", true, true},
        {LISTENER("*:143"), "\"localhost:144\"", true, false},
        {LISTENER("*:143"), "\"localhost:143\"", false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[1024];
        snprintf(text, sizeof text, "listeners = ( %s );\n" TLS "backends = ( { name = \"old\"; address = %s; } );\n", rows[i].listener,
                 rows[i].backend);
        const char *got = checked(text, rows[i].lookup, NULL);
        bool refused = strncmp(got, ":3: backends.[0].address: expected the address of an IMAP server, found", 71) == 0;
        cr_expect_eq(refused, rows[i].refused, "%s, %s: %s", rows[i].listener, rows[i].backend, got);
        cr_expect(refused || got[0] == '\0', "%s, %s: %s", rows[i].listener, rows[i].backend, got);
    }
}

Test(config_check, a_backend_without_an_address_is_passed_over)
{
    const char *got = checked(LISTENERS(LISTENER("*:143")) TLS BACKEND("\"localhost\""), true, NULL);
    cr_expect_eq(strncmp(got, ":3: backends.[0].address: expected HOST:PORT", 44), 0, "%s", got);
}

Test(config_check, options_of_tls_at_a_backend_without_tls)
{
#define HAS ": expected tls = \"starttls\" or \"implicit\" with it, found tls = \"none\""
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define WARN ": has no effect with tls = \"none\""
    static const struct {
        const char *options, *want;
    } rows[] = {
        {"", ""}, {"ca_file = \"/ca\";", ":4: backends.[0].ca_file" HAS}, {"tls = \"none\"; ca_file = \"/ca\";", ":4: backends.[0].ca_file" HAS},
        {"certificate = \"/c\";", ":4: backends.[0].certificate" HAS}, {"key = \"/k\";", ":4: backends.[0].key" HAS},
        {"fingerprint = [ \"sha256:" HEX64 "\" ];", ":4: backends.[0].fingerprint" HAS}, {"fingerprint = [ ];", ""},
        {"ca_file = \"\"; certificate = \"\"; key = \"\"; server_name = \"\";", ""},
        {"server_name = \"x\";", ":4: warning: backends.[0].server_name" WARN}, {"verify = true; legacy_tls = false;", ""},
        {"verify = false;", ":4: warning: backends.[0].verify" WARN}, {"legacy_tls = true;", ":4: warning: backends.[0].legacy_tls" WARN},
        {"tls = \"implicit\"; ca_file = \"/ca\"; verify = true; server_name = \"x\"; legacy_tls = true;", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[1024];
        snprintf(text, sizeof text, LISTENERS(LISTENER("*:143")) TLS "backends = ( { name = \"old\"; address = \"127.0.0.1:1\";\n%s } );\n",
                 rows[i].options);
        const char *got = checked(text, false, NULL);
        cr_expect_eq(strncmp(got, rows[i].want, strlen(rows[i].want)), 0, "%s: %s", rows[i].options, got);
        cr_expect(got[0] == '\0' || rows[i].want[0] != '\0', "%s: %s", rows[i].options, got);
    }
}

Test(config_check, a_backend_that_is_never_told_the_clients_address)
{
#define HIDDEN ":5: warning: backends.[1].forward_id: with false and proxy_protocol = \"none\", all clients are one to the server \"old\""
    static const struct {
        const char *options, *want;
    } rows[] = {
        {"", ""}, {"forward_id = true;", ""}, {"forward_id = false;", HIDDEN}, {"forward_id = false; proxy_protocol = \"none\";", HIDDEN},
        {"forward_id = false; check_interval = \"0s\";", HIDDEN}, {"forward_id = false; proxy_protocol = \"v1\";", ""},
        {"forward_id = false; proxy_protocol = \"v2\";", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[1024];
        snprintf(text, sizeof text, LISTENERS(LISTENER("*:143")) TLS "backends = ( { name = \"new\"; address = \"127.0.0.1:1\"; },\n"
                 "{ name = \"old\"; address = \"unix:/imap\";\n%s } );\n", rows[i].options);
        const char *got = checked(text, false, NULL);
        cr_expect_eq(strncmp(got, rows[i].want, strlen(rows[i].want)), 0, "%s: %s", rows[i].options, got);
        cr_expect(got[0] == '\0' || rows[i].want[0] != '\0', "%s: %s", rows[i].options, got);
    }
}

Test(config_check, a_log_file_that_the_account_cannot_open_again)
{
    if (geteuid() != 0) {
        cr_skip_test("needs root: the account is used by root only");
    }
    const struct account nobody = {true, 65534, 65534};
    char top[512], inner[600], text[2048], want[2048];
    snprintf(top, sizeof top, "%s", temp_path("top"));
    snprintf(inner, sizeof inner, "%s/inner", top);
    cr_assert(mkdir(top, 0755) == 0 && mkdir(inner, 0700) == 0);
    char above[512];
    snprintf(above, sizeof above, "%s", top);
    *strrchr(above, '/') = '\0'; /* temp_path()'s folder is closed too */
    static const struct {
        mode_t above, inner;
        int closed; /* 0: none */
    } rows[] = {{0755, 0755, 0}, {0755, 0711, 0}, {0755, 0700, 2}, {0700, 0755, 1}, {0711, 0710, 2}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_assert(chmod(above, rows[i].above) == 0 && chmod(inner, rows[i].inner) == 0);
        snprintf(text, sizeof text, LISTENERS(LISTENER("*:143")) TLS BACKEND("\"127.0.0.1:1\"") "user = \"nobody\"; log = { target = \"%s/log\"; };\n", inner);
        snprintf(want, sizeof want, ":4: log.target: expected a path that the account \"nobody\" can follow, found \"%s/log\": it may not enter "
                 "%s, and", inner, rows[i].closed == 1 ? above : inner);
        const char *got = checked(text, false, &nobody);
        if (rows[i].closed == 0) {
            cr_expect_str_eq(got, "", "%zu: %s", i, got);
        } else {
            cr_expect_eq(strncmp(got, want, strlen(want)), 0, "%zu: %s", i, got);
        }
    }
    const struct account same = {.change = false};
    const char *got = checked(text, false, &same);
    cr_expect_str_eq(got, "", "%s", got);
}
