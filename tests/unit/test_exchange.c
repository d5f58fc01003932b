/* SPDX-License-Identifier: BSD-2-Clause */
/* Mechanisms whose messages pass between the client and the backend, line by line. */
#include <stdlib.h>

#include "proxy/backend.h"
#include "rig.h"

TestSuite(exchange, .fini = test_over);

#define OFFER "IMAP4rev1 AUTH=XOAUTH2 AUTH=CRAM-MD5 AUTH=SCRAM-SHA-256"
#define GREETING "T\n< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN AUTH=XOAUTH2 AUTH=CRAM-MD5 AUTH=SCRAM-SHA-256] imapguard ready.\n"
#define BACKEND "B\nb< * OK [CAPABILITY " OFFER " SASL-IR] old\n"
#define UNAVAILABLE "NO [UNAVAILABLE] The mail server does not answer: try again.\n"
#define ALIVE "> n NOOP\n< n OK NOOP completed.\nidle\n"

#define XOAUTH2 "dXNlcj1qb2UBYXV0aD1CZWFyZXIgc0VrUmVUMQEB" /* user=joe */
#define CRAM "am9lIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"
#define SCRAM_1 "biwsbj1qb2Uscj1yT3ByTkdmd0ViZVJXZ2JORWtxTw==" /* n,,n=joe,r=... */
#define SCRAM_2 "cj1yT3ByTkdmd0ViZVJXZ2JORWtxTyVodllEcFcscz1XMjJaLGk9NDA5Ng=="
#define SCRAM_3 "Yz1iaXdzLHI9ck9wck5HZndFYmVSV2diTkVrcU8laHZZRHBXLHA9ZEh6Yg=="
#define SCRAM_4 "dj02cnJpVFJCaTIzV3A="
#define ERROR "eyJzdGF0dXMiOiI0MDEifQ=="

/* Up to where the backend has the challenge of CRAM-MD5 answered. */
#define CHALLENGED "> a AUTHENTICATE CRAM-MD5\n" BACKEND "b> guard-login AUTHENTICATE CRAM-MD5\nb< + PDEyMz4=\n< + PDEyMz4=\n"

static void play(const char *name, struct rule_options *rule, const char *text)
{
    struct rig r;
    rig_init(&r, LISTENER_IMPLICIT, WHOLE);
    r.rules = rule;
    r.rule_count = rule != NULL ? 1 : 0;
    rig_set_backends(&r);
    offer_learn(&r.generation.backends->offer, &(struct span){(const uint8_t *)OFFER, sizeof OFFER - 1}, 1);
    rig_connect(&r);
    rig_play(&r, name, GREETING);
    rig_play(&r, name, text);
    rig_over(&r);
}

static const struct {
    const char *name, *text;
} rows[] = {
    {"at once", "> a AUTHENTICATE XOAUTH2 " XOAUTH2 "\n" BACKEND "b> guard-login AUTHENTICATE XOAUTH2 " XOAUTH2 "\n"
        "b< guard-login OK hi\n< a OK hi\nlog method=XOAUTH2 backend=legacy user=\"joe\"\n"},
    {"asked by both", "> a AUTHENTICATE XOAUTH2\n< + \n> " XOAUTH2 "\nB\nb< * OK [CAPABILITY " OFFER "] old\n"
        "b> guard-login AUTHENTICATE XOAUTH2\nb< +\nb> " XOAUTH2 "\nb< guard-login OK hi\n< a OK hi\n"},
    {"an error challenge, and its empty answer", "> a AUTHENTICATE XOAUTH2 " XOAUTH2 "\n" BACKEND
        "b> guard-login AUTHENTICATE XOAUTH2 " XOAUTH2 "\nb< + " ERROR "\n< + " ERROR "\n> \nb> \n"
        "b< guard-login NO expired\n< a NO [AUTHENTICATIONFAILED] Authentication failed.\nlog login-failed\n" ALIVE},
    {"the backend speaks first", CHALLENGED "> " CRAM "\nb> " CRAM "\nb< guard-login OK hi\n< a OK hi\nlog method=CRAM-MD5 backend=legacy user=\"joe\"\n"},
    {"and says no", CHALLENGED "> " CRAM "\nb> " CRAM "\nb< guard-login NO\n< a NO [AUTHENTICATIONFAILED] Authentication failed.\nbend\n"
        "log login-failed\nlog user=\"joe\"\n" ALIVE},
    {"and says no before anybody was named", "> a AUTHENTICATE CRAM-MD5\n" BACKEND "b> guard-login AUTHENTICATE CRAM-MD5\n"
        "b< guard-login NO not today\n< a NO [UNAVAILABLE] not today\nbend\nlog login-unavailable\nnolog login-failed\n" ALIVE},
    {"and says yes before anybody was named", "> a AUTHENTICATE CRAM-MD5\n" BACKEND "b> guard-login AUTHENTICATE CRAM-MD5\n"
        "b< guard-login OK welcome\n< a " UNAVAILABLE "bend\nlog login-unavailable\nlog reason=nonsense\n" ALIVE},
    {"three messages", "> a AUTHENTICATE SCRAM-SHA-256 " SCRAM_1 "\n" BACKEND "b> guard-login AUTHENTICATE SCRAM-SHA-256 " SCRAM_1 "\n"
        "b< + " SCRAM_2 "\n< + " SCRAM_2 "\n> " SCRAM_3 "\nb> " SCRAM_3 "\nb< + " SCRAM_4 "\n< + " SCRAM_4 "\n> \nb> \n"
        "b< guard-login OK hi\n< a OK hi\n"},
    {"cancelled before the backend", "> a AUTHENTICATE XOAUTH2\n< + \n> *\n< a BAD Authentication cancelled.\nb0\n" ALIVE},
    {"cancelled in the middle", CHALLENGED "> *\nbend\n< a BAD Authentication cancelled.\n" ALIVE},
    {"no base64", CHALLENGED "> hello\nbend\n< a BAD Malformed response.\n" ALIVE},
    {"no user", CHALLENGED "> aGVsbG8=\nbend\n< a BAD Malformed response.\n" ALIVE},
    {"no base64 later", "> a AUTHENTICATE SCRAM-SHA-256 " SCRAM_1 "\n" BACKEND "b> guard-login AUTHENTICATE SCRAM-SHA-256 " SCRAM_1 "\n"
        "b< + " SCRAM_2 "\n< + " SCRAM_2 "\n> x\nbend\n< a BAD Malformed response.\n" ALIVE},
    {"a message that cannot be read", "> a AUTHENTICATE XOAUTH2 aGVsbG8=\n< a BAD Malformed response.\nb0\n" ALIVE},
    {"an initial response where there is none", "> a AUTHENTICATE CRAM-MD5 " CRAM "\n< a BAD This mechanism has no initial response.\nb0\n" ALIVE},
    {"not offered", "> a AUTHENTICATE SCRAM-SHA-1 " SCRAM_1 "\n< a NO [CANNOT] Unsupported authentication mechanism.\nb0\n" ALIVE},
    {"not known at this backend", "> a AUTHENTICATE XOAUTH2 " XOAUTH2 "\nB\nb< * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] old\n"
        "bend\n< a " UNAVAILABLE "log reason=no-mechanism\n" ALIVE},
    {"a challenge that is none", "> a AUTHENTICATE CRAM-MD5\n" BACKEND "b> guard-login AUTHENTICATE CRAM-MD5\nb< + hello there\n"
        "bend\n< a " UNAVAILABLE "log reason=nonsense\n" ALIVE},
    {"closed before the answer", CHALLENGED "> " CRAM "\nb> " CRAM "\nb.\n< a " UNAVAILABLE "log reason=connection-closed\n" ALIVE},
    {"the client leaves", CHALLENGED "c.\n.\nbend\nlog reason=client-closed\n"},
    {"the response was there already", ">~ a AUTHENTICATE CRAM-MD5\\r\\n" CRAM "\\r\\n\n" BACKEND
        "b> guard-login AUTHENTICATE CRAM-MD5\nb< + PDEyMz4=\n< + PDEyMz4=\nb> " CRAM "\nb< guard-login OK hi\n< a OK hi\n"},
};

