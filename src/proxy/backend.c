/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backend.h"

enum { SECOND = 1000, HOUR = 3600 * SECOND };

static const char *const tls_names[] = {"none", NULL};

static const struct option_row rows[] = {
    {.name = "name", .type = OPTION_TEXT, .offset = offsetof(struct backend_options, name),
     .check = option_check_name},
    {.name = "address", .type = OPTION_TEXT, .offset = offsetof(struct backend_options, address),
     .check = endpoint_check},
    {.name = "tls", .type = OPTION_CHOICE, .offset = offsetof(struct backend_options, tls), .preset = "none",
     .choices = tls_names},
    {.name = "connect_timeout", .type = OPTION_DURATION,
     .offset = offsetof(struct backend_options, connect_timeout_ms), .preset = "5s", .min = 100, .max = HOUR},
    {.name = "login_timeout", .type = OPTION_DURATION, .offset = offsetof(struct backend_options, login_timeout_ms),
     .preset = "30s", .min = 100, .max = HOUR},
    {0},
};
const struct option_table backend_option_table = {sizeof(struct backend_options), rows};
