/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parses the responses of a backend up to the answer to the login: splits octets into lines, and lines into their
 * parts. The octets may arrive in pieces of any size. These functions do no I/O. A backend is not trusted. RFC 9051 7.
 */
#ifndef IMAPGUARD_IMAP_RESPONSE_H
#define IMAPGUARD_IMAP_RESPONSE_H

#include "base/buffer.h"
#include "base/span.h"

enum { RESPONSE_LINE_MAX = 64 * 1024 }; /* octets of a line with its CRLF */

enum response_result {
    RESPONSE_MORE,     /* all octets are consumed; the line is incomplete */
    RESPONSE_LINE,     /* a line is complete */
    RESPONSE_TOO_LONG, /* the line exceeds RESPONSE_LINE_MAX */
    RESPONSE_BAD_BYTE, /* the line has a NUL, a LF without CR, or a CR without LF */
    RESPONSE_MEMORY,   /* no memory */
};

/* The state of reading lines. All zero is the start. It owns memory only while a line has arrived in several pieces. */
struct response_reader {
    struct buffer partial;
    bool complete; /* `partial` is the line that the last call returned */
};

/*
 * Consumes up to `len` octets, and none after the end of the line; writes their number to `taken`. On RESPONSE_LINE,
 * `line` is the line without CRLF; it is valid until the next call, and only as long as `bytes`. After
 * RESPONSE_TOO_LONG, RESPONSE_BAD_BYTE or RESPONSE_MEMORY, only response_reader_fini() may be called.
 */
enum response_result response_feed(struct response_reader *r, const void *bytes, size_t len, size_t *taken,
                                   struct span *line);

/* Frees what the reader owns. It is all zero afterwards and can be used again. */
void response_reader_fini(struct response_reader *r);

enum response_kind {
    RESPONSE_OK, /* OK, NO and BAD are tagged or untagged */
    RESPONSE_NO,
    RESPONSE_BAD,
    RESPONSE_PREAUTH, /* this and the next three are untagged */
    RESPONSE_BYE,
    RESPONSE_CAPABILITY, /* `text` is the list */
    RESPONSE_OTHER,      /* any other untagged response */
    RESPONSE_CONTINUE,   /* the line begins with "+" */
    RESPONSE_NONSENSE,   /* none of these, for example a line with another tag */
};

struct response {
    struct span line; /* the whole line, without CRLF */
    enum response_kind kind;
    bool tagged;      /* the line begins with the expected tag */
    struct span code; /* the response code without its brackets; empty if there is none */
    struct span text; /* the text after kind and code; the line for RESPONSE_CONTINUE; any for RESPONSE_NONSENSE */
};

/*
 * Parses a line without CRLF from a backend that has a command with the tag `tag` to answer; "" if it has none. The tag
 * is compared exactly, everything else without regard to case. The result points into the line and is valid as long as
 * it.
 */
struct response response_parse(struct span line, const char *tag);

/*
 * Returns true if the response code is CAPABILITY, and writes its list to `list`, which points into the line. Otherwise
 * returns false, with `list` unchanged.
 */
bool response_code_capability(const struct response *a, struct span *list);

/*
 * Appends to `buffer` the line, with CRLF, that the client gets for a response of the backend to its login:
 * - A tagged OK or NO gets the client's tag, `tag`. Its text is kept, or "Done." if it has none. Its code is kept,
 *   except REFERRAL, which would send the client to another server (RFC 2221), and CAPABILITY with NO. A NO without a
 *   code after that gets `code`, for example "UNAVAILABLE"; `code` is not used for anything else.
 * - An untagged OK, NO or BAD is appended unchanged, because the client must show an ALERT (RFC 9051 7.1). If its code
 *   is CAPABILITY, an untagged CAPABILITY response with that list is appended instead.
 * - An untagged CAPABILITY response is appended.
 * - Every capability list among these is filtered by capability_append_filtered(), and left out if nothing remains.
 * - For any other response, a tagged BAD included, nothing is appended.
 *
 * Returns 0, or -1 if `buffer` would exceed `limit` octets or there is no memory. A part may have been appended then.
 */
int response_for_client(const struct response *r, struct span tag, const char *code, struct buffer *buffer,
                        size_t limit);

/*
 * Call it only for a tagged NO to a login: it looks at the code, and not at the kind. Returns true if the code says that
 * the login did not fail because of its credentials: UNAVAILABLE, SERVERBUG, INUSE or LIMIT. RFC 5530 3.
 */
bool response_is_unavailable(const struct response *r);

#endif
