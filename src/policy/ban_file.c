/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/ban_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/span.h"

#define HEADER "imapguard bans 1"

enum { FILE_MAX = 256 * 1024 * 1024 };

/* --- the file as it is found ----------------------------------------------------------------------------- */

/* Reads as much of the file as a header has, or less of a shorter one. Returns its length, or -1 with errno set. */
static ssize_t read_header(const char *path, char header[sizeof HEADER])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    ssize_t n = fd != -1 ? read(fd, header, sizeof HEADER) : -1;
    int error = errno;
    if (fd != -1) {
        close(fd);
    }
    errno = error;
    return n;
}

static int fail_as(int error)
{
    errno = error;
    return -1;
}

int ban_file_check(const char *path)
{
    struct stat info;
    char header[sizeof HEADER];
    if (lstat(path, &info) != 0) {
        return errno == ENOENT ? 0 : -1;
    }
    if (!S_ISREG(info.st_mode)) {
        return fail_as(EEXIST);
    }
    ssize_t n = read_header(path, header);
    if (n <= 0) {
        return (int)n;
    }
    return n == sizeof header && memcmp(header, HEADER "\n", sizeof header) == 0 ? 0 : fail_as(EEXIST);
}

int ban_file_temporary(const char *path, char out[PATH_MAX])
{
    return snprintf(out, PATH_MAX, "%s.new", path) < PATH_MAX ? 0 : fail_as(ENAMETOOLONG);
}

/* --- reading ---------------------------------------------------------------------------------------------- */

/* Cuts the first line off. False if none is left, or what is left has no end. */
static bool cut_line(struct span *rest, struct span *line)
{
    const uint8_t *lf = rest->bytes != NULL ? memchr(rest->bytes, '\n', rest->len) : NULL;
    if (lf == NULL) {
        return false;
    }
    *line = (struct span){rest->bytes, (size_t)(lf - rest->bytes)};
    *rest = (struct span){lf + 1, rest->len - line->len - 1};
    return true;
}

/* Decimal digits only. */
static bool read_number(struct span word, uint64_t max, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < word.len; i++) {
        if (word.bytes[i] < '0' || word.bytes[i] > '9' || *out > max / 10) {
            return false;
        }
        *out = *out * 10 + (uint64_t)(word.bytes[i] - '0');
    }
    return word.len > 0 && *out <= max;
}

/* "NETWORK UNTIL LEVEL", the time in microseconds. */
static bool read_ban(struct span line, struct client_table_ban *ban)
{
    struct span network, until, level;
    uint64_t number;
    if (!span_word(&line, &network) || !span_word(&line, &until) || !span_word(&line, &level) || line.len > 0 ||
        network_parse((const char *)network.bytes, network.len, &ban->network) != 0 ||
        !read_number(until, INT64_MAX, &ban->until_us) || !read_number(level, 63, &number)) {
        return false;
    }
    ban->level = (unsigned)number;
    return true;
}

/* "end COUNT": how many bans there are before it, those that are damaged among them. */
static bool is_end(struct span line, uint64_t count)
{
    struct span word;
    uint64_t stated;
    return span_word(&line, &word) && span_is(word, "end") && span_word(&line, &word) && line.len == 0 &&
           read_number(word, UINT32_MAX, &stated) && stated == count;
}

struct loading {
    struct client_table *table;
    uint64_t now_us;
    uint64_t wall_us;
    size_t count;       /* bans that were taken */
    size_t skipped;     /* lines that were not understood */
    size_t first_wrong; /* the number of the first of them, from 1 */
};

static void skip_line(struct loading *loading, size_t number)
{
    loading->first_wrong = loading->skipped == 0 ? number : loading->first_wrong;
    loading->skipped++;
}

static void take_ban(struct loading *loading, struct client_table_ban ban)
{
    if (ban.until_us > loading->wall_us) {
        ban.until_us = loading->now_us + (ban.until_us - loading->wall_us);
        loading->count += client_table_restore_ban(loading->table, &ban, loading->now_us) == 0;
    }
}

