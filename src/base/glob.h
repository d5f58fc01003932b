/* SPDX-License-Identifier: BSD-2-Clause */
/* Patterns for user and host names. */
#ifndef IMAPGUARD_BASE_GLOB_H
#define IMAPGUARD_BASE_GLOB_H

#include <stdbool.h>

/*
 * Returns true if the pattern matches the whole text. "*" matches any number of octets, also none. Every other octet
 * matches itself, without regard to the case of ASCII letters. Both are terminated strings.
 */
bool glob_matches(const char *pattern, const char *text);

#endif
