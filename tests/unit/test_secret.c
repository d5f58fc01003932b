/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/secret.h"

#include "support.h"

TestSuite(secret, .fini = test_over);

Test(secret, holds_any_octets_and_is_none_once_cleared)
{
    struct secret s = {0};
    cr_assert_eq(secret_set(&s, "p\0\xff\r\n", 5), 0);
    cr_expect(same_bytes((struct span){s.bytes, s.len}, "p\0\xff\r\n", 5));
    secret_clear(&s);
    cr_expect(s.bytes == NULL && s.len == 0);
    secret_clear(&s);
}

Test(secret, may_be_empty_without_being_none)
{
    struct secret s = {0};
    cr_assert_eq(secret_set(&s, NULL, 0), 0);
    cr_expect(s.bytes != NULL && s.len == 0);
    secret_clear(&s);
}

Test(secret, wipe_leaves_nothing_and_touches_nothing_else)
{
    char text[] = "secret and not";
    secret_wipe(text, 6);
    cr_expect_eq(memcmp(text, "\0\0\0\0\0\0 and not", sizeof text), 0);
    secret_wipe(NULL, 0);
}
