/* SPDX-License-Identifier: BSD-2-Clause */
/* The log on a disk that hangs: write(), writev() and open() of this program wait while `disk_hangs` is set. */
#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

TestSuite(log_writer, .fini = test_over, .timeout = 60);

static atomic_bool disk_hangs;
static atomic_uint hanging, writes;
static const char *path; /* of the log, on that disk */

static void wait_for_disk(void)
{
    const struct timespec moment = {0, 1000000};
    atomic_fetch_add(&hanging, 1);
    while (atomic_load(&disk_hangs)) {
        nanosleep(&moment, NULL);
    }
    atomic_fetch_sub(&hanging, 1);
}

static bool is_log(int fd)
{
    struct stat st, log;
    return path != NULL && fstat(fd, &st) == 0 && stat(path, &log) == 0 && st.st_ino == log.st_ino;
}

ssize_t write(int fd, const void *octets, size_t len)
{
    if (path != NULL && is_log(fd)) {
        atomic_fetch_add(&writes, 1);
        if (atomic_load(&disk_hangs)) {
            wait_for_disk();
        }
    }
    return syscall(SYS_write, fd, octets, len);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (atomic_load(&disk_hangs) && is_log(fd)) {
        wait_for_disk();
    }
    return syscall(SYS_writev, fd, parts, count);
}

int open(const char *name, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    unsigned mode = (flags & O_CREAT) != 0 ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    if (atomic_load(&disk_hangs) && path != NULL && strcmp(name, path) == 0) {
        wait_for_disk();
    }
    return (int)syscall(SYS_openat, AT_FDCWD, name, flags, mode);
}

static void begin(void)
{
    path = temp_path("log");
    struct log_options options = {.target = (char *)path, .level = LOG_LEVEL_INFO};
    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(log_open(&options, -1), 0);
    log_start();
}

static void log_numbers(unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        log_event(LOG_LEVEL_INFO, "line", "number=%u", i);
    }
}

static void wait_until(bool (*is_true)(void))
{
    const struct timespec moment = {0, 1000000};
    while (!is_true()) { /* or the suite's timeout ends it */
        nanosleep(&moment, NULL);
    }
}

static bool is_hanging(void)
{
    return atomic_load(&hanging) > 0;
}

static const char *text_of(const char *file)
{
    static char text[16 * 1024 * 1024];
    FILE *stream = fopen(file, "r");
    cr_assert_not_null(stream);
    text[fread(text, 1, sizeof text - 1, stream)] = '\0';
    fclose(stream);
    return text;
}

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

Test(log_writer, a_disk_that_hangs_delays_lines_and_nobody)
{
    begin();
    log_numbers(0, 10);
    atomic_store(&disk_hangs, true);
    log_numbers(10, 2000); /* this thread would hang in the first of them */
    wait_until(is_hanging);
    log_numbers(2000, 2010);
    log_flush();
    atomic_store(&disk_hangs, false);
    log_close();
    const char *at = text_of(path);
    expect_numbers(&at, 0, 2010);
    cr_expect_eq(*at, '\0');
}

Test(log_writer, lines_that_waited_are_written_many_at_once)
{
    begin();
    atomic_store(&disk_hangs, true);
    log_numbers(0, 1);
    wait_until(is_hanging);
    log_numbers(1, 1000);
    atomic_store(&writes, 0);
    atomic_store(&disk_hangs, false);
    log_close();
    cr_expect_lt(atomic_load(&writes), 20);
    const char *at = text_of(path);
    expect_numbers(&at, 0, 1000);
}

static bool lost_is_told(void)
{
    return strstr(text_of(path), "log-lost") != NULL;
}

Test(log_writer, lines_that_found_no_room_are_counted)
{
    enum { ALL = 20000 };
    char want[40];
    unsigned kept = 0;
    begin();
    atomic_store(&disk_hangs, true);
    log_numbers(0, 1);
    wait_until(is_hanging);
    log_numbers(1, ALL);
    atomic_store(&disk_hangs, false);
    wait_until(lost_is_told);
    log_numbers(7, 8);
    log_close();
    const char *at = text_of(path);
    for (const char *line = at; (line = strstr(line, " line ")) != NULL; line++) {
        kept++;
    }
    kept--;
    cr_expect(kept > 3000 && kept < ALL, "%u", kept);
    expect_numbers(&at, 0, kept);
    snprintf(want, sizeof want, "log-lost count=%u", ALL - kept);
    expect_line(&at, want);
    expect_numbers(&at, 7, 8);
    cr_expect_eq(*at, '\0');
}

