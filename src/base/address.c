/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

socklen_t address_len(const union address *a)
{
    return a->sa.sa_family == AF_INET6 ? sizeof a->in6 : sizeof a->in;
}

uint16_t address_port(const union address *a)
{
    switch (a->sa.sa_family) {
    case AF_INET:
        return ntohs(a->in.sin_port);
    case AF_INET6:
        return ntohs(a->in6.sin6_port);
    default:
        return 0;
    }
}

const char *address_text(const union address *a, char text[ADDRESS_TEXT_SIZE])
{
    const void *bytes = NULL;
    int family = a->sa.sa_family;
    if (family == AF_INET) {
        bytes = &a->in.sin_addr;
    } else if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
        family = AF_INET;
        bytes = &a->in6.sin6_addr.s6_addr[12];
    } else if (family == AF_INET6) {
        bytes = &a->in6.sin6_addr;
    }
    if (bytes == NULL || inet_ntop(family, bytes, text, ADDRESS_TEXT_SIZE) == NULL) {
        memcpy(text, "-", 2);
    }
    return text;
}

static int port_parse(const char *text, uint16_t *port)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0') {
        return -1;
    }
    unsigned long value = strtoul(text, NULL, 10);
    if (value == 0 || value > UINT16_MAX) {
        return -1;
    }
    *port = (uint16_t)value;
    return 0;
}

int address_split(const char *text, char *host, size_t size, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || port_parse(colon + 1, port) != 0) {
        return -1;
    }
    const char *end = colon;
    if (text[0] == '[') {
        text++;
        if (end == text || *--end != ']') {
            return -1;
        }
    } else if (memchr(text, ':', (size_t)(end - text)) != NULL) {
        return -1; /* an IPv6 address without brackets: the start of the port is ambiguous */
    }
    size_t len = (size_t)(end - text);
    if (len == 0 || len >= size) {
        return -1;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    return 0;
}

int address_parse(const char *host, uint16_t port, union address *out)
{
    *out = (union address){0};
    if (inet_pton(AF_INET, host, &out->in.sin_addr) == 1) {
        out->in.sin_family = AF_INET;
        out->in.sin_port = htons(port);
        return 0;
    }
    if (inet_pton(AF_INET6, host, &out->in6.sin6_addr) == 1) {
        out->in6.sin6_family = AF_INET6;
        out->in6.sin6_port = htons(port);
        return 0;
    }
    return -1;
}

int address_parse_listen(const char *text, union address out[2])
{
    char host[ADDRESS_TEXT_SIZE];
    uint16_t port;
    if (address_split(text, host, sizeof host, &port) != 0) {
        return -1;
    }
    if (strcmp(host, "*") == 0) {
        (void)address_parse("0.0.0.0", port, &out[0]);
        (void)address_parse("::", port, &out[1]);
        return 2;
    }
    return address_parse(host, port, &out[0]) == 0 ? 1 : -1;
}
