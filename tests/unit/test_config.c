/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/certificate.h"
#include "support.h"

TestSuite(config, .fini = test_over);

#define LISTENERS "listeners = ( { name = \"imap\"; address = \"*:143\"; tls = \"starttls\"; } );\n"
#define TLS "tls = { certificates = ( { chain = \"/c\"; key = \"/k\"; } ); };\n"
#define BACKENDS "backends = ( { name = \"old\"; address = \"127.0.0.1:1143\"; } );\n"
#define LEAST LISTENERS TLS BACKENDS
#define BRACKETS "( ( ( ( ( ( ( ( ( ( ( ( ( ( ( "

/* Loads the text as a file; what is printed, with the file's path cut off, or "" when nothing is. */
static const char *printed(struct config *config, struct config_source *source, const char *text)
{
    static char out[64 * 1024];
    const char *path = temp_file("imapguard.conf", text, strlen(text));
    capture_begin();
    int result = config_load(config, source, path);
    const char *all = capture_end();
    size_t n = 0;
    for (const char *line = all; *line != '\0'; line = strchr(line, '\n') + 1) {
        cr_assert_eq(strncmp(line, path, strlen(path)), 0, "each line begins with the file: %s", line);
        line += strlen(path);
        n += (size_t)snprintf(out + n, sizeof out - n, "%.*s\n", (int)strcspn(line, "\n"), line);
    }
    out[n] = '\0';
    cr_assert(result == 0 || n > 0, "a failure is told");
    if (result != 0) {
        *config = (struct config){0};
    }
    return out;
}

static void forget(struct config *config, struct config_source *source)
{
    config_source_fini(source);
    config_source_fini(source);
    config_free(config);
}

Test(config, the_least_file_leaves_everything_else_at_its_default)
{
    struct config c;
    struct config_source source;
    const char *got = printed(&c, &source, LEAST);
    cr_assert_str_eq(got, "", "%s", got);
    cr_expect_eq(source.report.errors, 0);
    cr_expect_str_eq(c.user, "imapguard");
    cr_expect(c.workers == 0 && c.max_sessions == 0);
    cr_assert(c.listeners.count == 1 && c.backends.count == 1 && c.tls.certificates.count == 1);
    const struct listener_options *listener = c.listeners.items;
    cr_expect_str_eq(listener->name, "imap");
    cr_expect_str_eq(listener->address, "*:143");
    cr_expect(listener->tls == LISTENER_STARTTLS && listener->alpn == LISTENER_ALPN_STRICT);
    const struct backend_options *backend = c.backends.items;
    cr_expect_str_eq(backend->address, "127.0.0.1:1143");
    cr_expect(backend->connect_timeout_ms == 5000 && backend->greeting_timeout_ms == 8000 && backend->login_timeout_ms == 30000);
    cr_expect_eq(c.tls.min_version, 2);
    cr_expect(c.tls.session_tickets && !c.tls.legacy_clients);
    cr_expect(c.limits.login_attempts == 3 && c.limits.login_delay_ms == 2000 && c.limits.login_delay_max_ms == 15000);
    cr_expect(c.limits.handshake_timeout_ms == 15000 && c.limits.login_timeout_ms == 180000);
    cr_expect_eq(c.limits.idle_timeout_ms, 31 * 60 * 1000);
    cr_expect_str_eq(c.log.target, "syslog");
    cr_expect_eq(c.log.level, LOG_LEVEL_INFO);
    forget(&c, &source);
}

