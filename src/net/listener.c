/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/listener.h"

#include "base/address.h"

static const char *const tls_names[] = {"starttls", "implicit", NULL};
static const char *const alpn_names[] = {"strict", "lenient", NULL};

static const char *check_address(const char *text)
{
    union address addresses[2];
    return address_parse_listen(text, addresses) > 0 ? NULL : "ADDRESS:PORT, [IPV6]:PORT or *:PORT";
}

static const struct option_row rows[] = {
    {.name = "name", .type = OPTION_TEXT, .offset = offsetof(struct listener_options, name),
     .check = option_check_name},
    {.name = "address", .type = OPTION_TEXT, .offset = offsetof(struct listener_options, address),
     .check = check_address},
    {.name = "tls", .type = OPTION_CHOICE, .offset = offsetof(struct listener_options, tls), .choices = tls_names},
    {.name = "alpn", .type = OPTION_CHOICE, .offset = offsetof(struct listener_options, alpn), .preset = "strict",
     .choices = alpn_names},
    {0},
};
const struct option_table listener_option_table = {sizeof(struct listener_options), rows};
