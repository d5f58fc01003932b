/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/credentials.h"

#include <stdlib.h>
#include <string.h>

static bool has_nul(struct span s)
{
    return s.len > 0 && memchr(s.bytes, '\0', s.len) != NULL;
}

static char *copy_name(struct span s)
{
    return strndup((const char *)s.bytes, s.len);
}

enum credentials_result credentials_set(struct credentials *c, const char *method, struct span user,
                                        struct span authorize, struct span password)
{
    if (user.len == 0 || has_nul(user) || has_nul(authorize) || has_nul(password)) {
        return CREDENTIALS_BAD;
    }
    bool other = authorize.len > 0 && (authorize.len != user.len || memcmp(authorize.bytes, user.bytes, user.len) != 0);
    c->method = method;
    c->user = copy_name(user);
    c->authorize = other ? copy_name(authorize) : NULL;
    if (c->user == NULL || (other && c->authorize == NULL) ||
        secret_set(&c->secret, password.bytes, password.len) != 0) {
        credentials_clear(c);
        return CREDENTIALS_MEMORY;
    }
    return CREDENTIALS_SET;
}

void credentials_clear(struct credentials *c)
{
    secret_clear(&c->secret);
    free(c->user);
    free(c->authorize);
    *c = (struct credentials){0};
}