/* Takes the bans behind the header. A last line that is missing or wrong counts as one that is skipped. */
static void take_bans(struct loading *loading, struct span text)
{
    struct span line = {0};
    size_t number = 2; /* of the line */
    for (; cut_line(&text, &line); number++) {
        struct client_table_ban ban;
        if (text.len == 0 && is_end(line, number - 2)) {
            return;
        }
        if (read_ban(line, &ban)) {
            take_ban(loading, ban);
        } else {
            skip_line(loading, number);
        }
    }
    if (text.len > 0 || !span_begins(line, "end ")) {
        skip_line(loading, number);
    }
}

static void log_damage(const char *path, const struct loading *loading)
{
    struct log_line line;
    log_begin(&line, LOG_LEVEL_WARNING, "ban-file-damaged");
    log_quoted(&line, "path", path, strlen(path));
    log_number(&line, "skipped", loading->skipped);
    log_number(&line, "line", loading->first_wrong);
    log_end(&line);
}

static void log_ignored(const char *path, const char *reason)
{
    struct log_line line;
    log_begin(&line, LOG_LEVEL_WARNING, "ban-file-ignored");
    log_quoted(&line, "path", path, strlen(path));
    log_quoted(&line, "reason", reason, strlen(reason));
    log_end(&line);
}

size_t ban_file_load(struct client_table *t, const char *path, uint64_t now_us, uint64_t wall_us)
{
    struct loading loading = {.table = t, .now_us = now_us, .wall_us = wall_us};
    size_t len = 0;
    char unreadable[FILE_CAUSE_SIZE];
    char *content = file_read(path, FILE_MAX, &len, unreadable);
    struct span text = {(const uint8_t *)content, len}, line;
    if (content == NULL && errno != ENOENT) {
        log_ignored(path, unreadable);
    } else if (len > 0 && (!cut_line(&text, &line) || !span_is(line, HEADER))) {
        log_ignored(path, "does not begin as a file of bans");
    } else if (len > 0) {
        take_bans(&loading, text);
    }
    if (loading.skipped > 0) {
        log_damage(path, &loading);
    }
    free(content);
    return loading.count;
}

/* --- writing ------------------------------------------------------------------------------------------------ */

struct saving {
    FILE *file;
    uint64_t now_us;
    uint64_t wall_us;
    size_t count;
};

static void write_ban(void *data, const struct client_table_ban *ban)
{
    char text[NETWORK_TEXT_SIZE];
    struct saving *saving = data;
    fprintf(saving->file, "%s %" PRIu64 " %u\n", network_text(&ban->network, text),
            saving->wall_us + (ban->until_us - saving->now_us), ban->level);
    saving->count++;
}

/* Writes and closes. 0, or -1 with errno set. */
static int write_bans(const struct client_table *t, int fd, uint64_t now_us, uint64_t wall_us)
{
    struct saving saving = {.file = fdopen(fd, "w"), .now_us = now_us, .wall_us = wall_us};
    if (saving.file == NULL) {
        close(fd);
        return -1;
    }
    fprintf(saving.file, "%s\n", HEADER);
    client_table_each_ban(t, now_us, write_ban, &saving);
    fprintf(saving.file, "end %zu\n", saving.count);
    bool good = fflush(saving.file) == 0 && !ferror(saving.file) && fsync(fd) == 0;
    return fclose(saving.file) == 0 && good ? 0 : -1;
}

/* The name is on disk once its folder is. */
static void sync_folder(const char *path)
{
    char folder[PATH_MAX];
    int fd = file_folder(path, folder) == 0 ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd != -1) {
        (void)fsync(fd);
        close(fd);
    }
}

/*
 * Opens the file that takes the place of the old one. One that a crash has left there is removed; nothing else is. The
 * flags matter if somebody puts another one there in between.
 */
static int open_temporary(const char *path)
{
    if (ban_file_check(path) != 0 || (unlink(path) != 0 && errno != ENOENT)) {
        return -1;
    }
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
}

int ban_file_save(const struct client_table *t, const char *path, uint64_t now_us, uint64_t wall_us)
{
    char temporary[PATH_MAX];
    if (ban_file_check(path) != 0 || ban_file_temporary(path, temporary) != 0) {
        return -1;
    }
    int fd = open_temporary(temporary);
    if (fd == -1) {
        return -1;
    }
    if (write_bans(t, fd, now_us, wall_us) != 0 || rename(temporary, path) != 0) {
        int error = errno;
        unlink(temporary);
        errno = error;
        return -1;
    }
    sync_folder(path);
    return 0;
}
