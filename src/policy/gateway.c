/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/gateway.h"

#include <string.h>

enum { WINDOW = 100 };

static bool is_private(const struct network_address *a)
{
    static const char *const texts[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct network n;
        (void)network_parse(texts[i], strlen(texts[i]), &n);
        struct network around = network_around(a, n.prefix >= 96 ? n.prefix - 96 : 0, n.prefix);
        if (around.prefix == n.prefix && memcmp(&around.first, &n.first, sizeof n.first) == 0) {
            return true;
        }
    }
    return false;
}

static bool same(const struct network_address *a, const struct network_address *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

bool gateway_seen(struct gateway *g, const struct network_address *a)
{
    if (g->lead == 0) {
        g->leader = *a;
    }
    g->lead = same(a, &g->leader) ? g->lead + 1 : g->lead - 1;
    g->matching += same(a, &g->suspect);
    if (++g->seen < WINDOW) {
        return false;
    }
    bool found = g->matching > WINDOW / 2 && is_private(&g->suspect);
    if (!found) {
        g->suspect = g->leader;
    }
    g->lead = g->matching = g->seen = 0;
    return found;
}
