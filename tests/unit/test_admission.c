/* SPDX-License-Identifier: BSD-2-Clause */
/* What a session makes of rules, limits, bans and PROXY headers; the rules and limits themselves have tests of their own. */
#include "proxy/admission.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "rig.h"

TestSuite(admission, .fini = test_over);

#define GREETING "< * OK [CAPABILITY IMAP4rev1 ID STARTTLS LOGINDISABLED] imapguard ready.\n"
#define SECURE_GREETING "T\n< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN] imapguard ready.\n"
#define REFUSED "B\nb< * OK [CAPABILITY IMAP4rev1] legacy\nb> guard-login LOGIN \"joe\" \"" PASSWORD "\"\n" \
                "b< guard-login NO wrong\nbend\n"

static void rig_with(struct rig *r, enum listener_tls tls, struct rule_options *rules, size_t count)
{
    rig_init(r, tls, WHOLE);
    r->rules = rules;
    r->rule_count = count;
}

/* Two halves of one dialogue. */
static void play2(struct rig *r, const char *first, const char *then)
{
    char dialogue[2048];
    snprintf(dialogue, sizeof dialogue, "%s%s", first, then);
    rig_play(r, first, dialogue);
}

/* A list of one text. */
static struct option_list only(char **text)
{
    return (struct option_list){text, 1};
}

Test(admission, a_client_that_a_rule_denies_hears_the_end_and_nothing_else)
{
    struct rig r;
    struct rule_options rule = {.name = (char *)"nobody", .action = ACCESS_DENY, .limits = true};
    for (enum listener_tls tls = LISTENER_STARTTLS; tls <= LISTENER_IMPLICIT; tls++) {
        rig_with(&r, tls, &rule, 1);
        rig_connect(&r);
        cr_expect_null(rig_session(&r), "no session is made for it");
        rig_play(&r, "denied", ".\nb0\nlog denied\nlog rip=192.0.2.7\nlog rule=nobody\nlog action=deny\nnolog disconnect\n");
        rig_over(&r);
    }
}

Test(admission, an_observed_rule_only_tells)
{
    struct rig r;
    struct rule_options rule = {.name = (char *)"trial", .action = ACCESS_DENY, .limits = true, .observe = true};
    rig_with(&r, LISTENER_STARTTLS, &rule, 1);
    rig_connect(&r);
    rig_play(&r, "observed", GREETING "log observed\nlog rule=trial\nlog action=deny\nnolog denied\n");
    rig_over(&r);
}

Test(admission, the_limit_on_sessions_is_told_before_tls_only)
{
    struct rig r;
    for (enum listener_tls tls = LISTENER_STARTTLS; tls <= LISTENER_IMPLICIT; tls++) {
        rig_init(&r, tls, WHOLE);
        r.limits.network.sessions = 1;
        rig_connect(&r);
        rig_settle(&r);
        int first = r.client;
        buffer_clear(&r.heard);
        rig_connect(&r);
        rig_play(&r, "one too many", tls == LISTENER_STARTTLS
            ? "< * BYE [LIMIT] Too many connections from your network.\n.\nlog limited\nlog reason=sessions\n"
            : ".\nlog limited\nlog reason=sessions\n");
        close(first);
        r.client_end = false;
        rig_settle(&r);
        cr_assert_null(rig_session(&r));
        close(r.client);
        rig_connect(&r);
        cr_expect_not_null(rig_session(&r), "the first has gone, there is room again");
        rig_over(&r);
    }
}

Test(admission, more_connections_than_the_rate_are_closed_and_told_once)
{
    struct rig r;
    rig_init(&r, LISTENER_STARTTLS, WHOLE);
    r.limits.network.connection_rate = (struct option_rate){1, 60000};
    rig_connect(&r);
    rig_play(&r, "first", GREETING "c.\n.\n");
    close(r.client);
    for (int i = 0; i < 2; i++) {
        r.client_end = false;
        rig_connect(&r);
        rig_play(&r, "second", ".\nlog reason=connection-rate\n");
        close(r.client);
    }
    r.client = -1;
    const char *line = strstr(rig_log(), "limited");
    cr_expect_null(strstr(line + 1, "limited"), "a flood is told once a minute:\n%s", rig_log());
    rig_over(&r);
}