Test(log_writer, close_gives_up_on_a_disk_that_hangs)
{
    struct timespec before;
    begin();
    atomic_store(&disk_hangs, true);
    log_numbers(0, 1);
    wait_until(is_hanging);
    log_numbers(1, 100);
    clock_gettime(CLOCK_MONOTONIC, &before);
    log_close();
    double seconds = seconds_since(&before);
    cr_expect(seconds > LOG_CLOSE_MS / 1000. - 0.01 && seconds < 2, "%f s", seconds);
    capture_begin();
    log_event(LOG_LEVEL_INFO, "here", "%s", "");
    const char *at = capture_end();
    expect_line(&at, "log-lost count=100");
    expect_line(&at, "here");

    const char *old = path; /* the log can be opened again, and the writer that was left behind harms it not */
    struct log_options options = {.target = (char *)temp_path("other"), .level = LOG_LEVEL_INFO};
    cr_assert_eq(log_open(&options, -1), 0);
    log_start();
    log_numbers(0, 50);
    atomic_store(&disk_hangs, false);
    log_numbers(50, 100);
    log_close();
    while (atomic_load(&hanging) > 0) {
    }
    at = text_of(options.target);
    expect_numbers(&at, 0, 100);
    cr_expect_eq(*at, '\0');
    at = text_of(old);
    expect_numbers(&at, 0, 1);
    cr_expect_eq(*at, '\0');
}

Test(log_writer, a_child_has_neither_lines_nor_writer_of_its_parent)
{
    int status;
    begin();
    atomic_store(&disk_hangs, true);
    log_numbers(0, 1);
    wait_until(is_hanging);
    log_numbers(1, 100);
    pid_t child = fork();
    if (child == 0) {
        log_after_fork();
        atomic_store(&disk_hangs, false);
        atomic_store(&hanging, 0);
        log_start();
        log_event(LOG_LEVEL_INFO, "child", "%s", "");
        log_close();
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    atomic_store(&disk_hangs, false);
    log_close();
    const char *at = text_of(path);
    expect_line(&at, "child");
    expect_numbers(&at, 0, 100);
    cr_expect_eq(*at, '\0');
}

enum { FORKS = 200 };
static atomic_bool over;
static atomic_uint thread_lines;

static void *log_on(void *data)
{
    const struct timespec moment = {0, 300000};
    (void)data;
    while (!atomic_load(&over)) {
        nanosleep(&moment, NULL);
        log_event(LOG_LEVEL_INFO, "thread", "%s", "");
        if (atomic_fetch_add(&thread_lines, 1) % 100 == 0) {
            log_reopen(-1);
        }
    }
    return NULL;
}

static bool thread_logs(void)
{
    return atomic_load(&thread_lines) > 0;
}

/* Each moment of the writer and of a thread that logs is one at which a fork() finds them, sooner or later. */
Test(log_writer, a_fork_finds_the_lock_free)
{
    pthread_t thread;
    unsigned children = 0;
    begin();
    cr_assert_eq(pthread_create(&thread, NULL, log_on, NULL), 0);
    wait_until(thread_logs);
    for (unsigned i = 0; i < FORKS; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            log_after_fork();
            log_start();
            log_event(LOG_LEVEL_INFO, "child", "%s", "");
            log_close();
            _exit(0);
        }
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert_eq(status, 0, "child %u", i);
    }
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    log_close();
    const char *text = text_of(path);
    for (const char *at = text; (at = strstr(at, "]: child\n")) != NULL; at++) {
        children++;
    }
    cr_expect_eq(children, FORKS);
}

