/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/ban_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/span.h"

#define HEADER "imapguard bans 1"

enum { FILE_MAX = 256 * 1024 * 1024 };

/* --- reading: all is checked before anything is taken --------------------------------------------------- */

static bool cut_line(struct span *rest, struct span *line)
{
    const uint8_t *lf = rest->len > 0 ? memchr(rest->bytes, '\n', rest->len) : NULL;
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

/* Goes through a whole file; hands each ban to `take` if that is given. NULL, or what is wrong with it. */
static const char *walk(struct span text,
                        void (*take)(struct client_table *t, const struct client_table_ban *ban, void *data),
                        struct client_table *t, void *data)
{
    struct span line, word;
    struct client_table_ban ban;
    uint64_t count = 0, stated;
    if (!cut_line(&text, &line) || !span_is(line, HEADER)) {
        return "does not begin as a file of bans";
    }
    while (cut_line(&text, &line)) {
        if (span_begins(line, "end ")) {
            (void)span_word(&line, &word);
            (void)span_word(&line, &word);
            return read_number(word, UINT32_MAX, &stated) && stated == count && line.len == 0 && text.len == 0
                       ? NULL
                       : "does not end as it should";
        }
        if (!read_ban(line, &ban)) {
            return "a line is damaged";
        }
        count++;
        if (take != NULL) {
            take(t, &ban, data);
        }
    }
    return "its end is missing";
}

struct loading {
    uint64_t now_us;
    uint64_t wall_us;
    size_t count;
};

static void take_ban(struct client_table *t, const struct client_table_ban *ban, void *data)
{
    struct loading *loading = data;
    struct client_table_ban moved = *ban;
    if (ban->until_us > loading->wall_us) {
        moved.until_us = loading->now_us + (ban->until_us - loading->wall_us);
        loading->count += client_table_restore_ban(t, &moved, loading->now_us) == 0;
    }
}

size_t ban_file_load(struct client_table *t, const char *path, uint64_t now_us, uint64_t wall_us)
{
    struct loading loading = {.now_us = now_us, .wall_us = wall_us};
    size_t len = 0;
    char unreadable[FILE_CAUSE_SIZE];
    char *content = file_read(path, FILE_MAX, &len, unreadable);
    if (content == NULL && errno == ENOENT) {
        return 0;
    }
    struct span text = {(const uint8_t *)content, len};
    const char *cause = content == NULL ? unreadable : walk(text, NULL, NULL, NULL);
    if (cause != NULL) {
        log_event(LOG_LEVEL_WARNING, "ban-file-ignored", "path=%s reason=\"%s\"", path, cause);
    } else {
        (void)walk(text, take_ban, t, &loading);
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

int ban_file_save(const struct client_table *t, const char *path, uint64_t now_us, uint64_t wall_us)
{
    char beside[PATH_MAX];
    if ((size_t)snprintf(beside, sizeof beside, "%s.new", path) >= sizeof beside) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd == -1) {
        return -1;
    }
    if (write_bans(t, fd, now_us, wall_us) != 0 || rename(beside, path) != 0) {
        int error = errno;
        unlink(beside);
        errno = error;
        return -1;
    }
    sync_folder(path);
    return 0;
}
