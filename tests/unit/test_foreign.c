/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/foreign.h"

#include "support.h"

TestSuite(foreign, .fini = test_over);

Test(foreign, other_protocols_are_known_by_their_first_words)
{
    static const struct {
        const char *first, *second, *protocol;
    } rows[] = {
        {"GET", "/", "http"}, {"get", "/index.html", "http"}, {"HEAD", "/", "http"}, {"POST", "/login", "http"},
        {"OPTIONS", "/", "http"}, {"OPTIONS", "sip:nm", "sip"}, {"OPTIONS", "rtsp://x", "rtsp"}, {"PRI", "*", "http"},
        {"CONNECT", "mail.example:25", "http"}, {"EHLO", "me", "smtp"}, {"HELO", "", "smtp"}, {"MAIL", "FROM:<a@b>", "smtp"},
        {"USER", "joe", "pop3"}, {"CAPA", "", "pop3"}, {"SSH-2.0-OpenSSH_9.2p1", "", "ssh"}, {"ssh-1", "x", "ssh"},
        {"\x16\x03\x01", "", "tls"}, {"\x16", "", "tls"}, {"\x80.", "", "tls"},
        {"PROXY", "TCP4", "proxy"}, {"PROXY", "UNKNOWN", "proxy"},
        /* A tag may be any word. */
        {"a1", "LOGIN", NULL}, {"GET", "LOGIN", NULL}, {"USER", "noop", NULL}, {"GETX", "/", NULL}, {"MAIL", "x", NULL},
        {"DELETE", "x", NULL}, {"PRI", "x", NULL}, {"PROXY", "x", NULL}, {"XSSH-2", "", NULL}, {"", "", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *got = foreign_protocol(span_of(rows[i].first), span_of(rows[i].second));
        cr_expect(rows[i].protocol == NULL ? got == NULL : got != NULL && strcmp(got, rows[i].protocol) == 0,
                  "%s %s is %s", show(span_of(rows[i].first)), rows[i].second, got != NULL ? got : "IMAP");
    }
}
