/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/shared_address.h"

#include <string.h>

enum { WINDOW = 10 };

static bool same(const struct network_address *a, const struct network_address *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

bool shared_address_count(struct shared_address *g, const struct network_address *a)
{
    if (g->lead == 0) {
        g->leader = *a;
    }
    g->lead = same(a, &g->leader) ? g->lead + 1 : g->lead - 1;
    g->matching += same(a, &g->suspect);
    if (++g->seen < WINDOW) {
        return false;
    }
    bool found = g->matching > WINDOW / 2 && (network_is_private(&g->suspect) || network_is_loopback(&g->suspect));
    if (!found) {
        g->suspect = g->leader;
    }
    g->lead = g->matching = g->seen = 0;
    return found;
}
