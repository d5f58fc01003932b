/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/lexer.h"

#include <stdio.h>
#include <stdlib.h>

#include "support.h"
#include "transcript.h"

TestSuite(lexer, .fini = test_over);

#define P PHASE_CLEARTEXT
#define S PHASE_TLS

struct row {
    enum command_phase phase;
    const char *bytes;
    size_t len;
    const char *want;
};

static void run(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct span bytes = {(const uint8_t *)rows[i].bytes, rows[i].len};
        lexed_as(show(bytes), rows[i].phase, rows[i].bytes, rows[i].len, rows[i].want);
    }
}

/* Text in the making, for the cases with long lines. */
struct text {
    char *bytes;
    size_t len;
};

static void put(struct text *t, const char *what)
{
    size_t n = strlen(what);
    t->bytes = realloc(t->bytes, t->len + n + 1);
    memcpy(t->bytes + t->len, what, n + 1);
    t->len += n;
}

static void put_many(struct text *t, char c, size_t n)
{
    t->bytes = realloc(t->bytes, t->len + n + 1);
    memset(t->bytes + t->len, c, n);
    t->len += n;
    t->bytes[t->len] = '\0';
}

static void put_literal(struct text *t, size_t n, const char *plus)
{
    char size[32];
    snprintf(size, sizeof size, "{%zu%s}\r\n", n, plus);
    put(t, size);
    put_many(t, 'x', n);
}

/* Runs what was put together, and frees it. */
static void lexed(const char *name, enum command_phase phase, struct text *t, const char *want)
{
    lexed_as(name, phase, t->bytes, t->len, want);
    free(t->bytes);
    *t = (struct text){0};
}

Test(lexer, commands_are_cut_into_their_tokens)
{
    static const struct row rows[] = {
        {P, BYTES("a NOOP\r\n"), "COMMAND [a] NOOP\n"},
        {P, BYTES("A1.x-]~!#$&'/:;<=>?@[^_`|} noop\r\n"), "COMMAND [A1.x-]~!#$&'/:;<=>?@[^_`|}] NOOP\n"},
        {S, BYTES("a LOGIN joe secret\r\n"), "COMMAND [a] LOGIN A:joe A:secret\n"},
        {S, BYTES("a LOGIN \"joe\" \"s p\"\r\n"), "COMMAND [a] LOGIN S:joe S:s p\n"},
        {S, BYTES("a LOGIN \"j\\\"o\\\\e\" \"\"\r\n"), "COMMAND [a] LOGIN S:j\"o\\e S:\n"},
        {S, BYTES("a LOGIN j\xc3\xb6 p%*]\\\xff+\r\n"), "COMMAND [a] LOGIN A:j\\xc3\\xb6 A:p%*]\\\\xff+\n"},
        {S, BYTES("a LOGIN \"\xff\x01\t\" x\r\n"), "COMMAND [a] LOGIN S:\\xff\\x01\\x09 A:x\n"},
        {S, BYTES("a LOGIN \"{3}\" \"{3+}\"\r\n"), "COMMAND [a] LOGIN S:{3} S:{3+}\n"},
        {S, BYTES("a LOGIN joe secret\r\nb NOOP\r\n"), "COMMAND [a] LOGIN A:joe A:secret\nCOMMAND [b] NOOP\n"},
        {S, BYTES("a ID NIL\r\n"), "COMMAND [a] ID A:NIL\n"},
        {S, BYTES("a ID (\"name\" \"x\" \"version\" NIL)\r\n"), "COMMAND [a] ID ( S:name S:x S:version A:NIL )\n"},
        {S, BYTES("a ID ()\r\n"), "COMMAND [a] ID ( )\n"},
        {S, BYTES("a NOOP x y\r\n"), "COMMAND [a] NOOP A:x A:y\n"},
        {S, BYTES("a NOOP"), "PARTIAL\n"},
        {S, BYTES("a NOOP\r"), "PARTIAL\n"},
        {S, BYTES(""), ""},
    };
    run(rows, COUNT(rows));
}

