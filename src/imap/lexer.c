/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/lexer.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "imap/foreign.h"

/* The position of the next octet in the command. */
enum place {
    PLACE_TAG,
    PLACE_NAME,
    PLACE_ARGUMENT, /* after a space or an opening parenthesis */
    PLACE_ATOM,
    PLACE_QUOTED,
    PLACE_ESCAPED,     /* after the backslash in a quoted string */
    PLACE_AFTER,       /* after a quoted string, a literal or a closing parenthesis */
    PLACE_SIZE,        /* in the braces of a literal */
    PLACE_SIZE_CLOSED, /* after the braces: only CRLF may follow */
    PLACE_LITERAL,     /* in the octets of a literal */
    PLACE_SKIP,        /* in the rest of a malformed command; its literals are still recognised */
    PLACE_RESPONSE,
};

struct token {
    enum lexer_token_type type;
    uint32_t at, len; /* offset and length in lexer_line.text */
};

struct lexer_line {
    struct buffer text; /* the decoded tag, name and tokens, without separators */
    enum place place;
    const struct command *command;
    struct token tag, name;
    uint32_t octets;    /* octets of the line, without its literals */
    uint32_t literals;  /* octets of all literals so far */
    uint32_t size;      /* of the current literal: first its announced size, then the octets still missing */
    uint32_t digits;    /* number of digits of that size */
    bool size_fits;     /* the size is not above LEXER_LITERALS_MAX */
    bool synchronizing; /* the client waits for "+" before the literal: {n}; false for {n+} */
    bool drop;          /* the octets of the literal are discarded */
    bool cr;            /* the last octet was CR */
    bool refused;       /* the command ended at a literal that LITERAL_REFUSE forbids */
    bool bad;
    uint32_t count;
    struct token tokens[LEXER_TOKENS_MAX];
};

/* The result of parsing one octet. */
enum verdict { GO_ON, LINE_DONE, INVITE, FATAL };

void lexer_init(struct lexer *l, enum command_phase phase)
{
    *l = (struct lexer){.phase = phase, .first = true};
}

void lexer_fini(struct lexer *l)
{
    if (l->line != NULL) {
        buffer_clear(&l->line->text);
        free(l->line);
        l->line = NULL;
    }
}

void lexer_next(struct lexer *l)
{
    lexer_fini(l);
    l->first = false;
    l->response = false;
}

void lexer_expect_response(struct lexer *l)
{
    l->response = true;
}

static struct span token_span(const struct lexer_line *line, const struct token *t)
{
    return (struct span){t->len == 0 ? (const uint8_t *)"" : buffer_data(&line->text) + t->at, t->len};
}

struct span lexer_tag(const struct lexer *l)
{
    return token_span(l->line, &l->line->tag);
}

const struct command *lexer_command(const struct lexer *l)
{
    return l->line->command;
}

size_t lexer_token_count(const struct lexer *l)
{
    return l->line->count;
}

struct span lexer_token(const struct lexer *l, size_t index, enum lexer_token_type *type)
{
    const struct token *t = &l->line->tokens[index];
    *type = t->type;
    return token_span(l->line, t);
}

bool lexer_literal_refused(const struct lexer *l)
{
    return l->line->refused;
}

struct span lexer_response(const struct lexer *l)
{
    return (struct span){buffer_data(&l->line->text), l->line->text.len};
}

static enum verdict fatal(struct lexer *l, enum lexer_fault fault)
{
    l->fault = fault;
    return FATAL;
}

/* RFC 9051: a tag is 1*<any ASTRING-CHAR except "+">. */
static bool is_tag_char(uint8_t c)
{
    return c > 0x20 && c < 0x7f && strchr("(){%*\"\\+", c) == NULL;
}

/*
 * More than an ATOM-CHAR: many clients send passwords with "%", "*", "]", "\" or 8-bit octets as atoms, and refusing
 * them has no benefit. Characters that change where an atom ends are refused.
 */
static bool is_atom_char(uint8_t c)
{
    return c > 0x20 && c != 0x7f && strchr("(){\"", c) == NULL;
}

