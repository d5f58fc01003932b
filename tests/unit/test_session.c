/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/attempt.h"
#include "proxy/backend_state.h"
#include "rig.h"

TestSuite(session, .fini = test_over);

#define STARTTLS LISTENER_STARTTLS
#define IMPLICIT LISTENER_IMPLICIT

#define HELLO "< * OK [CAPABILITY IMAP4rev1 ID STARTTLS LOGINDISABLED] imapguard ready.\n"
#define UPGRADE "> s STARTTLS\n< s OK Begin TLS negotiation now.\nT\n"
#define SECURED HELLO UPGRADE
#define HELLO_TLS "T\n< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN] imapguard ready.\n"
#define REFUSED "NO [PRIVACYREQUIRED] Log in only over TLS: use STARTTLS or port 993.\n"
#define UNAVAILABLE "NO [UNAVAILABLE] The mail server does not answer: try again.\n"
#define UNKNOWN "BAD Unknown command, or not allowed before login.\n"
#define MALFORMED "BAD Malformed command.\n"
#define ALIVE "> n NOOP\n< n OK NOOP completed.\n"

/* A backend that knows LOGIN only, and what it hears when joe logs in there. */
#define BACKEND "B\nb< * OK [CAPABILITY IMAP4rev1] old\n"
#define LOGIN "> l LOGIN joe " PASSWORD "\n"
#define LOGGED_IN LOGIN BACKEND "b> guard-login LOGIN \"joe\" \"" PASSWORD "\"\nb< guard-login OK hi\n< l OK hi\n"

/* --- before TLS ---------------------------------------------------------------------------------------- */

Test(session, before_tls_talks_without_a_backend)
{
    static const struct dialogue rows[] = {
        {"greeting", STARTTLS, HELLO "idle\nb0\n", false},
        {"capability", STARTTLS, HELLO "> a CAPABILITY\n< * CAPABILITY IMAP4rev1 ID STARTTLS LOGINDISABLED\n"
            "< a OK CAPABILITY completed.\nidle\nb0\n", false},
        {"noop in any case", STARTTLS, HELLO "> a noop\n< a OK NOOP completed.\n>~ b NoOp\\n\n< b OK NOOP completed.\nidle\n", false},
        {"id", STARTTLS, HELLO "> a ID (\"name\" \"x\")\n< * ID (\"name\" \"imapguard\")\n< a OK ID completed.\n"
            "> b ID NIL\n< * ID (\"name\" \"imapguard\")\n< b OK ID completed.\nidle\nb0\n", false},
        {"id in literals", STARTTLS, HELLO "> a ID ({4}\n< + OK\n> name \"x\")\n< * ID (\"name\" \"imapguard\")\n"
            "< a OK ID completed.\nidle\n", false},
        {"bad id", STARTTLS, HELLO "> a ID (\"name\")\n< a BAD ID takes NIL or a list of at most 30 pairs of strings.\n" ALIVE, false},
        {"logout", STARTTLS, HELLO "> a LOGOUT\n< * BYE Logging out.\n< a OK LOGOUT completed.\n.\nc.\n"
            "log disconnect\nlog reason=logout\nb0\n", false},
        {"arguments", STARTTLS, HELLO "> a NOOP x\n< a BAD This command takes no arguments.\n"
            "> b LOGOUT x\n< b BAD This command takes no arguments.\n" ALIVE, false},
        {"unknown", STARTTLS, HELLO "> a SELECT INBOX\n< a " UNKNOWN "> b FOO\n< b " UNKNOWN ALIVE "b0\n", false},
        {"no tag", STARTTLS, HELLO "> NOOP\n< * " UNKNOWN "> \n< * " UNKNOWN ALIVE, false},
        {"pipelined", STARTTLS, HELLO ">~ a NOOP\\r\\nb NOOP\\r\\nc NOOP\\r\\n\n< a OK NOOP completed.\n"
            "< b OK NOOP completed.\n< c OK NOOP completed.\nidle\n", false},
        {"said and closed", STARTTLS, HELLO "> a LOGOUT\nc.\n< * BYE Logging out.\n< a OK LOGOUT completed.\n.\nlog reason=logout\n", false},
        {"said more and closed", STARTTLS, HELLO ">~ a NOOP\\r\\nb NOOP\\r\\n\nc.\n< a OK NOOP completed.\n< b OK NOOP completed.\n.\n"
            "log reason=client-closed\n", false},
        {"closed", STARTTLS, HELLO "c.\n.\nlog reason=client-closed\n", false},
        {"closed within a command", STARTTLS, HELLO ">~ a LOG\nc.\n.\nlog reason=client-closed\n", false},
    };
    rig_play_all(rows, COUNT(rows));
}

