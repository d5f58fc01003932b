/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of a backend: a group of the list `backends` in the configuration. */
#ifndef IMAPGUARD_PROXY_BACKEND_OPTIONS_H
#define IMAPGUARD_PROXY_BACKEND_OPTIONS_H

#include "base/option.h"
#include "imap/capability.h"
#include "net/tls_client.h"

/* The choices of a backend's `tls`, in the same order. */
enum backend_tls { BACKEND_TLS_NONE, BACKEND_TLS_STARTTLS, BACKEND_TLS_IMPLICIT };

struct backend_options {
    char *name;
    char *address; /* for endpoint_resolve() */
    uint32_t tls;  /* an enum backend_tls */
    struct tls_client_options tls_client;
    uint32_t proxy_protocol;      /* an enum proxy_header_version */
    bool forward_id;              /* send the address and the ID of the client in ID (RFC 2971) */
    bool pass_refusal_text;       /* clients get the text and the code with which the backend refused a login */
    uint32_t connect_timeout_ms;  /* for each address */
    uint32_t greeting_timeout_ms; /* from the connection to the greeting */
    uint32_t login_timeout_ms;    /* from the connection to the answer to the login */
    uint32_t max_sessions;        /* of all workers together; 0: any number */
    uint32_t resolve_interval_ms; /* between two look-ups of a host name */
    uint32_t check_interval_ms;   /* from the end of a check to the next one; 0: no checks */
    uint32_t check_rise;          /* checks in a row that must succeed to mark the backend up */
    uint32_t check_fall;          /* checks in a row that must fail to mark the backend down */
};

extern const struct option_table backend_option_table;

/* Returns true if a login sends ID to a backend with these capabilities: forward_id, and the backend lists ID. */
bool backend_forwards_id(const struct backend_options *o, const struct capabilities *able);

/*
 * Returns true if a login tells a backend with these capabilities the client's address, by a PROXY header or by ID.
 * Otherwise the backend sees one address for all clients, or none on a UNIX socket. If `able` is NULL, the capabilities
 * are unknown, and the result is true if the options allow one of the two.
 */
bool backend_is_told_address(const struct backend_options *o, const struct capabilities *able);

#endif