Test(config, every_type_of_option_is_read)
{
    struct config c;
    struct config_source source;
    const char *got = printed(&c, &source,
        "user = \"nobody\"; workers = 4; max_sessions = 100;\n"
        "listeners = ( { name = \"a\"; address = \"127.0.0.1:143\"; tls = \"starttls\"; alpn = \"lenient\"; },\n"
        "  { name = \"b\"; address = \"[::1]:993\"; tls = \"implicit\"; } );\n"
        "tls: { certificates: ( { chain: \"/c1\", key: \"/k1\" }, { chain: \"/c2\", key: \"/k2\" } ), legacy_clients: true,\n"
        "  session_tickets: FALSE, ticket_rotation: \"1h\" }\n"
        "backends = ( { name = \"old\"; address = \"unix:/run/imap\"; connect_timeout = \"500ms\"; } );\n"
        "limits = { login_attempts = 0x10; idle_timeout = \"1h\"; login_delay = \"0s\"; };\n"
        "log = { target = \"/var/log/x\"; level = \"debug\"; facility = \"local3\"; };\n");
    cr_assert_str_eq(got, "", "%s", got);
    cr_expect_str_eq(c.user, "nobody");
    cr_expect(c.workers == 4 && c.max_sessions == 100);
    const struct listener_options *listeners = c.listeners.items;
    cr_assert_eq(c.listeners.count, 2);
    cr_expect(listeners[0].alpn == LISTENER_ALPN_LENIENT && listeners[1].tls == LISTENER_IMPLICIT);
    const struct certificate_options *certificates = c.tls.certificates.items;
    cr_assert_eq(c.tls.certificates.count, 2);
    cr_expect_str_eq(certificates[1].key, "/k2");
    cr_expect(c.tls.legacy_clients && !c.tls.session_tickets && c.tls.ticket_rotation_ms == 3600000);
    cr_expect_eq(((const struct backend_options *)c.backends.items)->connect_timeout_ms, 500);
    cr_expect(c.limits.login_attempts == 16 && c.limits.idle_timeout_ms == 3600000 && c.limits.login_delay_ms == 0);
    cr_expect_str_eq(c.log.target, "/var/log/x");
    cr_expect(c.log.level == LOG_LEVEL_DEBUG && log_facility(c.log.facility) != log_facility(0));
    forget(&c, &source);
}

