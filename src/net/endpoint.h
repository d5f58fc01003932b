/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a backend is: HOST:PORT, [V6]:PORT or unix:/PATH. */
#ifndef IMAPGUARD_NET_ENDPOINT_H
#define IMAPGUARD_NET_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { ENDPOINT_ADDRESSES_MAX = 8 };

struct endpoint_address {
    socklen_t len;
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
};

struct endpoint {
    size_t count; /* 0: not found yet */
    struct endpoint_address addresses[ENDPOINT_ADDRESSES_MAX];
};

/* Whether a text needs a look-up, so that what it stands for may change. */
bool endpoint_is_name(const char *text);

/* Whether it is one that endpoint_resolve() could have made: to be asked of one that another process gives. */
bool endpoint_is_valid(const struct endpoint *e);

/* For option tables: NULL when the text has one of the forms above, or what was expected. */
const char *endpoint_check(const char *text);

/*
 * Looks up the addresses of a text that endpoint_check() found well. This may ask the DNS and wait for it:
 * never from an event loop. NULL, or why there is none (static); `out` is unchanged then, and `passing` (which may be
 * NULL) says whether the DNS has only failed to answer.
 */
const char *endpoint_resolve(const char *text, struct endpoint *out, bool *passing);

#endif
