/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "support.h"

TestSuite(log, .fini = test_over);

/* What stands behind "TIME imapguard[PID]: " in the first line; the stamp is checked on the way. */
static const char *behind_stamp(const char *text)
{
    const char *event = strstr(text, "]: ");
    int year, month, day, hour, minute, second, millisecond, pid, n = 0;
    cr_assert_not_null(event, "no stamp in \"%s\"", text);
    sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ imapguard[%d]: %n", &year, &month, &day, &hour, &minute, &second,
           &millisecond, &pid, &n);
    cr_assert_eq(text + n, event + 3, "malformed stamp in \"%s\"", text);
    cr_assert_eq(pid, getpid());
    return event + 3;
}

static const char *quoted(const void *value, size_t len)
{
    struct log_line line;
    capture_begin();
    log_begin(&line, LOG_LEVEL_INFO, "event");
    log_quoted(&line, "k", value, len);
    log_end(&line);
    return behind_stamp(capture_end());
}

Test(log, values_from_outside_are_escaped)
{
    static const struct {
        const char *value;
        size_t len;
        const char *want;
    } rows[] = {
        {BYTES("plain"), "plain"},
        {BYTES("two words"), "two words"},
        {BYTES(""), ""},
        {BYTES("a\"b"), "a\\x22b"},
        {BYTES("a\\"), "a\\x5c"},
        {BYTES("a\r\nb"), "a\\x0d\\x0ab"},
        {BYTES("a\0b"), "a\\x00b"},
        {BYTES("\t\x1b[31m\x7f"), "\\x09\\x1b[31m\\x7f"},
        {BYTES("<b>'x'</b>"), "\\x3cb\\x3e\\x27x\\x27\\x3c/b\\x3e"},
        {BYTES("J\xc3\xb6rg\xff"), "J\\xc3\\xb6rg\\xff"},
        {BYTES("%s%n"), "%s%n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char want[128];
        snprintf(want, sizeof want, "event k=\"%s\"\n", rows[i].want);
        const char *got = quoted(rows[i].value, rows[i].len);
        cr_expect_str_eq(got, want, "got %s", got);
    }
}

Test(log, no_octet_can_end_a_value_or_a_line)
{
    for (int c = 0; c < 256; c++) {
        char value[] = {'a', (char)c, '"', ' ', 'r', 'i', 'p', '=', '1'};
        const char *got = quoted(value, sizeof value);
        cr_assert_not_null(strchr(got, '\n'), "octet %d", c);
        cr_expect_eq(strchr(got, '\n')[1], '\0', "octet %d makes a second line", c);
        const char *first = strchr(got, '"'), *last = strrchr(got, '"');
        cr_expect(last[1] == '\n' && strchr(first + 1, '"') == last, "octet %d ends the value: %s", c, got);
    }
}

Test(log, a_value_is_shown_up_to_256_octets)
{
    char value[300], want[300];
    memset(value, 'a', sizeof value);
    snprintf(want, sizeof want, "event k=\"%.256s\"\n", value);
    cr_expect_str_eq(quoted(value, sizeof value), want);
    memset(value, '\n', sizeof value);
    cr_expect_eq(strlen(quoted(value, sizeof value)), strlen("event k=\"\"\n") + 4 * 256);
}

Test(log, a_line_that_is_full_never_ends_inside_a_quoted_value)
{
    char value[256];
    memset(value, '"', sizeof value);
    for (size_t fill = 0; fill <= 256; fill++) { /* so that each place in a value is where the line may end */
        struct log_line line;
        capture_begin();
        log_begin(&line, LOG_LEVEL_INFO, "event");
        log_quoted(&line, "pad", value, fill);
        log_quoted(&line, "one", value, 250);
        log_quoted(&line, "two", value, 250);
        log_number(&line, "end", 12345);
        log_end(&line);
        const char *got = behind_stamp(capture_end());
        unsigned quotes = 0;
        for (const char *at = got; *at != '\0'; at++) {
            quotes += *at == '"';
        }
        cr_assert_eq(quotes % 2, 0, "pad %zu: %s", fill, got);
        cr_assert_lt(strlen(got), sizeof line.text + 1);
        cr_assert_eq(got[strlen(got) - 1], '\n');
    }
}

Test(log, words_and_numbers_are_added_in_order)
{
    struct log_line line;
    capture_begin();
    log_begin(&line, LOG_LEVEL_WARNING, "login-failed");
    log_word(&line, "rip", "192.0.2.1");
    log_number(&line, "rport", 65535);
    log_number(&line, "in", UINT64_MAX);
    log_end(&line);
    cr_expect_str_eq(behind_stamp(capture_end()),
                     "login-failed rip=192.0.2.1 rport=65535 in=18446744073709551615\n");
}

Test(log, an_event_takes_a_format_or_nothing)
{
    capture_begin();
    log_event(LOG_LEVEL_ERROR, "worker-died", "worker=%u", 3u);
    cr_expect_str_eq(behind_stamp(capture_end()), "worker-died worker=3\n");
    capture_begin();
    log_event(LOG_LEVEL_ERROR, "started", "%s", "");
    cr_expect_str_eq(behind_stamp(capture_end()), "started\n");
}

Test(log, only_wanted_levels_are_written)
{
    const char *path = temp_path("log");
    for (uint32_t level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        struct log_options options = {.target = (char *)path, .level = level};
        unlink(path);
        cr_assert_eq(log_open(&options, -1), 0);
        log_event(LOG_LEVEL_ERROR, "e", "%s", "");
        log_event(LOG_LEVEL_WARNING, "w", "%s", "");
        log_event(LOG_LEVEL_INFO, "i", "%s", "");
        log_event(LOG_LEVEL_DEBUG, "d", "%s", "");
        unsigned lines = 0;
        for (const char *at = file_text(path); (at = strchr(at, '\n')) != NULL; at++) {
            lines++;
        }
        cr_expect_eq(lines, level + 1);
        cr_expect_eq(log_wants(LOG_LEVEL_DEBUG), level == LOG_LEVEL_DEBUG);
        log_close();
    }
}

Test(log, a_file_is_appended_to_and_readable_by_no_stranger)
{
    const char *path = temp_file("log", "before\n", 7);
    struct log_options options = {.target = (char *)path, .level = LOG_LEVEL_INFO};
    cr_assert_eq(log_open(&options, -1), 0);
    log_event(LOG_LEVEL_INFO, "after", "%s", "");
    log_close();
    cr_expect_eq(strncmp(file_text(path), "before\n", 7), 0);
    cr_expect_not_null(strstr(file_text(path), "]: after\n"));

    struct stat st;
    path = temp_path("new");
    options.target = (char *)path;
    cr_assert_eq(log_open(&options, -1), 0);
    log_close();
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 0137, 0, "mode %o", st.st_mode);
}

