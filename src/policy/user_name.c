/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/user_name.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

static char *fold_ascii(const char *name)
{
    char *folded = strdup(name);
    for (char *at = folded; at != NULL && *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    return folded;
}

static bool is_utf8(const char *name)
{
    return u8_check((const uint8_t *)name, strlen(name)) == NULL;
}

static char *fold_utf8(const char *name)
{
    size_t len;
    uint8_t *octets = u8_casefold((const uint8_t *)name, strlen(name), NULL, UNINORM_NFKC, NULL, &len);
    char *folded = octets != NULL ? strndup((const char *)octets, len) : NULL;
    free(octets);
    return folded;
}

/* Removes spaces at both ends and beside "@": databases that pad strings do not see them. */
static void trim(char *name)
{
    char *out = name, *kept = name; /* what is before `kept` stays, whatever follows */
    for (const char *at = name; *at != '\0'; at++) {
        if (*at == '@') {
            out = kept;
        }
        if (*at != ' ') {
            *out++ = *at;
            kept = out;
        } else if (kept > name && kept[-1] != '@') {
            *out++ = ' ';
        }
    }
    *kept = '\0';
}

char *user_name_fold(const char *name)
{
    char *folded = is_utf8(name) ? fold_utf8(name) : fold_ascii(name);
    if (folded != NULL) {
        trim(folded);
    }
    return folded;
}

static bool is_visible(ucs4_t c)
{
    return !uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cf | UC_CATEGORY_MASK_Zl |
                                                    UC_CATEGORY_MASK_Zp) &&
           !uc_is_property_default_ignorable_code_point(c);
}

bool user_name_is_visible(const char *name)
{
    const uint8_t *at = (const uint8_t *)name;
    bool utf8 = is_utf8(name);
    while (*at != '\0') {
        ucs4_t c = *at;
        int len = utf8 ? u8_strmbtouc(&c, at) : 1;
        if ((utf8 || c < 0x80) && !is_visible(c)) {
            return false;
        }
        at += len > 0 ? len : 1;
    }
    return true;
}
