/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/reason.h"

#include <stddef.h>

const struct reason_row reasons[REASON_COUNT] = {
#define REASON(name, word, level, bye) [REASON_##name] = {word, LOG_LEVEL_##level, bye},
#include "proxy/reason.def"
#undef REASON
};

bool reason_is_told_at_connect(enum reason reason)
{
    return reason == REASON_SESSIONS || reason == REASON_CROWDED;
}