Test(lexer, a_lone_lf_ends_a_line_as_well)
{
    static const struct row rows[] = {
        {P, BYTES("a NOOP\nb NOOP\n"), "COMMAND [a] NOOP\nCOMMAND [b] NOOP\n"},
        {S, BYTES("a LOGIN {3}\njoe {2}\nab\n"), "INVITE\nINVITE\nCOMMAND [a] LOGIN S:joe S:ab\n"},
        {S, BYTES("a LOGIN {3+}\njoe x\n"), "COMMAND [a] LOGIN S:joe A:x\n"},
    };
    run(rows, COUNT(rows));
}

Test(lexer, malformed_commands_are_bad_and_end_with_their_line)
{
    static const struct row rows[] = {
        {P, BYTES("a\r\n"), "BAD [] ?\n"},
        {P, BYTES("\r\n"), "BAD [] ?\n"},
        {P, BYTES("a \r\n"), "BAD [a] ?\n"},
        {P, BYTES("a SELECT INBOX\r\n"), "BAD [a] ?\n"},
        {P, BYTES("a UID FETCH 1:* (FLAGS)\r\n"), "BAD [a] ?\n"},
        {P, BYTES("a  NOOP\r\n"), "BAD [a] ?\n"},
        {P, BYTES("a NO\"OP\r\n"), "BAD [a] ?\n"},
        {S, BYTES("a LOGIN  joe x\r\n"), "BAD [a] LOGIN\n"},
        {S, BYTES("a LOGIN \"joe x\r\n"), "BAD [a] LOGIN\n"},
        {S, BYTES("a LOGIN \"joe\"x y\r\n"), "BAD [a] LOGIN\n"},
        {S, BYTES("a LOGIN \"j\\oe\" y\r\n"), "BAD [a] LOGIN\n"},
        {S, BYTES("a LOGIN \"j\\\r\n"), "BAD [a] LOGIN\n"},
        {S, BYTES("a LOGIN jo\"e x\r\n"), "BAD [a] LOGIN\n"},
        {S, BYTES("a LOGIN jo(e x\r\n"), "BAD [a] LOGIN\n"},
        {S, BYTES("a LOGIN j\x7f x\r\n"), "BAD [a] LOGIN\n"},
        {S, BYTES("a LOGIN j\tx y\r\n"), "BAD [a] LOGIN\n"},
        {S, BYTES("a ID (\"a\" \"b\")(\r\n"), "BAD [a] ID\n"},
        {S, BYTES("a ID ( \"a\" \"b\")\r\n"), "BAD [a] ID\n"},
        {S, BYTES("a LOGIN \"joe x\r\nb NOOP\r\n"), "BAD [a] LOGIN\nCOMMAND [b] NOOP\n"},
    };
    run(rows, COUNT(rows));
}

Test(lexer, a_cr_counts_only_with_the_lf_behind_it)
{
    static const struct row rows[] = {
        {P, BYTES("a NOOP\rx\r\n"), "BAD [a] ?\n"},
        {P, BYTES("a NOOP\r\r\n"), "BAD [a] ?\n"},
        {S, BYTES("a LOGIN joe x\ry\r\n"), "BAD [a] LOGIN\n"},
        {S, BYTES("a LOGIN \"j\re\" y\r\n"), "BAD [a] LOGIN\n"},
        {S, BYTES("a LOGIN {3}\rjoe x\r\n"), "BAD [a] LOGIN\n"},
        {S, BYTES("a NOOP\rb LOGIN x y\r\nc NOOP\r\n"), "BAD [a] ?\nCOMMAND [c] NOOP\n"},
        {P, BYTES("a\rb NOOP\r\n"), "FATAL tag\n"},
    };
    run(rows, COUNT(rows));
}

