/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/ban_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/client_table_slot.h"
#include "policy/known_logins.h"
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
    cr_expect_eq(ban_file_load(again, path, START, WALL).bans, 3);
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
    cr_expect_eq(ban_file_load(later, path, START + 2000000, WALL + 2000000).bans, 1, "those that are over stay away");
    client_table_free(t);
    client_table_free(again);
    client_table_free(later);
}

Test(ban_file, users_who_are_banned_or_known_are_so_after_a_restart)
{
    struct client_table *t = table_with(NULL, 0), *again = table_with(NULL, 0);
    const char *path = temp_path("bans");
    struct network network;
    cr_assert_eq(network_parse("192.0.2.1", 9, &network), 0);
    struct client_table_ban user = {.network = network, .until_us = START + 9000000, .level = 2,
                                    .user = client_table_slot_key(t, CLIENT_TABLE_NETWORK_USER, &network, "bert")};
    cr_assert_eq(client_table_restore_ban(t, &user, START), 0);
    struct known_login login = known_login_of(client_table_logins(t), &network, "anna");
    known_logins_add(client_table_logins(t), &login, START);
    cr_assert_eq(ban_file_save(t, path, START, WALL), 0);
    cr_expect_null(strstr(file_text(path), "anna"));
    struct ban_file_counts taken = ban_file_load(again, path, START, WALL);
    cr_expect(taken.bans == 1 && taken.logins == 2, "%zu %zu", taken.bans, taken.logins);
    cr_expect_eq(client_table_slot_key(again, CLIENT_TABLE_NETWORK_USER, &network, "bert"), user.user);
    size_t slot = client_table_find(again, user.user);
    cr_expect(slot < again->slots && client_table_slot_is_banned(again, slot, START));
    login = known_login_of(client_table_logins(again), &network, "anna");
    cr_expect(known_logins_has(client_table_logins(again), login.user, START));
    cr_expect(known_logins_has(client_table_logins(again), login.network, START));
    client_table_free(t);
    client_table_free(again);
}

Test(ban_file, no_file_is_no_bans_and_no_word)
{
    const char *log;
    cr_expect_str_eq(loaded(temp_path("none"), &log), "");
    cr_expect_str_eq(log, "");
}

#define HEAD "imapguard bans 1\n"
#define ONE "192.0.2.1 1700000001000000 1\n"
#define TWO "198.51.100.7 1700000002000000 2\n"
#define ONE_TAKEN "192.0.2.1/1/1000000 "
#define TWO_TAKEN "198.51.100.7/2/2000000 "

Test(ban_file, a_file_of_something_else_is_ignored_whole)
{
    static const char *const texts[] = {"nonsense\n", "\n", "imapguard bans 1", "imapguard bans 2\n" ONE "end 1\n", " " HEAD ONE "end 1\n",
        "imapguard bans 1 \n" ONE "end 1\n", ONE "end 1\n"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        const char *log, *text = loaded(temp_file("foreign", texts[i], strlen(texts[i])), &log);
        cr_expect_str_eq(text, "", "%s", texts[i]);
        cr_expect(strstr(log, "ban-file-ignored path=\"/") != NULL && strstr(log, " reason=\"does not begin as a file of bans\"") != NULL,
                  "%s: %s", texts[i], log);
    }
}

