/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a backend says up to the answer to the login: lines, and what they mean (RFC 9051 section 7).
 * Pure: bytes in, lines out, whatever the pieces in which they come. A backend is not trusted either.
 */
#ifndef IMAPGUARD_IMAP_RESPONSE_H
#define IMAPGUARD_IMAP_RESPONSE_H

#include "base/buffer.h"
#include "base/span.h"

enum { RESPONSE_LINE_MAX = 64 * 1024 };

enum response_result {
    RESPONSE_MORE,     /* all was taken, the line is not complete */
    RESPONSE_LINE,     /* a line is complete */
    RESPONSE_TOO_LONG, /* over RESPONSE_LINE_MAX */
    RESPONSE_BAD_BYTE, /* a NUL, or a LF or CR without the other */
    RESPONSE_MEMORY,
};

/* What of a line came so far. All zero is a reader between two lines; it owns memory only within one. */
struct response_reader {
    struct buffer partial;
    bool complete; /* `partial` is the line that was handed out last */
};

/*
 * Takes up to `len` octets, at most to the end of one line, and writes to `taken` how many they were. On
 * RESPONSE_LINE, `line` is the line without CRLF: valid until the next call and while `bytes` are.
 */
enum response_result response_feed(struct response_reader *r, const void *bytes, size_t len, size_t *taken,
                                   struct span *line);

/* Gives back what the reader holds. */
void response_reader_fini(struct response_reader *r);

enum response_kind {
    RESPONSE_OK, /* with `tagged` the answer to our command; without, for information */
    RESPONSE_NO,
    RESPONSE_BAD,
    RESPONSE_PREAUTH, /* never tagged, as the next two */
    RESPONSE_BYE,
    RESPONSE_CAPABILITY, /* `text` is the list */
    RESPONSE_OTHER,      /* any other untagged response */
    RESPONSE_CONTINUE,   /* "+" */
    RESPONSE_NONSENSE,   /* neither untagged, nor "+", nor under our tag */
};

struct response {
    struct span line; /* all of it, without CRLF */
    enum response_kind kind;
    bool tagged;
    struct span code; /* what stands in brackets, "" when nothing does */
    struct span text; /* what follows */
};

/* Tells what a line means to somebody who waits for an answer under `tag`. The spans point into the line. */
struct response response_parse(struct span line, const char *tag);

/* The list in a CAPABILITY response code; false when the code is another. */
bool response_code_capability(const struct response *a, struct span *list);

/*
 * Appends to `buffer` (at most `limit` octets) the line that the client gets for a response of its backend's to its login,
 * with CRLF; nothing where the client gets none. An untagged OK, NO or BAD passes as it is, since the client must show
 * an ALERT (RFC 9051 7.1). A capability list, untagged or as a code, loses what is not true of a connection through
 * imapguard (capability_append_filtered()). A tagged OK or NO gets the client's `tag`, and keeps its code and text but for
 * CAPABILITY with NO and for REFERRAL (RFC 2221), which would lead the client to another server; NO gets `code` (such as
 * "UNAVAILABLE") where it kept none. Anything else passes not at all. Returns 0, or -1 when it does not fit.
 */
int response_for_client(const struct response *r, struct span tag, const char *code, struct buffer *buffer,
                        size_t limit);

/*
 * Returns true if the code of a NO says that the user is not to blame for it (RFC 5530: UNAVAILABLE, SERVERBUG, INUSE,
 * LIMIT).
 */
bool response_is_unavailable(const struct response *r);

#endif
