/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <termios.h>
#include <time.h>
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

Test(log, a_number_that_does_not_fit_is_left_out_whole)
{
    static const char rest[] = " n=12345\n";
    enum { ROOM = sizeof(((struct log_line *)0)->text) - sizeof "event pad= n=12345" };
    for (size_t fill = ROOM - 20; fill <= ROOM + 20; fill++) { /* a word of more than ROOM octets leaves no room */
        struct log_line line;
        char word[ROOM + 21];
        memset(word, 'w', fill);
        word[fill] = '\0';
        capture_begin();
        log_begin(&line, LOG_LEVEL_INFO, "event");
        log_word(&line, "pad", word);
        log_number(&line, "n", 12345);
        log_end(&line);
        const char *got = behind_stamp(capture_end());
        size_t len = strlen(got);
        cr_assert_lt(len, sizeof line.text + 1);
        if (fill <= ROOM) {
            cr_expect_str_eq(got + len - (sizeof rest - 1), rest, "word of %zu octets", fill);
        } else {
            cr_expect_eq(got[len - 2], 'w', "word of %zu octets: %s", fill, got + len - sizeof rest);
        }
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

/* A file that may not grow takes no line, as on a full disk. */
Test(log, lines_that_the_target_does_not_take_go_to_standard_error)
{
    struct log_options options = {.target = (char *)temp_path("log"), .level = LOG_LEVEL_INFO};
    struct rlimit none = {0, RLIM_INFINITY}, before;
    cr_assert_eq(log_open(&options, -1), 0);
    capture_begin();
    signal(SIGXFSZ, SIG_IGN);
    int fd = dup(STDERR_FILENO), pipes[2];
    cr_assert_eq(pipe(pipes), 0);
    dup2(pipes[1], STDERR_FILENO);
    getrlimit(RLIMIT_FSIZE, &before);
    setrlimit(RLIMIT_FSIZE, &none);
    log_event(LOG_LEVEL_ERROR, "lost", "%s", "");
    setrlimit(RLIMIT_FSIZE, &before);
    dup2(fd, STDERR_FILENO);
    close(fd);
    close(pipes[1]);
    char got[512] = "";
    cr_expect_gt(read(pipes[0], got, sizeof got - 1), 0);
    close(pipes[0]);
    (void)capture_end();
    log_close();
    cr_expect_not_null(strstr(got, "lost"), "log.h promises it of log_open(): %s", got);
}

Test(log, a_device_is_never_opened)
{
    static const char *const targets[] = {"/dev/null", "/dev/full", "/dev/tty", "/"};
    for (size_t i = 0; i < COUNT(targets); i++) {
        struct log_options options = {.target = (char *)targets[i], .level = LOG_LEVEL_INFO};
        struct stat before, after;
        cr_assert_eq(stat(targets[i], &before), 0);
        cr_expect(log_check(&options) == -1 && errno == (i < 3 ? ENOTSUP : EISDIR), "%s", targets[i]);
        cr_expect(log_open(&options, 65534) == -1 && errno == (i < 3 ? ENOTSUP : EISDIR), "%s", targets[i]);
        cr_expect(stat(targets[i], &after) == 0 && after.st_uid == before.st_uid, "%s was given away", targets[i]);
    }
}

Test(log, a_rotation_that_leaves_a_folder_keeps_the_old_file)
{
    const char *path = temp_path("log"), *old = temp_path("log.1");
    struct log_options options = {.target = (char *)path, .level = LOG_LEVEL_INFO};
    cr_assert_eq(log_open(&options, -1), 0);
    cr_assert(rename(path, old) == 0 && mkdir(path, 0700) == 0);
    log_reopen(-1);
    log_close();
    cr_expect_not_null(strstr(file_text(old), "log-reopen-failed"));
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

/* --- readers that do not read, and full disks -------------------------------------------------------------- */

/* What the log wrote, as the reader has it. */
static struct {
    int fd;
    size_t len;
    char text[2 * 1024 * 1024];
} reader;

static int real_stderr = -1;

/* Standard error becomes `fd`, until stderr_back(); the log is opened with it. `fd` is closed. */
static void log_to(int fd)
{
    static const struct log_options options = {.target = (char *)"stderr", .level = LOG_LEVEL_INFO};
    signal(SIGPIPE, SIG_IGN);
    alarm(20); /* a test that blocks ends here */
    real_stderr = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
    cr_assert_eq(log_open(&options, -1), 0);
}

static void stderr_back(void)
{
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
}

/* A pipe that takes a page. */
static void log_to_pipe(void)
{
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    cr_assert_neq(fcntl(fds[1], F_SETPIPE_SZ, 4096), -1);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    reader.fd = fds[0];
    log_to(fds[1]);
}

/* Reads what there is. How much that was. */
static size_t read_some(void)
{
    size_t before = reader.len;
    ssize_t n;
    while ((n = read(reader.fd, reader.text + reader.len, sizeof reader.text - 1 - reader.len)) > 0) {
        reader.len += (size_t)n;
    }
    reader.text[reader.len] = '\0';
    return reader.len - before;
}

static void read_all(void)
{
    do {
        log_flush();
    } while (read_some() > 0);
}

static void log_numbers(unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        log_event(LOG_LEVEL_INFO, "line", "number=%u", i);
    }
}

/* The next line of `*at` is whole, and it is `want`. */
static void expect_line(const char **at, const char *want)
{
    const char *end = strchr(*at, '\n'), *event = strstr(*at, "]: ");
    cr_assert(end != NULL && event != NULL && event < end, "no line, but \"%.100s\"", *at);
    cr_assert_eq(strncmp(*at, "20", 2), 0, "a line begins with \"%.40s\"", *at);
    cr_assert((size_t)(end - event - 3) == strlen(want) && strncmp(event + 3, want, strlen(want)) == 0,
              "wanted \"%s\", got \"%.*s\"", want, (int)(end - *at), *at);
    *at = end + 1;
}

static void expect_numbers(const char **at, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        char want[40];
        snprintf(want, sizeof want, "line number=%u", i);
        expect_line(at, want);
    }
}

static double seconds_since(const struct timespec *then)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

Test(log, a_pipe_that_nobody_reads_delays_lines)
{
    const char *at = reader.text;
    log_to_pipe();
    log_numbers(0, 2000);
    cr_expect_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0, "the inherited description belongs to others too");
    read_all();
    log_numbers(2000, 2010);
    read_all();
    stderr_back();
    expect_numbers(&at, 0, 2010);
    cr_expect_eq(*at, '\0');
}