Test(session, a_password_before_tls_never_reaches_the_backend)
{
    static const struct dialogue rows[] = {
        {"atoms", STARTTLS, HELLO "> a LOGIN joe " PASSWORD "\n< a " REFUSED "log cleartext-password \nlog method=LOGIN user=\"joe\"\n"
            ALIVE "idle\nb0\n", false},
        {"quoted", STARTTLS, HELLO "> a LOGIN \"joe\" \"" PASSWORD "\"\n< a " REFUSED "log method=LOGIN user=\"joe\"\n" ALIVE "b0\n", false},
        {"lower case", STARTTLS, HELLO "> a login joe " PASSWORD "\n< a " REFUSED ALIVE "b0\n", false},
        {"bare LF", STARTTLS, HELLO ">~ a LOGIN joe " PASSWORD "\\n\n< a " REFUSED ALIVE "b0\n", false},
        {"literal user", STARTTLS, HELLO "> a LOGIN {3}\n< a " REFUSED "log cleartext-login\nnolog cleartext-password\n" ALIVE "b0\n", false},
        {"literal password", STARTTLS, HELLO "> a LOGIN joe {7}\n< a " REFUSED "log cleartext-login\nlog method=LOGIN user=\"joe\"\n" ALIVE "b0\n", false},
        {"huge literal", STARTTLS, HELLO "> a LOGIN joe {99999999999999999999}\n< a " REFUSED ALIVE "b0\n", false},
        {"literals that come anyway", STARTTLS, HELLO "> a LOGIN {3+}\n> joe {7+}\n> " PASSWORD "\n< a " REFUSED
            "log user=\"joe\"\n" ALIVE "idle\nb0\n", false},
        {"commands in a literal", STARTTLS, HELLO "> a LOGIN joe {10+}\n> x LOGOUT\\r\\n\n< a " REFUSED ALIVE "b0\n", false},
        {"no arguments", STARTTLS, HELLO "> a LOGIN\n< a " REFUSED ALIVE "b0\n", false},
        {"one argument", STARTTLS, HELLO "> a LOGIN joe\n< a " REFUSED ALIVE "b0\n", false},
        {"one argument, which may be the password", STARTTLS, HELLO "> a LOGIN " PASSWORD "\n< a " REFUSED "log cleartext-password\n" ALIVE "b0\n", false},
        {"three arguments", STARTTLS, HELLO "> a LOGIN joe " PASSWORD " x\n< a " REFUSED ALIVE "b0\n", false},
        {"malformed", STARTTLS, HELLO "> a LOGIN \"joe " PASSWORD "\n< a " REFUSED ALIVE "b0\n", false},
        {"a user that would forge a line", STARTTLS, HELLO "> a LOGIN {12+}\n> j\\r\\nlogin x=\" " PASSWORD "\n< a " REFUSED
            "log user=\"j\\x0d\\x0alogin x=\\x22\"\n" ALIVE, false},
        {"plain", STARTTLS, HELLO "> a AUTHENTICATE PLAIN\n< a " REFUSED "log cleartext-login\nlog method=AUTHENTICATE\nnolog cleartext-password\n" ALIVE "b0\n", false},
        {"plain at once", STARTTLS, HELLO "> a AUTHENTICATE PLAIN " PLAIN_JOE "\n< a " REFUSED "log cleartext-password\nlog method=AUTHENTICATE user=\"joe\"\n"
            ALIVE "b0\n", false},
        {"plain in a literal", STARTTLS, HELLO "> a AUTHENTICATE PLAIN {16+}\n> " PLAIN_JOE "\n< a " REFUSED ALIVE "b0\n", false},
        {"plain, literal to be invited", STARTTLS, HELLO "> a AUTHENTICATE PLAIN {16}\n< a " REFUSED ALIVE "b0\n", false},
        {"a proof", STARTTLS, HELLO "> a AUTHENTICATE SCRAM-SHA-1 biwsbj1qb2Uscj14\n< a " REFUSED "log cleartext-login\nlog user=\"joe\"\n" ALIVE "b0\n", false},
        {"a challenge that is not asked for", STARTTLS, HELLO "> a AUTHENTICATE CRAM-MD5\n< a " REFUSED "log cleartext-login\n" ALIVE "b0\n", false},
        {"login", STARTTLS, HELLO "> a AUTHENTICATE LOGIN\n< a " REFUSED ALIVE "b0\n", false},
        {"login at once", STARTTLS, HELLO "> a AUTHENTICATE LOGIN am9l\n< a " REFUSED ALIVE "b0\n", false},
        {"unknown mechanism", STARTTLS, HELLO "> a AUTHENTICATE XOAUTH2 " PLAIN_JOE "\n< a " REFUSED ALIVE "b0\n", false},
        {"no mechanism", STARTTLS, HELLO "> a AUTHENTICATE\n< a " REFUSED ALIVE "b0\n", false},
        {"a response though none was asked for", STARTTLS, HELLO "> a AUTHENTICATE PLAIN\n< a " REFUSED "> " PLAIN_JOE "\n< * " UNKNOWN
            ALIVE "b0\n", false},
    };
    rig_play_all(rows, COUNT(rows));
}

Test(session, who_is_no_imap_client_is_sent_away)
{
    static const struct dialogue rows[] = {
        {"http", STARTTLS, HELLO "> GET / HTTP/1.1\n< * BYE This is an IMAP server.\n.\nc.\nlog reason=foreign-protocol protocol=http\nb0\n", false},
        {"smtp", STARTTLS, HELLO "> EHLO x\n< * BYE This is an IMAP server.\n.\nc.\nlog protocol=smtp\nb0\n", false},
        {"tag", STARTTLS, HELLO "> (a NOOP\n< * BYE Malformed tag.\n.\nc.\nlog reason=bad-tag\n", false},
        {"nul", STARTTLS, HELLO "> a NO\\x00OP\n< * BYE NUL octet.\n.\nc.\nlog reason=nul\n", false},
        {"literal", STARTTLS, HELLO "> a NOOP {3}\n< * BYE Unexpected literal.\n.\nc.\nlog reason=unexpected-literal\n", false},
        {"too many literals", STARTTLS, HELLO "> a LOGIN {65537+}\n< * BYE Unexpected literal.\n.\nc.\nb0\n", false},
        {"five bad commands", STARTTLS, HELLO "> a X\n< a " UNKNOWN "> b X\n< b " UNKNOWN ALIVE "> c X\n< c " UNKNOWN "> d X\n< d " UNKNOWN
            "> e X\n< e " UNKNOWN "< * BYE Too many bad commands.\n.\nc.\nlog reason=too-many-bad-commands\n", false},
        {"nothing after the goodbye", STARTTLS, HELLO ">~ GET / HTTP/1.1\\r\\na NOOP\\r\\n\n< * BYE This is an IMAP server.\n.\nc.\n", false},
    };
    rig_play_all(rows, COUNT(rows));
}

Test(session, a_line_over_8_kib_ends_it)
{
    for (enum pace pace = WHOLE; pace < PACES; pace++) {
        struct rig r;
        static char line[9000];
        memset(line, 'x', sizeof line);
        memcpy(line, "a LOGIN ", 8);
        rig_init(&r, STARTTLS, pace);
        rig_connect(&r);
        rig_play(&r, "greeting", HELLO);
        rig_client_says(&r, line, sizeof line);
        rig_play(&r, "long line", "< * BYE Line too long.\n.\nc.\nlog reason=line-too-long\nb0\n");
        rig_over(&r);
    }
}

/* --- STARTTLS ------------------------------------------------------------------------------------------- */

