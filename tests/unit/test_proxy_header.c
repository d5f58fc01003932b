/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/proxy_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

TestSuite(proxy_header, .fini = test_over);

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IPV4 "\xc6\x33\x64\x07\xc0\x00\x02\x01\x9c\x40\x00\x8f"
#define V6A "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
#define IPV6 V6A "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" "\x9c\x40\x03\xe1"
#define UNIX108 "/a/socket\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define LONGEST6 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
#define X10 "xxxxxxxxxx"

static const struct {
    const char *bytes;
    size_t len;
    enum proxy_header_result result;
    size_t taken; /* of a bad one: up to the first wrong octet */
    const char *source;
    unsigned port;
} cases[] = {
#define GOOD(text, source, port) {text, sizeof(text) - 1, PROXY_HEADER_ADDRESS, sizeof(text) - 1, source, port}
#define LOCAL(text) {text, sizeof(text) - 1, PROXY_HEADER_LOCAL, sizeof(text) - 1, "-", 0}
#define BAD(text, taken) {text, sizeof(text) - 1, PROXY_HEADER_BAD, taken, NULL, 0}
#define PART(text) {text, sizeof(text) - 1, PROXY_HEADER_MORE, sizeof(text) - 1, NULL, 0}
    GOOD("PROXY TCP4 198.51.100.7 192.0.2.1 40000 143\r\n", "198.51.100.7", 40000),
    GOOD("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0", 0),
    GOOD("PROXY TCP6 2001:db8::7 ::1 40000 993\r\n", "2001:db8::7", 40000),
    GOOD("PROXY TCP6 ::ffff:198.51.100.7 ::1 1 2\r\n", "198.51.100.7", 1),
    GOOD("PROXY TCP6 " LONGEST6 " " LONGEST6 " 65535 65535\r\n", LONGEST6, 65535),
    LOCAL("PROXY UNKNOWN\r\n"),
    LOCAL("PROXY UNKNOWN ffff::1 anything at all\r\n"),
    LOCAL("PROXY UNKNOWN " X10 X10 X10 X10 X10 X10 X10 X10 X10 "x\r\n"),
    BAD("PROXY UNKNOWN " X10 X10 X10 X10 X10 X10 X10 X10 X10 "xx\r\n", 107),
    BAD("PROXY UNKNOWNX\r\n", 16),
    BAD("PROXY unknown\r\n", 15),
    BAD("PROXY TCP4 198.51.100.7 192.0.2.1 040000 143\r\n", 46),
    BAD("PROXY TCP4 198.51.100.7 192.0.2.1 40000 0143\r\n", 46),
    BAD("PROXY TCP4 198.51.100.7 192.0.2.1 65536 143\r\n", 45),
    BAD("PROXY TCP4 198.51.100.7 192.0.2.1 -1 143\r\n", 42),
    BAD("PROXY TCP4 198.51.100.7 192.0.2.1 1 \r\n", 38),
    BAD("PROXY TCP4 198.51.100.7 192.0.2.1 1\r\n", 37),
    BAD("PROXY TCP4 198.51.100.7 192.0.2.1 1 2 3\r\n", 41),
    BAD("PROXY TCP4 198.51.100.7 192.0.2.1 1 2 \r\n", 40),
    BAD("PROXY TCP4  198.51.100.7 192.0.2.1 1 2\r\n", 40),
    BAD("PROXY TCP4 ::1 192.0.2.1 1 2\r\n", 30),
    BAD("PROXY TCP4 192.0.2.1 ::1 1 2\r\n", 30),
    BAD("PROXY TCP6 192.0.2.1 192.0.2.1 1 2\r\n", 36),
    BAD("PROXY TCP4 192.0.2.256 192.0.2.1 1 2\r\n", 38),
    BAD("PROXY TCP5 192.0.2.2 192.0.2.1 1 2\r\n", 36),
    BAD("PROXY UDP4 192.0.2.2 192.0.2.1 1 2\r\n", 36),
    BAD("PROXY \r\n", 8),
    BAD("PROXY TCP4 192.0.2.2 192.0.2.1 1 2\n", 35),
    BAD("PROXY TCP4 192.0.2.2 192.0.2.1 1 2\rx", 36),
    BAD("PROXY TCP4 192.0.2.2\0" "192.0.2.1 1 2\r\n", 21),
    BAD("PROXX", 5), BAD("proxy TCP4", 1), BAD("a CAPABILITY\r\n", 1), BAD("GET / HTTP/1.0\r\n", 1), BAD("\x16\x03\x01", 1),
    PART(""), PART("P"), PART("PROXY TCP4 1"), PART("PROXY TCP4 192.0.2.2 192.0.2.1 1 2\r"),

    GOOD(SIGNATURE "\x21\x11\x00\x0c" IPV4, "198.51.100.7", 40000),
    GOOD(SIGNATURE "\x21\x11\x00\x12" IPV4 "\x04\x00\x03xyz", "198.51.100.7", 40000),
    GOOD(SIGNATURE "\x21\x21\x00\x24" IPV6, "2001:db8::7", 40000),
    GOOD(SIGNATURE "\x21\x21\x00\x25" IPV6 "\x00", "2001:db8::7", 40000),
    LOCAL(SIGNATURE "\x20\x00\x00\x00"),
    LOCAL(SIGNATURE "\x20\x11\x00\x0c" IPV4),
    LOCAL(SIGNATURE "\x20\x11\x00\x03" "abc"),
    LOCAL(SIGNATURE "\x21\x00\x00\x02" "ab"),
    LOCAL(SIGNATURE "\x21\x12\x00\x0c" IPV4),
    LOCAL(SIGNATURE "\x21\x22\x00\x24" IPV6),
    LOCAL(SIGNATURE "\x21\x31\x00\x6c" UNIX108),
    BAD(SIGNATURE "\x21\x11\x00\x0b" IPV4, 16),
    BAD(SIGNATURE "\x21\x11\x00\x00", 16),
    BAD(SIGNATURE "\x21\x21\x00\x0c" IPV4, 16),
    BAD(SIGNATURE "\x11\x11\x00\x0c" IPV4, 13),
    BAD(SIGNATURE "\x31\x11\x00\x0c" IPV4, 13),
    BAD(SIGNATURE "\x22\x11\x00\x0c" IPV4, 13),
    BAD(SIGNATURE "\x21\x41\x00\x0c" IPV4, 14),
    BAD(SIGNATURE "\x21\x13\x00\x0c" IPV4, 14),
    BAD("\r\n\r\n\0\r\nQUIT\r\x21\x11", 12), BAD("\r\n\r\r", 4), BAD("\n", 1),
    PART("\r"), PART(SIGNATURE), PART(SIGNATURE "\x21\x11\x00\x0c" "\xc6\x33"), PART(SIGNATURE "\x21\x11\x00\x0d" IPV4),
};

