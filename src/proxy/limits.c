/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/limits.h"

#include <string.h>

enum { SECOND = 1000, HOUR = 3600 * SECOND, DAY = 24 * HOUR };

static const char *check_nat64(const char *text)
{
    struct network n;
    bool well = network_parse(text, strlen(text), &n) == 0 && n.prefix >= 32 && (n.prefix <= 64 || n.prefix == 96) &&
                n.prefix % 8 == 0 && !network_is_ipv4(&n);
    return well ? NULL : "an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits, such as \"2001:db8:64::/96\"";
}

struct network_address limits_unwrap(const struct limits *limits, const struct network_address *address)
{
    char *const *texts = limits->nat64.items;
    for (size_t i = 0; i < limits->nat64.count; i++) {
        struct network prefix;
        struct network_address out;
        if (network_parse(texts[i], strlen(texts[i]), &prefix) == 0 &&
            network_address_in_nat64(address, &prefix, &out)) {
            return out;
        }
    }
    return network_address_unwrap(address);
}

static const char *const private_names[] = {[CLIENT_TABLE_GATEWAY] = "gateway", [CLIENT_TABLE_CLIENT] = "client", NULL};

/* clang-format off */
static const struct option_row rows[] = {
    {.name = "nat64", .type = OPTION_TEXTS, .offset = offsetof(struct limits, nat64), .default_value = "", .check = check_nat64},
    {.name = "ipv4_prefix", .type = OPTION_COUNT, .offset = offsetof(struct limits, network.ipv4_prefix),
     .default_value = "32", .min = 8, .max = 32},
    {.name = "ipv6_prefix", .type = OPTION_COUNT, .offset = offsetof(struct limits, network.ipv6_prefix),
     .default_value = "64", .min = 16, .max = 128},
    {.name = "sessions", .type = OPTION_COUNT, .offset = offsetof(struct limits, network.sessions), .default_value = "100",
     .min = 1, .max = 1000000},
    {.name = "connection_rate", .type = OPTION_RATE, .offset = offsetof(struct limits, network.connection_rate),
     .default_value = "120/1m", .min = 1, .max = 1000000},
    {.name = "login_failures", .type = OPTION_RATE, .offset = offsetof(struct limits, network.login_failures),
     .default_value = "10/10m", .min = 1, .max = 1000000},
    {.name = "login_faults", .type = OPTION_RATE, .offset = offsetof(struct limits, network.login_faults),
     .default_value = "60/10m", .min = 1, .max = 1000000},
    {.name = "ipv4_site_prefix", .type = OPTION_COUNT, .offset = offsetof(struct limits, network.ipv4_site_prefix),
     .default_value = "0", .max = 32},
    {.name = "ipv6_site_prefix", .type = OPTION_COUNT, .offset = offsetof(struct limits, network.ipv6_site_prefix),
     .default_value = "48", .max = 128},
    {.name = "site_failures", .type = OPTION_RATE, .offset = offsetof(struct limits, network.site_failures),
     .default_value = "60/10m", .min = 1, .max = 1000000},
    {.name = "site_faults", .type = OPTION_RATE, .offset = offsetof(struct limits, network.site_faults),
     .default_value = "360/10m", .min = 1, .max = 1000000},
    {.name = "user_failures", .type = OPTION_RATE, .offset = offsetof(struct limits, network.user_failures),
     .default_value = "100/1h", .min = 1, .max = 1000000},
    {.name = "private_addresses", .type = OPTION_CHOICE, .offset = offsetof(struct limits, network.private_addresses),
     .default_value = "gateway", .choices = private_names},
    {.name = "ban_time", .type = OPTION_DURATION, .offset = offsetof(struct limits, network.ban_time_ms),
     .default_value = "15m", .min = SECOND, .max = 30u * DAY},
    {.name = "ban_time_max", .type = OPTION_DURATION, .offset = offsetof(struct limits, network.ban_time_max_ms),
     .default_value = "24h", .min = SECOND, .max = 30u * DAY},
    {.name = "table_size", .type = OPTION_COUNT, .offset = offsetof(struct limits, network.table_size),
     .default_value = "131072", .min = 1024, .max = 16777216},
    {.name = "state_file", .type = OPTION_TEXT, .offset = offsetof(struct limits, state_file), .default_value = "",
     .check = option_check_path},
    {.name = "login_attempts", .type = OPTION_COUNT, .offset = offsetof(struct limits, login_attempts),
     .default_value = "3", .min = 1, .max = 1000},
    {.name = "login_delay", .type = OPTION_DURATION, .offset = offsetof(struct limits, login_delay_ms),
     .default_value = "2s", .max = 60 * SECOND},
    {.name = "login_delay_max", .type = OPTION_DURATION, .offset = offsetof(struct limits, login_delay_max_ms),
     .default_value = "15s", .max = 60 * SECOND},
    {.name = "handshake_timeout", .type = OPTION_DURATION, .offset = offsetof(struct limits, handshake_timeout_ms),
     .default_value = "15s", .min = SECOND, .max = HOUR},
    {.name = "login_timeout", .type = OPTION_DURATION, .offset = offsetof(struct limits, login_timeout_ms),
     .default_value = "3m", .min = SECOND, .max = HOUR},
    {.name = "challenge_timeout", .type = OPTION_DURATION, .offset = offsetof(struct limits, challenge_timeout_ms),
     .default_value = "10s", .min = SECOND, .max = HOUR},
    {.name = "idle_timeout", .type = OPTION_DURATION, .offset = offsetof(struct limits, idle_timeout_ms),
     .default_value = "31m", .min = SECOND, .max = 24 * HOUR},
    {0},
};
/* clang-format on */
const struct option_table limits_option_table = {sizeof(struct limits), rows};
