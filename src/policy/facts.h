/* SPDX-License-Identifier: BSD-2-Clause */
/* What access rules can ask about a client. Its place is looked up once, at the first question. */
#ifndef IMAPGUARD_POLICY_FACTS_H
#define IMAPGUARD_POLICY_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/network.h"

struct geoip;

/* The country and the autonomous system of an address. */
struct place {
    char country[3];   /* ISO 3166-1 alpha-2; "--": not known */
    char continent[3]; /* "AF", "AN", "AS", "EU", "NA", "OC", "SA"; "--": not known */
    uint32_t asn;      /* 0: not known */
};

struct facts {
    struct network_address address;
    const char *listener; /* the listener's name */
    const char *user;     /* NULL before a login */
    struct geoip *geoip;  /* NULL: no databases */
    struct place place;   /* read it by facts_place() */
    bool located;
};

/* Returns the facts at connect. The pointers are not copied. */
struct facts facts_at_connect(const struct network_address *address, const char *listener, struct geoip *geoip);

/* Returns the client's place, and looks it up the first time. */
const struct place *facts_place(struct facts *f);

#endif
