/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The countries and autonomous systems of addresses, from databases in MaxMind's format. The master reads and checks each
 * file as a whole, and keeps it in sealed memory that the workers map: a file that is replaced, cut or removed does not
 * affect them, and they need no right to read it.
 */
#ifndef IMAPGUARD_POLICY_GEOIP_H
#define IMAPGUARD_POLICY_GEOIP_H

#include <stdbool.h>

#include "base/option.h"
#include "policy/facts.h"

struct geoip_options {
    char *country; /* paths; "": none */
    char *asn;
    bool required; /* a database that cannot be used is an error at start, and no last good copy is used */
};

extern const struct option_table geoip_option_table;

enum { GEOIP_COUNTRY, GEOIP_ASN, GEOIP_DATABASES };

struct geoip;

/*
 * Reads and checks the databases; the options are copied. If a database is missing, damaged or without the fields that it
 * is for, its last good copy is used, and failing that nothing is known of any address; either is a warning in `report`,
 * and an error with `required`. The copies lie beside `state_file` (copied; NULL or "": there are none). Returns NULL after
 * an error. Call it before the fork of the processes that use it.
 */
struct geoip *geoip_new(const struct geoip_options *options, const char *state_file, struct option_report *report);

/*
 * In the master, once the log is open: logs "geoip-failed" for each database whose own file could not be used at start,
 * with the key `using`, and writes the last good copies.
 */
void geoip_begin(struct geoip *g);

/* Frees the databases; NULL is fine. */
void geoip_free(struct geoip *g);

/*
 * In the master, about once a second (the cost is one stat() for each database): uses a file that was replaced, once it has
 * stopped changing. A bad file is logged once, and the old one stays. Events "geoip-loaded" (info: database, path, built) and "geoip-failed" (error: database, path, reason).
 */
void geoip_refresh(struct geoip *g);

/*
 * In the master: the version of a database (0: there is none), which changes when another is used, and its descriptor,
 * which stays the database's: what a worker that was forked before needs.
 */
uint32_t geoip_version(const struct geoip *g, unsigned database);
int geoip_descriptor(const struct geoip *g, unsigned database);

/*
 * In a worker: uses that version of a database, which the master has taken since, and owns the descriptor from then on.
 * Logs "geoip-failed" when it cannot, and keeps the one before; the version is the new one either way, unless this host
 * was short of something: then it can be given again.
 */
void geoip_adopt(struct geoip *g, unsigned database, uint32_t version, int descriptor);

/* Returns the place of an address; "--" and 0 for what is unknown. */
struct place geoip_lookup(const struct geoip *g, const struct network_address *address);

#endif