static enum verdict keep(struct lexer *l, struct token *t, uint8_t c)
{
    /* Line and literals have smaller limits of their own. This one bounds their sum. */
    if (buffer_append(&l->line->text, &c, 1, (size_t)COMMAND_ID_LINE_MAX * 2) != 0) {
        return fatal(l, LEXER_FAULT_MEMORY);
    }
    t->len++;
    return GO_ON;
}

static struct token *open_token(struct lexer_line *line, enum lexer_token_type type)
{
    if (line->count == LEXER_TOKENS_MAX) {
        /* No command has that many tokens: it is bad, and the last token may be overwritten. */
        line->bad = true;
        line->count--;
    }
    struct token *t = &line->tokens[line->count++];
    *t = (struct token){.type = type, .at = line->text.len};
    return t;
}

static struct token *last_token(struct lexer_line *line)
{
    return &line->tokens[line->count - 1];
}

static enum verdict open_size(struct lexer *l)
{
    struct lexer_line *line = l->line;
    line->size = 0;
    line->digits = 0;
    line->size_fits = true;
    line->synchronizing = true;
    line->place = PLACE_SIZE;
    return GO_ON;
}

/* Marks the command as bad. Its literals are still recognised, because their octets must not become commands. */
static enum verdict malformed(struct lexer *l, uint8_t c)
{
    l->line->bad = true;
    l->line->place = PLACE_SKIP;
    return c == '{' ? open_size(l) : GO_ON;
}

static enum verdict check_foreign(struct lexer *l)
{
    struct lexer_line *line = l->line;
    if (!l->first) {
        return GO_ON;
    }
    l->protocol = foreign_protocol(token_span(line, &line->tag), token_span(line, &line->name));
    return l->protocol == NULL ? GO_ON : fatal(l, LEXER_FAULT_FOREIGN);
}

static enum verdict in_tag(struct lexer *l, uint8_t c)
{
    struct lexer_line *line = l->line;
    if (c == ' ' && line->tag.len > 0) {
        line->place = PLACE_NAME;
        line->name.at = line->text.len;
        return GO_ON;
    }
    if (is_tag_char(c)) {
        return keep(l, &line->tag, c);
    }
    if (keep(l, &line->tag, c) == FATAL || check_foreign(l) == FATAL) {
        return FATAL;
    }
    return fatal(l, LEXER_FAULT_TAG);
}

/* Looks the command up as soon as its name is complete, because the limits of the line depend on it. */
static enum verdict name_done(struct lexer *l)
{
    struct lexer_line *line = l->line;
    line->command = command_find(token_span(line, &line->name));
    if (line->command == NULL) {
        line->bad = true;
    }
    return check_foreign(l);
}

static enum verdict in_name(struct lexer *l, uint8_t c)
{
    struct lexer_line *line = l->line;
    if (c != ' ') {
        return is_atom_char(c) ? keep(l, &line->name, c) : malformed(l, c);
    }
    if (name_done(l) == FATAL) {
        return FATAL;
    }
    line->place = line->bad ? PLACE_SKIP : PLACE_ARGUMENT;
    return GO_ON;
}

static enum verdict in_argument(struct lexer *l, uint8_t c)
{
    struct lexer_line *line = l->line;
    switch (c) {
    case '"':
        open_token(line, TOKEN_STRING);
        line->place = PLACE_QUOTED;
        return GO_ON;
    case '{':
        return open_size(l);
    case '(':
        open_token(line, TOKEN_OPEN);
        return GO_ON;
    case ')':
        open_token(line, TOKEN_CLOSE);
        line->place = PLACE_AFTER;
        return GO_ON;
    default:
        if (!is_atom_char(c)) {
            return malformed(l, c);
        }
        line->place = PLACE_ATOM;
        return keep(l, open_token(line, TOKEN_ATOM), c);
    }
}