Test(lexer, a_tag_that_no_tag_can_be_ends_it)
{
    static const char refused[] = "(){%*\"\\+ \t\x01\x7f\xc3";
    for (const char *c = refused; *c != '\0'; c++) {
        char bytes[] = {*c, 'a', ' ', 'N', 'O', 'O', 'P', '\r', '\n'};
        lexed_as("as the first", P, bytes, sizeof bytes, "FATAL tag\n");
        if (*c != ' ') {
            char inside[] = {'a', *c, ' ', 'N', 'O', 'O', 'P', '\r', '\n'};
            lexed_as("as the second", P, inside, sizeof inside, "FATAL tag\n");
        }
    }
}

Test(lexer, a_nul_ends_it_wherever_it_stands_in_a_line)
{
    static const char *const lines[] = {"\1 NOOP\r\n", "a\1 NOOP\r\n", "a NO\1P\r\n", "a NOOP \1\r\n", "a LOGIN \"\1\r\n",
                                        "a LOGIN {\1\r\n", "a LOGIN x\1\r\n", "a FOO \1\r\n", "a AUTHENTICATE PLAIN\r\n\1\r\n"};
    for (size_t i = 0; i < COUNT(lines); i++) {
        char bytes[64];
        size_t len = strlen(lines[i]);
        memcpy(bytes, lines[i], len);
        *(char *)memchr(bytes, 1, len) = '\0';
        lexed_as(lines[i], S, bytes, len, strchr(lines[i], 1) - lines[i] > 20 ? "COMMAND [a] AUTHENTICATE A:PLAIN\nFATAL nul\n"
                                                                              : "FATAL nul\n");
    }
}

Test(lexer, other_protocols_are_known_on_the_first_line_only)
{
    static const struct row rows[] = {
        {P, BYTES("GET / HTTP/1.1\r\nHost: x\r\n"), "FATAL foreign http\n"},
        {P, BYTES("EHLO scanner\r\n"), "FATAL foreign smtp\n"},
        {P, BYTES("HELO\r\n"), "FATAL foreign smtp\n"},
        {P, BYTES("CAPA\r\n"), "FATAL foreign pop3\n"},
        {P, BYTES("SSH-2.0-Go\r\n"), "FATAL foreign ssh\n"},
        {P, BYTES("\x16\x03\x01\x02\x00\x01\x00"), "FATAL foreign tls\n"},
        {P, BYTES("\x80\x2e\x01\x00\x02"), "FATAL foreign tls\n"},
        {S, BYTES("GET / HTTP/1.1\r\n"), "FATAL foreign http\n"},
        {P, BYTES("GET NOOP\r\n"), "COMMAND [GET] NOOP\n"},
        {P, BYTES("a NOOP\r\nGET / HTTP/1.1\r\n"), "COMMAND [a] NOOP\nBAD [GET] ?\n"},
        {P, BYTES("a FOO\r\nEHLO x\r\n"), "BAD [a] ?\nBAD [EHLO] ?\n"},
        {P, BYTES("a NOOP\r\n\x16\x03\x01"), "COMMAND [a] NOOP\nFATAL tag\n"},
    };
    run(rows, COUNT(rows));
}

