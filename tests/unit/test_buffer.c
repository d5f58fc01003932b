/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/buffer.h"

#include "support.h"

TestSuite(buffer, .fini = test_over);

static struct span content(const struct buffer *b)
{
    return (struct span){buffer_data(b), b->len};
}

Test(buffer, owns_no_memory_while_it_is_empty)
{
    struct buffer b = {0};
    cr_expect_null(buffer_data(&b));
    cr_assert_eq(buffer_append(&b, NULL, 0, 10), 0);
    cr_expect_null(b.bytes, "nothing was appended");
    cr_assert_eq(buffer_append(&b, "abc", 3, 10), 0);
    buffer_consume(&b, 3);
    cr_expect_null(b.bytes, "all was consumed");
    cr_expect_eq(b.size, 0);
    cr_assert_eq(buffer_append(&b, "abc", 3, 10), 0);
    buffer_clear(&b);
    cr_expect_null(b.bytes, "it was cleared");
    buffer_clear(&b);
}

Test(buffer, gives_the_octets_back_in_order)
{
    struct buffer b = {0};
    cr_assert_eq(buffer_append(&b, "hello ", 6, 100), 0);
    cr_assert_eq(buffer_append(&b, "w\0rld", 5, 100), 0);
    cr_expect(same_bytes(content(&b), BYTES("hello w\0rld")), "got %s", show(content(&b)));
    buffer_consume(&b, 4);
    cr_expect(same_bytes(content(&b), BYTES("o w\0rld")), "got %s", show(content(&b)));
    buffer_consume(&b, 1000);
    cr_expect_eq(b.len, 0, "consuming more than there is empties it");
    cr_expect_null(b.bytes);
}

Test(buffer, never_grows_over_its_limit_and_stays_unchanged_then)
{
    static const struct {
        size_t have, add, limit;
        int want;
    } rows[] = {
        {0, 8, 8, 0}, {0, 9, 8, -1}, {5, 3, 8, 0}, {5, 4, 8, -1}, {8, 1, 8, -1}, {8, 0, 8, 0}, {8, 0, 4, 0},
        {4, 4, SIZE_MAX, 0}, {4, SIZE_MAX, SIZE_MAX, -1}, {4, SIZE_MAX - 4, SIZE_MAX, -1}, {0, SIZE_MAX / 2, SIZE_MAX, -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buffer b = {0};
        cr_assert_eq(buffer_append(&b, "12345678", rows[i].have, 100), 0);
        int got = buffer_append(&b, "abcdefghi", rows[i].add, rows[i].limit);
        cr_expect_eq(got, rows[i].want, "row %zu", i);
        cr_expect_eq(b.len, rows[i].have + (got == 0 ? rows[i].add : 0), "row %zu", i);
        cr_expect_eq(memcmp(b.len > 0 ? (const char *)buffer_data(&b) : "", "12345678", rows[i].have), 0, "row %zu", i);
        buffer_clear(&b);
    }
}

Test(buffer, behaves_like_a_queue_of_octets_through_any_sequence)
{
    struct buffer b = {0};
    uint8_t next_in = 0, next_out = 0, piece[300];
    uint32_t random = 1;
    for (int round = 0; round < 20000; round++) {
        random = random * 1664525 + 1013904223;
        size_t n = random >> 16 & 0xff;
        if ((random >> 24 & 1) != 0) {
            for (size_t i = 0; i < n; i++) {
                piece[i] = (uint8_t)(next_in + i);
            }
            uint32_t before = b.len;
            int result = buffer_append(&b, piece, n, 1000);
            cr_assert_eq(result, before + n <= 1000 ? 0 : -1);
            next_in = (uint8_t)(next_in + (result == 0 ? n : 0));
        } else {
            size_t take = n < b.len ? n : b.len;
            for (size_t i = 0; i < take; i++) {
                cr_assert_eq(buffer_data(&b)[i], next_out++, "round %d", round);
            }
            buffer_consume(&b, n);
        }
    }
    buffer_clear(&b);
}

Test(buffer, does_not_grow_while_as_much_leaves_as_comes)
{
    struct buffer b = {0};
    for (int i = 0; i < 10000; i++) {
        cr_assert_eq(buffer_append(&b, "0123456789", 10, 1000), 0);
        if (i > 2) {
            buffer_consume(&b, 10);
        }
    }
    cr_expect_leq(b.size, 128);
    buffer_clear(&b);
}
