/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/syntax.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * libconfig's grammar, walked token by token up to the first that does not fit:
 *
 *   group    = { NAME ( "=" | ":" ) value [ ";" | "," ] }
 *   value    = FLAG | NUMBER | STRING { STRING } | "{" group "}" | "(" [ values ] ")" | "[" [ values ] "]"
 *   values   = value { "," value }          in an array scalars of one type
 */
enum { DEPTH_MAX = 64, PATH_SIZE = 256, QUOTE_MAX = 60, NOTHING = -1 };

struct walk {
    const struct config_text *t;
    struct config_problem *problem;
    size_t next;   /* the token to look at */
    unsigned line; /* of the problem, in the whole text */
    unsigned depth;
    size_t path_len;
    char path[PATH_SIZE]; /* of the option, as other messages have it */
};

static const struct config_token *token(const struct walk *w)
{
    return &w->t->tokens[w->next];
}

static bool is_mark(const struct walk *w, const char *marks)
{
    return token(w)->type == CONFIG_TOKEN_MARK && strchr(marks, w->t->octets[token(w)->at]) != NULL;
}

/* The token in quotes, cut to fit. */
static const char *quoted(const struct walk *w, size_t index, char out[QUOTE_MAX + 4])
{
    struct span s = config_text_token(w->t, index);
    const char *quote = w->t->tokens[index].type == CONFIG_TOKEN_STRING ? "" : "\"";
    if (w->t->tokens[index].type == CONFIG_TOKEN_END) {
        return "the end of the file";
    }
    snprintf(out, QUOTE_MAX + 4, "%s%.*s%s", quote, s.len < QUOTE_MAX ? (int)s.len : QUOTE_MAX, (const char *)s.bytes,
             quote);
    return out;
}

/* The line that a token stands on, without the blanks around it. */
static struct span line_around(const struct config_text *t, const struct config_token *token)
{
    size_t from = token->at, to = token->at;
    while (from > 0 && t->octets[from - 1] != '\n') {
        from--;
    }
    from += strspn(t->octets + from, " \t");
    while (to < t->len && t->octets[to] != '\n' && t->octets[to] != '\r') {
        to++;
    }
    return (struct span){(const uint8_t *)t->octets + from, to > from ? to - from : 0};
}

__attribute__((format(printf, 2, 3))) static bool fail(struct walk *w, const char *format, ...)
{
    va_list ap;
    char wanted[256], found[QUOTE_MAX + 4];
    struct span line = line_around(w->t, token(w));
    va_start(ap, format);
    vsnprintf(wanted, sizeof wanted, format, ap);
    va_end(ap);
    w->line = token(w)->line;
    w->problem->place = config_text_place(w->t, w->line);
    snprintf(w->problem->text, sizeof w->problem->text, "syntax error: expected %s, found %s%s%.*s", wanted,
             quoted(w, w->next, found), line.len > 0 ? " in: " : "", (int)(line.len < 100 ? line.len : 100),
             (const char *)line.bytes);
    return false;
}

/* "line N", with its file unless both that and the next token stand in the file that imapguard was given. */
static const char *place_text(const struct walk *w, size_t index, char out[PATH_SIZE])
{
    struct config_place place = config_text_place(w->t, w->t->tokens[index].line);
    if (place.file == w->t->files[0] && config_text_place(w->t, token(w)->line).file == place.file) {
        snprintf(out, PATH_SIZE, "line %u", place.line);
    } else {
        snprintf(out, PATH_SIZE, "%.200s:%u", place.file, place.line);
    }
    return out;
}

static char closer_of(char opener)
{
    return (char)(opener == '{' ? '}' : opener == '(' ? ')' : ']');
}

/* `instead`: what else could have come here. */
static bool fail_unclosed(struct walk *w, size_t opener, const char *instead)
{
    char place[PATH_SIZE], c = w->t->octets[w->t->tokens[opener].at];
    return fail(w, "%s\"%c\" for the \"%c\" of %s", instead, closer_of(c), c, place_text(w, opener, place));
}

/* Goes one level down: returns the length of the path to come back to. */
static size_t enter(struct walk *w, struct span name)
{
    size_t len = w->path_len;
    int n = snprintf(w->path + len, PATH_SIZE - len, "%s%.*s", len > 0 ? "." : "", (int)name.len,
                     (const char *)name.bytes);
    w->path_len = len + (size_t)n < PATH_SIZE ? len + (size_t)n : PATH_SIZE - 1;
    return len;
}

static void leave(struct walk *w, size_t len)
{
    w->path_len = len;
    w->path[len] = '\0';
}

static bool walk_value(struct walk *w, const char *where);

/* --- lists and arrays -------------------------------------------------------------------------------------------- */

/* In an array; `first` is the token of its first element. */
static bool check_scalar(struct walk *w, size_t first)
{
    enum config_token_type type = token(w)->type;
    if (is_mark(w, "{([")) {
        return fail(w, "a string, a number or a flag in the array (groups stand in a list: \"( ... )\")");
    }
    if (type <= CONFIG_TOKEN_STRING && type != w->t->tokens[first].type) {
        char quote[QUOTE_MAX + 4];
        return fail(w, "values of one type in the array, such as %s", quoted(w, first, quote));
    }
    return true;
}