Test(config, what_is_wrong_is_told_with_its_line_its_key_and_what_was_expected)
{
    static const struct {
        const char *name, *text;
        const char *want; /* each line that is printed begins with the line of `want` in its place */
    } rows[] = {
        {"unknown", LEAST "colour = 1;\n", ":4: colour: unknown key; there are user, workers, max_sessions, hang_timeout, listeners, tls, backends, routes, "
         "capabilities, geoip, access, limits, log\n"},
        {"near", LEAST "\nusr = \"x\";\n", ":5: usr: unknown key; did you mean \"user\"?\n"},
        {"near, within", LEAST "limits = {\n  idle_timeuot = \"1h\";\n};\n",
         ":5: limits.idle_timeuot: unknown key; did you mean \"idle_timeout\"?\n"},
        {"near, within a list", "listeners = (\n  { name = \"a\"; address = \"*:1\"; tls = \"starttls\"; alpm = \"strict\"; } );\n" TLS BACKENDS,
         ":2: listeners.[0].alpm: unknown key; did you mean \"alpn\"?\n"},
        {"number for a string", LEAST "user = 5;\n", ":4: user: expected a string, found the number 5\n"},
        {"string for a number", LEAST "workers = \"2\";\n", ":4: workers: expected a number, found a string\n"},
        {"fraction for a number", LEAST "workers = 2.5;\n", ":4: workers: expected a number from 0 to 256, found \"2.5\"\n"},
        {"flag for a number", LEAST "workers = true;\n", ":4: workers: expected a number, found true or false\n"},
        {"number that is too large", LEAST "workers = 257;\n", ":4: workers: expected a number from 0 to 256, found \"257\"\n"},
        {"number that is too small", LEAST "workers = -1;\n", ":4: workers: expected a number from 0 to 256, found \"-1\"\n"},
        {"64-bit number", LEAST "workers = 4294967297L;\n", ":4: workers: expected a number from 0 to 256, found \"4294967297L\"\n"},
        {"32 bits and more", LEAST "max_sessions = 4294967301;\n", ":4: max_sessions: expected a number from 0 to 10000000, found \"4294967301\"\n"},
        {"64 bits and more", LEAST "max_sessions = 18446744073709551617;\n",
         ":4: max_sessions: expected a number from 0 to 10000000, found \"18446744073709551617\"\n"},
        {"hexadecimal, too large", LEAST "max_sessions = 0x100000005;\n", ":4: max_sessions: expected a number from 0 to 10000000, found \"0x100000005\"\n"},
        {"negative, 32 bits and more", LEAST "max_sessions = -4294967291;\n", ":4: max_sessions: expected a number from 0 to 10000000, found \"-4294967291\"\n"},
        {"number with a letter", LEAST "workers = 3s;\n", ":4: workers: expected a number from 0 to 256, found \"3s\"\n"},
        {"duration without quotes", LEAST "limits = { idle_timeout = 30m; };\n",
         ":4: limits.idle_timeout: expected a duration with its unit, in quotes, such as \"90s\" or \"15m\", found 30m without quotes\n"},
        {"number for a duration", LEAST "limits = { idle_timeout = 30; };\n", ":4: limits.idle_timeout: expected a duration"},
        {"malformed duration", LEAST "limits = { idle_timeout = \"30\"; };\n", ":4: limits.idle_timeout: expected a duration"},
        {"duration out of range", LEAST "limits = { idle_timeout = \"2d\"; };\n", ":4: limits.idle_timeout: expected a duration from "},
        {"string for a flag", LISTENERS BACKENDS "tls = { certificates = ( { chain = \"/c\"; key = \"/k\"; } ); session_tickets = \"yes\"; };\n",
         ":3: tls.session_tickets: expected true or false, found a string\n"},
        {"unknown choice", LEAST "log = { level = \"loud\"; };\n",
         ":4: log.level: expected \"error\", \"warning\", \"info\" or \"debug\", found \"loud\"\n"},
        {"checked text", LEAST "log = { target = \"file\"; };\n",
         ":4: log.target: expected \"syslog\", \"stderr\" or a path that begins with /, found \"file\"\n"},
        {"string for a group", LEAST "log = \"syslog\";\n", ":4: log: expected a group { ... }, found \"syslog\"\n"},
        {"list for a group", LEAST "log = ( );\n", ":4: log: expected a group { ... }, found a list ( ... )\n"},
        {"group for a list", TLS BACKENDS "listeners = { name = \"a\"; };\n",
         ":3: listeners: expected a list of groups ( { ... } ), found a group { ... }\n"},
        {"array for a list", TLS BACKENDS "listeners = [ \"a\" ];\n",
         ":3: listeners: expected a list of groups ( { ... } ), found an array [ ... ]\n"},
        {"strings in a list", TLS BACKENDS "listeners = (\n  \"a\" );\n", ":4: listeners.[0]: expected a group { ... }, found a string\n"},
        {"missing at the top", LISTENERS BACKENDS, ":1: tls: missing: expected a group { ... }\n"},
        {"missing within", LISTENERS BACKENDS "tls = {\n};\n", ":3: tls.certificates: missing: expected a list of groups"},
        {"missing within a list", LISTENERS TLS "backends = (\n  { name = \"a\"; } );\n",
         ":4: backends.[0].address: missing: expected a string\n"},
        {"everything is missing", "", ":1: listeners: missing: expected a list of groups\n:1: tls: missing: expected a group\n"
                                      ":1: backends: missing: expected a list of groups\n"},
        {"no listener", TLS BACKENDS "listeners = ( );\n", ":3: listeners: expected at least one listener, such as { name = \"imap\"; address = \"*:143\"; tls = \"starttls\"; }, found none\n"},
        {"a name twice", TLS BACKENDS "listeners = ( { name = \"a\"; address = \"*:1\"; tls = \"starttls\"; },\n"
                                      "  { name = \"a\"; address = \"*:2\"; tls = \"starttls\"; } );\n",
         ":4: listeners.[1].name: expected a name of its own, found \"a\" twice\n"},
        {"a name that cannot be logged", TLS BACKENDS "listeners = ( { name = \"a b\"; address = \"*:1\"; tls = \"starttls\"; } );\n",
         ":3: listeners.[0].name: expected a name of 1 to 32 letters, digits, \"-\", \"_\" and \".\", found \"a b\"\n"},
        {"an address by name", TLS BACKENDS "listeners = ( { name = \"a\"; address = \"localhost:1\"; tls = \"starttls\"; } );\n",
         ":3: listeners.[0].address: expected ADDRESS:PORT, [IPV6]:PORT or *:PORT, found \"localhost:1\"\n"},
        {"a backend without a port", LISTENERS TLS "backends = ( { name = \"a\"; address = \"localhost\"; } );\n",
         ":3: backends.[0].address: expected HOST:PORT, [IPV6]:PORT or unix:/PATH, found \"localhost\"\n"},
        {"limits that contradict each other", LEAST "limits = { login_delay = \"20s\"; };\n",
         ":4: limits.login_delay_max: expected no less than login_delay (20000 ms), found 15000 ms\n"},
        {"a network that is none", LEAST "access = ( { name = \"a\"; action = \"deny\";\n  networks = [ \"10.0.0.0/8\",\n    \"10.0.0.0/33\" ]; } );\n",
         ":6: access.[0].networks.[1]: expected a network such as \"192.0.2.0/24\" or \"2001:db8::/32\", or an address, found \"10.0.0.0/33\"\n"},
        {"a country that is none", LEAST "access = ( { name = \"a\"; action = \"deny\"; countries = [ \"XYZ\" ]; } );\n",
         ":4: access.[0].countries.[0]: expected a country code of ISO 3166-1 in capitals"},
        {"a country in small letters", LEAST "access = ( { name = \"a\"; action = \"deny\"; countries = [ \"de\" ]; } );\n",
         ":4: access.[0].countries.[0]: expected a country code of ISO 3166-1 in capitals"},
        {"a country nobody has", LEAST "access = ( { name = \"a\"; action = \"deny\"; countries = [ \"UK\" ]; } );\n",
         ":4: access.[0].countries.[0]: expected a country code"},
        {"a continent that is none", LEAST "access = ( { name = \"a\"; action = \"deny\"; continents = [ \"EUR\" ]; } );\n",
         ":4: access.[0].continents.[0]: expected \"AF\", \"AN\""},
        {"an AS that is none", LEAST "access = ( { name = \"a\"; action = \"deny\"; asns = [ 0 ]; } );\n",
         ":4: access.[0].asns.[0]: expected a number from 1 to 4294967295, found \"0\"\n"},
        {"an AS as a string", LEAST "access = ( { name = \"a\"; action = \"deny\"; asns = [ \"AS1\" ]; } );\n",
         ":4: access.[0].asns.[0]: expected a number, found a string\n"},
        {"an AS that is too large", LEAST "access = ( { name = \"a\"; action = \"deny\"; asns = [ 7,\n  4294967296, 0xFFFFFFFF ]; } );\n",
         ":5: access.[0].asns.[1]: expected a number from 1 to 4294967295, found \"4294967296\"\n"},
        {"an empty user", LEAST "access = ( { name = \"a\"; action = \"deny\"; users = [ \"\" ]; } );\n",
         ":4: access.[0].users.[0]: expected the name of a user"},
        {"an action that is none", LEAST "access = ( { name = \"a\"; action = \"drop\"; } );\n",
         ":4: access.[0].action: expected \"allow\", \"deny\" or \"tarpit\", found \"drop\"\n"},
        {"a rule without a name", LEAST "access = ( { action = \"deny\"; } );\n", ":4: access.[0].name: missing: expected a string\n"},
        {"a rule's name twice", LEAST "access = ( { name = \"a\"; action = \"deny\"; },\n  { name = \"a\"; action = \"deny\"; } );\n",
         ":5: access.[1].name: expected a name of its own, found \"a\" twice\n"},
        {"a string for an array", LEAST "access = ( { name = \"a\"; action = \"deny\"; networks = \"10.0.0.0/8\"; } );\n",
         ":4: access.[0].networks: expected an array of strings [ \"...\", \"...\" ], found a string\n"},
        {"numbers for strings", LEAST "access = ( { name = \"a\"; action = \"deny\"; users = [ 1 ]; } );\n",
         ":4: access.[0].users.[0]: expected a string, found the number 1\n"},
        {"a load balancer that is none", TLS BACKENDS "listeners = ( { name = \"a\"; address = \"*:1\"; tls = \"starttls\"; proxy_protocol = [ \"lb\" ]; } );\n",
         ":3: listeners.[0].proxy_protocol.[0]: expected a network such as"},
        {"a rate in no time", LEAST "limits = { connection_rate = \"10/0m\"; };\n",
         ":4: limits.connection_rate: expected a rate \"COUNT/DURATION\", such as \"120/1m\", found \"10/0m\"\n"},
        {"a rate without a duration", LEAST "limits = { login_failures = \"10\"; };\n", ":4: limits.login_failures: expected a rate"},
        {"a rate of nothing", LEAST "limits = { login_failures = \"0/1m\"; };\n",
         ":4: limits.login_failures: expected a rate with a count from 1 to 1000000, found \"0/1m\"\n"},
        {"a number for a rate", LEAST "limits = { login_failures = 10; };\n",
         ":4: limits.login_failures: expected a rate, in quotes, such as \"120/1m\", found the number 10\n"},
        {"a prefix that is too long", LEAST "limits = { ipv4_prefix = 33; };\n", ":4: limits.ipv4_prefix: expected a number from 8 to 32"},
        {"bans that contradict each other", LEAST "limits = { ban_time = \"2d\"; };\n",
         ":4: limits.ban_time_max: expected no less than ban_time (172800 s), found 86400 s\n"},
        {"a state file by its name", LEAST "limits = { state_file = \"bans\"; };\n", ":4: limits.state_file: expected an absolute path, or \"\""},
        {"a database by its name", LEAST "geoip = { country = \"c.mmdb\"; };\n", ":4: geoip.country: expected an absolute path, or \"\""},
        {"all errors are told", "usr = 1;\nworkers = \"x\";\n" LEAST "log = { level = 1; };\n",
         ":1: usr: unknown key\n:2: workers: expected a number\n:6: log.level: expected a string, found the number 1\n"},
        {"no value", LEAST "user = ;\n", ":4: syntax error: expected a value for \"user\", found \";\" in: user = ;\n"},
        {"no quotes", LEAST "  user = nobody;\n",
         ":4: syntax error: expected a value for \"user\" (a string stands in quotes), found \"nobody\" in: user = nobody;\n"},
        /* libconfig leaks a string that it stops at: no row has one there */
        {"no equals sign", LEAST "workers 1;\n", ":4: syntax error: expected \"=\" behind \"workers\", found \"1\" in: workers 1;\n"},
        {"two equals signs", LEAST "user = = \"x\";\n", ":4: syntax error: expected a value for \"user\", found \"=\" in: user = = \"x\";\n"},
        {"two values", LEAST "workers = 1 2;\n", ":4: syntax error: expected \";\" or the name of an option, found \"2\" in: workers = 1 2;\n"},
        {"two semicolons", LEAST "workers = 1;;\n", ":4: syntax error: expected the name of an option, found \";\" in: workers = 1;;\n"},
        {"no comma in a list", LISTENERS TLS "backends = (\n  { name = \"a\"; }\n  { name = \"b\"; } );\n",
         ":5: syntax error: expected \",\" or \")\" for the \"(\" of line 3, found \"{\" in: { name = \"b\"; } );\n"},
        {"a comma too many", LISTENERS TLS "backends = ( { name = \"a\"; }, );\n",
         ":3: syntax error: expected a value behind the \",\", found \")\" in: backends = ( { name = \"a\"; }, );\n"},
        {"no comma in an array", LEAST "capabilities = [ \"a\", 1 2 ];\n",
         ":4: syntax error: expected values of one type in the array, such as \"a\", found \"1\" in: capabilities"},
        {"a group in an array", LEAST "routes = [ { users = [ ]; } ];\n",
         ":4: syntax error: expected a string, a number or a flag in the array (groups stand in a list: \"( ... )\"), found \"{\" in: "},
        {"twice", LEAST "user = \"a\";\nuser = \"b\";\n", ":5: user: set twice, first in line 4: remove one of them\n"},
        {"twice, within", LISTENERS TLS "backends = ( { name = \"a\"; address = \"x:1\"; }, { name = \"b\";\n  tls = \"none\";\n  name = \"c\"; } );\n",
         ":5: backends.[1].name: set twice, first in line 3: remove one of them\n"},
        {"twice, but elsewhere", LEAST "limits = { login_delay = \"1s\"; };\nlimits = { };\n", ":5: limits: set twice, first in line 4: "},
        {"unclosed group", LISTENERS "tls = {\n", ":3: syntax error: expected the name of an option or \"}\" for the \"{\" of line 2, found the end of the file\n"},
        {"unclosed list", LISTENERS TLS "backends = ( { name = \"a\"; };\n",
         ":3: syntax error: expected \",\" or \")\" for the \"(\" of line 3, found \";\" in: backends = ( { name = \"a\"; };\n"},
        {"wrong bracket", LISTENERS TLS "backends = ( { name = \"a\"; ) };\n",
         ":3: syntax error: expected the name of an option or \"}\" for the \"{\" of line 3, found \")\" in: "},
        {"an octet without meaning", LEAST "user: $x;\n", ":4: syntax error: expected a value for \"user\", found \"$\" in: user: $x;\n"},
        {"too deep", LEAST "x = " BRACKETS BRACKETS BRACKETS BRACKETS BRACKETS ";\n", ":4: syntax error: expected groups and lists at most 64 deep, found"},
        {"unclosed comment", LEAST "/* user = 1;\n\n", ":4: a comment begins here that does not end: expected \"*/\" behind it\n"},
        {"unclosed string", LEAST "user = \"x;\nworkers = 1;\n", ":4: expected a closing quote on the line of the string, found \"x; ("},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config c;
        struct config_source source;
        const char *got = printed(&c, &source, rows[i].text), *line = got;
        for (const char *want = rows[i].want; *want != '\0'; want += strcspn(want, "\n") + 1) {
            size_t len = strcspn(want, "\n");
            cr_expect_eq(strncmp(line, want, len), 0, "%s: wanted \"%.*s\", got:\n%s", rows[i].name, (int)len, want, got);
            line += strcspn(line, "\n") + (strchr(line, '\n') != NULL);
            if (want[len] == '\0') {
                break;
            }
        }
        cr_expect_str_eq(line, "", "%s: not expected: %s", rows[i].name, line);
        forget(&c, &source);
    }
}