Test(log_writer, a_disk_becomes_full_within_many_lines)
{
    struct rlimit full = {RLIM_INFINITY, RLIM_INFINITY};
    struct stat st;
    int fds[2], real_stderr = dup(STDERR_FILENO);
    char elsewhere[4096] = "";
    begin();
    atomic_store(&disk_hangs, true);
    log_numbers(0, 1);
    wait_until(is_hanging);
    log_numbers(1, 8); /* they are written in one call */
    cr_assert_eq(pipe(fds), 0);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_size, 0);
    char stamp[100];
    size_t len = (size_t)snprintf(stamp, sizeof stamp, "2026-01-01T00:00:00.000Z imapguard[%d]: line number=0\n", getpid());
    full.rlim_cur = 3 * len + 10;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
    atomic_store(&disk_hangs, false);
    for (size_t n = 0, want = 5 * len; n < want;) {
        n += (size_t)read(fds[0], elsewhere + n, sizeof elsewhere - 1 - n);
    }
    full.rlim_cur = RLIM_INFINITY;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
    log_numbers(8, 9);
    log_close();
    dup2(real_stderr, STDERR_FILENO);
    const char *at = elsewhere;
    expect_numbers(&at, 3, 8);
    cr_expect_eq(*at, '\0');
    at = text_of(path);
    expect_numbers(&at, 0, 3);
    cr_expect_eq(at[10], '\n', "the line that only began has an end");
    at += 11;
    expect_numbers(&at, 8, 9);
    cr_expect_eq(*at, '\0');
}

Test(log_writer, a_rotation_does_not_wait_for_the_disk)
{
    const char *old = temp_path("log.1");
    begin();
    log_numbers(0, 10);
    cr_assert_eq(rename(path, old), 0);
    atomic_store(&disk_hangs, true);
    log_reopen(-1);
    cr_expect_not(log_wait_reopened(10));
    log_numbers(10, 20);
    atomic_store(&disk_hangs, false);
    cr_expect(log_wait_reopened(20000));
    log_numbers(20, 30);
    log_close();
    const char *at = text_of(old);
    unsigned next = 0;
    for (const char *line = at; (line = strchr(line, '\n')) != NULL; line++) {
        next++;
    }
    expect_numbers(&at, 0, next);
    at = text_of(path);
    expect_numbers(&at, next, 30);
    cr_expect_eq(*at, '\0');
}

Test(log_writer, a_rotation_that_fails_keeps_the_old_file)
{
    const char *old = temp_path("log.1");
    begin();
    cr_assert_eq(rename(path, old), 0);
    cr_assert_eq(symlink("/etc/passwd", path), 0);
    log_reopen(-1);
    cr_expect(log_wait_reopened(20000));
    log_event(LOG_LEVEL_INFO, "still-there", "%s", "");
    log_close();
    const char *text = text_of(old);
    cr_expect_not_null(strstr(text, "log-reopen-failed"));
    cr_expect_not_null(strstr(text, "still-there"));
}

Test(log_writer, a_fifo_whose_reader_is_slow_delays_lines)
{
    static char text[1024 * 1024];
    size_t len = 0;
    path = temp_path("log");
    struct log_options options = {.target = (char *)path, .level = LOG_LEVEL_INFO};
    cr_assert_eq(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    cr_assert_eq(log_open(&options, -1), 0);
    log_start();
    log_numbers(0, 3000);
    while (strstr(text, "number=2999\n") == NULL) {
        ssize_t n = read(fd, text + len, sizeof text - 1 - len);
        len += n > 0 ? (size_t)n : 0;
        log_flush();
    }
    log_close();
    const char *at = text;
    expect_numbers(&at, 0, 3000);
    cr_expect_eq(*at, '\0');
}

Test(log_writer, standard_error_that_is_a_file_is_written_by_the_writer)
{
    static const struct log_options options = {.target = (char *)"stderr", .level = LOG_LEVEL_INFO};
    path = temp_file("log", "", 0);
    int fd = open(path, O_WRONLY | O_APPEND), real_stderr = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
    cr_assert_eq(log_open(&options, -1), 0);
    log_start();
    atomic_store(&disk_hangs, true);
    log_numbers(0, 100);
    wait_until(is_hanging);
    atomic_store(&disk_hangs, false);
    log_close();
    dup2(real_stderr, STDERR_FILENO);
    const char *at = text_of(path);
    expect_numbers(&at, 0, 100);
    cr_expect_eq(*at, '\0');
}
