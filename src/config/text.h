/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the text of the configuration before libconfig parses it: one text of all files, the file and line of each of
 * its lines, and its tokens. libconfig alone accepts a comment without an end, cuts large integers to 32 bits silently,
 * and does not say which file it could not include, or why. Nothing here depends on libconfig or on an option.
 */
#ifndef IMAPGUARD_CONFIG_TEXT_H
#define IMAPGUARD_CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

enum config_token_type {
    CONFIG_TOKEN_NAME,
    CONFIG_TOKEN_FLAG,   /* true or false */
    CONFIG_TOKEN_NUMBER, /* begins as a number, but may be malformed */
    CONFIG_TOKEN_STRING, /* with its quotes */
    CONFIG_TOKEN_MARK,   /* one of = : , ; ( ) [ ] { } or an octet that has no meaning */
    CONFIG_TOKEN_END,    /* the last token; empty */
};

struct config_token {
    enum config_token_type type;
    unsigned line; /* in the text of all files, from 1 */
    size_t at;     /* offset in config_text.octets */
    size_t len;    /* in octets */
};

struct config_place {
    const char *file;
    unsigned line; /* from 1; 0: the file as a whole */
};

struct config_problem {
    struct config_place place;
    char text[512];
};

struct config_text {
    char *octets; /* of all files, terminated; an included file replaces its @include */
    size_t len;
    struct config_place *lines; /* file and line of each line of `octets` */
    size_t line_count;
    struct config_token *tokens;
    size_t token_count;
    char **files; /* paths of the files; config_place.file points to them */
    size_t file_count;
};

/*
 * Reads the file at `path` into t, whose content before does not matter, and all files that it includes. A relative
 * path of an included file is relative to the folder of the file that includes it. Returns 0, or -1 with the first
 * problem in `problem`. In both cases the caller must call config_text_free(), and problem->place is valid until then.
 */
int config_text_read(struct config_text *t, const char *path, struct config_problem *problem);

/* Frees all that t owns. t is all zero afterwards. */
void config_text_free(struct config_text *t);

/*
 * Returns the text for libconfig, terminated, which the caller frees with free(); NULL if there is no memory. Each
 * number is replaced by the index of its token, so that libconfig cuts no number before it is checked: see
 * config_text_token(). The call of config_text_read() must have succeeded.
 */
char *config_text_for_parser(const struct config_text *t);

/*
 * Returns file and line of a line of the whole text, counted from 1; those of the first line if there is no such line.
 * t must have at least one line, as after a successful config_text_read().
 */
struct config_place config_text_place(const struct config_text *t, unsigned line);

/* Returns the token at `index` as it was written, valid as long as t; an empty span if there is no such token. */
struct span config_text_token(const struct config_text *t, size_t index);

#endif
