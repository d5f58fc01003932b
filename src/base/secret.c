/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

int secret_set(struct secret *s, const void *bytes, size_t len)
{
    s->bytes = malloc(len > 0 ? len : 1);
    if (s->bytes == NULL) {
        return -1;
    }
    if (len > 0) {
        memcpy(s->bytes, bytes, len);
    }
    s->len = len;
    return 0;
}

void secret_clear(struct secret *s)
{
    secret_wipe(s->bytes, s->len);
    free(s->bytes);
    *s = (struct secret){0};
}

void secret_wipe(void *bytes, size_t len)
{
    if (len > 0) {
        explicit_bzero(bytes, len);
    }
}
