/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/facts.h"

#include "policy/geoip.h"

struct facts facts_at_connect(const struct network_address *address, const char *listener, struct geoip *geoip)
{
    return (struct facts){.address = *address, .listener = listener, .geoip = geoip};
}

const struct place *facts_place(struct facts *f)
{
    if (!f->located) {
        f->place = f->geoip != NULL ? geoip_lookup(f->geoip, &f->address) : (struct place){"--", "--", 0};
        f->located = true;
    }
    return &f->place;
}