static enum verdict after_token(struct lexer *l, uint8_t c)
{
    struct lexer_line *line = l->line;
    if (c == ' ') {
        line->place = PLACE_ARGUMENT;
        return GO_ON;
    }
    if (c == ')') {
        open_token(line, TOKEN_CLOSE);
        line->place = PLACE_AFTER;
        return GO_ON;
    }
    return malformed(l, c);
}

static enum verdict in_quoted(struct lexer *l, uint8_t c)
{
    struct lexer_line *line = l->line;
    if (c == '\\') {
        line->place = PLACE_ESCAPED;
        return GO_ON;
    }
    if (c == '"') {
        line->place = PLACE_AFTER;
        return GO_ON;
    }
    return keep(l, last_token(line), c);
}

static enum verdict in_escaped(struct lexer *l, uint8_t c)
{
    struct lexer_line *line = l->line;
    if (c != '"' && c != '\\') {
        return malformed(l, c);
    }
    line->place = PLACE_QUOTED;
    return keep(l, last_token(line), c);
}

static enum verdict in_size(struct lexer *l, uint8_t c)
{
    struct lexer_line *line = l->line;
    if (c >= '0' && c <= '9' && line->synchronizing) {
        line->digits++;
        line->size = line->size * 10 + (uint32_t)(c - '0');
        if (line->size > LEXER_LITERALS_MAX) {
            line->size_fits = false;
            line->size = LEXER_LITERALS_MAX;
        }
        return GO_ON;
    }
    if (c == '+' && line->synchronizing && line->digits > 0) {
        line->synchronizing = false;
        return GO_ON;
    }
    if (c == '}' && line->digits > 0) {
        line->place = PLACE_SIZE_CLOSED;
        return GO_ON;
    }
    return malformed(l, c);
}

static enum verdict in_skip(struct lexer *l, uint8_t c)
{
    return c == '{' ? open_size(l) : GO_ON;
}

static enum verdict in_response(struct lexer *l, uint8_t c)
{
    struct token unused = {0};
    return keep(l, &unused, c);
}

/* Called at the line end after {n} or {n+}. */
static enum verdict literal_announced(struct lexer *l)
{
    struct lexer_line *line = l->line;
    const struct command *command = line->command;
    if (command == NULL || command->literal[l->phase] == LITERAL_NEVER) {
        return fatal(l, LEXER_FAULT_LITERAL);
    }
    bool within_limits = line->size_fits && line->size <= LEXER_LITERALS_MAX - line->literals;
    bool wanted = within_limits && line->size <= LEXER_LITERAL_MAX && !line->bad;
    if (line->synchronizing) {
        /* Without "+" the client does not send the literal, so an unwanted one ends the command here. */
        line->refused = command->literal[l->phase] == LITERAL_REFUSE;
        if (line->refused || !wanted) {
            line->bad = line->bad || !line->refused;
            return LINE_DONE;
        }
    } else if (!within_limits) {
        return fatal(l, LEXER_FAULT_LITERAL);
    }
    line->literals += line->size;
    if (wanted) {
        open_token(line, TOKEN_STRING);
    } else {
        line->bad = true;
    }
    line->drop = line->bad;
    line->place = line->size > 0 ? PLACE_LITERAL : PLACE_AFTER;
    if (line->size == 0 && line->bad) {
        line->place = PLACE_SKIP;
    }
    return line->synchronizing ? INVITE : GO_ON;
}

static enum verdict at_line_end(struct lexer *l)
{
    struct lexer_line *line = l->line;
    switch (line->place) {
    case PLACE_SIZE_CLOSED:
        return literal_announced(l);
    case PLACE_NAME:
        return name_done(l) == FATAL ? FATAL : LINE_DONE;
    case PLACE_TAG:
        line->bad = true;
        if (check_foreign(l) == FATAL) {
            return FATAL;
        }
        line->tag.len = 0; /* a line of one word has no tag for a response */
        return LINE_DONE;
    case PLACE_QUOTED:
    case PLACE_ESCAPED:
    case PLACE_SIZE:
        line->bad = true;
        return LINE_DONE;
    default:
        return LINE_DONE;
    }
}

