/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IN_TURN = 8 };

static char folder[256];

/* There when AddressSanitizer is. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static void remove_folder(void)
{
    DIR *all = folder[0] != '\0' ? opendir(folder) : NULL;
    if (all == NULL) {
        return;
    }
    for (const struct dirent *entry; (entry = readdir(all)) != NULL;) {
        (void)unlinkat(dirfd(all), entry->d_name, 0);
    }
    closedir(all);
    rmdir(folder);
    folder[0] = '\0';
}

static struct test_arena {
    struct test_arena *next;
    struct arena arena;
} *arenas;

struct arena *test_arena(unsigned workers)
{
    struct test_arena *a = calloc(1, sizeof *a);
    cr_assert_not_null(a);
    a->next = arenas;
    arenas = a;
    arena_init(&a->arena, workers);
    return &a->arena;
}

void test_over(void)
{
    while (arenas != NULL) {
        struct test_arena *a = arenas;
        arenas = a->next;
        arena_fini(&a->arena);
        free(a);
    }
    remove_folder();
    if (__lsan_do_recoverable_leak_check != NULL && __lsan_do_recoverable_leak_check() != 0) {
        abort(); /* Criterion does not count what is asserted here, but it does count a crash */
    }
}

static FILE *captured;
static int saved_stderr = -1;

void capture_begin(void)
{
    captured = tmpfile();
    cr_assert(captured != NULL);
    fflush(stderr);
    saved_stderr = dup(STDERR_FILENO);
    dup2(fileno(captured), STDERR_FILENO);
}

const char *capture_end(void)
{
    static char text[128 * 1024];
    fflush(stderr);
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    rewind(captured);
    text[fread(text, 1, sizeof text - 1, captured)] = '\0';
    fclose(captured);
    return text;
}

static void take(struct option_report *to, bool fatal, const char *path, const char *text)
{
    struct test_report *r = (struct test_report *)to;
    int n = snprintf(r->text + r->len, sizeof r->text - r->len, "%s %s: %s\n", fatal ? "error" : "warning", path, text);
    r->len += (size_t)n;
    cr_assert(r->len < sizeof r->text);
}

void test_report_init(struct test_report *r)
{
    *r = (struct test_report){.report = {.take = take}};
}

const char *temp_path(const char *name)
{
    static char paths[IN_TURN][512];
    static unsigned turn;
    char *path = paths[turn++ % IN_TURN];
    if (folder[0] == '\0') {
        const char *top = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/imapguard-unit-XXXXXX", top != NULL ? top : "/tmp");
        cr_assert(mkdtemp(folder) != NULL);
    }
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

const char *temp_file(const char *name, const void *bytes, size_t len)
{
    const char *path = temp_path(name);
    FILE *f = fopen(path, "w");
    cr_assert(f != NULL && fwrite(bytes, 1, len, f) == len && fclose(f) == 0);
    return path;
}

const char *file_text(const char *path)
{
    static char text[64 * 1024];
    FILE *f = fopen(path, "r");
    size_t len = f != NULL ? fread(text, 1, sizeof text - 1, f) : 0;
    text[len] = '\0';
    if (f != NULL) {
        fclose(f);
    }
    return text;
}

const char *show(struct span s)
{
    static char texts[IN_TURN][2048];
    static unsigned turn;
    char *text = texts[turn++ % IN_TURN];
    size_t n = 0;
    for (size_t i = 0; i < s.len && n + 16 < sizeof texts[0]; i++) {
        uint8_t c = s.bytes[i];
        if (c == '\n' || c == '\r') {
            n += (size_t)sprintf(text + n, "\\%c", c == '\n' ? 'n' : 'r');
        } else if (c < 0x20 || c >= 0x7f) {
            n += (size_t)sprintf(text + n, "\\x%02x", c);
        } else {
            text[n++] = (char)c;
        }
    }
    text[n] = '\0';
    return text;
}

bool same_bytes(struct span s, const void *bytes, size_t len)
{
    return s.len == len && (len == 0 || memcmp(s.bytes, bytes, len) == 0);
}