Test(lexer, literals_are_invited_or_taken_after_tls)
{
    static const struct row rows[] = {
        {S, BYTES("a LOGIN {3}\r\njoe {2}\r\nab\r\n"), "INVITE\nINVITE\nCOMMAND [a] LOGIN S:joe S:ab\n"},
        {S, BYTES("a LOGIN {3+}\r\njoe {2+}\r\nab\r\n"), "COMMAND [a] LOGIN S:joe S:ab\n"},
        {S, BYTES("a LOGIN {3}\r\njoe x\r\n"), "INVITE\nCOMMAND [a] LOGIN S:joe A:x\n"},
        {S, BYTES("a LOGIN joe {0}\r\n\r\n"), "INVITE\nCOMMAND [a] LOGIN A:joe S:\n"},
        {S, BYTES("a LOGIN joe {0+}\r\n\r\n"), "COMMAND [a] LOGIN A:joe S:\n"},
        {S, BYTES("a LOGIN {0003}\r\njoe x\r\n"), "INVITE\nCOMMAND [a] LOGIN S:joe A:x\n"},
        {S, BYTES("a LOGIN {8+}\r\nj \r\n\"\\{( x\r\n"), "COMMAND [a] LOGIN S:j \\r\\n\"\\{( A:x\n"},
        {S, BYTES("a LOGIN {2+}\r\nj\0 x\r\n"), "COMMAND [a] LOGIN S:j\\x00 A:x\n"},
        {S, BYTES("a LOGIN {3+}\r\njoex y\r\n"), "BAD [a] LOGIN\n"},
        {S, BYTES("a LOGIN {3+}\r\njo"), "PARTIAL\n"},
        {P, BYTES("a ID ({4}\r\nname {1+}\r\nx)\r\n"), "INVITE\nCOMMAND [a] ID ( S:name S:x )\n"},
    };
    run(rows, COUNT(rows));
}

Test(lexer, before_tls_a_password_is_not_invited_and_one_that_comes_anyway_is_read)
{
    static const struct row rows[] = {
        {P, BYTES("a LOGIN {3}\r\nb NOOP\r\n"), "COMMAND [a] LOGIN\nCOMMAND [b] NOOP\n"},
        {P, BYTES("a LOGIN joe {3}\r\nb NOOP\r\n"), "COMMAND [a] LOGIN A:joe\nCOMMAND [b] NOOP\n"},
        {P, BYTES("a LOGIN {99999999999999999999}\r\nb NOOP\r\n"), "COMMAND [a] LOGIN\nCOMMAND [b] NOOP\n"},
        {P, BYTES("a LOGIN {3+}\r\njoe {2+}\r\nab\r\nb NOOP\r\n"), "COMMAND [a] LOGIN S:joe S:ab\nCOMMAND [b] NOOP\n"},
        {P, BYTES("a LOGIN {8+}\r\nb NOOP\r\n {2+}\r\nab\r\n"), "COMMAND [a] LOGIN S:b NOOP\\r\\n S:ab\n"},
        {P, BYTES("a LOGIN {3+}\r\njoe {2}\r\nb NOOP\r\n"), "COMMAND [a] LOGIN S:joe\nCOMMAND [b] NOOP\n"},
        {P, BYTES("a AUTHENTICATE PLAIN {4+}\r\nAAAA\r\n"), "COMMAND [a] AUTHENTICATE A:PLAIN S:AAAA\n"},
        {P, BYTES("a AUTHENTICATE PLAIN {4}\r\n"), "COMMAND [a] AUTHENTICATE A:PLAIN\n"},
    };
    run(rows, COUNT(rows));
}

Test(lexer, a_command_that_ended_at_a_refused_literal_says_so)
{
    static const struct {
        const char *bytes;
        bool refused;
    } rows[] = {
        {"a LOGIN joe {3}\r\n", true}, {"a LOGIN {3}\r\n", true}, {"a LOGIN joe {3+}\r\nabc\r\n", false},
        {"a LOGIN joe x\r\n", false}, {"a LOGIN joe {}\r\n", false}, {"a AUTHENTICATE PLAIN {3}\r\n", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct lexer l;
        size_t taken;
        lexer_init(&l, P);
        enum lexer_result result = lexer_feed(&l, rows[i].bytes, strlen(rows[i].bytes), &taken);
        cr_assert(result == LEXER_COMMAND || result == LEXER_BAD, "%s", rows[i].bytes);
        cr_expect_eq(lexer_literal_refused(&l), rows[i].refused, "%s", rows[i].bytes);
        lexer_fini(&l);
    }
}

Test(lexer, sizes_that_are_none_are_bad_at_once)
{
    static const char *const sizes[] = {"{}", "{+}", "{a}", "{-1}", "{1x}", "{1+x}", "{1++}", "{ 1}", "{1 }", "{1", "{", "{1+",
                                        "{1}x", "{1+} ", "{4294967297}", "{99999999999999999999999}", "{4097}", "{~1}"};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char bytes[128];
        int len = snprintf(bytes, sizeof bytes, "a LOGIN joe %s\r\nb NOOP\r\n", sizes[i]);
        lexed_as(sizes[i], S, bytes, (size_t)len, "BAD [a] LOGIN\nCOMMAND [b] NOOP\n");
    }
}