Test(config, arrays_and_rates_are_read)
{
    struct config c;
    struct config_source source;
    const char *got = printed(&c, &source, LEAST
        "access = ( { name = \"a\"; action = \"tarpit\"; networks = [ \"10.0.0.0/8\", \"::1\" ]; asns = ( 7, 4294967295L );\n"
        "  users = ( \"x\", \"y*\" ); limits = false; observe = true; }, { name = \"b\"; action = \"allow\"; countries = [ ]; } );\n"
        "limits = { connection_rate = \"7/90s\"; };\n");
    cr_assert_str_eq(got, "", "%s", got);
    const struct rule_options *rules = c.access.items;
    cr_assert(c.access.count == 2 && rules[0].networks.count == 2 && rules[0].asns.count == 2 && rules[0].users.count == 2);
    cr_expect(rules[0].action == ACCESS_TARPIT && !rules[0].limits && rules[0].observe);
    cr_expect_str_eq(((char **)rules[0].networks.items)[1], "::1");
    cr_expect_eq(((uint32_t *)rules[0].asns.items)[1], 4294967295u);
    cr_expect_str_eq(((char **)rules[0].users.items)[1], "y*");
    cr_expect(rules[1].limits && !rules[1].observe && rules[1].countries.count == 0 && rules[1].networks.count == 0);
    cr_expect_str_eq(rules[1].networks_file, "");
    cr_expect(c.limits.network.connection_rate.count == 7 && c.limits.network.connection_rate.ms == 90000);
    cr_expect(c.limits.network.login_failures.count == 10 && c.limits.network.login_failures.ms == 600000);
    forget(&c, &source);
}