/* Feeds in pieces of up to `piece` octets, the first of up to `first`. */
static enum proxy_header_result feed(struct proxy_header *h, const uint8_t *bytes, size_t len, size_t first, size_t piece,
                                     size_t *taken)
{
    enum proxy_header_result result = PROXY_HEADER_MORE;
    *h = (struct proxy_header){0};
    *taken = 0;
    for (size_t n = first; *taken < len && result == PROXY_HEADER_MORE; n = piece) {
        size_t given = len - *taken < n ? len - *taken : n, now;
        result = proxy_header_feed(h, bytes + *taken, given, &now);
        cr_assert(now <= given && (now == given || result != PROXY_HEADER_MORE));
        *taken += now;
    }
    return result;
}

static void check(size_t i, const uint8_t *bytes, size_t len, size_t first, size_t piece)
{
    struct proxy_header h;
    size_t taken;
    char text[ADDRESS_TEXT_SIZE];
    enum proxy_header_result result = feed(&h, bytes, len, first, piece, &taken);
    cr_assert(result == cases[i].result && taken == cases[i].taken, "case %zu (%s) in %zu and %zu: %d, %zu taken", i,
              show((struct span){bytes, len}), first, piece, (int)result, taken);
    if (result == PROXY_HEADER_ADDRESS) {
        cr_assert_str_eq(address_text(&h.source, text), cases[i].source);
        cr_assert_eq(address_port(&h.source), cases[i].port);
        cr_assert_neq(h.destination.sa.sa_family, AF_UNSPEC);
    }
}

Test(proxy_header, headers_are_read_however_they_are_split_and_nothing_behind_them_is_taken)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t bytes[512];
        size_t len = cases[i].len;
        memcpy(bytes, cases[i].bytes, len);
        if (cases[i].result == PROXY_HEADER_ADDRESS || cases[i].result == PROXY_HEADER_LOCAL) {
            memcpy(bytes + len, "PROXY behind", 12);
            len += 12;
        }
        check(i, bytes, len, len + 1, len + 1);
        check(i, bytes, len, 1, 1);
        for (size_t first = 1; first < len; first++) {
            check(i, bytes, len, first, len);
        }
    }
}

Test(proxy_header, the_largest_header_is_taken_whole)
{
    enum { LARGEST = 16 + 65535 };
    uint8_t *bytes = calloc(1, LARGEST + 1);
    struct proxy_header h;
    size_t taken;
    memcpy(bytes, SIGNATURE "\x21\x11\xff\xff" IPV4, 28);
    static const size_t pieces[] = {1, 7, 4096, LARGEST + 1};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        cr_expect_eq(feed(&h, bytes, LARGEST + 1, pieces[i], pieces[i], &taken), PROXY_HEADER_ADDRESS);
        cr_expect_eq(taken, LARGEST);
    }
    free(bytes);
}