Test(session, plaintext_behind_starttls_is_never_executed)
{
    static const struct dialogue rows[] = {
        {"a command", STARTTLS, HELLO ">~ a STARTTLS\\r\\nb NOOP\\r\\n\n< * BYE Plaintext behind STARTTLS.\n.\nc.\n"
            "log starttls-refused\nlog reason=starttls-injection\nb0\n", true},
        {"one octet", STARTTLS, HELLO ">~ a STARTTLS\\r\\nb\n< * BYE Plaintext behind STARTTLS.\n.\nc.\nlog reason=starttls-injection\n", true},
        {"a record of another type", STARTTLS, HELLO ">~ a STARTTLS\\r\\n\\x17\\x03\\x03\n< * BYE Plaintext behind STARTTLS.\n.\nc.\n", true},
        {"commands before and behind", STARTTLS, HELLO ">~ a NOOP\\r\\nb STARTTLS\\r\\nc LOGIN joe " PASSWORD "\\r\\n\n"
            "< a OK NOOP completed.\n< * BYE Plaintext behind STARTTLS.\n.\nc.\nnolog cleartext\nb0\n", true},
    };
    rig_play_all(rows, COUNT(rows));
}

Test(session, plaintext_behind_the_ok_is_no_handshake)
{
    struct rig r;
    rig_init(&r, STARTTLS, WHOLE);
    rig_connect(&r);
    rig_play(&r, "STARTTLS", HELLO "> a STARTTLS\n< a OK Begin TLS negotiation now.\n");
    rig_client_says(&r, "b NOOP\r\n", 8);
    rig_settle(&r);
    cr_expect(r.heard.len == 0 || buffer_data(&r.heard)[0] == 0x15, "an alert, or nothing");
    buffer_clear(&r.heard);
    rig_play(&r, "end", ".\nc.\nlog tls-failed\nlog reason=tls-failed\nb0\n");
    rig_over(&r);
}

Test(session, a_client_in_a_hurry_may_send_its_hello_behind_starttls)
{
    struct rig r;
    uint8_t bytes[4096] = "a STARTTLS\r\n", ok[33];
    int fds[2];
    for (size_t first = 0; first < 3; first++) { /* so many octets of the hello are in the same packet; 0: all */
        rig_init(&r, STARTTLS, WHOLE);
        rig_connect(&r);
        rig_play(&r, "greeting", HELLO);
        socket_pair(fds, false);
        SSL *ssl = client_new(r.client, (struct client_options){0});
        cr_assert_eq(SSL_set_wfd(ssl, fds[0]), 1);
        (void)SSL_connect(ssl);
        ssize_t len = recv(fds[1], bytes + 12, sizeof bytes - 12, 0);
        cr_assert_gt(len, 0);
        size_t behind = first == 0 ? (size_t)len : first;
        r.client_deaf = true; /* what follows the OK is for TLS */
        rig_client_says(&r, bytes, 12 + behind);
        rig_settle(&r);
        cr_assert_eq(recv(r.client, ok, sizeof ok, 0), (ssize_t)sizeof ok, "%s", rig_log());
        cr_expect_eq(memcmp(ok, "a OK Begin TLS negotiation now.\r\n", sizeof ok), 0, "the hello was taken for an injection");
        rig_client_says(&r, bytes + 12 + behind, (size_t)len - behind);
        cr_assert_eq(SSL_set_wfd(ssl, r.client), 1);
        for (int round = 0; round < 1000 && SSL_do_handshake(ssl) != 1; round++) {
            rig_round(&r);
        }
        cr_assert(SSL_is_init_finished(ssl), "%s", rig_log());
        r.ssl = ssl;
        r.client_deaf = false;
        rig_play(&r, "after TLS", ALIVE "idle\n");
        close(fds[0]);
        close(fds[1]);
        rig_over(&r);
    }
}

Test(session, starttls_goes_to_tls_once_and_forgets_what_was_said_before)
{
    static const struct dialogue rows[] = {
        {"no second greeting", STARTTLS, SECURED "> a CAPABILITY\n< * CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN\n"
            "< a OK CAPABILITY completed.\nidle\nb0\n", false},
        {"arguments", STARTTLS, HELLO "> a STARTTLS now\n< a BAD This command takes no arguments.\n" UPGRADE ALIVE, false},
        {"lower case, bare LF", STARTTLS, HELLO ">~ a starttls\\n\n< a OK Begin TLS negotiation now.\nT\n" ALIVE, false},
        {"again", STARTTLS, SECURED "> a STARTTLS\n< a BAD TLS is already active.\n" ALIVE, false},
        {"again, with something behind it", STARTTLS, SECURED ">~ a STARTTLS\\r\\nb NOOP\\r\\n\n< a BAD TLS is already active.\n"
            "< b OK NOOP completed.\n", false},
        {"on an implicit listener", IMPLICIT, HELLO_TLS "> a STARTTLS\n< a BAD TLS is already active.\n" ALIVE, false},
        {"bad commands are counted anew", STARTTLS, HELLO "> a X\n< a " UNKNOWN "> b X\n< b " UNKNOWN "> c X\n< c " UNKNOWN "> d X\n< d "
            UNKNOWN UPGRADE "> e X\n< e " UNKNOWN ALIVE, false},
        {"the name from ID", STARTTLS, HELLO "> a ID (\"name\" \"forged\")\n< * ID (\"name\" \"imapguard\")\n< a OK ID completed.\n"
            UPGRADE LOGGED_IN "log login session=\nnolog client=\"forged\"\n", false},
        {"the name from ID after TLS", STARTTLS, SECURED "> a ID (\"name\" \"Thunder\\x07\")\n< * ID (\"name\" \"imapguard\")\n"
            "< a OK ID completed.\n" LOGGED_IN "log client=\"Thunder\\x07\"\n", false},
        {"implicit greets after the handshake", IMPLICIT, HELLO_TLS "idle\n" ALIVE "b0\n", false},
    };
    rig_play_all(rows, COUNT(rows));
}

Test(session, a_client_that_only_connects_costs_no_tls_state)
{
    struct rig r;
    rig_init(&r, IMPLICIT, WHOLE);
    rig_connect(&r);
    rig_settle(&r);
    cr_expect(rig_session(&r)->state == STATE_HANDSHAKE && rig_session(&r)->client_stream.tls == NULL);
    rig_play(&r, "closed", "c.\n.\nlog reason=tls-failed\n");
    rig_over(&r);
}

/* --- after TLS ------------------------------------------------------------------------------------------- */

