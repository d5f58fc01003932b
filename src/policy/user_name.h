/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of users, as access rules and limits compare them: case, width and other compatible forms of the same characters
 * make no difference.
 */
#ifndef IMAPGUARD_POLICY_USER_NAME_H
#define IMAPGUARD_POLICY_USER_NAME_H

#include <stdbool.h>

/*
 * Returns the name in the form in which names are compared: NFKC with case folding if it is UTF-8 (Unicode Standard,
 * 3.13 and 3.11), otherwise with ASCII letters in lower case; without spaces at both ends and beside "@". The caller frees it; NULL if there is no memory. "*" stays
 * "*", so that patterns of glob.h can be folded, too.
 */
char *user_name_fold(const char *name);

/*
 * Returns false if the name has a character that nobody sees: a control or format character, a line or paragraph
 * separator, or one that is ignored where it is not known. A name that is not UTF-8 is judged by its ASCII characters.
 */
bool user_name_is_visible(const char *name);

#endif
