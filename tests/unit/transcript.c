/* SPDX-License-Identifier: BSD-2-Clause */
#include "transcript.h"

#include <stdio.h>
#include <stdlib.h>

#include "support.h"

enum { SIZE = 32 * 1024, ALL_SPLITS = 700 };

static void add(char *out, const char *first, const char *second)
{
    size_t used = strlen(out);
    int n = snprintf(out + used, SIZE - used, "%s%s", first, second);
    cr_assert_lt((size_t)n, SIZE - used);
}

static const char *value(struct span s)
{
    static char length[32];
    if (s.len <= 64) {
        return show(s);
    }
    snprintf(length, sizeof length, "#%zu", s.len);
    return length;
}

static void add_command(char *out, const struct lexer *l, bool bad)
{
    const struct command *command = lexer_command(l);
    add(out, bad ? "BAD [" : "COMMAND [", show(lexer_tag(l)));
    add(out, "] ", command != NULL ? command->name : "?");
    for (size_t i = 0; i < lexer_token_count(l) && !bad; i++) {
        static const char *const names[] = {" A:", " S:", " (", " )"};
        enum lexer_token_type type;
        struct span token = lexer_token(l, i, &type);
        add(out, names[type], value(token));
    }
    add(out, "\n", "");
}

/* One result of the lexer; true to go on. */
static bool add_event(char *out, struct lexer *l, enum lexer_result result)
{
    static const char *const faults[] = {"foreign ", "tag", "line", "nul", "literal", "memory"};
    bool more = false;
    switch (result) {
    case LEXER_MORE:
        cr_assert_fail("LEXER_MORE though not all was taken");
        break;
    case LEXER_COMMAND:
        more = l->phase == PHASE_TLS && lexer_command(l)->id == COMMAND_AUTHENTICATE && lexer_token_count(l) == 1;
        /* fall through */
    case LEXER_BAD:
        add_command(out, l, result == LEXER_BAD);
        lexer_next(l);
        if (more) {
            lexer_expect_response(l);
        }
        return true;
    case LEXER_RESPONSE:
        add(out, "RESPONSE ", value(lexer_response(l)));
        add(out, "\n", "");
        lexer_next(l);
        return true;
    case LEXER_INVITE:
        add(out, "INVITE\n", "");
        return true;
    case LEXER_FATAL:
        add(out, "FATAL ", faults[l->fault]);
        add(out, l->fault == LEXER_FAULT_FOREIGN ? l->protocol : "", "\n");
        break;
    }
    return false;
}

static bool feed(char *out, struct lexer *l, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        size_t taken = 0;
        uint8_t *piece = malloc(len); /* of its own size, so that AddressSanitizer sees what lies behind it read */
        memcpy(piece, bytes, len);
        enum lexer_result result = lexer_feed(l, piece, len, &taken);
        memset(piece, '!', len);
        bool go_on = result == LEXER_MORE ? taken == len : add_event(out, l, result);
        free(piece);
        cr_assert(taken > 0 && taken <= len);
        if (!go_on) {
            cr_assert_neq(result, LEXER_MORE, "not all was taken");
            return false;
        }
        bytes += taken;
        len -= taken;
    }
    return true;
}

/* The transcript of the bytes in pieces of `step` octets, with one more border at `split`. */
static const char *transcript(enum command_phase phase, const uint8_t *bytes, size_t len, size_t step, size_t split)
{
    static char out[SIZE];
    struct lexer l;
    bool go_on = true;
    out[0] = '\0';
    lexer_init(&l, phase);
    for (size_t at = 0; at < len && go_on;) {
        size_t n = len - at < step ? len - at : step;
        if (at < split && at + n > split) {
            n = split - at;
        }
        go_on = feed(out, &l, bytes + at, n);
        at += n;
    }
    if (go_on && l.line != NULL) { /* memory is owned within a command, never between two */
        add(out, "PARTIAL\n", "");
    }
    lexer_fini(&l);
    return out;
}

void lexed_as(const char *name, enum command_phase phase, const void *bytes, size_t len, const char *want)
{
    const char *got = transcript(phase, bytes, len, len, 0);
    cr_assert_str_eq(got, want, "%s: whole:\n%swanted:\n%s", name, got, want);
    got = transcript(phase, bytes, len, 1, 0);
    cr_assert_str_eq(got, want, "%s: octet by octet:\n%swanted:\n%s", name, got, want);
    for (size_t split = 1; split < len; split += len < ALL_SPLITS || split < 64 || split + 64 > len ? 1 : len / 50) {
        got = transcript(phase, bytes, len, len, split);
        cr_assert_str_eq(got, want, "%s: split at %zu:\n%swanted:\n%s", name, split, got, want);
    }
}