Test(lexer, where_no_literal_may_be_one_ends_it)
{
    static const struct row rows[] = {
        {P, BYTES("a NOOP {3}\r\n"), "FATAL literal\n"},          {P, BYTES("a CAPABILITY {3+}\r\n"), "FATAL literal\n"},
        {P, BYTES("a STARTTLS {1}\r\n"), "FATAL literal\n"},      {P, BYTES("a LOGOUT {1}\r\n"), "FATAL literal\n"},
        {P, BYTES("a SELECT {5}\r\n"), "FATAL literal\n"},        {S, BYTES("a APPEND x (\\Seen) {5+}\r\n"), "FATAL literal\n"},
        {S, BYTES("a AUTHENTICATE PLAIN {4}\r\n"), "FATAL literal\n"},
        {S, BYTES("a AUTHENTICATE {5+}\r\n"), "FATAL literal\n"}, {S, BYTES("a NOOP {0+}\r\n"), "FATAL literal\n"},
    };
    run(rows, COUNT(rows));
}

Test(lexer, the_literals_of_a_bad_command_are_never_read_as_commands)
{
    static const struct row rows[] = {
        /* bad before the literal */
        {S, BYTES("a LOGIN \"\\x\" {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n"), "BAD [a] LOGIN\nCOMMAND [c] NOOP\n"},
        {S, BYTES("a LOGIN x  y {8+}\r\nb NOOP\r\n {8+}\r\nd NOOP\r\n\r\nc NOOP\r\n"), "BAD [a] LOGIN\nCOMMAND [c] NOOP\n"},
        {S, BYTES("a LOGIN x  y {0+}\r\n\r\nc NOOP\r\n"), "BAD [a] LOGIN\nCOMMAND [c] NOOP\n"},
        {P, BYTES("a LOGIN x\ry {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n"), "BAD [a] LOGIN\nCOMMAND [c] NOOP\n"},
        /* one that waits for an invitation is not invited, and what follows is the next command */
        {S, BYTES("a LOGIN x  y {8}\r\nc NOOP\r\n"), "BAD [a] LOGIN\nCOMMAND [c] NOOP\n"},
        /* bad behind the literal */
        {S, BYTES("a LOGIN {8+}\r\nb NOOP\r\nx {8+}\r\nd NOOP\r\n\r\nc NOOP\r\n"), "BAD [a] LOGIN\nCOMMAND [c] NOOP\n"},
    };
    run(rows, COUNT(rows));
}

Test(lexer, a_literal_that_begins_where_none_may_stand_is_not_read_as_commands_either)
{
    static const struct row rows[] = {
        {S, BYTES("a LOGIN x{8+}\r\nb NOOP\r\n\r\nc NOOP\r\n"), "BAD [a] LOGIN\nCOMMAND [c] NOOP\n"},
        {S, BYTES("a LOGIN \"x\"{8+}\r\nb NOOP\r\n\r\nc NOOP\r\n"), "BAD [a] LOGIN\nCOMMAND [c] NOOP\n"},
        {S, BYTES("a LOGIN {3}{8+}\r\nb NOOP\r\n\r\nc NOOP\r\n"), "BAD [a] LOGIN\nCOMMAND [c] NOOP\n"},
        {S, BYTES("a LOGIN {3{8+}\r\nb NOOP\r\n\r\nc NOOP\r\n"), "BAD [a] LOGIN\nCOMMAND [c] NOOP\n"},
        {P, BYTES("a LOGIN joe sec{8+}\r\nb NOOP\r\n\r\nc NOOP\r\n"), "BAD [a] LOGIN\nCOMMAND [c] NOOP\n"},
        {P, BYTES("a LOGIN{8+}\r\nb NOOP\r\n\r\n"), "FATAL literal\n"},
    };
    run(rows, COUNT(rows));
}