Test(admission, an_allow_rule_without_limits_beats_the_limits)
{
    struct rig r;
    struct rule_options rule = {.name = (char *)"office", .action = ACCESS_ALLOW, .limits = false};
    rig_with(&r, LISTENER_STARTTLS, &rule, 1);
    r.limits.network.connection_rate = (struct option_rate){1, 60000};
    r.limits.network.login_failures = (struct option_rate){1, 600000};
    r.limits.network.sessions = 1;
    for (int i = 0; i < 3; i++) {
        rig_connect(&r);
        rig_play(&r, "office", GREETING);
        close(r.client);
    }
    r.client = -1;
    rig_over(&r);
}

Test(admission, a_user_that_a_rule_denies_is_refused_without_the_backend)
{
    struct rig r;
    char *pattern = (char *)"j*";
    struct rule_options rule = {.name = (char *)"elsewhere", .action = ACCESS_DENY, .limits = true,
                                .users = only(&pattern)};
    static const char *const logins[] = {
        "> a LOGIN joe " PASSWORD "\n",
        "> a LOGIN JOE {7+}\\r\\n" PASSWORD "\n",
        "> a AUTHENTICATE PLAIN " PLAIN_JOE "\n",
        "> a AUTHENTICATE PLAIN\n< + \n> " PLAIN_JOE "\n",
        "> a AUTHENTICATE PLAIN am9lAGFubmEAc0VrUmVUMQ==\n", /* anna, who wants to act for joe */
    };
    for (size_t i = 0; i < COUNT(logins); i++) {
        rig_with(&r, LISTENER_IMPLICIT, &rule, 1);
        rig_connect(&r);
        rig_play(&r, "greeting", SECURE_GREETING);
        play2(&r, logins[i], "< a NO [AUTHENTICATIONFAILED] Authentication failed.\nb0\nlog login-refused\n"
                                "log reason=rule\nlog rule=elsewhere\n> b NOOP\n< b OK NOOP completed.\n");
        rig_over(&r);
    }
}

Test(admission, refused_users_count_as_attempts_of_the_connection)
{
    struct rig r;
    char *pattern = (char *)"joe";
    struct rule_options rule = {.name = (char *)"never", .action = ACCESS_TARPIT, .limits = true, .users = only(&pattern)};
    rig_with(&r, LISTENER_IMPLICIT, &rule, 1);
    r.limits.login_attempts = 2;
    rig_connect(&r);
    rig_play(&r, "refused twice", SECURE_GREETING
        "> a LOGIN joe " PASSWORD "\n< a NO [AUTHENTICATIONFAILED] Authentication failed.\n"
        "> b LOGIN joe " PASSWORD "\n< b NO [AUTHENTICATIONFAILED] Authentication failed.\n"
        "< * BYE Too many failed logins.\n.\nb0\n");
    rig_over(&r);
}

Test(admission, failed_logins_ban_the_network_and_end_its_sessions)
{
    struct rig r;
    rig_init(&r, LISTENER_IMPLICIT, WHOLE);
    r.limits.network.login_failures = (struct option_rate){1, 600000};
    r.limits.login_attempts = 10;
    rig_connect(&r);
    rig_play(&r, "one is allowed, twice the same counts once", SECURE_GREETING
        "> a LOGIN joe " PASSWORD "\n" REFUSED "< a NO [AUTHENTICATIONFAILED] Authentication failed.\n"
        "> b LOGIN joe " PASSWORD "\n< b NO [AUTHENTICATIONFAILED] Authentication failed.\nnolog banned\n");
    rig_play(&r, "another is one too many, and no backend sees it", "> c LOGIN joe x" PASSWORD "\n"
        "< c NO [CONTACTADMIN] Too many failed logins from your network.\n"
        "< * BYE Too many failed logins from your network.\n.\n"
        "log banned\nlog network=192.0.2.7\nlog level=1\nlog duration=900\nlog reason=banned\n");
    close(r.client);
    r.client_end = false;
    rig_connect(&r);
    rig_play(&r, "refused", ".\nlog limited\n");
    rig_over(&r);
}

