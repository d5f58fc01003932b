/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

TestSuite(file, .fini = test_over);

Test(file, a_regular_file_is_read_whole)
{
    char cause[FILE_CAUSE_SIZE];
    size_t len = 99;
    char *text = file_read(temp_file("some", BYTES("a\0b\n")), 4, &len, cause);
    cr_assert_not_null(text);
    cr_expect(len == 4 && memcmp(text, "a\0b\n", 5) == 0);
    free(text);
    text = file_read(temp_file("empty", "", 0), 0, &len, cause);
    cr_expect(text != NULL && len == 0 && text[0] == '\0');
    free(text);
}

Test(file, a_pipe_is_read_to_its_end)
{
    static const struct {
        const char *content;
        bool read;
    } rows[] = {{"", true}, {"abc", true}, {"abcd", true}, {"abcde", false}, {"abcdef", false}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char cause[FILE_CAUSE_SIZE], path[64];
        size_t len;
        int fds[2];
        cr_assert_eq(pipe(fds), 0);
        cr_assert_eq(write(fds[1], rows[i].content, strlen(rows[i].content)), (ssize_t)strlen(rows[i].content));
        close(fds[1]);
        snprintf(path, sizeof path, "/dev/fd/%d", fds[0]);
        char *text = file_read(path, 4, &len, cause);
        if (rows[i].read) {
            cr_assert_not_null(text, "%s: %s", rows[i].content, cause);
            cr_expect(len == strlen(rows[i].content) && strcmp(text, rows[i].content) == 0);
        } else {
            cr_expect(text == NULL && errno == EFBIG, "%s", rows[i].content);
        }
        free(text);
        close(fds[0]);
    }
}

Test(file, what_cannot_be_read_is_told_in_words)
{
    const char *fifo = temp_path("fifo"), *large = temp_file("large", "123", 3), *none = temp_path("none");
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    const struct {
        const char *path;
        int error;
        const char *cause;
    } rows[] = {
        {none, ENOENT, "No such file or directory"}, {"/", EINVAL, "it is a folder, not a file"},
        {fifo, ETIMEDOUT, "nothing was written into the pipe for 5 s"},
        {"/dev/zero", EINVAL, "it is a device, not a file"},
        {large, EFBIG, "it is larger than 0 KiB"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char cause[FILE_CAUSE_SIZE];
        size_t len;
        errno = 0;
        cr_expect_null(file_read(rows[i].path, 2, &len, cause), "%s", rows[i].path);
        cr_expect_eq(errno, rows[i].error, "%s: %d", rows[i].path, errno);
        cr_expect_str_eq(cause, rows[i].cause, "%s: %s", rows[i].path, cause);
    }
}

Test(file, the_folder_of_a_path)
{
    static const char *const rows[][2] = {{"/a/b/c", "/a/b"}, {"/a", "/"}, {"a", "."}, {"a/b", "a"}, {"/a/", "/a"}, {"./a", "."}};
    char folder[PATH_MAX], deep[PATH_MAX + 3];
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(file_folder(rows[i][0], folder), 0);
        cr_expect_str_eq(folder, rows[i][1], "%s: %s", rows[i][0], folder);
    }
    memset(deep, 'x', sizeof deep);
    strcpy(deep + PATH_MAX, "/y");
    cr_expect(file_folder(deep, folder) == -1 && errno == ENAMETOOLONG);
}

Test(file, a_file_can_be_written_where_it_is_or_where_its_folder_is)
{
    char inside[600];
    const char *file = temp_file("file", "", 0), *none = temp_path("none");
    snprintf(inside, sizeof inside, "%s/x", none);
    cr_expect_eq(file_check_write(file), 0);
    cr_expect_eq(file_check_write(none), 0);
    cr_expect(file_check_write(inside) == -1 && errno == ENOENT);
    cr_expect(file_check_write("/") == -1 && errno == EISDIR);
    cr_expect_eq(file_check_folder(none), 0);
    cr_expect(file_check_folder(inside) == -1 && errno == ENOENT);
    if (geteuid() != 0) {
        cr_assert_eq(chmod(file, 0400), 0);
        cr_expect(file_check_write(file) == -1 && errno == EACCES);
    }
}

Test(file, what_lines_cannot_be_written_to)
{
    char path[600], target[600], below[700], name[600];
    snprintf(target, sizeof target, "%s", temp_file("target", "", 0));
    snprintf(below, sizeof below, "%s/x", target);
    snprintf(path, sizeof path, "%s", temp_path("link"));
    cr_assert_eq(symlink(target, path), 0);
    cr_expect(file_check_write(path) == -1 && errno == ELOOP);
    cr_assert(unlink(path) == 0 && symlink("/nonexistent/file", path) == 0);
    cr_expect(file_check_write(path) == -1 && errno == ELOOP, "a link to nothing");
    cr_assert(unlink(path) == 0 && mkfifo(path, 0600) == 0);
    cr_expect_eq(file_check_write(path), 0, "nobody reads it, and nothing waits");
    cr_expect(file_check_write(below) == -1 && errno == ENOTDIR);
    cr_expect(file_check_folder(below) == -1 && errno == ENOTDIR);
    cr_assert_eq(chmod(target, 0755), 0);
    cr_expect(file_check_folder(below) == -1 && errno == ENOTDIR, "x of a file is no x of a folder");
    static const char *const devices[] = {"/dev/null", "/dev/full", "/dev/zero"};
    for (size_t i = 0; i < COUNT(devices); i++) {
        cr_expect(file_check_write(devices[i]) == -1 && errno == ENOTSUP, "%s", devices[i]);
    }
    cr_expect(file_check_write("/proc/version") == -1 && errno == EROFS);
    cr_expect(file_check_folder("/proc/x") == -1 && errno == EROFS);
    memset(name, 'x', 256);
    name[0] = '/';
    name[256] = '\0';
    cr_expect_eq(file_check_write(name), 0, "255 octets are a name: %s", strerror(errno));
    strcpy(name + 256, "x");
    cr_expect(file_check_write(name) == -1 && errno == ENAMETOOLONG);
}

Test(file, two_paths_of_one_file)
{
    char file[600], other[600], dots[700];
    snprintf(file, sizeof file, "%s", temp_file("file", "", 0));
    snprintf(other, sizeof other, "%s", temp_path("other"));
    cr_expect(file_is_same(file, file));
    cr_expect(!file_is_same(file, other));
    cr_assert_eq(link(file, other), 0);
    cr_expect(file_is_same(file, other), "a hard link");
    cr_assert(unlink(other) == 0 && symlink(file, other) == 0);
    cr_expect(file_is_same(file, other), "a symbolic link");
    cr_assert(unlink(other) == 0 && unlink(file) == 0);
    snprintf(dots, sizeof dots, "%.*s/./file", (int)(strrchr(file, '/') - file), file);
    cr_expect(file_is_same(file, dots), "neither exists");
    cr_expect(!file_is_same(file, other));
    cr_expect(!file_is_same("/nonexistent/a", "/nonexistent/./a"), "that cannot be told");
}
