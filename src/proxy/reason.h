/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a session ends: the rows of reason.def as an enum and a table. */
#ifndef IMAPGUARD_PROXY_REASON_H
#define IMAPGUARD_PROXY_REASON_H

#include "base/log.h"

enum reason {
#define REASON(name, word, level, bye) REASON_##name,
#include "proxy/reason.def"
#undef REASON
    REASON_COUNT
};

struct reason_row {
    const char *word;     /* value of `reason` in the log; static */
    enum log_level level; /* of the line "disconnect" */
    /*
     * The text after "* BYE "; static. NULL: the session ends without BYE. A session ends with BYE only before its
     * login, and not while its client waits for TLS. A client that is refused at connect gets BYE only if
     * reason_is_told_at_connect(), on a STARTTLS listener.
     */
    const char *bye;
};

extern const struct reason_row reasons[REASON_COUNT];

/* Returns true if a client that is refused at connect may know that reason: it has done nothing wrong. */
bool reason_is_told_at_connect(enum reason reason);

#endif