Test(admission, a_login_on_a_connection_older_than_the_ban_is_refused)
{
    struct rig r;
    rig_init(&r, LISTENER_IMPLICIT, WHOLE);
    rig_connect(&r);
    rig_play(&r, "greeting", SECURE_GREETING);
    struct secret password = {0};
    struct guess_news news = {0};
    r.limits.network.login_failures = (struct option_rate){1, 600000};
    enum guess_permission result = GUESS_ALLOWED;
    const struct connection *conn = &rig_session(&r)->connection;
    uint64_t now = clock_boot_us();
    struct guesser guesser = {.ref = conn->ref, .address = &conn->facts.address, .user = "joe", .password = &password};
    for (char c = 'a'; result == GUESS_ALLOWED && c < 'z'; c++) {
        struct guess g = {0};
        cr_assert_eq(secret_set(&password, &c, 1), 0);
        result = guess_charge(r.proxy.table, &guesser, now, &g, &news);
        guess_settle(r.proxy.table, &g, GUESS_WRONG, now);
        secret_clear(&password);
    }
    cr_assert(result == GUESS_NETWORK_BANNED && news.ban_count == 1);
    rig_play(&r, "too late", "> a LOGIN joe " PASSWORD "\n< a NO [CONTACTADMIN] Too many failed logins from your network.\n"
        "< * BYE Too many failed logins from your network.\n.\nb0\nlog login-refused\nlog reason=banned\n");
    rig_over(&r);
}

Test(admission, trouble_of_the_backend_bans_late)
{
    struct rig r;
    rig_init(&r, LISTENER_IMPLICIT, WHOLE);
    r.limits.network.login_failures = (struct option_rate){1, 600000};
    r.limits.network.login_faults = (struct option_rate){9, 600000};
    r.limits.login_attempts = 20;
    rig_connect(&r);
    rig_play(&r, "greeting", SECURE_GREETING);
    static const char *const answers[] = {"NO [UNAVAILABLE] later", "NO [INUSE] later", "BAD what"};
    static const char *const heard[] = {"[UNAVAILABLE] later", "[INUSE] later",
                                        "[UNAVAILABLE] The mail server does not answer: try again."};
    for (size_t i = 0; i < 9; i++) {
        char dialogue[512];
        snprintf(dialogue, sizeof dialogue,
                 "> a LOGIN joe x%zu\nB\nb< * OK [CAPABILITY IMAP4rev1] legacy\nb> guard-login LOGIN \"joe\" \"x%zu\"\n"
                 "b< guard-login %s\nbend\n< a NO %s\nlog login-unavailable\n", i, i, answers[i % 3], heard[i % 3]);
        rig_play(&r, "trouble", dialogue);
    }
    rig_play(&r, "not banned", "nolog banned\n");
    rig_play(&r, "but it is no way to guess for free",
             "> a LOGIN joe x\n< a NO [CONTACTADMIN] Too many failed logins from your network.\n"
             "< * BYE Too many failed logins from your network.\n.\nlog banned\n");
    rig_over(&r);
}

Test(admission, held_clients_hear_nothing_and_the_oldest_goes_first)
{
    enum { HELD_MAX = 256, MORE = 3 };
    struct rig r;
    int fds[HELD_MAX + MORE];
    char byte;
    struct rule_options rule = {.name = (char *)"pit", .action = ACCESS_TARPIT, .limits = true};
    rig_with(&r, LISTENER_STARTTLS, &rule, 1);
    for (size_t i = 0; i < COUNT(fds); i++) {
        rig_connect(&r);
        fds[i] = r.client;
        cr_expect_eq(r.proxy.count, i < HELD_MAX ? i + 1 : HELD_MAX);
    }
    for (size_t i = 0; i < COUNT(fds); i++) {
        ssize_t n = recv(fds[i], &byte, 1, MSG_DONTWAIT);
        cr_expect(i < MORE ? n == 0 : n == -1 && errno == EAGAIN, "%zu: %zd", i, n);
    }
    for (size_t i = 0; i < COUNT(fds); i++) {
        cr_expect(i < MORE || send(fds[i], "x", 1, MSG_NOSIGNAL) == 1);
        close(fds[i]);
    }
    r.client = -1;
    rig_settle(&r);
    cr_expect_eq(r.proxy.count, 0, "those who leave are not held any longer");
    cr_expect(TAILQ_EMPTY(&r.proxy.tarpit) && r.proxy.tarpit_count == 0);
    rig_over(&r);
}