Test(log, standard_error_that_cannot_be_opened_again_is_written_without_blocking)
{
    const char *at = reader.text;
    log_to_pipe();
    log_close(); /* the inherited description is left, as before log_open() */
    log_numbers(0, 2000);
    read_all();
    stderr_back();
    expect_numbers(&at, 0, 2000);
    cr_expect_eq(*at, '\0');
}

Test(log, new_lines_wait_behind_old_ones)
{
    const char *at = reader.text;
    log_to_pipe();
    log_numbers(0, 500);
    for (unsigned i = 500; i < 1000; i++) { /* each finds some room in the pipe, and a queue */
        read_some();
        log_numbers(i, i + 1);
    }
    read_all();
    stderr_back();
    expect_numbers(&at, 0, 1000);
    cr_expect_eq(*at, '\0');
}

Test(log, lines_that_found_no_room_are_counted_where_they_are_missing)
{
    enum { ALL = 20000 };
    const char *at = reader.text;
    char want[40];
    log_to_pipe();
    for (unsigned round = 0; round < 2; round++) { /* the second one wraps around in the queue */
        log_numbers(0, ALL);
        read_all();
        unsigned kept = 0;
        for (const char *line = at; (line = strstr(line, " line ")) != NULL; line++) {
            kept++;
        }
        cr_expect_gt(kept, 3000, "256 KiB hold more than %u lines", kept);
        cr_expect_lt(kept, ALL);
        expect_numbers(&at, 0, kept);
        snprintf(want, sizeof want, "log-lost count=%u", ALL - kept);
        expect_line(&at, want);
        cr_expect_eq(*at, '\0');
    }
    log_numbers(7, 8);
    read_all();
    stderr_back();
    expect_numbers(&at, 7, 8);
    cr_expect_eq(*at, '\0');
}

Test(log, a_loss_is_told_at_every_level_and_before_what_follows)
{
    static const struct log_options options = {.target = (char *)"stderr", .level = LOG_LEVEL_ERROR};
    log_to_pipe();
    log_open(&options, -1);
    for (unsigned i = 0; i < 20000; i++) {
        log_event(LOG_LEVEL_ERROR, "line", "number=%u", i);
    }
    while (read_some() > 0) {
        log_event(LOG_LEVEL_ERROR, "another", "%s", "");
    }
    read_all();
    stderr_back();
    const char *lost = strstr(reader.text, "]: log-lost count="), *another = strstr(reader.text, "]: another\n");
    cr_assert(lost != NULL && another != NULL);
    cr_expect_lt(lost, another);
    cr_expect_null(strstr(lost + strlen("]: log-lost"), "log-lost"), "one gap");
}

