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
    const char *word;     /* in the log */
    enum log_level level; /* of the disconnect line */
    const char *bye;      /* the text of "* BYE"; NULL: the client is told nothing */
};

extern const struct reason_row reasons[REASON_COUNT];

#endif
