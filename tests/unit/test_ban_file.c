/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/ban_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

TestSuite(ban_file, .fini = test_over);

#define START (UINT64_C(86400) * 1000000)    /* the time since boot ... */
#define WALL (UINT64_C(1700000000) * 1000000) /* ... and on the wall, at one moment */

static const struct client_table_limits limits = {.ipv4_prefix = 32, .ipv6_prefix = 64, .sessions = 9,
    .connection_rate = {1000, 1000}, .login_failures = {1, 1000}, .ban_time_ms = 60000, .ban_time_max_ms = 3600000,
    .table_size = 1024};

static struct client_table *table_with(const char *const *networks, size_t count)
{
    struct client_table *t = client_table_new(&limits, test_arena(1));
    cr_assert_not_null(t);
    client_table_set_worker(t, 0);
    for (size_t i = 0; i < count; i++) {
        struct client_table_ban b = {.until_us = START + (i + 1) * 1000000, .level = (unsigned)i + 1};
        cr_assert_eq(network_parse(networks[i], strlen(networks[i]), &b.network), 0);
        cr_assert_eq(client_table_restore_ban(t, &b, START), 0);
    }
    return t;
}

static void show_ban(void *data, const struct client_table_ban *b)
{
    char network[NETWORK_TEXT_SIZE], *text = data;
    size_t len = strlen(text);
    snprintf(text + len, 1024 - len, "%s/%u/%llu ", network_text(&b->network, network), b->level,
             (unsigned long long)(b->until_us - START));
}

/* The bans of a table as text. */
static const char *bans_of(const struct client_table *t)
{
    static char text[1024];
    text[0] = '\0';
    client_table_each_ban(t, START, show_ban, text);
    return text;
}

/* Loads a file into an empty table; what it has then, and what was logged. */
static const char *loaded(const char *path, const char **log)
{
    struct client_table *t = table_with(NULL, 0);
    capture_begin();
    (void)ban_file_load(t, path, START, WALL);
    *log = capture_end();
    const char *text = bans_of(t);
    client_table_free(t);
    return text;
}

static const char *const three[] = {"192.0.2.1", "2001:db8:1::/64", "198.51.100.7"};

Test(ban_file, bans_come_back_as_they_were)
{
    struct client_table *t = table_with(three, COUNT(three)), *again = table_with(NULL, 0);
    const char *path = temp_path("bans"), *log;
    cr_assert_eq(ban_file_save(t, path, START, WALL), 0);
    cr_expect_eq(ban_file_load(again, path, START, WALL), 3);
    const char *text = loaded(path, &log);
    for (size_t i = 0; i < COUNT(three); i++) {
        char wanted[128];
        snprintf(wanted, sizeof wanted, "%s/%zu/%zu000000 ", three[i], i + 1, i + 1);
        cr_expect_not_null(strstr(text, wanted), "%s in %s", wanted, text);
    }
    cr_expect_str_eq(log, "");
    struct stat info;
    cr_expect(stat(path, &info) == 0 && (info.st_mode & 0777) == 0600);
    struct client_table *later = table_with(NULL, 0);
    cr_expect_eq(ban_file_load(later, path, START + 2000000, WALL + 2000000), 1, "those that are over stay away");
    client_table_free(t);
    client_table_free(again);
    client_table_free(later);
}

Test(ban_file, no_file_is_no_bans_and_no_word)
{
    const char *log;
    cr_expect_str_eq(loaded(temp_path("none"), &log), "");
    cr_expect_str_eq(log, "");
}

Test(ban_file, a_damaged_file_is_told_and_ignored_whole)
{
    struct client_table *t = table_with(three, COUNT(three));
    const char *path = temp_path("bans"), *log;
    char whole[2048];
    cr_assert_eq(ban_file_save(t, path, START, WALL), 0);
    snprintf(whole, sizeof whole, "%s", file_text(path));
    for (size_t len = 0; len < strlen(whole); len++) {
        const char *text = loaded(temp_file("cut", whole, len), &log);
        cr_assert_str_eq(text, "", "cut to %zu octets", len);
        cr_assert_not_null(strstr(log, "ban-file-ignored"), "cut to %zu octets: %s", len, log);
    }
    static const char *const damaged[] = {
        "", "nonsense\n", "imapguard bans 2\nend 0\n", "imapguard bans 1\nend 1\n", "imapguard bans 1\nend 0\nmore\n",
        "imapguard bans 1\n192.0.2.1 1700000009000000\nend 1\n", "imapguard bans 1\n192.0.2.1 1700000009000000 1 x\nend 1\n",
        "imapguard bans 1\n192.0.2.999 1700000009000000 1\nend 1\n", "imapguard bans 1\n192.0.2.1 x 1\nend 1\n",
        "imapguard bans 1\n192.0.2.1 99999999999999999999999 1\nend 1\n", "imapguard bans 1\n192.0.2.1 1700000009000000 99\nend 1\n",
        "imapguard bans 1\n192.0.2.1 -1 1\nend 1\n",
    };
    for (size_t i = 0; i < COUNT(damaged); i++) {
        const char *text = loaded(temp_file("damaged", damaged[i], strlen(damaged[i])), &log);
        cr_expect_str_eq(text, "", "%s", damaged[i]);
        cr_expect_not_null(strstr(log, "ban-file-ignored"), "%s: %s", damaged[i], log);
    }
    client_table_free(t);
}

Test(ban_file, a_file_that_cannot_be_written_leaves_the_old_one)
{
    struct client_table *t = table_with(three, COUNT(three));
    char path[1024], beside[1100];
    snprintf(path, sizeof path, "%s", temp_file("bans", "old", 3));
    snprintf(beside, sizeof beside, "%s.new", path);
    cr_assert_eq(mkdir(beside, 0700), 0);
    cr_expect_eq(ban_file_save(t, path, START, WALL), -1);
    cr_expect_str_eq(file_text(path), "old");
    cr_assert_eq(rmdir(beside), 0);
    cr_assert_eq(symlink("/dev/full", beside), 0);
    cr_expect_eq(ban_file_save(t, path, START, WALL), -1, "a link there is not followed");
    unlink(beside);
    cr_expect_eq(ban_file_save(t, "/nonexistent/bans", START, WALL), -1);
    client_table_free(t);
}