Test(log, a_child_forgets_what_its_parent_has_queued)
{
    const char *at = reader.text;
    int status;
    log_to_pipe();
    log_numbers(0, 500);
    pid_t child = fork();
    if (child == 0) {
        log_after_fork();
        read_some(); /* there is room in the pipe, which the child could use */
        unsigned first = 0;
        for (const char *line = reader.text; (line = strchr(line, '\n')) != NULL; line++) {
            first++;
        }
        log_event(LOG_LEVEL_INFO, "child", "first=%u", first);
        log_close();
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    read_some();
    const char *first = strstr(reader.text, "child first=");
    cr_assert_not_null(first);
    cr_expect_null(strstr(reader.text, " line "), "the child wrote %s", reader.text);
    unsigned next = (unsigned)atoi(first + strlen("child first="));
    at += reader.len;
    read_all();
    stderr_back();
    expect_numbers(&at, next, 500);
    cr_expect_eq(*at, '\0');
}

/* A connected pair over loopback: its buffers end anywhere in a line. */
static void tcp_pair(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int size = 4096, segment = 500, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(listener, 1), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    fds[1] = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(fds[1], IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
    cr_assert_eq(connect(fds[1], (struct sockaddr *)&address, sizeof address), 0);
    fds[0] = accept(listener, NULL, NULL);
    cr_assert_neq(fds[0], -1);
    close(listener);
}

/* Logs to the one, reads from the other. The log is written in pieces, and yet all lines are whole and in order. */
static void expect_pieces_to_fit(int reading, int writing)
{
    enum { PAD = 900, LINES = 200 };
    char pad[PAD + 1], want[PAD + 40];
    const char *at = reader.text;
    unsigned cut = 0, whole = 0;
    memset(pad, 'x', PAD);
    pad[PAD] = '\0';
    reader.fd = reading;
    fcntl(reading, F_SETFL, O_NONBLOCK);
    log_to(writing);
    for (unsigned i = 0; i < LINES; i++) {
        log_event(LOG_LEVEL_INFO, "line", "number=%u pad=%s", i, pad);
    }
    while (whole < LINES) { /* what was taken may be delivered later: read until all are there, or alarm() */
        if (read_some() > 0) {
            cut += reader.text[reader.len - 1] != '\n';
        }
        log_flush();
        whole = 0;
        for (const char *end = reader.text; (end = strchr(end, '\n')) != NULL; end++) {
            whole++;
        }
    }
    stderr_back();
    for (unsigned i = 0; i < LINES; i++) {
        snprintf(want, sizeof want, "line number=%u pad=%s", i, pad);
        expect_line(&at, want);
    }
    cr_expect_eq(*at, '\0');
    cr_expect_gt(cut, 0, "no line was cut: nothing was tested");
}

Test(log, a_socket_that_takes_half_a_line_gets_the_other_half_next)
{
    int fds[2];
    tcp_pair(fds);
    expect_pieces_to_fit(fds[0], fds[1]);
}

Test(log, a_terminal_that_takes_half_a_line_gets_the_other_half_next)
{
    struct termios raw;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master == -1 || grantpt(master) != 0 || unlockpt(master) != 0) {
        cr_skip_test("no pseudoterminals here");
    }
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    cr_assert_neq(terminal, -1);
    cr_assert_eq(tcgetattr(terminal, &raw), 0);
    cfmakeraw(&raw);
    cr_assert_eq(tcsetattr(terminal, TCSANOW, &raw), 0);
    expect_pieces_to_fit(master, terminal);
}

Test(log, close_gives_up_on_a_pipe_that_nobody_reads)
{
    struct timespec before;
    log_to_pipe();
    log_numbers(0, 500);
    clock_gettime(CLOCK_MONOTONIC, &before);
    log_close();
    double seconds = seconds_since(&before);
    stderr_back();
    cr_expect(seconds > LOG_CLOSE_MS / 1000. - 0.01 && seconds < 2, "%f s", seconds);
}

Test(log, close_does_not_wait_for_a_reader_that_has_gone)
{
    double seconds = LOG_CLOSE_MS;
    for (unsigned i = 0; i < 3; i++) { /* a machine that is busy may be slow once */
        struct timespec before;
        log_to_pipe();
        close(reader.fd);
        log_numbers(0, 500);
        clock_gettime(CLOCK_MONOTONIC, &before);
        log_close();
        double now = seconds_since(&before);
        seconds = now < seconds ? now : seconds;
        stderr_back();
    }
    cr_expect_lt(seconds, LOG_CLOSE_MS / 1000.);
}

static void *read_to_the_end(void *data)
{
    ssize_t n;
    (void)data;
    while ((n = read(reader.fd, reader.text + reader.len, sizeof reader.text - 1 - reader.len)) > 0) {
        reader.len += (size_t)n;
    }
    return NULL;
}

Test(log, close_waits_for_a_reader)
{
    const char *at = reader.text;
    pthread_t thread;
    log_to_pipe();
    fcntl(reader.fd, F_SETFL, 0);
    log_numbers(0, 200);
    cr_assert_eq(pthread_create(&thread, NULL, read_to_the_end, NULL), 0);
    log_close();
    stderr_back(); /* the last descriptor of the pipe's end */
    pthread_join(thread, NULL);
    expect_numbers(&at, 0, 200);
    cr_expect_eq(*at, '\0');
}

enum { THREADS = 4, EACH = 500 };

static void *log_much(void *data)
{
    for (unsigned i = 0; i < EACH; i++) {
        log_event(LOG_LEVEL_INFO, "line", "number=%u", *(unsigned *)data * EACH + i);
    }
    return NULL;
}

Test(log, threads_write_whole_lines_each_in_its_order)
{
    pthread_t threads[THREADS];
    unsigned numbers[THREADS], next[THREADS] = {0}, count = 0;
    log_to_pipe();
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        cr_assert_eq(pthread_create(&threads[i], NULL, log_much, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    read_all();
    stderr_back();
    for (const char *at = reader.text; *at != '\0'; count++) {
        const char *number = strstr(at, "number=");
        cr_assert_not_null(number);
        unsigned n = (unsigned)atoi(number + strlen("number="));
        cr_assert_lt(n, THREADS * EACH);
        cr_expect_eq(n % EACH, next[n / EACH]++, "%u is out of order", n);
        expect_numbers(&at, n, n + 1);
    }
    cr_expect_eq(count, THREADS * EACH);
}

/* The file takes that many octets: what a full disk does, for one process and without root. */
static void limit_file(rlim_t size)
{
    struct rlimit limit = {.rlim_cur = size, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(log, a_line_that_half_fits_is_shown_elsewhere_and_joined_to_no_other)
{
    const char *path = temp_path("log"), *at;
    struct log_options options = {.target = (char *)path, .level = LOG_LEVEL_INFO};
    struct stat st;
    int fds[2];
    cr_assert_eq(log_open(&options, -1), 0);
    log_numbers(0, 1);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(pipe(fds), 0);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    reader.fd = fds[0];
    real_stderr = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    limit_file((rlim_t)st.st_size + 10);
    log_numbers(1, 4);
    limit_file(RLIM_INFINITY);
    pid_t child = fork(); /* it knows nothing of its own about the line */
    if (child == 0) {
        log_after_fork();
        log_event(LOG_LEVEL_INFO, "child", "%s", "");
        _exit(0);
    }
    cr_assert_eq(waitpid(child, NULL, 0), child);
    log_numbers(4, 5);
    log_close();
    read_some();
    stderr_back();
    at = reader.text;
    expect_numbers(&at, 1, 4);
    cr_expect_eq(*at, '\0');
    at = file_text(path);
    expect_numbers(&at, 0, 1);
    cr_expect_eq(at[10], '\n', "the line that only began has an end");
    at += 11;
    expect_line(&at, "child");
    expect_numbers(&at, 4, 5);
    cr_expect_eq(*at, '\0');
}

Test(log, where_standard_error_is_dev_null_lines_wait_for_the_file)
{
    const char *path = temp_path("log"), *at;
    struct log_options options = {.target = (char *)path, .level = LOG_LEVEL_INFO};
    struct stat st;
    int null = open("/dev/null", O_WRONLY);
    cr_assert_eq(log_open(&options, -1), 0);
    log_numbers(0, 1);
    cr_assert_eq(stat(path, &st), 0);
    real_stderr = dup(STDERR_FILENO);
    dup2(null, STDERR_FILENO); /* as daemon() does, after log_open() */
    close(null);
    limit_file((rlim_t)st.st_size + 10);
    log_numbers(1, 20);
    limit_file(RLIM_INFINITY);
    log_flush();
    log_numbers(20, 22);
    log_close();
    stderr_back();
    at = file_text(path);
    expect_numbers(&at, 0, 1);
    cr_expect_eq(at[10], '\n');
    at += 11;
    expect_numbers(&at, 1, 22);
    cr_expect_eq(*at, '\0');
}

Test(log, a_fifo_that_nobody_reads_delays_lines)
{
    const char *path = temp_path("log"), *at = reader.text;
    struct log_options options = {.target = (char *)path, .level = LOG_LEVEL_INFO};
    alarm(20);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_expect_eq(log_open(&options, -1), -1, "nobody reads");
    cr_expect_eq(errno, ENXIO);
    reader.fd = open(path, O_RDONLY | O_NONBLOCK);
    cr_assert_eq(log_open(&options, -1), 0);
    log_numbers(0, 3000);
    read_all();
    log_close();
    expect_numbers(&at, 0, 3000);
    cr_expect_eq(*at, '\0');
}