Test(lexer, a_line_may_have_8_kib_and_not_an_octet_more)
{
    for (size_t over = 0; over < 2; over++) {
        for (enum command_phase phase = P; phase < PHASE_COUNT; phase++) {
            struct text t = {0};
            put(&t, "a LOGIN joe ");
            put_many(&t, 'x', COMMAND_LINE_MAX + over - t.len - 2);
            put(&t, "\r\n");
            char want[64];
            snprintf(want, sizeof want, "COMMAND [a] LOGIN A:joe A:#%zu\n", (size_t)COMMAND_LINE_MAX - 14);
            lexed("a LOGIN", phase, &t, over ? "FATAL line\n" : want);

            put_many(&t, 'x', COMMAND_LINE_MAX + over - 2);
            put(&t, "\r\n");
            lexed("a lone word", phase, &t, over ? "FATAL line\n" : "BAD [] ?\n");

            put(&t, "a FOO ");
            put_many(&t, '{', COMMAND_LINE_MAX + over - t.len - 2);
            put(&t, "\r\n");
            lexed("a bad command", phase, &t, over ? "FATAL line\n" : "BAD [a] ?\n");
        }
    }
}

Test(lexer, literals_do_not_count_as_the_line_that_they_interrupt)
{
    struct text t = {0};
    put(&t, "a LOGIN ");
    put_literal(&t, 4096, "+");
    put(&t, " ");
    put_literal(&t, 4096, "");
    put(&t, "\r\n");
    lexed("two of 4096", S, &t, "INVITE\nCOMMAND [a] LOGIN S:#4096 S:#4096\n");

    put(&t, "a LOGIN ");
    put_literal(&t, 10, "+");
    put(&t, " ");
    put_many(&t, 'y', 8 * 1024);
    put(&t, "\r\n");
    lexed("a long line behind a literal", S, &t, "FATAL line\n");
}

Test(lexer, the_line_of_id_may_have_64_kib)
{
    for (size_t over = 0; over < 2; over++) {
        struct text t = {0};
        put(&t, "a ID (\"k\" \"");
        put_many(&t, 'x', COMMAND_ID_LINE_MAX + over - t.len - 4);
        put(&t, "\")\r\n");
        char want[64];
        snprintf(want, sizeof want, "COMMAND [a] ID ( S:k S:#%zu )\n", (size_t)COMMAND_ID_LINE_MAX - 15);
        lexed("ID", P, &t, over ? "FATAL line\n" : want);
    }
}

Test(lexer, a_literal_of_4096_octets_is_taken_and_a_larger_one_is_not)
{
    struct text t = {0};
    put(&t, "a LOGIN joe {4097}\r\nb NOOP\r\n");
    lexed("{4097} is not invited", S, &t, "BAD [a] LOGIN\nCOMMAND [b] NOOP\n");
    put(&t, "a LOGIN joe ");
    put_literal(&t, 4097, "+");
    put(&t, "\r\nb NOOP\r\n");
    lexed("{4097+} is thrown away", S, &t, "BAD [a] LOGIN\nCOMMAND [b] NOOP\n");
    put(&t, "a LOGIN joe ");
    put_literal(&t, 4096, "");
    put(&t, "\r\n");
    lexed("{4096}", S, &t, "INVITE\nCOMMAND [a] LOGIN A:joe S:#4096\n");
    put(&t, "a LOGIN joe ");
    put_literal(&t, 4096, "+");
    put(&t, "\r\n");
    lexed("{4096+}", S, &t, "COMMAND [a] LOGIN A:joe S:#4096\n");
}

