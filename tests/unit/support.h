/* SPDX-License-Identifier: BSD-2-Clause */
/* What the unit tests share: captured standard error, collected reports, temporary files, bytes made readable. */
#ifndef IMAPGUARD_UNIT_SUPPORT_H
#define IMAPGUARD_UNIT_SUPPORT_H

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/option.h"
#include "base/span.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A string constant and how long it is, NULs within included: two members of a table's row. */
#define BYTES(text) (text), sizeof(text) - 1

/* The span of a string constant, NULs within included. */
#define SPAN(text) ((struct span){(const uint8_t *)(text), sizeof(text) - 1})

/*
 * To be the .fini of every suite: under AddressSanitizer it crashes when memory was leaked, which
 * Criterion does not do by itself; and it removes the files of temp_path().
 */
void test_over(void);

/* Makes standard error go to a file, until capture_end() returns what was written: static, terminated. */
void capture_begin(void);
const char *capture_end(void);

/* Collects what is reported, as lines "error PATH: TEXT" and "warning PATH: TEXT". */
struct test_report {
    struct option_report report;
    size_t len;
    char text[8192];
};

void test_report_init(struct test_report *r);

/* The path of a file in a folder of this test's own, which test_over() removes. Static, of eight in turn. */
const char *temp_path(const char *name);

/* Writes a file there and returns its path. */
const char *temp_file(const char *name, const void *bytes, size_t len);

/* The content of a file, terminated; static. Empty when there is none. */
const char *file_text(const char *path);

/* Bytes as text, for messages and transcripts: controls escaped. Static, of eight in turn, cut when long. */
const char *show(struct span s);

/* Whether a span is exactly these bytes. */
bool same_bytes(struct span s, const void *bytes, size_t len);

/* A new arena for that many workers; test_over() ends it. */
struct arena *test_arena(unsigned workers);

#endif
