/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a backend says up to the answer to the login: lines, and what they mean (RFC 9051 section 7).
 * Pure: bytes in, lines out, whatever the pieces in which they come. A backend is not trusted either.
 */
#ifndef IMAPGUARD_IMAP_ANSWER_H
#define IMAPGUARD_IMAP_ANSWER_H

#include "base/buffer.h"
#include "base/span.h"

enum { ANSWER_LINE_MAX = 64 * 1024 };

enum answer_result {
    ANSWER_MORE,     /* all was taken, the line is not complete */
    ANSWER_LINE,     /* a line is complete */
    ANSWER_TOO_LONG, /* over ANSWER_LINE_MAX */
    ANSWER_BAD_BYTE, /* a NUL, or a LF or CR without the other */
    ANSWER_MEMORY,
};

/* What of a line came so far. All zero is a reader between two lines; it owns memory only within one. */
struct answer_reader {
    struct buffer partial;
    bool complete; /* `partial` is the line that was handed out last */
};

/*
 * Takes up to `len` octets, at most to the end of one line, and writes to `taken` how many they were. On
 * ANSWER_LINE, `line` is the line without CRLF: valid until the next call and while `bytes` are.
 */
enum answer_result answer_feed(struct answer_reader *r, const void *bytes, size_t len, size_t *taken,
                               struct span *line);

/* What was wrong with a line, as a word for the log; only of the last three results. */
const char *answer_fault(enum answer_result result);

/* Gives back what the reader holds. */
void answer_reader_fini(struct answer_reader *r);

enum answer_kind {
    ANSWER_OK, /* with `tagged` the answer to our command; without, for information */
    ANSWER_NO,
    ANSWER_BAD,
    ANSWER_PREAUTH,    /* never tagged, as the next two */
    ANSWER_BYE,
    ANSWER_CAPABILITY, /* `text` is the list */
    ANSWER_OTHER,      /* any other untagged response */
    ANSWER_CONTINUE,   /* "+" */
    ANSWER_NONSENSE,   /* neither untagged, nor "+", nor under our tag */
};

struct answer {
    enum answer_kind kind;
    bool tagged;
    struct span code; /* what stands in brackets, "" when nothing does */
    struct span text; /* what follows */
};

/* Tells what a line means to somebody who waits for an answer under `tag`. The spans point into the line. */
struct answer answer_parse(struct span line, const char *tag);

/* The list in a CAPABILITY response code; false when the code is another. */
bool answer_code_capability(const struct answer *a, struct span *list);

#endif