Test(admission, a_gateway_that_hides_the_clients_is_told_once)
{
    struct rig r;
    static const bool load_balancers[] = {false, true};
    for (size_t i = 0; i < COUNT(load_balancers); i++) {
        bool trusted = load_balancers[i];
        rig_init(&r, LISTENER_IMPLICIT, WHOLE);
        r.peer = "172.17.0.1";
        r.limits.network.connection_rate = (struct option_rate){1000, 1000};
        if (trusted) {
            struct network other;
            cr_assert(network_parse("10.0.0.1", 8, &other) == 0 && network_set_add(&r.listener.proxies, &other) == 0);
            network_set_seal(&r.listener.proxies);
        }
        for (int n = 0; n < 20; n++) {
            rig_connect(&r);
            rig_play(&r, "a client with TLS", SECURE_GREETING "> l LOGOUT\n< * BYE Logging out.\n< l OK LOGOUT completed.\n.\nc.\n");
            r.client_end = false;
            buffer_clear(&r.heard);
        }
        r.client = -1;
        cr_expect_neq(r.shared_address_logged, trusted, "who has named a load balancer knows what is in front");
        rig_over(&r);
    }
}

/* --- the PROXY header ---------------------------------------------------------------------------------- */

static void trust_everybody(struct rig *r)
{
    struct network all;
    cr_assert(network_parse("0.0.0.0/0", 9, &all) == 0 && network_set_add(&r->listener.proxies, &all) == 0);
    network_set_seal(&r->listener.proxies);
}

Test(admission, the_headers_address_is_what_rules_and_log_see)
{
    struct rig r;
    char *network = (char *)"198.51.100.0/24";
    struct rule_options rule = {.name = (char *)"far", .action = ACCESS_DENY, .limits = true, .networks = only(&network)};
    static const struct {
        const char *name, *header, *then;
    } cases[] = {
        {"a header", ">~ PROXY TCP4 203.0.113.9 192.0.2.1 1234 143\\r\\n\n", GREETING "log rip=203.0.113.9 rport=1234 lip=192.0.2.1 lport=143\n"},
        {"of a denied one", ">~ PROXY TCP4 198.51.100.9 192.0.2.1 1234 143\\r\\n\n", ".\nlog denied\nlog rip=198.51.100.9\n"},
        {"UNKNOWN", ">~ PROXY UNKNOWN\\r\\n\n", GREETING "log rip=192.0.2.7\n"},
        {"none", "> a CAPABILITY\n", ".\nlog reason=proxy-header\n"},
        {"a command behind it", ">~ PROXY TCP4 203.0.113.9 192.0.2.1 1234 143\\r\\na NOOP\\r\\n\n", GREETING "< a OK NOOP completed.\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (enum pace pace = WHOLE; pace < PACES; pace++) {
            rig_with(&r, LISTENER_STARTTLS, &rule, 1);
            r.pace = pace;
            trust_everybody(&r);
            rig_connect(&r);
            play2(&r, cases[i].header, cases[i].then);
            rig_over(&r);
        }
    }
}

Test(admission, behind_a_header_tls_begins_at_once_on_an_implicit_listener)
{
    struct rig r;
    rig_init(&r, LISTENER_IMPLICIT, WHOLE);
    trust_everybody(&r);
    rig_connect(&r);
    rig_play(&r, "header and TLS", ">~ PROXY TCP6 2001:db8::1 2001:db8::2 1234 993\\r\\n\n" SECURE_GREETING "log rip=2001:db8::1\n");
    rig_over(&r);
}

Test(admission, who_may_not_send_a_header_is_not_believed)
{
    struct rig r;
    rig_init(&r, LISTENER_STARTTLS, WHOLE);
    rig_connect(&r);
    rig_play(&r, "a header of a stranger", GREETING "> PROXY TCP4 203.0.113.9 192.0.2.1 1234 143\n"
        "< * BYE This is an IMAP server.\n.\nlog protocol=proxy\nnolog 203.0.113.9\n");
    rig_over(&r);
}

Test(admission, limits_count_the_address_of_the_header)
{
    struct rig r;
    rig_init(&r, LISTENER_STARTTLS, WHOLE);
    trust_everybody(&r);
    r.limits.network.sessions = 1;
    int first = -1;
    for (int i = 0; i < 3; i++) {
        char header[128];
        snprintf(header, sizeof header, ">~ PROXY TCP4 203.0.113.%d 192.0.2.1 1234 143\\r\\n\n%s", i == 2 ? 1 : i + 1,
                 i == 2 ? "< * BYE [LIMIT] Too many connections from your network.\n.\n" : GREETING);
        rig_connect(&r);
        rig_play(&r, header, header);
        if (first != -1) {
            close(first);
        }
        first = i == 0 ? -1 : r.client;
        if (i == 0) {
            first = -1;
            r.client = -1; /* stays open */
        }
    }
    rig_over(&r);
}