Test(exchange, passes_line_by_line)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        play(rows[i].name, NULL, rows[i].text);
    }
}

/* The response that comes too late is no command, and answers nothing. */
Test(exchange, a_client_that_does_not_answer_in_time_may_try_again)
{
    struct rig r;
    rig_init(&r, LISTENER_IMPLICIT, WHOLE);
    r.limits.challenge_timeout_ms = 150;
    rig_set_backends(&r);
    offer_learn(&r.generation.backends->offer, &(struct span){(const uint8_t *)OFFER, sizeof OFFER - 1}, 1);
    rig_connect(&r);
    rig_play(&r, "too late", GREETING CHALLENGED
        "< a NO [UNAVAILABLE] No response to the challenge within the time allowed.\nbend\n> " CRAM
        "\n< * BAD Unknown command, or not allowed before login.\n" ALIVE);
    rig_over(&r);
}

/* CRAM-MD5 is offered where routes ask for server names only, and finds no route for another name. */
Test(exchange, a_client_for_whom_there_is_no_route_is_refused_before_it_says_who_it_is)
{
    struct rig r;
    char *name = (char *)"other.example.org", *backend = (char *)"legacy";
    struct route_options route = {.server_names = {&name, 1}, .backends = {&backend, 1}};
    rig_init(&r, LISTENER_IMPLICIT, WHOLE);
    r.routes = (struct option_list){&route, 1};
    rig_set_backends(&r);
    offer_learn(&r.generation.backends->offer, &(struct span){(const uint8_t *)OFFER, sizeof OFFER - 1}, 1);
    rig_connect(&r);
    rig_play(&r, "no route", GREETING "> a AUTHENTICATE CRAM-MD5\n< a NO [AUTHENTICATIONFAILED] Authentication failed.\nb0\n"
        "log reason=no-route\n> a AUTHENTICATE PLAIN " PLAIN_JOE "\n< a NO [AUTHENTICATIONFAILED] Authentication failed.\nb0\n" ALIVE);
    rig_over(&r);
}

Test(exchange, no_rule_on_users_can_be_walked_around)
{
    static const struct {
        const char *name, *text;
    } denied[] = {
        {"named at once", "> a AUTHENTICATE XOAUTH2 " XOAUTH2 "\nb0\n"},
        {"named at once, in SCRAM", "> a AUTHENTICATE SCRAM-SHA-256 " SCRAM_1 "\nb0\n"},
        {"named to the backend", CHALLENGED "> " CRAM "\nbend\n"},
    };
    for (size_t i = 0; i < COUNT(denied); i++) {
        char text[1024];
        char *pattern = (char *)"j*";
        struct rule_options rule = {.name = (char *)"elsewhere", .action = ACCESS_DENY, .limits = true, .users = {&pattern, 1}};
        snprintf(text, sizeof text, "%s< a NO [AUTHENTICATIONFAILED] Authentication failed.\nlog rule=elsewhere\n" ALIVE, denied[i].text);
        play(denied[i].name, &rule, text);
    }
}
