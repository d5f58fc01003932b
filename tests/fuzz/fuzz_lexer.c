/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lexer on any bytes: no fault, no limit exceeded, and the same result for the whole input as for the
 * input in pieces. The first byte of the input chooses the phase and the size of the pieces.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "imap/id.h"
#include "imap/lexer.h"
#include "imap/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a run gave, as bytes that can be compared. */
static void note(struct buffer *trace, const struct lexer *l, enum lexer_result result)
{
    uint8_t word = (uint8_t)result;
    (void)buffer_append(trace, &word, 1, UINT32_MAX);
    if (result == LEXER_FATAL) {
        word = (uint8_t)l->fault;
        (void)buffer_append(trace, &word, 1, UINT32_MAX);
    } else if (result == LEXER_RESPONSE) {
        struct span response = lexer_response(l);
        (void)buffer_append(trace, response.bytes, response.len, UINT32_MAX);
    } else if (result == LEXER_COMMAND || result == LEXER_BAD) {
        struct span tag = lexer_tag(l), name;
        (void)buffer_append(trace, tag.bytes, tag.len, UINT32_MAX);
        (void)id_parse(l, &name);
        for (size_t i = 0; i < lexer_token_count(l); i++) {
            enum lexer_token_type type;
            struct span token = lexer_token(l, i, &type);
            word = (uint8_t)type;
            (void)buffer_append(trace, &word, 1, UINT32_MAX);
            (void)buffer_append(trace, token.bytes, token.len, UINT32_MAX);
        }
    }
}

/* As client.c does: a completed AUTHENTICATE makes the next line a response. */
static void after(struct lexer *l, enum lexer_result result)
{
    bool response = false;
    if (result == LEXER_COMMAND && lexer_command(l)->id == COMMAND_AUTHENTICATE) {
        enum lexer_token_type type;
        response = l->phase == PHASE_TLS && lexer_token_count(l) == 1 &&
                   sasl_find(lexer_token(l, 0, &type)) != NULL;
    }
    lexer_next(l);
    if (response) {
        lexer_expect_response(l);
    }
}

static void run(const uint8_t *data, size_t size, enum command_phase phase, size_t piece, struct buffer *trace)
{
    struct lexer l;
    lexer_init(&l, phase);
    for (size_t at = 0; at < size;) {
        size_t taken, len = size - at < piece ? size - at : piece;
        enum lexer_result result = lexer_feed(&l, data + at, len, &taken);
        if (taken > len || (taken == 0 && result == LEXER_MORE)) {
            abort();
        }
        at += taken;
        if (result == LEXER_MORE) {
            continue;
        }
        note(trace, &l, result);
        if (result == LEXER_FATAL) {
            break;
        }
        if (result != LEXER_INVITE) {
            after(&l, result);
        }
    }
    lexer_fini(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer whole = {0}, pieces = {0};
    if (size == 0) {
        return 0;
    }
    enum command_phase phase = data[0] & 1 ? PHASE_TLS : PHASE_CLEARTEXT;
    run(data + 1, size - 1, phase, size, &whole);
    run(data + 1, size - 1, phase, (size_t)(data[0] >> 1) % 7 + 1, &pieces);
    if (whole.len != pieces.len || (whole.len > 0 && memcmp(buffer_data(&whole), buffer_data(&pieces), whole.len) != 0)) {
        abort();
    }
    buffer_clear(&whole);
    buffer_clear(&pieces);
    return 0;
}