Test(session, after_tls_talks_without_a_backend_until_a_login)
{
#define EACH(name, text) {name, STARTTLS, SECURED text, false}, {name ", implicit", IMPLICIT, HELLO_TLS text, false}
    static const struct dialogue rows[] = {
        EACH("noop and id", ALIVE "> a ID NIL\n< * ID (\"name\" \"imapguard\")\n< a OK ID completed.\nidle\nb0\n"),
        EACH("logout", "> a LOGOUT\n< * BYE Logging out.\n< a OK LOGOUT completed.\n.\nc.\nlog reason=logout\nb0\n"),
        EACH("malformed LOGIN", "> a LOGIN joe\n< a BAD LOGIN takes a user name and a password.\n> b LOGIN \"joe\n< b " MALFORMED
            "> c LOGIN (joe) x\n< c BAD LOGIN takes a user name and a password.\n" ALIVE "b0\n"),
        EACH("empty user", "> a LOGIN \"\" " PASSWORD "\n< a BAD The user name is empty.\n" ALIVE "idle\nb0\n"),
        EACH("NUL in a password", "> a LOGIN joe {3+}\n> x\\x00y\n< a BAD The user name is empty.\n" ALIVE "b0\n"),
        EACH("literals", "> a LOGIN {}\n< a " MALFORMED "> b LOGIN {+}\n< b " MALFORMED "> c LOGIN joe {4097}\n< c " MALFORMED
            "> d LOGIN {99999999999}\n< d " MALFORMED ALIVE "b0\n"),
        EACH("an invited literal", "> a LOGIN {3}\n< + OK\n> joe {0}\n< + OK\n>~ x\nc.\n.\nlog reason=client-closed\nb0\n"),
        EACH("base64", "> a AUTHENTICATE PLAIN =\n< a BAD Malformed response.\n> b AUTHENTICATE PLAIN !!!!\n< b BAD Malformed response.\n"
            "> c AUTHENTICATE PLAIN\n< + \n> AGpvZQA\n< c BAD Malformed response.\n" ALIVE "idle\nb0\n"),
        EACH("cancel", "> a AUTHENTICATE PLAIN\n< + \n> *\n< a BAD Authentication cancelled.\n> b AUTHENTICATE LOGIN\n< + VXNlcm5hbWU6\n"
            "> am9l\n< + UGFzc3dvcmQ6\n> *\n< b BAD Authentication cancelled.\n" ALIVE "idle\nb0\n"),
        EACH("mechanism", "> a AUTHENTICATE EXTERNAL\n< a NO [CANNOT] Unsupported authentication mechanism.\n> b AUTHENTICATE\n"
            "< b BAD AUTHENTICATE takes a mechanism and at most one initial response.\n> c AUTHENTICATE PLAIN a b\n"
            "< c BAD AUTHENTICATE takes a mechanism and at most one initial response.\n> d AUTHENTICATE PLAIN \"" PLAIN_JOE "\"\n"
            "< d BAD The initial response is not base64.\n" ALIVE "b0\n"),
        EACH("a response with a stray CR", "> a AUTHENTICATE PLAIN\n< + \n> AGpv\\rZQ==\n< a BAD Malformed response.\n" ALIVE "b0\n"),
        EACH("NUL", "> a NO\\x00P\n< * BYE NUL octet.\n.\nc.\nb0\n"),
        EACH("literal for AUTHENTICATE", "> a AUTHENTICATE PLAIN {16}\n< * BYE Unexpected literal.\n.\nc.\nb0\n"),
        EACH("commands of after the login", "> a SELECT INBOX\n< a " UNKNOWN ALIVE "b0\n"),
    };
    rig_play_all(rows, COUNT(rows));
}

/* --- the login upstream ----------------------------------------------------------------------------------- */

Test(session, a_login_goes_upstream_in_the_form_that_the_backend_knows)
{
#define ACCEPTED "b< guard-login OK hi\n< l OK hi\nidle\n> x SELECT INBOX\nb> x SELECT INBOX\nb< * 1 EXISTS\n< * 1 EXISTS\n"
#define SENT_LOGIN "b> guard-login LOGIN \"joe\" \"" PASSWORD "\"\n" ACCEPTED
#define SENT_PLAIN "b> guard-login AUTHENTICATE PLAIN " PLAIN_JOE "\n" ACCEPTED
#define KNOWS(words) "B\nb< * OK [CAPABILITY " words "] old\n"
#define PLAIN "> l AUTHENTICATE PLAIN " PLAIN_JOE "\n"
    static const struct dialogue rows[] = {
        {"LOGIN to LOGIN", STARTTLS, SECURED LOGIN BACKEND SENT_LOGIN "log login session=\nlog method=LOGIN backend=legacy user=\"joe\"\n", false},
        {"LOGIN to LOGIN, implicit", IMPLICIT, HELLO_TLS LOGIN BACKEND SENT_LOGIN, false},
        {"a greeting without capabilities", STARTTLS, SECURED PLAIN "B\nb< * OK old\nb> guard-capability CAPABILITY\n"
            "b< * CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\nb< guard-capability OK done\n" SENT_PLAIN, false},
        {"LOGIN stays LOGIN", STARTTLS, SECURED LOGIN KNOWS("IMAP4rev1 SASL-IR AUTH=PLAIN") SENT_LOGIN, false},
        {"SASL-IR", STARTTLS, SECURED PLAIN KNOWS("IMAP4rev1 SASL-IR AUTH=PLAIN") SENT_PLAIN, false},
        {"no SASL-IR", STARTTLS, SECURED PLAIN KNOWS("IMAP4rev1 AUTH=PLAIN") "b> guard-login AUTHENTICATE PLAIN\nb< + \nb> " PLAIN_JOE "\n"
            ACCEPTED, false},
        {"LOGINDISABLED but PLAIN", STARTTLS, SECURED LOGIN KNOWS("IMAP4rev1 LOGINDISABLED SASL-IR AUTH=PLAIN") SENT_PLAIN, false},
        {"PLAIN to LOGIN", STARTTLS, SECURED "> l AUTHENTICATE PLAIN " PLAIN_JOE "\n" BACKEND SENT_LOGIN "log method=PLAIN\n", false},
        {"PLAIN in two steps", STARTTLS, SECURED "> l AUTHENTICATE PLAIN\n< + \n> " PLAIN_JOE "\n" BACKEND SENT_LOGIN, false},
        {"mechanism LOGIN", STARTTLS, SECURED "> l AUTHENTICATE LOGIN\n< + VXNlcm5hbWU6\n> am9l\n< + UGFzc3dvcmQ6\n> c0VrUmVUMQ==\n" BACKEND
            SENT_LOGIN, false},
        {"mechanism LOGIN at once", STARTTLS, SECURED "> l AUTHENTICATE LOGIN am9l\n< + UGFzc3dvcmQ6\n> c0VrUmVUMQ==\n" BACKEND SENT_LOGIN, false},
        {"literals", STARTTLS, SECURED "> l LOGIN {3}\n< + OK\n> joe {7}\n< + OK\n> " PASSWORD "\n" BACKEND SENT_LOGIN, false},
        {"literals that do not wait", STARTTLS, SECURED "> l LOGIN {3+}\n> joe {7+}\n> " PASSWORD "\n" BACKEND SENT_LOGIN, false},
        {"quotes and backslashes", STARTTLS, SECURED "> l LOGIN \"j\\\\\"o\" \"a\\\\\\\\b\"\n" BACKEND
            "b> guard-login LOGIN \"j\\\\\"o\" \"a\\\\\\\\b\"\n" ACCEPTED, false},
        {"8-bit goes in literals", STARTTLS, SECURED "> l LOGIN j\\xc3\\xb6 \\xff\\xfe\n" BACKEND "b> guard-login LOGIN {3}\nb< + go\n"
            "b> j\\xc3\\xb6 {2}\nb< + go\nb> \\xff\\xfe\n" ACCEPTED, false},
        {"line ends in a password", STARTTLS, SECURED "> l LOGIN joe {13+}\n> x\\r\\ny LOGOUT\\r\\n\n" BACKEND
            "b> guard-login LOGIN \"joe\" {13}\nb< + go\nb> x\nb> y LOGOUT\nb> \n" ACCEPTED, false},
        {"another identity", STARTTLS, SECURED "> l AUTHENTICATE PLAIN YWRtaW4Aam9lAHg=\n" KNOWS("IMAP4rev1 SASL-IR AUTH=PLAIN")
            "b> guard-login AUTHENTICATE PLAIN YWRtaW4Aam9lAHg=\n" ACCEPTED "log user=\"joe\" authorize=\"admin\"\n", false},
        {"another identity to a backend without PLAIN", STARTTLS, SECURED "> l AUTHENTICATE PLAIN YWRtaW4Aam9lAHg=\n" BACKEND
            "< l NO [AUTHORIZATIONFAILED] The mail server cannot act for another user.\nbend\n" ALIVE "idle\n", false},
        {"empty password", STARTTLS, SECURED "> l LOGIN joe \"\"\n" BACKEND "b> guard-login LOGIN \"joe\" \"\"\n" ACCEPTED, false},
    };
    rig_play_all(rows, COUNT(rows));
}

