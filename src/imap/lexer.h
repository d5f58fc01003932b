/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lexer for the octets that a client sends before its login. It splits them into commands and tokens, and does no
 * I/O. The octets may arrive in pieces of any size. Between two commands the lexer owns no memory. It wipes all memory
 * before it frees it, because a command may contain a password. RFC 9051 9 (command, astring, quoted, literal),
 * RFC 7888 (LITERAL-).
 */
#ifndef IMAPGUARD_IMAP_LEXER_H
#define IMAPGUARD_IMAP_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "imap/command.h"

enum {
    LEXER_LITERAL_MAX = 4096,       /* octets of a literal; a longer one makes the command bad (RFC 7888 section 5) */
    LEXER_LITERALS_MAX = 64 * 1024, /* octets of all literals of a command, including discarded ones */
    LEXER_TOKENS_MAX = 72,          /* tokens of a command; ID has 30 pairs and two parentheses at most */
};

enum lexer_result {
    LEXER_MORE,     /* all octets are consumed; the command is incomplete */
    LEXER_COMMAND,  /* a command is complete: read it with the functions below, then call lexer_next() */
    LEXER_BAD,      /* the same, but malformed: use only lexer_tag() and lexer_command(), then call lexer_next() */
    LEXER_INVITE,   /* the client waits for "+" before it sends a literal: send it, and continue with lexer_feed() */
    LEXER_RESPONSE, /* after lexer_expect_response(): the line is complete, see lexer_response() */
    LEXER_FATAL,    /* the client must be disconnected, see lexer->fault; call lexer_fini() next */
};

/* The cause of LEXER_FATAL. */
enum lexer_fault {
    LEXER_FAULT_FOREIGN, /* another protocol, see lexer->protocol */
    LEXER_FAULT_TAG,     /* a character that is not allowed in a tag */
    LEXER_FAULT_LINE,    /* the line is too long */
    LEXER_FAULT_NUL,     /* a NUL octet outside a literal */
    LEXER_FAULT_LITERAL, /* a literal in a command that has none, or more than LEXER_LITERALS_MAX */
    LEXER_FAULT_MEMORY,  /* no memory */
};

enum lexer_token_type { TOKEN_ATOM, TOKEN_STRING, TOKEN_OPEN, TOKEN_CLOSE };

struct lexer_line; /* the incomplete or complete command */

struct lexer {
    struct lexer_line *line; /* NULL between commands */
    enum command_phase phase;
    enum lexer_fault fault; /* after LEXER_FATAL */
    const char *protocol;   /* after LEXER_FAULT_FOREIGN: its name; static */
    bool first;             /* this is the first command: the client may speak another protocol */
    bool response;          /* the next line is the response to a challenge, not a command */
};

/* Initialises l for the first octet of a phase. Allocates nothing. */
void lexer_init(struct lexer *l, enum command_phase phase);

/* Wipes and frees all memory of l. l can be used again after lexer_init(). */
void lexer_fini(struct lexer *l);

/*
 * Consumes up to `len` octets from the client, and stops at the end of a command, at LEXER_INVITE or at LEXER_FATAL.
 * Writes the number of octets consumed to `taken`. Octets after that are not read. The octets are copied as far as they
 * are needed. After a complete command, lexer_next() must be called before the next lexer_feed().
 */
enum lexer_result lexer_feed(struct lexer *l, const void *bytes, size_t len, size_t *taken);

/* Wipes and frees the complete command or response, and prepares for the next command. */
void lexer_next(struct lexer *l);

/*
 * Makes lexer_feed() parse the next line, and only that one, as a response to a challenge of AUTHENTICATE. Call it after
 * lexer_next() and before the first octet of the line. A response with a CR inside gives LEXER_BAD, with an empty tag and
 * without a command. RFC 9051 6.2.2.
 */
void lexer_expect_response(struct lexer *l);

/* Returns the tag of the complete command; empty if the line has no valid tag. Valid until lexer_next(). */
struct span lexer_tag(const struct lexer *l);

/*
 * Returns the static row of the complete command. After LEXER_COMMAND it is never NULL. After LEXER_BAD it is NULL if the
 * command is not in the table, the line has no well-formed name, or the line is a response.
 */
const struct command *lexer_command(const struct lexer *l);

/* Returns the number of tokens after the name of the command. */
size_t lexer_token_count(const struct lexer *l);

/*
 * Returns true if the command ended at a literal {n} that LITERAL_REFUSE forbids. lexer_feed() returns LEXER_COMMAND
 * then, as for a whole command, or LEXER_BAD if it was malformed before. The tokens before the literal are complete. The
 * literal is no token, and the client does not send it. A literal {n+} is never refused: it is read.
 */
bool lexer_literal_refused(const struct lexer *l);

/*
 * Returns the token at `index`, which must be below lexer_token_count(), and writes its type to `type`. The token is
 * decoded: quoted strings and literals have their content only. Valid until lexer_next().
 */
struct span lexer_token(const struct lexer *l, size_t index, enum lexer_token_type *type);

/* Returns the complete response to a challenge, without its line end. Valid until lexer_next(). */
struct span lexer_response(const struct lexer *l);

#endif