Test(proxy_header, what_is_written_is_what_is_read)
{
    static const struct {
        enum proxy_header_version version;
        const char *source, *destination; /* source NULL: our own connection */
        const char *want_source, *want_destination;
        size_t len;
    } rows[] = {
        {PROXY_HEADER_V1, "192.0.2.7", "198.51.100.1", "192.0.2.7", "198.51.100.1", 45},
        {PROXY_HEADER_V1, "2001:db8::7", "2001:db8::1", "2001:db8::7", "2001:db8::1", 46},
        {PROXY_HEADER_V1, "::ffff:192.0.2.7", "198.51.100.1", "192.0.2.7", "198.51.100.1", 45},
        {PROXY_HEADER_V1, NULL, NULL, NULL, NULL, 15},
        {PROXY_HEADER_V2, "192.0.2.7", "198.51.100.1", "192.0.2.7", "198.51.100.1", 28 + 7},
        {PROXY_HEADER_V2, "2001:db8::7", "2001:db8::1", "2001:db8::7", "2001:db8::1", 52 + 7},
        {PROXY_HEADER_V2, "2001:db8::7", "198.51.100.1", "2001:db8::7", "198.51.100.1", 52 + 7},
        {PROXY_HEADER_V2, NULL, NULL, NULL, NULL, 16},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct proxy_header_client c = {0};
        uint8_t bytes[PROXY_HEADER_MAX];
        struct proxy_header h = {0};
        char text[ADDRESS_TEXT_SIZE];
        size_t taken;
        if (rows[i].source != NULL) {
            cr_assert(address_parse(rows[i].source, 56324, &c.source) == 0 && address_parse(rows[i].destination, 143, &c.destination) == 0);
        }
        size_t len = proxy_header_write(rows[i].version, &c, bytes);
        cr_expect_eq(len, rows[i].len, "row %zu: %zu", i, len);
        enum proxy_header_result result = proxy_header_feed(&h, bytes, len, &taken);
        cr_expect_eq(taken, len);
        if (rows[i].source == NULL) {
            cr_expect_eq(result, PROXY_HEADER_LOCAL);
            continue;
        }
        cr_assert_eq(result, PROXY_HEADER_ADDRESS, "row %zu", i);
        cr_expect_str_eq(address_text(&h.source, text), rows[i].want_source);
        cr_expect_eq(address_port(&h.source), 56324);
        cr_expect_str_eq(address_text(&h.destination, text), rows[i].want_destination);
        cr_expect_eq(address_port(&h.destination), 143);
    }
    struct proxy_header_client nobody = {0};
    uint8_t bytes[PROXY_HEADER_MAX];
    cr_expect_eq(proxy_header_write(PROXY_HEADER_NONE, &nobody, bytes), 0);
}

Test(proxy_header, version_2_tells_of_tls_and_has_a_checksum)
{
    /* As HAProxy writes them; the checksum was computed by another program (Python's crc32c of RFC 3720, appendix B.4). */
    static const char want[] = SIGNATURE "\x21\x11\0\x56" IPV4
        "\x20\0\x28\x01\0\0\0\x01" "\x21\0\x07TLSv1.3" "\x23\0\x16TLS_AES_256_GCM_SHA384"
        "\x02\0\x09localhost" "\x01\0\x04imap" "\x05\0\x02" "ab" "\x03\0\x04" "\x02\xeb\xa9\x6b";
    struct proxy_header_client c = {.tls = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384", .server_name = "localhost",
                                    .alpn = SPAN("imap"), .id = "ab"};
    cr_assert(address_parse("198.51.100.7", 40000, &c.source) == 0 && address_parse("192.0.2.1", 143, &c.destination) == 0);
    uint8_t bytes[PROXY_HEADER_MAX];
    size_t len = proxy_header_write(PROXY_HEADER_V2, &c, bytes);
    cr_assert_eq(len, sizeof want - 1, "%zu", len);
    cr_expect_arr_eq(bytes, want, sizeof want - 1);
}

Test(proxy_header, the_longest_texts_are_cut_off)
{
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct proxy_header_client c = {.tls = text, .cipher = text, .server_name = text, .alpn = span_of(text), .id = text};
    cr_assert(address_parse("2001:db8::7", 1, &c.source) == 0 && address_parse("2001:db8::1", 2, &c.destination) == 0);
    uint8_t bytes[PROXY_HEADER_MAX];
    struct proxy_header h = {0};
    size_t taken, len = proxy_header_write(PROXY_HEADER_V2, &c, bytes);
    cr_expect_eq(len, 593);
    cr_expect_eq(proxy_header_feed(&h, bytes, len, &taken), PROXY_HEADER_ADDRESS);
    cr_expect_eq(taken, len);
}
