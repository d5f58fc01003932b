/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line. */
#include <errno.h>
#include <ev.h>
#include <getopt.h>
#include <libconfig.h>
#include <maxminddb.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "build.h"
#include "config.h"
#include "net/private_key.h"
#include "proc/master.h"
#include "proc/rules.h"
#include "proc/service.h"

static const char usage[] =
    "Usage: imapguard [-c FILE] [-f] [-t] [-V] [-h]\n"
    "       imapguard [-c FILE] --explain ADDRESS [--user USER] [--listener NAME]\n"
    "A STARTTLS-enforcing IMAP proxy and TLS terminator.\n"
    "\n"
    "  -c, --config FILE   the configuration (default: " DEFAULT_CONFIG
    ")\n"
    "  -f, --foreground    stay in the foreground\n"
    "  -t, --test          check the configuration and exit: 0 if it is good, 1 if not\n"
    "  -e, --explain ADDRESS\n"
    "                      say what the access rules make of a client, and why\n"
    "  -u, --user USER     ... that logs in as USER\n"
    "  -l, --listener NAME ... on that listener (default: the first)\n"
    "  -V, --version       print the version, and those of the libraries\n"
    "  -h, --help          print this\n"
    "\n"
    "See imapguard(8) and imapguard.conf(5).\n";

/* clang-format off */
static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'}, {"foreground", no_argument, NULL, 'f'},
    {"test", no_argument, NULL, 't'},         {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},         {"explain", required_argument, NULL, 'e'},
    {"user", required_argument, NULL, 'u'},   {"listener", required_argument, NULL, 'l'},
    {0},
};
/* clang-format on */

static void print_version(void)
{
    printf("imapguard %s\n", PACKAGE_VERSION);
    printf("%s\n", OpenSSL_version(OPENSSL_VERSION));
    printf("libev %d.%d\n", ev_version_major(), ev_version_minor());
    printf("libconfig %d.%d.%d\n", LIBCONFIG_VER_MAJOR, LIBCONFIG_VER_MINOR, LIBCONFIG_VER_REVISION);
    printf("libmaxminddb %s\n", MMDB_lib_version());
}

/* As many descriptors as the system allows: a session takes two. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Opens the log and goes to the background unless `foreground`. Errors before this go to the terminal. */
static int detach(const struct service *service, bool foreground)
{
    const struct log_options *log = &service->current->config.log;
    int64_t owner = service->account.change ? (int64_t)service->account.uid : -1;
    if (log_open(log, owner) != 0) {
        const char *cause = errno == ENXIO ? "nobody reads this FIFO: start its reader first" : strerror(errno);
        fprintf(stderr, "imapguard: cannot write the log to %s: %s\n", log->target, cause);
        return -1;
    }
    if (!foreground && daemon(0, strcmp(log->target, "stderr") == 0) != 0) {
        perror("imapguard: cannot go to the background");
        return -1;
    }
    log_start(); /* not before: no thread follows into the background */
    return 0;
}

static int run(const char *path, bool foreground, bool test)
{
    struct service service;
    struct config_source source;
    int status = 1;

    signal(SIGPIPE, SIG_IGN); /* a standard error that is closed must not end us */
    raise_descriptor_limit();
    if (service_load(&service, &source, path) != 0) {
        config_source_fini(&source);
        return 1;
    }
    if (test) {
        printf("%s: good\n", path);
        status = 0;
    } else if (service_open(&service, &source) == 0 && detach(&service, foreground) == 0) {
        config_source_fini(&source);
        status = master_run(&service);
        log_close();
    }
    config_source_fini(&source);
    service_free(&service);
    return status;
}

int main(int argc, char **argv)
{
    const char *path = DEFAULT_CONFIG;
    bool foreground = false, test = false;
    struct rules_question question = {0};
    int option;

    if (private_key_init() != 0) {
        fputs("imapguard: OpenSSL has begun already: traces of keys may stay in memory\n", stderr);
    }
    while ((option = getopt_long(argc, argv, "c:fte:u:l:Vh", long_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'f':
            foreground = true;
            break;
        case 't':
            test = true;
            break;
        case 'e':
            question.address = optarg;
            break;
        case 'u':
            question.user = optarg;
            break;
        case 'l':
            question.listener = optarg;
            break;
        case 'V':
            print_version();
            return 0;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 1;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "imapguard: unexpected argument \"%s\"\n\n%s", argv[optind], usage);
        return 1;
    }
    if (question.address != NULL) {
        return rules_explain(path, &question) == 0 ? 0 : 1;
    }
    if (question.user != NULL || question.listener != NULL) {
        fprintf(stderr, "imapguard: --user and --listener belong to --explain\n\n%s", usage);
        return 1;
    }
    return run(path, foreground, test);
}