Test(log, reopen_follows_a_rotation)
{
    const char *path = temp_path("log"), *old = temp_path("log.1");
    struct log_options options = {.target = (char *)path, .level = LOG_LEVEL_INFO};
    cr_assert_eq(log_open(&options, -1), 0);
    log_event(LOG_LEVEL_INFO, "first", "%s", "");
    cr_assert_eq(rename(path, old), 0);
    log_event(LOG_LEVEL_INFO, "second", "%s", "");
    log_reopen(-1);
    log_event(LOG_LEVEL_INFO, "third", "%s", "");
    log_close();
    cr_expect_not_null(strstr(file_text(old), "first"));
    cr_expect_not_null(strstr(file_text(old), "second"));
    cr_expect_null(strstr(file_text(old), "third"));
    cr_expect_not_null(strstr(file_text(path), "third"));
    cr_expect_null(strstr(file_text(path), "second"));
}

Test(log, a_target_that_cannot_be_opened_leaves_the_log_as_it_was)
{
    const char *path = temp_path("log"), *link = temp_path("link");
    struct log_options good = {.target = (char *)path, .level = LOG_LEVEL_INFO};
    struct log_options bad = {.target = (char *)"/nonexistent/folder/log", .level = LOG_LEVEL_ERROR};
    cr_assert_eq(log_open(&good, -1), 0);
    cr_expect_eq(log_open(&bad, -1), -1);
    cr_expect_eq(errno, ENOENT);
    cr_assert_eq(symlink("/etc/passwd", link), 0);
    bad.target = (char *)link;
    cr_expect_eq(log_open(&bad, -1), -1, "a link that somebody else put there is not followed");
    log_event(LOG_LEVEL_INFO, "still-there", "%s", "");
    log_close();
    cr_expect_not_null(strstr(file_text(path), "still-there"));
}

Test(log, a_rotation_that_fails_keeps_the_old_file)
{
    const char *path = temp_path("log"), *old = temp_path("log.1");
    struct log_options options = {.target = (char *)path, .level = LOG_LEVEL_INFO};
    cr_assert_eq(log_open(&options, -1), 0);
    cr_assert_eq(rename(path, old), 0);
    cr_assert_eq(symlink("/etc/passwd", path), 0); /* is not opened */
    log_reopen(-1);
    log_event(LOG_LEVEL_INFO, "still-there", "%s", "");
    log_close();
    cr_expect_not_null(strstr(file_text(old), "log-reopen-failed"));
    cr_expect_not_null(strstr(file_text(old), "still-there"));
}

Test(log, lines_that_the_target_does_not_take_go_to_standard_error)
{
    struct log_options options = {.target = (char *)"/dev/full", .level = LOG_LEVEL_INFO};
    cr_assert_eq(log_open(&options, -1), 0);
    capture_begin();
    log_event(LOG_LEVEL_ERROR, "lost", "%s", "");
    const char *got = capture_end();
    log_close();
    cr_expect_not_null(strstr(got, "lost"), "log.h promises it of log_open()");
}

Test(log, after_close_lines_go_to_standard_error)
{
    struct log_options options = {.target = (char *)temp_path("log"), .level = LOG_LEVEL_INFO};
    cr_assert_eq(log_open(&options, -1), 0);
    log_close();
    capture_begin();
    log_event(LOG_LEVEL_INFO, "here", "%s", "");
    cr_expect_str_eq(behind_stamp(capture_end()), "here\n");
}

Test(log, every_facility_has_its_number)
{
    const struct option_row *row = option_find(&log_option_table, "facility");
    static const int want[] = {LOG_MAIL,   LOG_DAEMON, LOG_AUTH,   LOG_AUTHPRIV, LOG_USER,   LOG_LOCAL0, LOG_LOCAL1,
                               LOG_LOCAL2, LOG_LOCAL3, LOG_LOCAL4, LOG_LOCAL5,   LOG_LOCAL6, LOG_LOCAL7};
    uint32_t count = 0;
    for (; row->choices[count] != NULL; count++) {
        cr_expect_eq(log_facility(count), want[count], "%s", row->choices[count]);
    }
    cr_expect_eq(count, COUNT(want));
}

Test(log, targets_are_words_or_absolute_paths)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {{"syslog", true}, {"stderr", true}, {"/var/log/x", true}, {"", false}, {"file", false}, {"./log", false}};
    const struct option_row *row = option_find(&log_option_table, "target");
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(row->check(rows[i].text) == NULL, rows[i].good, "%s", rows[i].text);
    }
}
