/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/limits.h"

enum { SECOND = 1000, HOUR = 3600 * SECOND };

static const struct option_row rows[] = {
    {.name = "login_attempts", .type = OPTION_COUNT, .offset = offsetof(struct limits, login_attempts),
     .preset = "3", .min = 1, .max = 1000},
    {.name = "login_delay", .type = OPTION_DURATION, .offset = offsetof(struct limits, login_delay_ms),
     .preset = "2s", .max = 60 * SECOND},
    {.name = "login_delay_max", .type = OPTION_DURATION, .offset = offsetof(struct limits, login_delay_max_ms),
     .preset = "15s", .max = 60 * SECOND},
    {.name = "handshake_timeout", .type = OPTION_DURATION, .offset = offsetof(struct limits, handshake_timeout_ms),
     .preset = "15s", .min = SECOND, .max = HOUR},
    {.name = "login_timeout", .type = OPTION_DURATION, .offset = offsetof(struct limits, login_timeout_ms),
     .preset = "60s", .min = SECOND, .max = HOUR},
    {.name = "idle_timeout", .type = OPTION_DURATION, .offset = offsetof(struct limits, idle_timeout_ms),
     .preset = "31m", .min = SECOND, .max = 24 * HOUR},
    {0},
};
const struct option_table limits_option_table = {sizeof(struct limits), rows};
