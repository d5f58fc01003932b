/* SPDX-License-Identifier: BSD-2-Clause */
/* What rules may know of a client. Where it is, is looked up once, and only when somebody asks. */
#ifndef IMAPGUARD_POLICY_FACTS_H
#define IMAPGUARD_POLICY_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/network.h"

struct geoip;

/* Where an address is, as far as the databases know. */
struct place {
    char country[3];   /* ISO 3166-1 alpha-2; "--": not known */
    char continent[3]; /* "AF", "AN", "AS", "EU", "NA", "OC", "SA"; "--": not known */
    uint32_t asn;      /* 0: not known */
};

struct facts {
    struct network_address address;
    const char *listener; /* its name */
    const char *user;     /* NULL before a login */
    struct geoip *geoip;  /* NULL: no databases */
    struct place place;   /* to be read by facts_place() */
    bool located;
};

/* The facts at connect; nothing is copied. */
struct facts facts_at_connect(const struct network_address *address, const char *listener, struct geoip *geoip);

/* Where the client is: looks it up the first time. */
const struct place *facts_place(struct facts *f);

#endif
