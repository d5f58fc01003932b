/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/glob.h"

#include <stddef.h>
#include <strings.h>

static bool same(char a, char b)
{
    return strncasecmp(&a, &b, 1) == 0;
}

/*
 * Backtracks to the latest "*" only: an earlier "*" cannot match more than the latest one. The time is bounded by the
 * product of the lengths.
 */
bool glob_matches(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
        } else if (same(*pattern, *text)) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}