static enum verdict in_line(struct lexer *l, uint8_t c)
{
    struct lexer_line *line = l->line;
    switch (line->place) {
    case PLACE_TAG:
        return in_tag(l, c);
    case PLACE_NAME:
        return in_name(l, c);
    case PLACE_ARGUMENT:
        return in_argument(l, c);
    case PLACE_ATOM:
        return c == ' ' || c == ')' ? after_token(l, c)
               : is_atom_char(c)    ? keep(l, last_token(line), c)
                                    : malformed(l, c);
    case PLACE_QUOTED:
        return in_quoted(l, c);
    case PLACE_ESCAPED:
        return in_escaped(l, c);
    case PLACE_AFTER:
        return after_token(l, c);
    case PLACE_SIZE:
        return in_size(l, c);
    case PLACE_RESPONSE:
        return in_response(l, c);
    case PLACE_SIZE_CLOSED:
        return malformed(l, c);
    case PLACE_SKIP:
    case PLACE_LITERAL: /* unreachable: lexer_feed() handles literals in blocks */
        break;
    }
    return in_skip(l, c);
}

static uint32_t line_max(const struct lexer_line *line)
{
    return line->command != NULL ? line->command->line_max : COMMAND_LINE_MAX;
}

/* Parses one octet of a line. CR is valid only before LF. */
static enum verdict take_byte(struct lexer *l, uint8_t c)
{
    struct lexer_line *line = l->line;
    if (c == '\0') {
        return fatal(l, LEXER_FAULT_NUL);
    }
    if (++line->octets > line_max(line)) {
        return fatal(l, LEXER_FAULT_LINE);
    }
    bool stray_cr = line->cr && c != '\n';
    line->cr = c == '\r';
    if (stray_cr && line->place != PLACE_TAG) {
        (void)malformed(l, c);
    } else if (stray_cr) {
        return fatal(l, LEXER_FAULT_TAG);
    }
    if (line->cr) {
        return GO_ON;
    }
    return c == '\n' ? at_line_end(l) : in_line(l, c);
}

/* Consumes octets of a literal. Returns their number, or 0 if there is no memory. */
static size_t take_literal(struct lexer_line *line, const uint8_t *bytes, size_t len)
{
    size_t n = len < line->size ? len : line->size;
    if (!line->drop) {
        if (buffer_append(&line->text, bytes, n, (size_t)COMMAND_ID_LINE_MAX * 2) != 0) {
            return 0;
        }
        last_token(line)->len += (uint32_t)n;
    }
    line->size -= (uint32_t)n;
    if (line->size == 0) {
        line->place = line->bad ? PLACE_SKIP : PLACE_AFTER;
    }
    return n;
}

static enum lexer_result line_result(const struct lexer *l)
{
    if (l->line->place == PLACE_RESPONSE) {
        return LEXER_RESPONSE;
    }
    return l->line->bad ? LEXER_BAD : LEXER_COMMAND;
}

enum lexer_result lexer_feed(struct lexer *l, const void *bytes, size_t len, size_t *taken)
{
    const uint8_t *in = bytes;
    *taken = 0;
    if (len > 0 && l->line == NULL) {
        l->line = calloc(1, sizeof *l->line);
        if (l->line == NULL) {
            l->fault = LEXER_FAULT_MEMORY;
            return LEXER_FATAL;
        }
        l->line->place = l->response ? PLACE_RESPONSE : PLACE_TAG;
    }
    while (*taken < len) {
        if (l->line->place == PLACE_LITERAL) {
            size_t n = take_literal(l->line, in + *taken, len - *taken);
            if (n == 0) {
                l->fault = LEXER_FAULT_MEMORY;
                return LEXER_FATAL;
            }
            *taken += n;
            continue;
        }
        switch (take_byte(l, in[(*taken)++])) {
        case GO_ON:
            break;
        case LINE_DONE:
            return line_result(l);
        case INVITE:
            return LEXER_INVITE;
        case FATAL:
            return LEXER_FATAL;
        }
    }
    return LEXER_MORE;
}
