/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/endpoint.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"

#define UNIX_PREFIX "unix:"
enum { HOST_SIZE = 256 };

const char *endpoint_check(const char *text)
{
    static const char expected[] = "HOST:PORT, [IPV6]:PORT or unix:/PATH";
    char host[HOST_SIZE];
    uint16_t port;
    if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
        const char *path = text + strlen(UNIX_PREFIX);
        struct sockaddr_un un;
        return path[0] == '/' && strlen(path) < sizeof un.sun_path ? NULL : expected;
    }
    return address_split(text, host, sizeof host, &port) == 0 ? NULL : expected;
}

static void resolve_unix(const char *path, struct endpoint *out)
{
    struct endpoint_address *a = &out->addresses[0];
    *out = (struct endpoint){.count = 1};
    a->len = sizeof a->un;
    a->un.sun_family = AF_UNIX;
    memcpy(a->un.sun_path, path, strlen(path) + 1);
}

bool endpoint_is_name(const char *text)
{
    char host[HOST_SIZE];
    uint16_t port;
    union address address;
    return strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) != 0 && address_split(text, host, sizeof host, &port) == 0 &&
           address_parse(host, port, &address) != 0;
}

const char *endpoint_resolve(const char *text, struct endpoint *out, bool *temporary)
{
    char host[HOST_SIZE], service[8];
    uint16_t port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found;

    if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
        resolve_unix(text + strlen(UNIX_PREFIX), out);
        return NULL;
    }
    if (address_split(text, host, sizeof host, &port) != 0) {
        return "malformed";
    }
    snprintf(service, sizeof service, "%u", port);
    int error = getaddrinfo(host, service, &hints, &found);
    if (temporary != NULL) {
        *temporary = error == EAI_AGAIN;
    }
    if (error != 0) {
        return gai_strerror(error);
    }
    *out = (struct endpoint){0};
    for (const struct addrinfo *ai = found; ai != NULL && out->count < ENDPOINT_ADDRESSES_MAX; ai = ai->ai_next) {
        if (ai->ai_addrlen <= sizeof out->addresses[0].un) {
            struct endpoint_address *a = &out->addresses[out->count++];
            a->len = ai->ai_addrlen;
            memcpy(&a->sa, ai->ai_addr, ai->ai_addrlen);
        }
    }
    freeaddrinfo(found);
    return out->count > 0 ? NULL : "no address";
}

static bool is_valid_address(const struct endpoint_address *a)
{
    switch (a->sa.sa_family) {
    case AF_INET:
        return a->len == sizeof a->ip.in;
    case AF_INET6:
        return a->len == sizeof a->ip.in6;
    case AF_UNIX:
        return a->len <= sizeof a->un && memchr(a->un.sun_path, '\0', sizeof a->un.sun_path) != NULL;
    default:
        return false;
    }
}

bool endpoint_is_valid(const struct endpoint *e)
{
    bool valid = e->count <= ENDPOINT_ADDRESSES_MAX;
    for (size_t i = 0; valid && i < e->count; i++) {
        valid = is_valid_address(&e->addresses[i]);
    }
    return valid;
}

bool endpoint_is_equal(const struct endpoint *a, const struct endpoint *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (a->addresses[i].len != b->addresses[i].len ||
            memcmp(&a->addresses[i].sa, &b->addresses[i].sa, a->addresses[i].len) != 0) {
            return false;
        }
    }
    return true;
}