Test(config, an_error_counts_so_that_the_file_is_not_used)
{
    struct config c;
    struct config_source source;
    (void)printed(&c, &source, LEAST "usr = 1; workers = \"x\";\n");
    cr_expect_eq(source.report.errors, 2);
    forget(&c, &source);
}

Test(config, a_text_that_is_wrong_does_not_leave_its_default)
{
    struct config c;
    struct config_source source;
    (void)printed(&c, &source, LEAST "log = { target = \"file\"; };\nuser = 5;\n");
    cr_expect(c.log.target == NULL && c.user == NULL);
    forget(&c, &source);
}

Test(config, a_file_that_cannot_be_read_is_named)
{
    struct config c;
    struct config_source source;
    const char *path = temp_path("missing.conf");
    capture_begin();
    int result = config_load(&c, &source, path);
    const char *got = capture_end();
    cr_expect_eq(result, -1);
    cr_expect_eq(strncmp(got, path, strlen(path)), 0, "%s", got);
    cr_expect_not_null(strstr(got, ": cannot read: No such file or directory\n"), "%s", got);
    config_source_fini(&source);
    capture_begin();
    result = config_load(&c, &source, "/");
    got = capture_end();
    cr_expect_eq(result, -1);
    cr_expect_not_null(strstr(got, "/: cannot read: "), "%s", got);
    config_source_fini(&source);
}