static bool walk_elements(struct walk *w, bool array)
{
    size_t opener = w->next++, first = w->next;
    char end[] = {array ? ']' : ')', '\0'}, index[32];
    for (unsigned i = 0; !is_mark(w, end) || i > 0; i++) {
        int n = snprintf(index, sizeof index, "[%u]", i);
        size_t len = enter(w, (struct span){(const uint8_t *)index, (size_t)n});
        if ((array && !check_scalar(w, first)) || !walk_value(w, i > 0 ? "behind the \",\"" : "behind the bracket")) {
            return false;
        }
        leave(w, len);
        if (is_mark(w, end)) {
            break;
        }
        if (!is_mark(w, ",")) {
            return fail_unclosed(w, opener, "\",\" or ");
        }
        w->next++;
    }
    w->next++;
    return true;
}

/* --- groups ------------------------------------------------------------------------------------------------------ */

static bool same_token(const struct config_text *t, size_t a, size_t b)
{
    struct span x = config_text_token(t, a), y = config_text_token(t, b);
    return x.len == y.len && memcmp(x.bytes, y.bytes, x.len) == 0;
}

/* The name of an option at the depth of this group: between two of them brackets are balanced. */
static bool check_twice(struct walk *w, size_t from)
{
    int depth = 0;
    for (size_t i = from; i < w->next; i++) {
        const struct config_token *earlier = &w->t->tokens[i];
        char c = (char)(earlier->type == CONFIG_TOKEN_MARK ? w->t->octets[earlier->at] : '\0');
        depth += c == '{' || c == '(' || c == '[' ? 1 : c == '}' || c == ')' || c == ']' ? -1 : 0;
        if (depth == 0 && earlier->type == CONFIG_TOKEN_NAME && same_token(w->t, i, w->next)) {
            char place[PATH_SIZE];
            size_t len = enter(w, config_text_token(w->t, i));
            w->line = token(w)->line;
            w->problem->place = config_text_place(w->t, w->line);
            snprintf(w->problem->text, sizeof w->problem->text, "%s: set twice, first in %s: remove one of them",
                     w->path, place_text(w, i, place));
            leave(w, len);
            return false;
        }
    }
    return true;
}

/* NAME = value */
static bool walk_option(struct walk *w)
{
    char name[QUOTE_MAX + 4], where[QUOTE_MAX + 16];
    size_t len = enter(w, config_text_token(w->t, w->next));
    (void)quoted(w, w->next, name);
    w->next++;
    if (!is_mark(w, "=:")) {
        return fail(w, "\"=\" behind %s", name);
    }
    w->next++;
    snprintf(where, sizeof where, "for %s", name);
    bool good = walk_value(w, where);
    leave(w, len);
    return good;
}

/* The options of a group up to its end, which is that of the file for the outermost: `opener` is NOTHING. */
static bool walk_group(struct walk *w, long opener)
{
    const char *separator = "";
    for (size_t from = w->next; opener == NOTHING ? token(w)->type != CONFIG_TOKEN_END : !is_mark(w, "}");) {
        if (token(w)->type != CONFIG_TOKEN_NAME) {
            char instead[64];
            snprintf(instead, sizeof instead, "%sthe name of an option%s", separator, opener == NOTHING ? "" : " or ");
            return opener == NOTHING ? fail(w, "%s", instead) : fail_unclosed(w, (size_t)opener, instead);
        }
        if (!check_twice(w, from) || !walk_option(w)) {
            return false;
        }
        separator = is_mark(w, ";,") ? "" : opener == NOTHING ? "\";\" or " : "\";\", ";
        w->next += is_mark(w, ";,");
    }
    w->next++;
    return true;
}

static bool walk_brackets(struct walk *w)
{
    if (++w->depth > DEPTH_MAX) {
        return fail(w, "groups and lists at most %d deep", DEPTH_MAX);
    }
    bool good;
    if (is_mark(w, "{")) {
        long opener = (long)w->next++;
        good = walk_group(w, opener);
    } else {
        good = walk_elements(w, is_mark(w, "["));
    }
    w->depth--;
    return good;
}

/* `where`: where it is expected, for messages. */
static bool walk_value(struct walk *w, const char *where)
{
    switch (token(w)->type) {
    case CONFIG_TOKEN_STRING:
        while (token(w)->type == CONFIG_TOKEN_STRING) { /* one behind the other they are one */
            w->next++;
        }
        return true;
    case CONFIG_TOKEN_FLAG:
    case CONFIG_TOKEN_NUMBER:
        w->next++;
        return true;
    case CONFIG_TOKEN_NAME:
        return fail(w, "a value %s (a string stands in quotes)", where);
    default:
        return is_mark(w, "{([") ? walk_brackets(w) : fail(w, "a value %s", where);
    }
}

void config_syntax_explain(const struct config_text *t, unsigned line, const char *verdict,
                           struct config_problem *problem)
{
    struct walk w = {.t = t, .problem = problem};
    if (walk_group(&w, NOTHING) || w.line != line) {
        size_t i = 0;
        while (i + 1 < t->token_count && t->tokens[i].line < line) {
            i++;
        }
        struct span text = line_around(t, &t->tokens[i]);
        problem->place = config_text_place(t, line);
        snprintf(problem->text, sizeof problem->text, "%s in: %.*s", verdict, (int)(text.len < 200 ? text.len : 200),
                 (const char *)text.bytes);
    }
}