Test(session, the_answer_passes_with_what_is_true_through_the_proxy)
{
#define ASKED SECURED LOGIN BACKEND "b> guard-login LOGIN \"joe\" \"" PASSWORD "\"\n"
    static const struct dialogue rows[] = {
        {"a code", STARTTLS, ASKED "b< guard-login OK [CAPABILITY IMAP4rev1 STARTTLS IDLE LOGINDISABLED COMPRESS=DEFLATE] in\n"
            "< l OK [CAPABILITY IMAP4rev1 IDLE COMPRESS=DEFLATE] in\nidle\n", false},
        {"untagged", STARTTLS, ASKED "b< * CAPABILITY STARTTLS IMAP4rev1 IDLE\nb< guard-login OK in\n< * CAPABILITY IMAP4rev1 IDLE\n< l OK in\n", false},
        {"untagged code", STARTTLS, ASKED "b< * OK [CAPABILITY IMAP4rev1 STARTTLS]\nb< guard-login OK in\n< * CAPABILITY IMAP4rev1\n< l OK in\n", false},
        {"an alert", STARTTLS, ASKED "b< * OK [ALERT] quota\nb< guard-login OK in\n< * OK [ALERT] quota\n< l OK in\n", false},
        {"no text", STARTTLS, ASKED "b< guard-login OK\n< l OK Done.\n", false},
        {"another code", STARTTLS, ASKED "b< guard-login OK [X-Y z] in\n< l OK [X-Y z] in\n", false},
        {"what comes right behind", STARTTLS, ASKED "b<~ guard-login OK in\\r\\n* 1 EXISTS\\r\\nbare\\nlf\\x00 \\xff\\r\\n\n< l OK in\n"
            "< * 1 EXISTS\n< bare\\n\n< lf\\x00 \\xff\n", false},
    };
    rig_play_all(rows, COUNT(rows));
}

Test(session, a_wrong_password_is_told_as_such_and_may_be_tried_again)
{
    static const struct dialogue rows[] = {
        {"NO", STARTTLS, ASKED "b< guard-login NO wrong\nbend\n< l NO [AUTHENTICATIONFAILED] Authentication failed.\nlog login-failed\nlog reason=authentication-failed\n"
            ALIVE "idle\n", false},
        {"a code of its own", STARTTLS, ASKED "b< guard-login NO [EXPIRED] old\nbend\n< l NO [EXPIRED] The password has expired.\nlog login-failed\n" ALIVE, false},
        {"then the right one", STARTTLS, SECURED "> l LOGIN joe other\n" BACKEND "b> guard-login LOGIN \"joe\" \"other\"\nb< guard-login NO wrong\nbend\n< l NO [AUTHENTICATIONFAILED] Authentication failed.\n" LOGGED_IN "idle\n", false},
        {"not the user's fault", STARTTLS, ASKED "b< guard-login NO [UNAVAILABLE] later\nbend\n< l NO [UNAVAILABLE] later\nlog login-unavailable\n"
            "nolog login-failed\n" ALIVE "idle\n", false},
        {"repeated password", STARTTLS, ASKED "b< guard-login NO not: " PASSWORD "\nbend\n< l NO [AUTHENTICATIONFAILED] Authentication failed.\n"
            ALIVE, false},
        {"repeated password, not the user's fault", STARTTLS, ASKED "b< guard-login NO [SERVERBUG] not: " PASSWORD "\nbend\n"
            "< l NO [SERVERBUG] not: " PASSWORD "\n" ALIVE, false},
        {"nor this", STARTTLS, ASKED "b< guard-login NO [INUSE] later\nbend\n< l NO [INUSE] later\nnolog login-failed\n" ALIVE, false},
        {"three times the same, asked once", STARTTLS, ASKED "b< guard-login NO a\nbend\n< l NO [AUTHENTICATIONFAILED] Authentication failed.\n"
            LOGIN "< l NO [AUTHENTICATIONFAILED] Authentication failed.\nlog login-failed\n> l AUTHENTICATE PLAIN " PLAIN_JOE "\n"
            "< l NO [AUTHENTICATIONFAILED] Authentication failed.\n< * BYE Too many failed logins.\n.\nc.\nlog reason=login-attempts\n", false},
    };
    rig_play_all(rows, COUNT(rows));
}

