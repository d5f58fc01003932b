/* SPDX-License-Identifier: BSD-2-Clause */
/* The legacy server: its options and where it is. The talk with it is in upstream.h. */
#ifndef IMAPGUARD_PROXY_BACKEND_H
#define IMAPGUARD_PROXY_BACKEND_H

#include "base/option.h"
#include "net/endpoint.h"

struct backend_options {
    char *name;
    char *address; /* as endpoint_check() reads it */
    uint32_t tls;  /* only "none" so far */
    uint32_t connect_timeout_ms;
    uint32_t login_timeout_ms; /* from connected to the answer to the login */
};

extern const struct option_table backend_option_table;

/* A backend with its addresses, which are looked up when the configuration is read. */
struct backend {
    const struct backend_options *options;
    struct endpoint endpoint;
};

#endif
