/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text of the configuration, read before libconfig parses it: one text of all files, where each line came from,
 * and its tokens. libconfig takes a comment without an end for one up to the end of the file, cuts large integers to
 * 32 bits in silence, and does not say which file it could not include, or why. Nothing here knows libconfig or any
 * option.
 */
#ifndef IMAPGUARD_CONFIG_TEXT_H
#define IMAPGUARD_CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

enum config_token_type {
    CONFIG_TOKEN_NAME,
    CONFIG_TOKEN_FLAG,   /* true or false */
    CONFIG_TOKEN_NUMBER, /* begins as a number, and may turn out to be none */
    CONFIG_TOKEN_STRING, /* with its quotes */
    CONFIG_TOKEN_MARK,   /* one of = : , ; ( ) [ ] { } or an octet that has no meaning */
    CONFIG_TOKEN_END,    /* the last one; empty */
};

struct config_token {
    enum config_token_type type;
    unsigned line; /* in the text of all files, from 1 */
    size_t at;     /* in `octets` */
    size_t len;
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
    char *octets; /* of all files; an included one stands where its @include stood */
    size_t len;
    struct config_place *lines; /* of each line of `octets` */
    size_t line_count;
    struct config_token *tokens;
    size_t token_count;
    char **files; /* their names, which places point to */
    size_t file_count;
};

/*
 * Reads the file and all that it includes, beside the file that does. 0, or -1 with the first problem. In both cases
 * config_text_free() comes last, and a problem's place is valid until then.
 */
int config_text_read(struct config_text *t, const char *path, struct config_problem *problem);

void config_text_free(struct config_text *t);

/*
 * The text for libconfig, which the caller frees; NULL when memory is short. In place of each number stands the index
 * of its token, which fits 32 bits, so that no number is cut before it is checked.
 */
char *config_text_for_parser(const struct config_text *t);

/* Where a line of the whole text came from. */
struct config_place config_text_place(const struct config_text *t, unsigned line);

/* A token as it was written; empty when there is no such token. */
struct span config_text_token(const struct config_text *t, size_t index);

#endif