Test(lexer, up_to_64_kib_of_a_command_are_thrown_away)
{
    static const struct {
        const char *name;
        size_t first, second;
        bool fatal;
    } rows[] = {
        {"64 KiB in one", LEXER_LITERALS_MAX, 0, false},
        {"64 KiB and one octet in one", LEXER_LITERALS_MAX + 1, 0, true},
        {"64 KiB in two", LEXER_LITERALS_MAX - 5000, 5000, false},
        {"64 KiB and one octet in two", LEXER_LITERALS_MAX - 5000, 5001, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (enum command_phase phase = P; phase < PHASE_COUNT; phase++) {
            struct text t = {0};
            put(&t, "a LOGIN ");
            put_literal(&t, rows[i].first, "+");
            put(&t, " ");
            put_literal(&t, rows[i].second, "+");
            put(&t, "\r\nb NOOP\r\n");
            lexed(rows[i].name, phase, &t, rows[i].fatal ? "FATAL literal\n" : "BAD [a] LOGIN\nCOMMAND [b] NOOP\n");
        }
    }
    lexed_as("a size that fits nowhere", S, BYTES("a LOGIN {99999999999999999999+}\r\n"), "FATAL literal\n");
    lexed_as("the same before TLS", P, BYTES("a LOGIN {4294967297+}\r\n"), "FATAL literal\n");
}

Test(lexer, id_takes_30_pairs_and_more_tokens_than_any_command_has_are_bad)
{
    static const size_t counts[] = {30, 35, 36, 200};
    for (size_t i = 0; i < COUNT(counts); i++) {
        struct text t = {0};
        char want[4096] = "COMMAND [a] ID (";
        put(&t, "a ID (");
        for (size_t j = 0; j < counts[i]; j++) {
            put(&t, j > 0 ? " \"k\" \"v\"" : "\"k\" \"v\"");
            strcat(want, j < 40 ? " S:k S:v" : "");
        }
        put(&t, ")\r\n");
        strcat(want, " )\n");
        lexed("ID", S, &t, counts[i] * 2 + 2 <= LEXER_TOKENS_MAX ? want : "BAD [a] ID\n");
    }
}

Test(lexer, many_large_literals_are_no_shortage_of_memory)
{
    static const char *const plus[] = {"", "+"};
    for (size_t i = 0; i < COUNT(plus); i++) {
        struct lexer l;
        struct text t = {0};
        size_t at = 0, taken;
        put(&t, "a ID (");
        for (int j = 0; j < 60; j++) {
            put_literal(&t, 4096, plus[i]);
            put(&t, j < 59 ? " " : ")\r\n");
        }
        lexer_init(&l, S);
        enum lexer_result result = LEXER_MORE;
        while (at < t.len && (result == LEXER_MORE || result == LEXER_INVITE)) {
            result = lexer_feed(&l, t.bytes + at, t.len - at, &taken);
            at += taken;
        }
        cr_expect(result != LEXER_FATAL || l.fault != LEXER_FAULT_MEMORY, "{4096%s}: a client must not be able to bring "
                  "about what is logged as an error of the server", plus[i]);
        lexer_fini(&l);
        free(t.bytes);
    }
}

Test(lexer, a_response_is_a_whole_line_of_anything)
{
    static const struct row rows[] = {
        {S, BYTES("a AUTHENTICATE PLAIN\r\nAGpvZQB4\r\nb NOOP\r\n"),
         "COMMAND [a] AUTHENTICATE A:PLAIN\nRESPONSE AGpvZQB4\nCOMMAND [b] NOOP\n"},
        {S, BYTES("a AUTHENTICATE PLAIN\r\n\r\nb NOOP\r\n"), "COMMAND [a] AUTHENTICATE A:PLAIN\nRESPONSE \nCOMMAND [b] NOOP\n"},
        {S, BYTES("a AUTHENTICATE PLAIN\r\n*\n"), "COMMAND [a] AUTHENTICATE A:PLAIN\nRESPONSE *\n"},
        {S, BYTES("a AUTHENTICATE PLAIN\r\nx \"{3} (\r\n"), "COMMAND [a] AUTHENTICATE A:PLAIN\nRESPONSE x \"{3} (\n"},
        {S, BYTES("a AUTHENTICATE PLAIN\r\nx\ry\r\nb NOOP\r\n"),
         "COMMAND [a] AUTHENTICATE A:PLAIN\nBAD [] ?\nCOMMAND [b] NOOP\n"},
        {S, BYTES("a AUTHENTICATE PLAIN\r\nAGpv"), "COMMAND [a] AUTHENTICATE A:PLAIN\nPARTIAL\n"},
        {S, BYTES("a AUTHENTICATE PLAIN =\r\nb NOOP\r\n"), "COMMAND [a] AUTHENTICATE A:PLAIN A:=\nCOMMAND [b] NOOP\n"},
        {P, BYTES("a AUTHENTICATE PLAIN\r\nb NOOP\r\n"), "COMMAND [a] AUTHENTICATE A:PLAIN\nCOMMAND [b] NOOP\n"},
    };
    run(rows, COUNT(rows));
    for (size_t over = 0; over < 2; over++) {
        struct text t = {0};
        put(&t, "a AUTHENTICATE PLAIN\r\n");
        put_many(&t, 'A', COMMAND_LINE_MAX - 2 + over);
        put(&t, "\r\n");
        lexed("8 KiB", S, &t, over ? "COMMAND [a] AUTHENTICATE A:PLAIN\nFATAL line\n"
                                   : "COMMAND [a] AUTHENTICATE A:PLAIN\nRESPONSE #8190\n");
    }
}

Test(lexer, what_follows_a_command_is_not_touched)
{
    struct lexer l;
    size_t taken;
    lexer_init(&l, P);
    cr_assert_eq(lexer_feed(&l, "a STARTTLS\r\nb NOOP\r\n", 20, &taken), LEXER_COMMAND);
    cr_expect_eq(taken, 12);
    lexer_next(&l);
    cr_expect_null(l.line);
    cr_expect_eq(lexer_feed(&l, "", 0, &taken), LEXER_MORE);
    cr_expect_null(l.line, "nothing was fed, nothing is owned");
    lexer_fini(&l);
}

Test(lexer, survives_any_octets)
{
    static const char alphabet[] = "aLOGIN \r\n\"\\{}+0123()* \x80\x16";
    uint32_t random = 7;
    for (int round = 0; round < 20000; round++) {
        struct lexer l;
        char bytes[96];
        size_t len = 0, taken;
        random = random * 1664525 + 1013904223;
        len += (size_t)sprintf(bytes, "%s", (random >> 8 & 3) == 0 ? "a LOGIN " : (random >> 8 & 3) == 1 ? "a ID (" : "");
        while (len < sizeof bytes) {
            random = random * 1664525 + 1013904223;
            bytes[len++] = alphabet[(random >> 16) % (sizeof alphabet - 1)];
        }
        lexer_init(&l, (enum command_phase)(round % 2));
        for (size_t at = 0; at < len; at += taken) {
            enum lexer_result result = lexer_feed(&l, bytes + at, len - at, &taken);
            if (result == LEXER_COMMAND || result == LEXER_BAD) {
                for (size_t i = 0; i < lexer_token_count(&l); i++) {
                    enum lexer_token_type type;
                    (void)show(lexer_token(&l, i, &type));
                }
                (void)show(lexer_tag(&l));
                lexer_next(&l);
            } else if (result == LEXER_FATAL) {
                break;
            }
            cr_assert_gt(taken, 0);
        }
        lexer_fini(&l);
    }
}
