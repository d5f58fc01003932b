/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/foreign.h"

#include <stddef.h>

#include "imap/command.h"

enum match { WHOLE, BEGIN };

/* clang-format off */
static const struct {
    const char *first;
    enum match how;     /* how `first` is compared */
    const char *second; /* prefix of the second word */
    const char *protocol;
} protocols[] = {
    {"\x16",     BEGIN, "",        "tls"},
    {"\x80",     BEGIN, "",        "tls"}, /* an SSLv2 ClientHello */
    {"SSH-",     BEGIN, "",        "ssh"},
    {"OPTIONS",  WHOLE, "sip:",    "sip"},
    {"OPTIONS",  WHOLE, "rtsp:",   "rtsp"},
    {"GET",      WHOLE, "",        "http"},
    {"HEAD",     WHOLE, "",        "http"},
    {"POST",     WHOLE, "",        "http"},
    {"PUT",      WHOLE, "",        "http"},
    {"DELETE",   WHOLE, "/",       "http"},
    {"OPTIONS",  WHOLE, "",        "http"},
    {"CONNECT",  WHOLE, "",        "http"},
    {"TRACE",    WHOLE, "/",       "http"},
    {"PATCH",    WHOLE, "/",       "http"},
    {"PROPFIND", WHOLE, "",        "http"},
    {"PRI",      WHOLE, "*",       "http"}, /* the preface of HTTP/2 */
    {"EHLO",     WHOLE, "",        "smtp"},
    {"HELO",     WHOLE, "",        "smtp"},
    {"LHLO",     WHOLE, "",        "smtp"},
    {"MAIL",     WHOLE, "FROM:",   "smtp"},
    {"RCPT",     WHOLE, "TO:",     "smtp"},
    {"USER",     WHOLE, "",        "pop3"},
    {"APOP",     WHOLE, "",        "pop3"},
    {"CAPA",     WHOLE, "",        "pop3"},
    {"PROXY",    WHOLE, "TCP",     "proxy"},
    {"PROXY",    WHOLE, "UNKNOWN", "proxy"},
};
/* clang-format on */

const char *foreign_protocol(struct span first, struct span second)
{
    if (command_find(second) != NULL) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        bool same = protocols[i].how == WHOLE ? span_is(first, protocols[i].first)
                                              : span_begins(first, protocols[i].first);
        if (same && span_begins(second, protocols[i].second)) {
            return protocols[i].protocol;
        }
    }
    return NULL;
}
