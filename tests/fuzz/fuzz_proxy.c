/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PROXY header on any bytes: the same result, and the same octets taken, whole and in pieces; never more than the
 * largest header of the specification. The first byte of the input chooses the size of the pieces.
 */
#include <stdlib.h>
#include <string.h>

#include "net/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 16 + 65535 };

static enum proxy_header_result run(struct proxy_header *h, const uint8_t *data, size_t size, size_t piece, size_t *all)
{
    enum proxy_header_result result = PROXY_HEADER_MORE;
    *h = (struct proxy_header){0};
    *all = 0;
    while (*all < size && result == PROXY_HEADER_MORE) {
        size_t taken, len = size - *all < piece ? size - *all : piece;
        result = proxy_header_feed(h, data + *all, len, &taken);
        if (taken > len || (taken < len && result == PROXY_HEADER_MORE)) {
            abort();
        }
        *all += taken;
    }
    return result;
}

static void check_family(const union address *a)
{
    if (a->sa.sa_family != AF_INET && a->sa.sa_family != AF_INET6) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole, pieces;
    size_t taken, again;
    if (size == 0) {
        return 0;
    }
    enum proxy_header_result result = run(&whole, data + 1, size - 1, size, &taken);
    if (result != run(&pieces, data + 1, size - 1, (size_t)data[0] % 9 + 1, &again) || taken != again || taken > LARGEST) {
        abort();
    }
    if (result == PROXY_HEADER_ADDRESS) {
        check_family(&whole.source);
        check_family(&whole.destination);
        if (whole.source.sa.sa_family != whole.destination.sa.sa_family ||
            memcmp(&whole.source, &pieces.source, sizeof whole.source) != 0 ||
            memcmp(&whole.destination, &pieces.destination, sizeof whole.destination) != 0) {
            abort();
        }
    }
    return 0;
}
