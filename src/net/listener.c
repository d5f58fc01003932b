/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/listener.h"

#include <string.h>

#include "base/address.h"

static const char *const tls_names[] = {"starttls", "implicit", NULL};
static const char *const alpn_names[] = {"strict", "lenient", NULL};

static const char *check_address(const char *text)
{
    union address addresses[2];
    return address_parse_listen(text, addresses) > 0 ? NULL : "ADDRESS:PORT, [IPV6]:PORT or *:PORT";
}

/* clang-format off */
static const struct option_row rows[] = {
    {.name = "name", .type = OPTION_TEXT, .offset = offsetof(struct listener_options, name),
     .check = option_check_name},
    {.name = "address", .type = OPTION_TEXT, .offset = offsetof(struct listener_options, address),
     .check = check_address},
    {.name = "tls", .type = OPTION_CHOICE, .offset = offsetof(struct listener_options, tls), .choices = tls_names},
    {.name = "alpn", .type = OPTION_CHOICE, .offset = offsetof(struct listener_options, alpn), .default_value = "strict",
     .choices = alpn_names},
    {.name = "proxy_protocol", .type = OPTION_TEXTS, .offset = offsetof(struct listener_options, proxy_protocol),
     .default_value = "", .check = network_check},
    {0},
};
/* clang-format on */
const struct option_table listener_option_table = {sizeof(struct listener_options), rows};

int listener_init(struct listener *l, const struct listener_options *options)
{
    *l = (struct listener){.options = options};
    char *const *texts = options->proxy_protocol.items;
    for (size_t i = 0; i < options->proxy_protocol.count; i++) {
        struct network n;
        if (network_parse(texts[i], strlen(texts[i]), &n) != 0 || network_set_add(&l->proxies, &n) != 0) {
            return -1;
        }
    }
    network_set_seal(&l->proxies);
    return 0;
}

void listener_clear(struct listener *l)
{
    network_set_clear(&l->proxies);
}