Test(config, included_files_lie_beside_it_and_are_named_in_errors)
{
    struct config c;
    struct config_source source;
    (void)temp_file("more.conf", "\nusr = 1;\n", 10);
    static const char text[] = LEAST "@include \"more.conf\"\n";
    const char *main_path = temp_file("imapguard.conf", text, sizeof text - 1);
    cr_assert_eq(chdir("/"), 0);
    capture_begin();
    int result = config_load(&c, &source, main_path);
    const char *got = capture_end();
    cr_expect_eq(result, 0, "%s", got);
    cr_expect_not_null(strstr(got, "more.conf:2: usr: unknown key; did you mean \"user\"?\n"), "%s", got);
    forget(&c, &source);
}

Test(config, an_option_that_an_included_file_sets_again_is_told_with_both_files)
{
    struct config c;
    struct config_source source;
    static const char text[] = LEAST "user = \"a\";\n@include \"more.conf\"\n";
    char want[1400];
    const char *more = temp_file("more.conf", "\nuser = \"b\";\n", 13), *path = temp_file("imapguard.conf", text, sizeof text - 1);
    capture_begin();
    cr_expect_eq(config_load(&c, &source, path), -1);
    const char *got = capture_end();
    snprintf(want, sizeof want, "%s:2: user: set twice, first in %s:4: remove one of them\n", more, path);
    cr_expect_str_eq(got, want, "%s", got);
    config_source_fini(&source);
}

