/* SPDX-License-Identifier: BSD-2-Clause */
/* The properties of a client that rules can test. Its place is looked up once, and only if a rule needs it. */
#ifndef IMAPGUARD_POLICY_FACTS_H
#define IMAPGUARD_POLICY_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/network.h"

struct geoip;

/* The place of an address according to the GeoIP databases. */
struct place {
    char country[3];   /* ISO 3166-1 alpha-2; "--": unknown */
    char continent[3]; /* "AF", "AN", "AS", "EU", "NA", "OC", "SA"; "--": unknown */
    uint32_t asn;      /* number of the autonomous system; 0: unknown */
};

/* It owns nothing: `listener`, `user` and `geoip` must outlive it. */
struct facts {
    struct network_address address;
    const char *listener; /* name of the listener */
    const char *user;     /* as the client wrote it, but folded (user_name.h); NULL before a login */
    const char *account;  /* as the backend knows the user, see route_account(); NULL: the same */
    struct geoip *geoip;  /* NULL: no databases */
    struct place place;   /* read it with facts_place() */
    bool located;         /* `place` is set */
};

/* Returns the facts of a client that has just connected, with `user` NULL. Copies the address; keeps the pointers. */
struct facts facts_at_connect(const struct network_address *address, const char *listener, struct geoip *geoip);

/* Returns the place of the client; the first call looks it up in the databases. Valid as long as f. */
const struct place *facts_place(struct facts *f);

#endif
