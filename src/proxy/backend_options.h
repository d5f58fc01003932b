/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of a backend: a group of the list `backends` in the configuration. */
#ifndef IMAPGUARD_PROXY_BACKEND_OPTIONS_H
#define IMAPGUARD_PROXY_BACKEND_OPTIONS_H

#include "base/option.h"
#include "net/tls_client.h"

/* In the order of the choices of a backend's `tls`. */
enum backend_tls { BACKEND_TLS_NONE, BACKEND_TLS_STARTTLS, BACKEND_TLS_IMPLICIT };

struct backend_options {
    char *name;
    char *address; /* as endpoint_check() reads it */
    uint32_t tls;
    struct tls_client_options tls_client;
    uint32_t proxy_protocol; /* enum proxy_header_version */
    bool forward_id;
    bool pass_refusal_text; /* clients get the backend's own words about a wrong password */
    uint32_t connect_timeout_ms;
    uint32_t login_timeout_ms; /* from connected to the answer to the login */
    uint32_t max_sessions;     /* over all workers; 0: any number */
    uint32_t resolve_interval_ms;
    uint32_t check_interval_ms; /* 0: no checks */
    uint32_t check_rise;
    uint32_t check_fall;
};

extern const struct option_table backend_option_table;

#endif