Test(config, an_option_that_is_set_twice_in_an_included_file_is_told_with_that_file)
{
    struct config c;
    struct config_source source;
    static const char text[] = "@include \"more.conf\"\n@include \"more.conf\"\n" LEAST;
    char want[1400];
    const char *more = temp_file("more.conf", "user = \"b\";\n", 12), *path = temp_file("imapguard.conf", text, sizeof text - 1);
    capture_begin();
    cr_expect_eq(config_load(&c, &source, path), -1);
    const char *got = capture_end();
    snprintf(want, sizeof want, "%s:1: user: set twice, first in %s:1: remove one of them\n", more, more);
    cr_expect_str_eq(got, want, "%s", got);
    config_source_fini(&source);
}

Test(config, a_key_that_is_longer_than_any_path_has_its_line)
{
    struct config c;
    struct config_source source;
    char text[8192] = LEAST "\n\nlimits = {\n";
    size_t len = strlen(text);
    memset(text + len, 'x', 5000);
    snprintf(text + len + 5000, sizeof text - len - 5000, " = 1;\n};\n");
    const char *got = printed(&c, &source, text);
    cr_expect_eq(strncmp(got, ":7: limits.xxx", 14), 0, "%s", got);
    forget(&c, &source);
}

Test(config, later_checks_can_tell_the_line_too)
{
    struct config c;
    struct config_source source;
    (void)printed(&c, &source, LEAST);
    capture_begin();
    option_error(&source.report, "tls.certificates.[0].key", "is odd");
    option_warning(&source.report, "limits.idle_timeout", "is short");
    option_error(&source.report, "tls.nothing.here", "is odd");
    const char *got = capture_end();
    char want[600];
    const char *path = temp_path("imapguard.conf");
    snprintf(want, sizeof want, "%s:2: tls.certificates.[0].key: is odd\n%s:1: warning: limits.idle_timeout: is short\n"
             "%s:2: tls.nothing.here: is odd\n", path, path, path);
    cr_expect_str_eq(got, want, "%s", got);
    cr_expect_eq(source.report.errors, 2);
    forget(&c, &source);
}

Test(config, a_very_deep_path_is_no_overflow)
{
    struct config c;
    struct config_source source;
    char text[2000] = LEAST;
    size_t len = strlen(text);
    memset(text + len, 'k', 600);
    strcpy(text + len + 600, " = 1;\n");
    const char *got = printed(&c, &source, text);
    cr_expect_eq(source.report.errors, 1);
    cr_expect_not_null(strstr(got, "unknown key"), "%s", got);
    forget(&c, &source);
}
