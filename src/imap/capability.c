/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/capability.h"

#include <stddef.h>

static const struct {
    const char *word;
    size_t flag; /* offset of a bool in struct capabilities */
} flags[] = {
    {"IMAP4", offsetof(struct capabilities, imap)},
    {"IMAP4rev1", offsetof(struct capabilities, imap)},
    {"IMAP4rev2", offsetof(struct capabilities, imap)},
    {"LOGINDISABLED", offsetof(struct capabilities, login_disabled)},
    {"AUTH=PLAIN", offsetof(struct capabilities, auth_plain)},
    {"SASL-IR", offsetof(struct capabilities, sasl_ir)},
};

void capability_parse(struct span list, struct capabilities *out)
{
    struct span word;
    *out = (struct capabilities){.known = true};
    while (span_word(&list, &word)) {
        for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
            if (span_is(word, flags[i].word)) {
                *(bool *)((char *)out + flags[i].flag) = true;
            }
        }
    }
}

static bool is_atom(struct span word)
{
    for (size_t i = 0; i < word.len; i++) {
        uint8_t c = word.bytes[i];
        if (c <= 0x20 || c >= 0x7f || c == ']' || c == '"' || c == '\\') {
            return false;
        }
    }
    return true;
}

int capability_pass(struct span list, struct buffer *out, size_t limit)
{
    struct span word;
    bool first = true;
    while (span_word(&list, &word)) {
        if (span_is(word, "STARTTLS") || span_is(word, "LOGINDISABLED") || !is_atom(word)) {
            continue;
        }
        if ((!first && buffer_append(out, " ", 1, limit) != 0) ||
            buffer_append(out, word.bytes, word.len, limit) != 0) {
            return -1;
        }
        first = false;
    }
    return 0;
}
