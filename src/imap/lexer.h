/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cuts what a client says before its login into commands: RFC 9051 section 9 (command, astring, quoted,
 * literal), RFC 7888 (LITERAL-). Pure: bytes in, tokens out, whatever the pieces in which they come; no
 * I/O and no reply. Between two commands it owns no memory. All that it kept is wiped.
 */
#ifndef IMAPGUARD_IMAP_LEXER_H
#define IMAPGUARD_IMAP_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "imap/command.h"

enum {
    LEXER_LITERAL_MAX = 4096,      /* octets of a literal that is taken (RFC 7888 section 5) */
    LEXER_LITERALS_MAX = 64 * 1024, /* octets of all literals of a command, taken or thrown away */
    LEXER_TOKENS_MAX = 72,         /* ID: 30 pairs and two parentheses, and some to say no to */
};

enum lexer_result {
    LEXER_MORE,     /* all was taken, the command is not complete */
    LEXER_COMMAND,  /* a command is complete: lexer_* below tell it; lexer_next() lets it go */
    LEXER_BAD,      /* a command is complete and malformed: as LEXER_COMMAND, but only its tag may be used */
    LEXER_INVITE,   /* a literal was announced that the client sends once it got "+": go on feeding */
    LEXER_RESPONSE, /* after lexer_expect_response(): the line is complete, see lexer_response() */
    LEXER_FATAL,    /* no IMAP client says that: see lexer->fault; the session is over */
};

enum lexer_fault {
    LEXER_FAULT_FOREIGN, /* another protocol: lexer->protocol names it */
    LEXER_FAULT_TAG,     /* a tag with a character that no tag has */
    LEXER_FAULT_LINE,    /* a line that is too long */
    LEXER_FAULT_NUL,     /* a NUL octet */
    LEXER_FAULT_LITERAL, /* a literal where none may be, or more than is worth throwing away */
    LEXER_FAULT_MEMORY,
};

enum lexer_token_type { TOKEN_ATOM, TOKEN_STRING, TOKEN_OPEN, TOKEN_CLOSE };

struct lexer_line; /* what has been read of the command so far */

struct lexer {
    struct lexer_line *line; /* NULL between commands */
    enum command_phase phase;
    enum lexer_fault fault;  /* after LEXER_FATAL */
    const char *protocol;    /* after LEXER_FAULT_FOREIGN */
    bool first;              /* nothing was completed yet: it may be another protocol */
    bool response;           /* the next line is no command but the answer to a challenge */
};

/* Prepares for the first byte of a phase; nothing is allocated. */
void lexer_init(struct lexer *l, enum command_phase phase);

/* Wipes and frees what is left. The lexer can be used again after lexer_init(). */
void lexer_fini(struct lexer *l);

/*
 * Takes up to `len` octets, at most to the end of one command, and writes to `taken` how many they were.
 * What follows a complete command is never looked at.
 */
enum lexer_result lexer_feed(struct lexer *l, const void *bytes, size_t len, size_t *taken);

/* Lets a complete command or response go, wiped. */
void lexer_next(struct lexer *l);

/* Says that the next line answers a challenge of AUTHENTICATE (RFC 9051 6.2.2). */
void lexer_expect_response(struct lexer *l);

/* The tag; empty when the line had none that could be answered. Valid until lexer_next(). */
struct span lexer_tag(const struct lexer *l);

/* The command's row, or NULL when it is not one of ours. */
const struct command *lexer_command(const struct lexer *l);

/* How many tokens follow the command. */
size_t lexer_token_count(const struct lexer *l);

/* Whether the command ended at a literal that its row refuses: what came before that is whole. */
bool lexer_literal_refused(const struct lexer *l);

/* The token at `index`, decoded (quotes, escapes and literals resolved); its type is written to `type`. */
struct span lexer_token(const struct lexer *l, size_t index, enum lexer_token_type *type);

/* The answer to the challenge, without its line end. Valid until lexer_next(). */
struct span lexer_response(const struct lexer *l);

#endif
