/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/fault.h"

#include <stddef.h>

enum { KEEP = false, DOWN = true, LAST = false, NEXT = true };

#define UNAVAILABLE "NO [UNAVAILABLE] The mail server does not answer: try again."
#define ITS_ANSWER NULL

const struct fault_row faults[FAULT_COUNT] = {
    [FAULT_NONE] = {.word = "none"},
#define FAULT(name, word, origin, down, next, reply) [FAULT_##name] = {word, ORIGIN_##origin, down, next, reply},
#include "proxy/fault.def"
#undef FAULT
};

const char *fault_origin_word(enum fault fault)
{
    static const char *const words[] = {[ORIGIN_BACKEND] = "backend",
                                        [ORIGIN_NETWORK] = "network",
                                        [ORIGIN_LOCAL] = "local",
                                        [ORIGIN_CLIENT] = "client"};
    return words[faults[fault].origin];
}
