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
#include "base/secret.h"
#include "base/span.h"
#include "policy/known_logins.h"

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

/* Hexadecimal digits, two for each of `size` octets. */
static bool read_hex(struct span word, uint8_t *out, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < word.len && word.len == 2 * size; i++) {
        const char *digit = memchr(digits, word.bytes[i], sizeof digits - 1);
        if (digit == NULL) {
            return false;
        }
        out[i / 2] = (uint8_t)((i % 2 == 0 ? 0 : out[i / 2] << 4) | (digit - digits));
    }
    return word.len == 2 * size;
}

/* A hash of 16 digits; never 0. */
static bool read_hash(struct span word, uint64_t *out)
{
    uint8_t octets[sizeof *out];
    if (!read_hex(word, octets, sizeof octets)) {
        return false;
    }
    *out = 0;
    for (size_t i = 0; i < sizeof octets; i++) {
        *out = *out << 8 | octets[i];
    }
    return *out != 0;
}

/* "NETWORK UNTIL LEVEL [USER]", the time in microseconds. */
static bool read_ban(struct span line, struct client_table_ban *ban)
{
    struct span network, until, level, user;
    uint64_t number;
    *ban = (struct client_table_ban){0};
    if (!span_word(&line, &network) || !span_word(&line, &until) || !span_word(&line, &level) ||
        network_parse((const char *)network.bytes, network.len, &ban->network) != 0 ||
        !read_number(until, INT64_MAX, &ban->until_us) || !read_number(level, 63, &number)) {
        return false;
    }
    ban->level = (unsigned)number;
    return line.len == 0 || (span_word(&line, &user) && line.len == 0 && read_hash(user, &ban->user));
}

/* "end COUNT": how many lines there are between the header and it, those that are damaged among them. */
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
    struct ban_file_counts taken;
    bool has_key;       /* what hashes the file has are hashes of the table */
    size_t skipped;     /* lines that were not understood */
    size_t first_wrong; /* the number of the first of them, from 1 */
};

static void skip_line(struct loading *loading, size_t number)
{
    loading->first_wrong = loading->skipped == 0 ? number : loading->first_wrong;
    loading->skipped++;
}

/* "KEY", in hexadecimal digits. It comes before all that needs it. */
static bool take_key(struct loading *loading, struct span line)
{
    uint8_t key[CLIENT_TABLE_KEY_SIZE];
    struct span word;
    loading->has_key = span_word(&line, &word) && line.len == 0 && read_hex(word, key, sizeof key);
    if (loading->has_key) {
        client_table_set_key(loading->table, key);
    }
    secret_wipe(key, sizeof key);
    return loading->has_key;
}

/* "HASH SECONDS", the time since 1970. One in the future is as good as one of now. */
static bool take_login(struct loading *loading, struct span line)
{
    struct span hash, time;
    uint64_t number, at, now = loading->wall_us / 1000000;
    if (!span_word(&line, &hash) || !span_word(&line, &time) || line.len > 0 || !read_hash(hash, &number) ||
        !read_number(time, INT64_MAX, &at) || !loading->has_key) {
        return false;
    }
    loading->taken.logins += known_logins_restore(client_table_logins(loading->table), number, now > at ? now - at : 0,
                                                  loading->now_us);
    return true;
}

static bool take_ban(struct loading *loading, struct span line)
{
    struct client_table_ban ban;
    if (!read_ban(line, &ban) || (ban.user != 0 && !loading->has_key)) {
        return false;
    }
    if (ban.until_us > loading->wall_us) {
        ban.until_us = loading->now_us + (ban.until_us - loading->wall_us);
        loading->taken.bans += client_table_restore_ban(loading->table, &ban, loading->now_us) == 0;
    }
    return true;
}

static bool take_line(struct loading *loading, struct span line)
{
    struct span rest = line, word = {0};
    if (span_word(&rest, &word) && span_is(word, "key")) {
        return take_key(loading, rest);
    }
    return word.len > 0 && span_is(word, "login") ? take_login(loading, rest) : take_ban(loading, line);
}

/* Takes the lines behind the header. A last line that is missing or wrong counts as one that is skipped. */
static void take_lines(struct loading *loading, struct span text)
{
    struct span line = {0};
    size_t number = 2; /* of the line */
    for (; cut_line(&text, &line); number++) {
        if (text.len == 0 && is_end(line, number - 2)) {
            return;
        }
        if (!take_line(loading, line)) {
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

struct ban_file_counts ban_file_load(struct client_table *t, const char *path, uint64_t now_us, uint64_t wall_us)
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
        take_lines(&loading, text);
    }
    if (loading.skipped > 0) {
        log_damage(path, &loading);
    }
    if (content != NULL) {
        secret_wipe(content, len);
    }
    free(content);
    return loading.taken;
}

/* --- writing ------------------------------------------------------------------------------------------------ */

struct saving {
    FILE *file;
    uint64_t now_us;
    uint64_t wall_us;
    size_t count;
};

static void write_key(struct saving *saving, const uint8_t *key)
{
    fprintf(saving->file, "key ");
    for (size_t i = 0; i < CLIENT_TABLE_KEY_SIZE; i++) {
        fprintf(saving->file, "%02x", key[i]);
    }
    fprintf(saving->file, "\n");
    saving->count++;
}

static void write_ban(void *data, const struct client_table_ban *ban)
{
    char text[NETWORK_TEXT_SIZE], user[24] = "";
    struct saving *saving = data;
    if (ban->user != 0) {
        snprintf(user, sizeof user, " %016" PRIx64, ban->user);
    }
    fprintf(saving->file, "%s %" PRIu64 " %u%s\n", network_text(&ban->network, text),
            saving->wall_us + (ban->until_us - saving->now_us), ban->level, user);
    saving->count++;
}

static void write_login(void *data, uint64_t hash, uint64_t age_s)
{
    struct saving *saving = data;
    fprintf(saving->file, "login %016" PRIx64 " %" PRIu64 "\n", hash, saving->wall_us / 1000000 - age_s);
    saving->count++;
}

/* Writes and closes. 0, or -1 with errno set. */
static int write_all(struct client_table *t, int fd, uint64_t now_us, uint64_t wall_us)
{
    struct saving saving = {.file = fdopen(fd, "w"), .now_us = now_us, .wall_us = wall_us};
    if (saving.file == NULL) {
        close(fd);
        return -1;
    }
    fprintf(saving.file, "%s\n", HEADER);
    write_key(&saving, client_table_key(t));
    client_table_each_ban(t, now_us, write_ban, &saving);
    known_logins_each(client_table_logins(t), now_us, write_login, &saving);
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

int ban_file_save(struct client_table *t, const char *path, uint64_t now_us, uint64_t wall_us)
{
    char temporary[PATH_MAX];
    if (ban_file_check(path) != 0 || ban_file_temporary(path, temporary) != 0) {
        return -1;
    }
    int fd = open_temporary(temporary);
    if (fd == -1) {
        return -1;
    }
    if (write_all(t, fd, now_us, wall_us) != 0 || rename(temporary, path) != 0) {
        int error = errno;
        unlink(temporary);
        errno = error;
        return -1;
    }
    sync_folder(path);
    return 0;
}
