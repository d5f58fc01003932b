/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backend_options.h"

#include <string.h>

#include "net/endpoint.h"
#include "net/fingerprint.h"
#include "net/proxy_header.h"

enum { SECOND = 1000, HOUR = 3600 * SECOND, COUNT_MAX = 1000000 };

/* RFC 1035 2.3.4: 255 octets on the wire are 253 in text. OpenSSL takes no longer one for SNI either. */
static const char *check_server_name(const char *text)
{
    return strlen(text) <= 253 ? NULL : "the name of a host, of at most 253 characters, or \"\"";
}

static const char *const tls_names[] = {"none", "starttls", "implicit", NULL};
/* clang-format off */
static const char *const proxy_names[] = {
    [PROXY_HEADER_NONE] = "none", [PROXY_HEADER_V1] = "v1", [PROXY_HEADER_V2] = "v2", NULL};

static const struct option_row rows[] = {
    {.name = "name", .type = OPTION_TEXT, .offset = offsetof(struct backend_options, name),
     .check = option_check_name},
    {.name = "address", .type = OPTION_TEXT, .offset = offsetof(struct backend_options, address),
     .check = endpoint_check},
    {.name = "tls", .type = OPTION_CHOICE, .offset = offsetof(struct backend_options, tls), .default_value = "none",
     .choices = tls_names},
    {.name = "verify", .type = OPTION_FLAG, .offset = offsetof(struct backend_options, tls_client.verify),
     .default_value = "true"},
    {.name = "fingerprint", .type = OPTION_TEXTS, .offset = offsetof(struct backend_options, tls_client.fingerprints),
     .default_value = "", .check = fingerprint_check},
    {.name = "ca_file", .type = OPTION_TEXT, .offset = offsetof(struct backend_options, tls_client.ca_file),
     .default_value = ""},
    {.name = "server_name", .type = OPTION_TEXT, .offset = offsetof(struct backend_options, tls_client.server_name),
     .default_value = "", .check = check_server_name},
    {.name = "certificate", .type = OPTION_TEXT, .offset = offsetof(struct backend_options, tls_client.certificate.chain),
     .default_value = ""},
    {.name = "key", .type = OPTION_TEXT, .offset = offsetof(struct backend_options, tls_client.certificate.key),
     .default_value = ""},
    {.name = "legacy_tls", .type = OPTION_FLAG, .offset = offsetof(struct backend_options, tls_client.legacy),
     .default_value = "false"},
    {.name = "proxy_protocol", .type = OPTION_CHOICE, .offset = offsetof(struct backend_options, proxy_protocol),
     .default_value = "none", .choices = proxy_names},
    {.name = "forward_id", .type = OPTION_FLAG, .offset = offsetof(struct backend_options, forward_id),
     .default_value = "true"},
    {.name = "pass_refusal_text", .type = OPTION_FLAG, .offset = offsetof(struct backend_options, pass_refusal_text),
     .default_value = "false"},
    {.name = "connect_timeout", .type = OPTION_DURATION,
     .offset = offsetof(struct backend_options, connect_timeout_ms), .default_value = "5s", .min = 100, .max = HOUR},
    {.name = "greeting_timeout", .type = OPTION_DURATION,
     .offset = offsetof(struct backend_options, greeting_timeout_ms), .default_value = "8s", .min = 100, .max = HOUR},
    {.name = "login_timeout", .type = OPTION_DURATION, .offset = offsetof(struct backend_options, login_timeout_ms),
     .default_value = "30s", .min = 100, .max = HOUR},
    {.name = "max_sessions", .type = OPTION_COUNT, .offset = offsetof(struct backend_options, max_sessions),
     .default_value = "0", .max = COUNT_MAX},
    {.name = "resolve_interval", .type = OPTION_DURATION,
     .offset = offsetof(struct backend_options, resolve_interval_ms), .default_value = "30s", .min = SECOND, .max = 24 * HOUR},
    {.name = "check_interval", .type = OPTION_DURATION, .offset = offsetof(struct backend_options, check_interval_ms),
     .default_value = "10s", .max = HOUR},
    {.name = "check_rise", .type = OPTION_COUNT, .offset = offsetof(struct backend_options, check_rise),
     .default_value = "2", .min = 1, .max = 100},
    {.name = "check_fall", .type = OPTION_COUNT, .offset = offsetof(struct backend_options, check_fall),
     .default_value = "3", .min = 1, .max = 100},
    {0},
};
/* clang-format on */
const struct option_table backend_option_table = {sizeof(struct backend_options), rows};

bool backend_forwards_id(const struct backend_options *o, const struct capabilities *able)
{
    return o->forward_id && able->id;
}

bool backend_is_told_address(const struct backend_options *o, const struct capabilities *able)
{
    return o->proxy_protocol != PROXY_HEADER_NONE || (able != NULL ? backend_forwards_id(o, able) : o->forward_id);
}