static bool gone(const struct rig *r)
{
    return r->ended > 0;
}

Test(session, the_answer_to_a_wrong_password_waits_longer_each_time)
{
    struct rig r;
    rig_init(&r, STARTTLS, WHOLE);
    r.limits.login_delay_ms = 100;
    r.limits.login_delay_max_ms = 150;
    rig_connect(&r);
    rig_play(&r, "TLS", SECURED);
    static const double least[] = {0.1, 0.15, 0.15};
    for (size_t i = 0; i < COUNT(least); i++) {
        char login[256];
        snprintf(login, sizeof login, "> l LOGIN joe %zu\n" BACKEND "b> guard-login LOGIN \"joe\" \"%zu\"\nb< guard-login NO x\nbend\n", i, i);
        rig_play(&r, "login", login);
        ev_now_update(r.loop.ev);
        ev_tstamp start = ev_now(r.loop.ev);
        cr_expect_eq(rig_session(&r)->state, STATE_PENALTY);
        cr_expect_null(rig_session(&r)->attempt->credentials.user, "the credentials do not wait with the client");
        rig_play(&r, "answer", i < 2 ? "< l NO [AUTHENTICATIONFAILED] Authentication failed.\n" : "< l NO [AUTHENTICATIONFAILED] Authentication failed.\n< * BYE Too many failed logins.\n.\nc.\n");
        ev_tstamp took = ev_now(r.loop.ev) - start;
        cr_expect(took > least[i] - 0.02 && took < least[i] + 1, "attempt %zu took %.3f s", i, took);
    }
    cr_expect(rig_until(&r, gone));
    rig_over(&r);
}

Test(session, the_same_wrong_password_waits_no_longer_each_time)
{
    struct rig r;
    rig_init(&r, STARTTLS, WHOLE);
    r.limits.login_delay_ms = 100;
    r.limits.login_delay_max_ms = 1500;
    rig_connect(&r);
    rig_play(&r, "TLS", SECURED);
    for (size_t i = 0; i < 3; i++) {
        rig_play(&r, "login", i == 0 ? LOGIN BACKEND "b> guard-login LOGIN \"joe\" \"" PASSWORD "\"\nb< guard-login NO x\nbend\n" : LOGIN);
        ev_now_update(r.loop.ev);
        ev_tstamp start = ev_now(r.loop.ev);
        rig_play(&r, "answer", i < 2 ? "< l NO [AUTHENTICATIONFAILED] Authentication failed.\n"
                                     : "< l NO [AUTHENTICATIONFAILED] Authentication failed.\n< * BYE Too many failed logins.\n.\nc.\n");
        ev_tstamp took = ev_now(r.loop.ev) - start;
        cr_expect(took > 0.08 && took < 0.19, "attempt %zu took %.3f s", i, took);
    }
    rig_over(&r);
}

Test(session, trouble_with_the_backend_never_looks_like_a_wrong_password)
{
#define TROUBLE(name, cause, text) {name, STARTTLS, SECURED LOGIN "B\n" text "< l " UNAVAILABLE "bend\nlog login-unavailable\n" \
    "nolog login-failed\nlog reason=" cause "\n" ALIVE "idle\n", false}
#define TRIED "b< * OK [CAPABILITY IMAP4rev1] old\nb> guard-login LOGIN \"joe\" \"" PASSWORD "\"\n"
    static const struct dialogue rows[] = {
        TROUBLE("BYE", "bye", "b< * BYE too many\n"),
        TROUBLE("PREAUTH", "preauth", "b< * PREAUTH welcome\n"),
        TROUBLE("NO", "no-greeting", "b< * NO\n"),
        TROUBLE("SMTP", "no-greeting", "b< 220 smtp\n"),
        TROUBLE("POP3", "no-greeting", "b< +OK pop3\n"),
        TROUBLE("HTTP", "no-greeting", "b< HTTP/1.1 400 Bad\n"),
        TROUBLE("empty", "no-greeting", "b< \n"),
        TROUBLE("bare LF", "bad-byte", "b<~ * OK hi\\n\n"),
        TROUBLE("NUL", "bad-byte", "b< * OK \\x00\n"),
        TROUBLE("no IMAP", "no-imap", "b< * OK [CAPABILITY POP] old\n"),
        TROUBLE("no way in", "login-disabled", "b< * OK [CAPABILITY IMAP4rev1 LOGINDISABLED] old\n"),
        TROUBLE("no capabilities", "no-capabilities", "b< * OK old\nb> guard-capability CAPABILITY\nb< guard-capability BAD what\n"),
        TROUBLE("BYE to capability", "bye", "b< * OK old\nb> guard-capability CAPABILITY\nb< * BYE\n"),
        TROUBLE("empty capabilities", "no-imap", "b< * OK old\nb> guard-capability CAPABILITY\nb< guard-capability OK\n"),
        TROUBLE("BAD", "backend-bad", TRIED "b< guard-login BAD what\n"),
        TROUBLE("BAD that repeats the command", "backend-bad", TRIED "b< guard-login BAD unknown: LOGIN joe " PASSWORD "\n"),
        TROUBLE("BYE that repeats the command", "bye", TRIED "b< * BYE unknown: LOGIN joe " PASSWORD "\n"),
        TROUBLE("nonsense that repeats the command", "nonsense", TRIED "b< guard-login LOGIN joe " PASSWORD "\n"),
        TROUBLE("BYE to login", "bye", TRIED "b< * BYE down\n"),
        TROUBLE("another tag", "nonsense", TRIED "b< l OK hi\n"),
        TROUBLE("tag in another case", "nonsense", TRIED "b< GUARD-LOGIN OK hi\n"),
        TROUBLE("tagged BYE", "nonsense", TRIED "b< guard-login BYE\n"),
        TROUBLE("PREAUTH to login", "nonsense", TRIED "b< * PREAUTH\n"),
        TROUBLE("invitation too many", "unexpected-continuation", TRIED "b< + go on\n"),
        TROUBLE("NUL in the answer", "bad-byte", TRIED "b< guard-login OK \\x00\n"),
        TROUBLE("CR in the answer", "bad-byte", TRIED "b< guard-login O\\rK\n"),
    };
    rig_play_all(rows, COUNT(rows));
