/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"

#define INCLUDE "@include"

enum { FILE_MAX = 16 * 1024 * 1024, DEPTH_MAX = 10, INDEX_DIGITS = 11 };

/* One file on its way into the text. */
struct scanner {
    struct config_text *t;
    struct config_problem *problem;
    const char *at;
    struct config_place place;
    unsigned depth;
    bool line_begins; /* nothing but blanks stands before `at` on its line */
};

__attribute__((format(printf, 3, 4))) static int fail(struct config_problem *problem, struct config_place place,
                                                      const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(problem->text, sizeof problem->text, format, ap);
    va_end(ap);
    problem->place = place;
    return -1;
}

/* --- the parts of the text, which grow ----------------------------------------------------------------------- */

/* Room for one more behind `count` items; a power of two is when they have to move. NULL when memory is short. */
static void *room(void *items, size_t count, size_t size)
{
    return (count & (count - 1)) == 0 ? realloc(items, (count > 0 ? 2 * count : 1) * size) : items;
}

static int add_octet(struct config_text *t, char c)
{
    char *grown = room(t->octets, t->len, 1);
    if (grown == NULL) {
        return -1;
    }
    t->octets = grown;
    t->octets[t->len++] = c;
    return 0;
}

static int add_line(struct config_text *t, struct config_place place)
{
    struct config_place *grown = room(t->lines, t->line_count, sizeof *grown);
    if (grown == NULL) {
        return -1;
    }
    t->lines = grown;
    t->lines[t->line_count++] = place;
    return 0;
}

static int add_token(struct config_text *t, enum config_token_type type, size_t len)
{
    struct config_token *grown = room(t->tokens, t->token_count, sizeof *grown);
    if (grown == NULL) {
        return -1;
    }
    t->tokens = grown;
    t->tokens[t->token_count++] = (struct config_token){type, (unsigned)t->line_count, t->len, len};
    return 0;
}

