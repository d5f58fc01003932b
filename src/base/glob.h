/* SPDX-License-Identifier: BSD-2-Clause */
/* Patterns of names: users and hosts, without regard to case. */
#ifndef IMAPGUARD_BASE_GLOB_H
#define IMAPGUARD_BASE_GLOB_H

#include <stdbool.h>

/* Whether the pattern matches the whole text: "*" stands for any characters, every other one for itself. */
bool glob_matches(const char *pattern, const char *text);

#endif
