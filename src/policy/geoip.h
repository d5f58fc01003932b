/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The countries and autonomous systems of addresses, from databases in MaxMind's format. The master reads and checks
 * each file as a whole, and keeps it in sealed memory that the workers map: a file that is replaced, cut or removed
 * does not affect them, and they need no right to read it.
 */
#ifndef IMAPGUARD_POLICY_GEOIP_H
#define IMAPGUARD_POLICY_GEOIP_H

#include <stdbool.h>

#include "base/option.h"
#include "policy/facts.h"

struct geoip_options {
    char *country; /* path of the database of countries; "" or NULL: none */
    char *asn;     /* path of the database of autonomous systems; "" or NULL: none */
    bool required; /* a database that cannot be used is an error at start, and its last good copy is not used */
};

extern const struct option_table geoip_option_table;

enum { GEOIP_COUNTRY, GEOIP_ASN, GEOIP_DATABASES };

struct geoip;

/*
 * Reads and checks the databases. Call it in the master, before the first fork. The options and `state_file` are
 * copied.
 *
 * If a database is missing, damaged or without its fields, and `required` is false, its last good copy is used; without
 * a copy, every address is unknown until the database can be used. Either is a warning in `report`. If `required` is
 * true, it is an error. The copies are files whose paths are `state_file` and ".geoip-country" or ".geoip-asn"; if
 * `state_file` is NULL or "", there are none.
 *
 * The caller owns the result; geoip_free() frees it. Returns NULL if the call has added an error to `report`, also for
 * want of memory.
 */
struct geoip *geoip_new(const struct geoip_options *options, const char *state_file, struct option_report *report);

/*
 * Call it once in the master, after log_open(). Logs "geoip-failed" for each database whose own file could not be used
 * at start; the key `using` has the path of the copy that is used, or "none". Writes the last good copies of the
 * others.
 */
void geoip_begin(struct geoip *g);

/* Frees the databases in this process; does nothing if g is NULL. */
void geoip_free(struct geoip *g);

/*
 * Call it about once a second in the master; it costs one stat() for each database. Reads, checks and uses a file that
 * was replaced, once it has not changed for two calls, writes its last good copy, and logs "geoip-loaded". If the file
 * cannot be used, the database in use stays, and "geoip-failed" is logged once.
 */
void geoip_refresh(struct geoip *g);

/*
 * Returns the version of the database in use; 0 if none was ever used. It changes whenever another database is used.
 * `database` is GEOIP_COUNTRY or GEOIP_ASN.
 */
uint32_t geoip_version(const struct geoip *g, unsigned database);

/*
 * Returns the descriptor of the database in use, for geoip_adopt() in a worker; -1 if there is none. g owns it, and may
 * close it in geoip_refresh(). `database` is as in geoip_version().
 */
int geoip_descriptor(const struct geoip *g, unsigned database);

/*
 * In a worker: uses another version of a database, which the master has sent. `version` and `descriptor` are those of
 * geoip_version() and geoip_descriptor() in the master. g owns the descriptor afterwards, also on failure. Does nothing
 * else if this version is in use.
 *
 * If the database cannot be used, the one before stays, and "geoip-failed" is logged. geoip_version() then returns the
 * new version, so that the master does not send it again, except if this host had no memory or descriptor for it.
 */
void geoip_adopt(struct geoip *g, unsigned database, uint32_t version, int descriptor);

/* Looks an address up in both databases. What is unknown is "--" or 0 in the result. */
struct place geoip_lookup(const struct geoip *g, const struct network_address *address);

#endif
