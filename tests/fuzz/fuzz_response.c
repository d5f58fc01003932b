/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend's lines on any bytes, whole and in pieces: the same lines; and what becomes of them on their way
 * to a client: no line end, no NUL, nothing that could be taken for a second response.
 */
#include <stdlib.h>
#include <string.h>

#include "imap/response.h"
#include "imap/capability.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_passed(struct span list)
{
    struct buffer out = {0};
    if (capability_append_filtered(list, &out, UINT32_MAX) != 0) {
        abort();
    }
    for (size_t i = 0; i < out.len; i++) {
        uint8_t c = buffer_data(&out)[i];
        if (c < 0x20 || c >= 0x7f || c == ']') {
            abort();
        }
    }
    buffer_clear(&out);
}

/* What clients would be told before their login. */
static void check_offered(struct span list)
{
    struct buffer out = {0};
    if (capability_offer(&list, 1, UINT32_MAX, &out, UINT32_MAX) != 0) {
        abort();
    }
    struct span told = {buffer_data(&out), out.len};
    if (capability_has(told, span_of("STARTTLS")) || capability_has(told, span_of("LOGINDISABLED")) ||
        !capability_has(told, span_of("AUTH=PLAIN"))) {
        abort();
    }
    check_passed(told);
    buffer_clear(&out);
}

static void look(struct span line)
{
    struct response a = response_parse(line, "tag");
    struct capabilities able;
    struct span list;
    if (memchr(line.bytes, '\n', line.len) != NULL || memchr(line.bytes, '\0', line.len) != NULL) {
        abort();
    }
    if (a.kind == RESPONSE_CAPABILITY) {
        capability_parse(a.text, &able);
        check_passed(a.text);
        check_offered(a.text);
    }
    if (response_code_capability(&a, &list)) {
        capability_parse(list, &able);
        check_passed(list);
    }
}

static void run(const uint8_t *data, size_t size, size_t piece, struct buffer *trace)
{
    struct response_reader r = {0};
    for (size_t at = 0; at < size;) {
        size_t taken, len = size - at < piece ? size - at : piece;
        struct span line;
        enum response_result result = response_feed(&r, data + at, len, &taken, &line);
        if (result == RESPONSE_LINE) {
            look(line);
            (void)buffer_append(trace, line.bytes, line.len, UINT32_MAX);
            (void)buffer_append(trace, "\n", 1, UINT32_MAX);
        } else if (result != RESPONSE_MORE) {
            break;
        }
        if (taken == 0 || taken > len) {
            abort();
        }
        at += taken;
    }
    response_reader_fini(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer whole = {0}, pieces = {0};
    if (size == 0) {
        return 0;
    }
    run(data + 1, size - 1, size, &whole);
    run(data + 1, size - 1, (size_t)data[0] % 7 + 1, &pieces);
    if (whole.len != pieces.len || (whole.len > 0 && memcmp(buffer_data(&whole), buffer_data(&pieces), whole.len) != 0)) {
        abort();
    }
    buffer_clear(&whole);
    buffer_clear(&pieces);
    return 0;
}