#define CLOSES(name, text) {name, STARTTLS, SECURED LOGIN "B\n" text "b.\n< l " UNAVAILABLE "log login-unavailable\nlog reason=connection-closed\n" \
    "nolog login-failed\n" ALIVE LOGGED_IN "idle\n", false}
    static const struct dialogue closing[] = {
        CLOSES("at once", ""), CLOSES("within the greeting", "b<~ * OK\n"),
        CLOSES("behind the greeting", "b< * OK old\nb> guard-capability CAPABILITY\n"), CLOSES("instead of an answer", TRIED),
        CLOSES("within the answer", TRIED "b<~ guard-login OK\n"),
    };
    rig_play_all(closing, COUNT(closing));
}

Test(session, a_backend_that_says_too_much_is_trouble_as_well)
{
    static char line[70000];
    struct rig r;
    rig_init(&r, STARTTLS, WHOLE);
    rig_connect(&r);
    rig_play(&r, "long line", SECURED LOGIN "B\n");
    memset(line, 'x', sizeof line);
    rig_backend_says(&r, line, sizeof line);
    rig_play(&r, "long line", "< l " UNAVAILABLE "b.\nlog reason=line-too-long\n" ALIVE "idle\n");
    rig_play(&r, "many lines", LOGIN "B\n" TRIED);
    for (int i = 0; i < 70; i++) {
        rig_backend_says(&r, "* 1 EXISTS\r\n", 12);
    }
    rig_play(&r, "many lines", "< l " UNAVAILABLE "b.\nlog reason=too-many-lines\n" ALIVE "idle\n");
    rig_over(&r);
}

Test(session, a_backend_that_is_not_there_is_unavailable_until_it_is)
{
    struct rig r;
    rig_init(&r, STARTTLS, WHOLE);
    close(r.door);
    r.door = -1;
    rig_connect(&r);
    rig_play(&r, "refused", SECURED LOGIN "< l " UNAVAILABLE "log reason=connection-refused\n" ALIVE "idle\n");
    unlink(temp_path("door"));
    rig_play(&r, "no socket", LOGIN "< l " UNAVAILABLE "log reason=no-such-socket\nnolog login-failed\n" ALIVE "idle\n");
    r.door = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct endpoint endpoint;
    backend_endpoint(&r.generation.backends->items[0], &endpoint);
    cr_assert(bind(r.door, &endpoint.addresses[0].sa, endpoint.addresses[0].len) == 0 && listen(r.door, 10) == 0);
    rig_play(&r, "there", LOGGED_IN "idle\n");
    rig_over(&r);
}

Test(session, the_next_address_is_tried_when_one_does_not_answer)
{
    struct rig r;
    rig_init(&r, STARTTLS, WHOLE);
    struct endpoint e;
    rig_set_backends(&r);
    backend_endpoint(&r.generation.backends->items[0], &e);
    e.addresses[1] = e.addresses[0];
    strcat(e.addresses[0].un.sun_path, "-missing");
    e.count = 2;
    backend_publish_endpoint(&r.generation.backends->items[0], &e);
    rig_connect(&r);
    rig_play(&r, "second", SECURED LOGGED_IN "nolog login-unavailable\n");
    rig_over(&r);
}

