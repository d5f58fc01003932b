/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/generation.h"

#include <assert.h>
#include <stddef.h>

struct generation *generation_hold(struct generation *g)
{
    g->references++;
    return g;
}

void generation_release(struct generation *g)
{
    if (g == NULL) {
        return;
    }
    assert(g->references > 0);
    if (--g->references == 0) {
        g->destroy(g);
    }
}