/* The name, kept as long as the text; NULL when memory is short. */
static const char *add_file(struct config_text *t, const char *path)
{
    char **grown = room(t->files, t->file_count, sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    t->files = grown;
    char *name = strdup(path);
    if (name != NULL) {
        t->files[t->file_count++] = name;
    }
    return name;
}

/* Begins a new line of the whole text, which comes from `place`. */
static int break_line(struct config_text *t, struct config_place place)
{
    return add_octet(t, '\n') == 0 ? add_line(t, place) : -1;
}

/* Takes octets over into the text. */
static int take(struct scanner *s, size_t len)
{
    for (const char *end = s->at + len; s->at < end; s->at++) {
        bool ends_line = *s->at == '\n';
        s->place.line += ends_line;
        if ((ends_line ? break_line(s->t, s->place) : add_octet(s->t, *s->at)) != 0) {
            return fail(s->problem, s->place, "no memory");
        }
        s->line_begins = ends_line || (s->line_begins && (*s->at == ' ' || *s->at == '\t'));
    }
    return 0;
}

static int take_token(struct scanner *s, enum config_token_type type, size_t len)
{
    return add_token(s->t, type, len) == 0 ? take(s, len) : fail(s->problem, s->place, "no memory");
}

/* --- what stands in it ------------------------------------------------------------------------------------------ */

static int take_comment(struct scanner *s)
{
    const char *end = strstr(s->at + 2, "*/");
    return end != NULL
               ? take(s, (size_t)(end - s->at) + 2)
               : fail(s->problem, s->place, "a comment begins here that does not end: expected \"*/\" behind it");
}

static int take_string(struct scanner *s)
{
    size_t n = 1;
    while (s->at[n] != '"') {
        n += s->at[n] == '\\' && s->at[n + 1] != '\0';
        if (s->at[n] == '\0' || s->at[n] == '\n') {
            return fail(s->problem, s->place,
                        "expected a closing quote on the line of the string, found %.*s (a backslash in "
                        "a string is written twice)",
                        (int)strcspn(s->at, "\r\n"), s->at);
        }
        n++;
    }
    return take_token(s, CONFIG_TOKEN_STRING, n + 1);
}

/* libconfig takes no comment that ends with the text: a newline is added there. */
static int take_line_comment(struct scanner *s)
{
    if (take(s, strcspn(s->at, "\n")) != 0) {
        return -1;
    }
    return *s->at != '\0' || break_line(s->t, s->place) == 0 ? 0 : fail(s->problem, s->place, "no memory");
}

static bool begins_comment(const char *at)
{
    return at[0] == '#' || (at[0] == '/' && (at[1] == '/' || at[1] == '*'));
}

static bool begins_number(const char *at)
{
    at += *at == '+' || *at == '-';
    at += *at == '.';
    return isdigit((unsigned char)*at);
}

/* Longer than numbers are: "30s" and "10.0.0.0/8" without their quotes are easier to explain as a whole. */
static size_t number_len(const char *at)
{
    size_t n = 0;
    while (at[n] != '\0' && (isalnum((unsigned char)at[n]) || strchr("+-._:/", at[n]) != NULL) &&
           !begins_comment(at + n)) {
        n++;
    }
    return n;
}

static int take_word(struct scanner *s)
{
    size_t n = strspn(s->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*");
    bool flag = (n == 4 && strncasecmp(s->at, "true", n) == 0) || (n == 5 && strncasecmp(s->at, "false", n) == 0);
    return take_token(s, flag ? CONFIG_TOKEN_FLAG : CONFIG_TOKEN_NAME, n);
}

static int take_include(struct scanner *s);

static int take_next(struct scanner *s)
{
    unsigned char c = (unsigned char)*s->at;
    if (s->line_begins && strncmp(s->at, INCLUDE, strlen(INCLUDE)) == 0) {
        return take_include(s);
    }
    if (isspace(c)) {
        return take(s, 1);
    }
    if (begins_comment(s->at)) {
        return s->at[1] == '*' && c == '/' ? take_comment(s) : take_line_comment(s);
    }
    if (c == '"') {
        return take_string(s);
    }
    if (begins_number(s->at)) {
        return take_token(s, CONFIG_TOKEN_NUMBER, number_len(s->at));
    }
    return isalpha(c) || c == '*' ? take_word(s) : take_token(s, CONFIG_TOKEN_MARK, 1);
}

/* --- files ---------------------------------------------------------------------------------------------------- */

static int fail_at_zero(struct scanner *s)
{
    for (; *s->at != '\0'; s->at++) {
        s->place.line += *s->at == '\n';
    }
    return fail(s->problem, s->place, "expected a text, found an octet of zero in it");
}

static int scan(struct scanner *s, size_t len)
{
    if (strlen(s->at) != len) {
        return fail_at_zero(s);
    }
    if (add_line(s->t, s->place) != 0) {
        return fail(s->problem, s->place, "no memory");
    }
    int result = 0;
    while (result == 0 && *s->at != '\0') {
        result = take_next(s);
    }
    return result;
}

/* `from`: the file that includes it, NULL for the first. */
static int scan_file(struct config_text *t, const char *path, const struct scanner *from,
                     struct config_problem *problem)
{
    char cause[FILE_CAUSE_SIZE];
    size_t len;
    const char *file = add_file(t, path);
    char *text = file_read(path, FILE_MAX, &len, cause);
    struct scanner s = {t, problem, text, {file, 1}, from != NULL ? from->depth + 1 : 0, true};
    int result;
    if (file == NULL) {
        result = fail(problem, (struct config_place){"imapguard", 0}, "no memory");
    } else if (text == NULL && from != NULL) {
        result = fail(problem, from->place, "%s: cannot read %s: %s", INCLUDE, path, cause);
    } else if (text == NULL) {
        result = fail(problem, (struct config_place){file, 0}, "cannot read: %s", cause);
    } else {
        result = scan(&s, len);
    }
    free(text);
    return result;
}

/* The length of a string up to its closing quote; `text` begins behind the opening one. */
static size_t string_len(const char *text)
{
    size_t n = 0;
    while (text[n] != '\0' && strchr("\"\r\n", text[n]) == NULL) {
        n += text[n] == '\\' && (text[n + 1] == '\\' || text[n + 1] == '"') ? 2 : 1;
    }
    return n;
}

/* Copies a name, in which a backslash and a quote may stand behind a backslash, as in libconfig. Returns its length. */
static size_t unescape(const char *text, size_t len, char name[PATH_MAX])
{
    size_t used = 0;
    for (size_t i = 0; i < len && used < PATH_MAX - 1; i++) {
        i += text[i] == '\\' && i + 1 < len && (text[i + 1] == '\\' || text[i + 1] == '"');
        name[used++] = text[i];
    }
    name[used] = '\0';
    return used;
}

/*
 * The path of an included file, whose name has `len` octets as it was written: beside the file that includes it,
 * wherever imapguard was started.
 */
static int include_path(const char *file, const char *text, size_t len, char path[PATH_MAX])
{
    char folder[PATH_MAX], name[PATH_MAX];
    if (unescape(text, len, name) == PATH_MAX - 1) {
        return -1;
    }
    if (file_folder(file, folder) != 0) {
        return -1;
    }
    bool here = name[0] == '/' || strchr(file, '/') == NULL;
    int n = snprintf(path, PATH_MAX, "%s%s%s", here ? "" : folder, here || strcmp(folder, "/") == 0 ? "" : "/", name);
    return n < PATH_MAX ? 0 : -1;
}

static int take_include(struct scanner *s)
{
    char path[PATH_MAX];
    const char *name = s->at + strlen(INCLUDE);
    name += strspn(name, " \t");
    size_t len = *name == '"' ? string_len(name + 1) : 0;
    if (len == 0 || name[len + 1] != '"') {
        return fail(s->problem, s->place, "expected %s \"FILE\", found %.*s", INCLUDE, (int)strcspn(s->at, "\r\n"),
                    s->at);
    }
    if (s->depth == DEPTH_MAX) {
        return fail(s->problem, s->place, "%s: files include one another more than %d deep: does one include itself?",
                    INCLUDE, DEPTH_MAX);
    }
    if (include_path(s->place.file, name + 1, len, path) != 0) {
        return fail(s->problem, s->place, "%s: the path is too long", INCLUDE);
    }
    s->at = name + len + 2;
    s->line_begins = false;
    if (add_octet(s->t, '\n') != 0) {
        return fail(s->problem, s->place, "no memory");
    }
    if (scan_file(s->t, path, s, s->problem) != 0) {
        return -1;
    }
    return break_line(s->t, s->place) == 0 ? 0 : fail(s->problem, s->place, "no memory");
}

int config_text_read(struct config_text *t, const char *path, struct config_problem *problem)
{
    *t = (struct config_text){0};
    if (scan_file(t, path, NULL, problem) != 0) {
        return -1;
    }
    if (add_token(t, CONFIG_TOKEN_END, 0) != 0 || add_octet(t, '\0') != 0) {
        return fail(problem, config_text_place(t, 1), "no memory");
    }
    t->len--;
    return 0;
}

void config_text_free(struct config_text *t)
{
    for (size_t i = 0; i < t->file_count; i++) {
        free(t->files[i]);
    }
    free(t->files);
    free(t->tokens);
    free(t->lines);
    free(t->octets);
    *t = (struct config_text){0};
}

/* --- what it is asked for ----------------------------------------------------------------------------------------- */

char *config_text_for_parser(const struct config_text *t)
{
    size_t numbers = 0, from = 0, used = 0;
    for (size_t i = 0; i < t->token_count; i++) {
        numbers += t->tokens[i].type == CONFIG_TOKEN_NUMBER;
    }
    char *text = malloc(t->len + numbers * INDEX_DIGITS + 1);
    if (text == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < t->token_count; i++) {
        const struct config_token *token = &t->tokens[i];
        if (token->type == CONFIG_TOKEN_NUMBER) {
            memcpy(text + used, t->octets + from, token->at - from);
            used += token->at - from;
            used += (size_t)sprintf(text + used, "%zu", i);
            from = token->at + token->len;
        }
    }
    memcpy(text + used, t->octets + from, t->len - from + 1);
    return text;
}

struct config_place config_text_place(const struct config_text *t, unsigned line)
{
    return line > 0 && line <= t->line_count ? t->lines[line - 1] : t->lines[0];
}

struct span config_text_token(const struct config_text *t, size_t index)
{
    if (index >= t->token_count) {
        return (struct span){0};
    }
    return (struct span){(const uint8_t *)t->octets + t->tokens[index].at, t->tokens[index].len};
}
