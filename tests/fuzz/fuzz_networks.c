/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A networks_file of any bytes: no fault; what was read has its own first and last addresses, covers itself, and each
 * network reads as it is written.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/networks_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const uint8_t *bytes, size_t len)
{
    struct network n, again;
    char text[NETWORK_TEXT_SIZE];
    if (network_parse((const char *)bytes, len, &n) != 0) {
        return;
    }
    (void)network_text(&n, text);
    if (network_parse(text, strlen(text), &again) != 0 || again.prefix != n.prefix ||
        memcmp(&again.first, &n.first, sizeof n.first) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct network_set set = {0};
    struct networks_file_bad bad;
    if (networks_file_parse((struct span){data, size}, &set, &bad) != 0 || bad.count > size ||
        (bad.count > 0 && bad.lines[0].line > size)) {
        abort();
    }
    network_set_seal(&set);
    for (size_t i = 0; i < set.count; i++) {
        if (!network_set_has(&set, &set.ranges[i].first) || !network_set_has(&set, &set.ranges[i].last)) {
            abort();
        }
    }
    if (!network_set_covers(&set, &set)) {
        abort();
    }
    network_set_clear(&set);
    for (const uint8_t *at = data, *end = data + size; at < end;) {
        const uint8_t *lf = memchr(at, '\n', (size_t)(end - at));
        check_line(at, (size_t)((lf != NULL ? lf : end) - at));
        at = lf != NULL ? lf + 1 : end;
    }
    return 0;
}