Test(ban_file, a_damaged_file_loses_what_is_damaged)
{
    static const struct {
        const char *text;
        unsigned skipped, line; /* 0: no word of it */
        const char *taken[2];
    } rows[] = {
        {"", 0, 0, {NULL}}, {HEAD "end 0\n", 0, 0, {NULL}}, {HEAD ONE TWO "end 2\n", 0, 0, {ONE_TAKEN, TWO_TAKEN}},
        {HEAD ONE "nonsense\n" TWO "end 3\n", 1, 3, {ONE_TAKEN, TWO_TAKEN}},
        {HEAD "\n" ONE "192.0.2.2 1700000009000000\n" TWO "end 4\n", 2, 2, {ONE_TAKEN, TWO_TAKEN}},
        {HEAD ONE "end 2\n", 1, 3, {ONE_TAKEN}}, {HEAD ONE TWO, 1, 4, {ONE_TAKEN, TWO_TAKEN}}, {HEAD, 1, 2, {NULL}},
        {HEAD "end 1\n", 1, 2, {NULL}}, {HEAD "end 0\nmore\n", 3, 2, {NULL}}, {HEAD ONE "end 1\n" TWO "end 1\n", 2, 3, {ONE_TAKEN, TWO_TAKEN}},
        {HEAD "end 99999999999999999999999\n", 1, 2, {NULL}}, {HEAD ONE "nonsense\n" TWO, 2, 3, {ONE_TAKEN, TWO_TAKEN}},
        {HEAD ONE "192.0.2.2 17000000", 1, 3, {ONE_TAKEN}}, {HEAD ONE TWO "end 2", 1, 4, {ONE_TAKEN, TWO_TAKEN}},
        {HEAD "192.0.2.9 1700000009000000 1 x\n" ONE "end 2\n", 1, 2, {ONE_TAKEN}}, {HEAD "192.0.2.999 1700000009000000 1\nend 1\n", 1, 2, {NULL}},
        {HEAD "192.0.2.1 x 1\nend 1\n", 1, 2, {NULL}}, {HEAD "192.0.2.1 99999999999999999999999 1\nend 1\n", 1, 2, {NULL}},
        {HEAD "192.0.2.1 1700000009000000 99\nend 1\n", 1, 2, {NULL}},
        {HEAD "key 00112233445566778899aabbccddeeff\n" ONE "end 2\n", 0, 0, {ONE_TAKEN}}, {HEAD "key 0011\n" ONE "end 2\n", 1, 2, {ONE_TAKEN}},
        {HEAD "key 00112233445566778899AABBCCDDEEFF\n" ONE "end 2\n", 1, 2, {ONE_TAKEN}}, {HEAD "key\n" ONE "end 2\n", 1, 2, {ONE_TAKEN}},
        {HEAD ONE "login 0123456789abcdef 1700000000\nend 2\n", 1, 3, {ONE_TAKEN}}, {HEAD ONE "login\nend 2\n", 1, 3, {ONE_TAKEN}},
        {HEAD "192.0.2.9 1700000009000000 1 0123456789abcdef\n" ONE "end 2\n", 1, 2, {ONE_TAKEN}},
        {HEAD "key 00112233445566778899aabbccddeeff\nlogin 0000000000000000 1700000000\n" ONE "end 3\n", 1, 3, {ONE_TAKEN}}, {HEAD "192.0.2.1 -1 1\nend 1\n", 1, 2, {NULL}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char wanted[64];
        const char *log, *text = loaded(temp_file("damaged", rows[i].text, strlen(rows[i].text)), &log);
        size_t len = 0;
        for (size_t j = 0; j < 2 && rows[i].taken[j] != NULL; j++) {
            cr_expect_not_null(strstr(text, rows[i].taken[j]), "%s: %s", rows[i].text, text);
            len += strlen(rows[i].taken[j]);
        }
        cr_expect_eq(strlen(text), len, "%s: %s", rows[i].text, text);
        snprintf(wanted, sizeof wanted, " skipped=%u line=%u\n", rows[i].skipped, rows[i].line);
        cr_expect(rows[i].skipped == 0 ? log[0] == '\0' : strstr(log, "ban-file-damaged path=\"/") != NULL && strstr(log, wanted) != NULL,
                  "%s: %s", rows[i].text, log);
    }
}

Test(ban_file, a_file_cut_anywhere_keeps_its_whole_lines)
{
    static const char whole[] = HEAD ONE TWO "end 2\n";
    for (size_t len = strlen(HEAD); len < strlen(whole); len++) {
        const char *log, *text = loaded(temp_file("cut", whole, len), &log);
        cr_expect_eq(strstr(text, ONE_TAKEN) != NULL, len >= strlen(HEAD ONE), "cut to %zu octets: %s", len, text);
        cr_expect_eq(strstr(text, TWO_TAKEN) != NULL, len >= strlen(HEAD ONE TWO), "cut to %zu octets: %s", len, text);
        cr_expect_not_null(strstr(log, "ban-file-damaged"), "cut to %zu octets: %s", len, log);
    }
}

/* What stands at a path: by a name, what it is made of. */
static const struct place {
    const char *name;
    bool ours;
    const char *text; /* of a regular file; NULL: */
    const char *link; /* of a symbolic link; NULL: a FIFO */
} places[] = {
    {"empty", true, "", NULL}, {"whole", true, HEAD "end 0\n", NULL}, {"damaged", true, HEAD "nonsense", NULL},
    {"another", false, "root:x:0:0\n", NULL}, {"begins alike", false, "imapguard bans 1", NULL}, {"later", false, "imapguard bans 2\nend 0\n", NULL},
    {"longer", false, "imapguard bans 11\nend 0\n", NULL}, {"device", false, NULL, "/dev/full"}, {"dangling", false, NULL, "/nonexistent/x"},
    {"fifo", false, NULL, NULL},
};

static void make_place(const struct place *p, const char *path)
{
    unlink(path);
    if (p->text != NULL) {
        FILE *f = fopen(path, "w");
        cr_assert(f != NULL && fputs(p->text, f) >= 0 && fclose(f) == 0);
    } else {
        cr_assert((p->link != NULL ? symlink(p->link, path) : mkfifo(path, 0600)) == 0);
    }
}

static bool same_place(const char *path, const struct stat *before)
{
    struct stat now;
    return lstat(path, &now) == 0 && now.st_ino == before->st_ino && now.st_size == before->st_size;
}

Test(ban_file, nothing_is_replaced_but_a_file_of_bans)
{
    struct client_table *t = table_with(three, COUNT(three));
    char path[1024], temporary[PATH_MAX];
    snprintf(path, sizeof path, "%s", temp_path("bans"));
    cr_assert_eq(ban_file_temporary(path, temporary), 0);
    cr_expect_eq(ban_file_check(path), 0, "nothing is there");
    cr_expect(ban_file_check("/dev/null") == -1 && errno == EEXIST);
    cr_expect(ban_file_check("/") == -1 && errno == EEXIST);
    for (size_t i = 0; i < COUNT(places); i++) {
        for (int beside = 0; beside < 2; beside++) {
            const char *where = beside ? temporary : path;
            struct stat before;
            make_place(&places[i], where);
            cr_assert_eq(lstat(where, &before), 0);
            cr_expect_eq(ban_file_check(where) == 0, places[i].ours, "%s", places[i].name);
            cr_expect_eq(ban_file_save(t, path, START, WALL) == 0, places[i].ours, "%s", places[i].name);
            cr_expect(places[i].ours || same_place(where, &before), "%s was changed", places[i].name);
            cr_expect(!places[i].ours || strstr(file_text(path), "end 4\n") != NULL, "%s", places[i].name);
            unlink(where);
            unlink(path);
        }
    }
    client_table_free(t);
}

Test(ban_file, a_file_that_cannot_be_written_leaves_the_old_one)
{
    struct client_table *t = table_with(three, COUNT(three));
    char path[1024], beside[1100], deep[PATH_MAX];
    snprintf(path, sizeof path, "%s", temp_file("bans", HEAD, strlen(HEAD)));
    snprintf(beside, sizeof beside, "%s.new", path);
    cr_assert_eq(mkdir(beside, 0700), 0);
    cr_expect_eq(ban_file_save(t, path, START, WALL), -1);
    cr_expect_str_eq(file_text(path), HEAD);
    cr_assert_eq(rmdir(beside), 0);
    cr_expect_eq(ban_file_save(t, "/nonexistent/bans", START, WALL), -1);
    memset(deep, 'x', sizeof deep);
    memcpy(deep, "/", 1);
    deep[PATH_MAX - 4] = '\0';
    cr_expect(ban_file_temporary(deep, (char[PATH_MAX]){0}) == -1 && errno == ENAMETOOLONG);
    client_table_free(t);
}