Test(session, every_wait_for_the_backend_has_an_end)
{
    static const struct {
        const char *name, *before, *cause;
    } rows[] = {
        {"no greeting", "", "greeting-timeout"},
        {"half a greeting", "b<~ * OK\n", "greeting-timeout"},
        {"no capabilities", "b< * OK\nb> guard-capability CAPABILITY\n", "capability-timeout"},
        {"no answer", TRIED, "login-timeout"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rig r;
        char text[1024];
        rig_init(&r, STARTTLS, WHOLE);
        r.backend_options.login_timeout_ms = 150;
        rig_connect(&r);
        snprintf(text, sizeof text, "%s%sB\n%s< l %sbend\nlog login-unavailable\nlog reason=%s\n%sidle\n", SECURED, LOGIN, rows[i].before,
                 UNAVAILABLE, rows[i].cause, ALIVE);
        rig_play(&r, rows[i].name, text);
        rig_over(&r);
    }
}

/* --- generations ---------------------------------------------------------------------------------------------- */

static unsigned destroyed;

static void count_destroyed(struct generation *g)
{
    (void)g;
    destroyed++;
}

Test(session, a_session_keeps_the_configuration_that_it_began_with)
{
    struct rig r;
    rig_init(&r, STARTTLS, WHOLE);
    rig_connect(&r);
    rig_play(&r, "begun", HELLO);
    struct generation next = r.generation;
    struct limits stricter = r.limits;
    stricter.login_attempts = 1;
    next.references = 1;
    next.limits = &stricter;
    r.generation.destroy = count_destroyed;
    r.proxy.generation = &next;
    generation_release(&r.generation);
    cr_expect(destroyed == 0 && rig_session(&r)->connection.generation == &r.generation, "the session still holds it");
    rig_play(&r, "old limits", "> a STARTTLS\n< a OK Begin TLS negotiation now.\nT\n" ALIVE "c.\n.\n");
    cr_expect(rig_until(&r, gone));
    cr_expect_eq(destroyed, 1, "nobody holds it any more");
    cr_expect_eq(next.references, 1);
    r.proxy.generation = &r.generation;
    rig_over(&r);
}

/* --- time limits and ends ------------------------------------------------------------------------------------ */

Test(session, every_wait_for_the_client_has_an_end)
{
    static const struct {
        const char *name;
        enum listener_tls tls;
        const char *text;
    } rows[] = {
        {"silent", STARTTLS, HELLO "< * BYE No login within the time allowed.\n.\nc.\nlog reason=login-timeout\n"},
        {"busy", STARTTLS, HELLO ALIVE ALIVE ">~ a LOG\n< * BYE No login within the time allowed.\n.\nc.\nlog reason=login-timeout\n"},
        {"silent after TLS", STARTTLS, SECURED "< * BYE No login within the time allowed.\n.\nc.\nlog reason=login-timeout\n"},
        {"within AUTHENTICATE", STARTTLS, SECURED "> a AUTHENTICATE PLAIN\n< + \n< * BYE No login within the time allowed.\n.\nc.\n"},
        {"no handshake", IMPLICIT, "< * BYE This port needs TLS from the first byte.\n.\nc.\nlog tls-failed\nlog reason=\"timeout\"\nlog reason=handshake-timeout\n"},
        {"cleartext where TLS is needed", IMPLICIT, "> a NOOP\n< * BYE This port needs TLS from the first byte.\n.\nc.\nlog reason=cleartext-on-tls-port\n"},
        {"no handshake after STARTTLS", STARTTLS, HELLO "> a STARTTLS\n< a OK Begin TLS negotiation now.\n.\nc.\nlog reason=handshake-timeout\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rig r;
        rig_init(&r, rows[i].tls, WHOLE);
        r.limits.login_timeout_ms = 400;
        r.limits.handshake_timeout_ms = 200;
        rig_connect(&r);
        rig_play(&r, rows[i].name, rows[i].text);
        rig_over(&r);
    }
}

Test(session, an_idle_relay_ends_and_a_busy_one_does_not)
{
    struct rig r;
    rig_init(&r, STARTTLS, WHOLE);
    r.limits.idle_timeout_ms = 300;
    rig_connect(&r);
    rig_play(&r, "login", SECURED LOGGED_IN);
    for (int i = 0; i < 5; i++) {
        usleep(120000);
        rig_play(&r, "busy", i % 2 != 0 ? "> ping\nb> ping\n" : "b< pong\n< pong\n");
    }
    rig_play(&r, "idle", ".\nc.\nbend\nlog reason=idle-timeout\n");
    rig_over(&r);
}

Test(session, a_client_that_leaves_takes_its_login_with_it)
{
    static const struct dialogue rows[] = {
        {"before the greeting", STARTTLS, SECURED LOGIN "B\nc.\nbend\nlog disconnect\nnolog login-unavailable\nnolog login-failed\n", false},
    };
    rig_play_all(rows, COUNT(rows));
}

Test(session, a_client_that_leaves_while_its_secret_is_judged_is_judged)
{
    static const struct dialogue rows[] = {
        {"wrong", STARTTLS, SECURED LOGIN "B\n" TRIED "c.\nnolog disconnect\nb< guard-login NO wrong\nbend\nlog verdict=wrong\n"
            "log login-aborted\nlog user=\"joe\"\nlog reason=client-closed\n", false},
        {"right", STARTTLS, SECURED LOGIN "B\n" TRIED "c.\nb< guard-login OK right\nbend\nlog verdict=right\nlog disconnect\n", false},
        {"neither", STARTTLS, SECURED LOGIN "B\n" TRIED "c.\nb< guard-login BAD what\nbend\nlog verdict=unknown\nlog disconnect\n", false},
        {"the backend leaves, too", STARTTLS, SECURED LOGIN "B\n" TRIED "c.\nb.\nlog verdict=unknown\nlog disconnect\n", false},
    };
    rig_play_all(rows, COUNT(rows));
}

Test(session, all_end_when_the_server_stops)
{
    static const struct {
        const char *name;
        enum listener_tls tls;
        const char *before, *after;
    } rows[] = {
        {"before TLS", STARTTLS, HELLO, "< * BYE Server shutting down.\n.\nc.\nlog reason=shutdown\n"},
        {"before the handshake", IMPLICIT, "", ".\nc.\nlog reason=shutdown\n"},
        {"after TLS", STARTTLS, SECURED, "< * BYE Server shutting down.\n.\nc.\nlog reason=shutdown\n"},
        {"within a login", STARTTLS, SECURED LOGIN "B\n", "< * BYE Server shutting down.\n.\nc.\nbend\nlog reason=shutdown\n"},
        {"logged in", STARTTLS, SECURED LOGGED_IN, ".\nc.\nbend\nlog reason=shutdown\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rig r;
        rig_init(&r, rows[i].tls, WHOLE);
        rig_connect(&r);
        rig_play(&r, rows[i].name, rows[i].before);
        session_end_all(&r.proxy, REASON_SHUTDOWN);
        rig_play(&r, rows[i].name, rows[i].after);
        cr_expect(rig_until(&r, gone), "%s", rows[i].name);
        cr_expect_eq(r.ended, 1);
        rig_over(&r);
    }
}

Test(session, a_client_that_never_closes_is_left_after_a_second)
{
    struct rig r;
    rig_init(&r, STARTTLS, WHOLE);
    rig_connect(&r);
    rig_play(&r, "logout", HELLO "> a LOGOUT\n< * BYE Logging out.\n< a OK LOGOUT completed.\n.\n");
    cr_expect_eq(r.ended, 0, "it waits for the client's close");
    ev_tstamp start = ev_now(r.loop.ev);
    cr_expect(rig_until(&r, gone));
    cr_expect_lt(ev_now(r.loop.ev) - start, 1.5);
    rig_over(&r);
}

Test(session, sessions_do_not_disturb_each_other)
{
    struct rig r;
    union address a = {0};
    int fds[3][2];
    char octets[256];
    rig_init(&r, STARTTLS, WHOLE);
    rig_set_policy(&r);
    rig_set_backends(&r);
    for (int i = 0; i < 3; i++) {
        socket_pair(fds[i], false);
        cr_assert_eq(session_start(&r.proxy, fds[i][0], &r.listener, &a, &a), 0);
    }
    cr_expect_eq(r.proxy.count, 3);
    close(fds[1][1]);
    rig_settle(&r);
    cr_expect(r.proxy.count == 2 && r.ended == 1);
    for (int i = 0; i < 3; i += 2) {
        cr_expect_gt(recv(fds[i][1], octets, sizeof octets, 0), 0);
        cr_assert_eq(write(fds[i][1], "a NOOP\r\n", 8), 8);
        rig_settle(&r);
        cr_expect_eq(recv(fds[i][1], octets, sizeof octets, 0), 22);
        close(fds[i][1]);
    }
    rig_settle(&r);
    cr_expect_eq(r.proxy.count, 0);
    rig_over(&r);
}
