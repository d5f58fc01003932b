/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the admission of clients costs, in two parts that tests/bench/admission puts together:
 *
 *   bench-admission table                          a million networks at a table of 131,072, of which 1,000 are banned:
 *                                                  memory, bans and time. Exit status 1 when memory has grown, a
 *                                                  ban was lost or an admission took 2 microseconds or more.
 *   bench-admission flood PORT PREFIX COUNT RATE   so many connections to 127.0.0.1, so many a second (0: as fast as
 *                                                  they are refused), from addresses PREFIX.1 to PREFIX.250; prints how
 *                                                  many were closed without a word, and in what time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "policy/client_table.h"

enum { SIZE = 131072, NETWORKS = 1000000, BANS = 1000, FLIGHT_MAX = 64, SOURCES = 250 };

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The proportional share of memory of this process, in KiB. */
static long pss_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        (void)sscanf(line, "Pss: %ld", &kib);
    }
    if (f != NULL) {
        fclose(f);
    }
    return kib;
}

static struct network_address numbered(uint32_t number)
{
    union address a = {.in = {.sin_family = AF_INET, .sin_addr = {htonl(0x0b000000 + number)}}};
    return network_address_of(&a);
}

static void pass(struct client_table *t, uint32_t from, uint32_t count, uint64_t now_us)
{
    for (uint32_t i = 0; i < count; i++) {
        struct network_address a = numbered(from + i);
        struct client_table_ref ref;
        (void)client_table_enter(t, &a, now_us + i, &ref);
        client_table_leave(t, &ref);
    }
}

static int bench_table(void)
{
    static const struct client_table_limits limits = {.ipv4_prefix = 32, .ipv6_prefix = 64, .sessions = 100,
        .connection_rate = {120, 60000}, .login_failures = {10, 600000}, .ban_time_ms = 900000,
        .ban_time_max_ms = 86400000, .table_size = SIZE};
    uint64_t now_us = (uint64_t)(seconds(CLOCK_REALTIME) * 1e6);
    struct arena arena;
    arena_init(&arena, 2);
    struct client_table *t = client_table_new(&limits, &arena);
    if (t == NULL) {
        perror("table");
        return 1;
    }
    for (uint32_t i = 0; i < BANS; i++) {
        struct network_address a = numbered(i);
        struct client_table_ban ban = {.network = network_around(&a, 32, 64), .until_us = now_us + 900000000, .level = 1};
        if (client_table_restore_ban(t, &ban, now_us) != 0) {
            return 1;
        }
    }
    pass(t, BANS, 4 * SIZE, now_us); /* until every bucket is full */
    long before = pss_kib();
    double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    pass(t, 8 * SIZE, NETWORKS, now_us + 1000000);
    double each_us = (seconds(CLOCK_PROCESS_CPUTIME_ID) - start) * 1e6 / NETWORKS;
    long after = pss_kib();

    unsigned kept = 0;
    for (uint32_t i = 0; i < BANS; i++) {
        struct network_address a = numbered(i);
        struct client_table_ref ref;
        kept += client_table_enter(t, &a, now_us + 2000000, &ref) == CLIENT_TABLE_BANNED;
        client_table_leave(t, &ref);
    }
    printf("table: %d networks at %d entries: %ld KiB before, %ld KiB after (PSS); %u of %d bans kept; %zu entries; "
           "%.3f us an admission\n", NETWORKS, SIZE, before, after, kept, BANS, client_table_used(t), each_us);
    client_table_free(t);
    arena_fini(&arena);
    return after <= before + before / 100 && kept == BANS && each_us < 2. ? 0 : 1;
}

/* --- a flood ------------------------------------------------------------------------------------------------ */

static int begin(uint16_t port, const char *prefix, unsigned number)
{
    char text[32];
    int on = 1;
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    snprintf(text, sizeof text, "%s.%u", prefix, number % SOURCES + 1);
    if (fd == -1 || inet_pton(AF_INET, text, &from.sin_addr) != 1 ||
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)) {
        perror("connect");
        exit(1);
    }
    return fd;
}

static int flood(uint16_t port, const char *prefix, unsigned count, unsigned rate)
{
    struct pollfd flight[FLIGHT_MAX];
    unsigned begun = 0, flying = 0, refused = 0, others = 0;
    double start = seconds(CLOCK_MONOTONIC);
    while (begun < count || flying > 0) {
        double now = seconds(CLOCK_MONOTONIC) - start;
        unsigned due = rate == 0 || now * rate > count ? count : (unsigned)(now * rate);
        while (begun < due && flying < FLIGHT_MAX) {
            flight[flying++] = (struct pollfd){.fd = begin(port, prefix, begun), .events = POLLIN};
            begun++;
        }
        (void)poll(flight, flying, 1);
        for (unsigned i = 0; i < flying;) {
            char byte;
            if (flight[i].revents == 0) {
                i++;
                continue;
            }
            bool word = recv(flight[i].fd, &byte, 1, 0) > 0;
            refused += !word;
            others += word;
            close(flight[i].fd);
            flight[i] = flight[--flying];
        }
    }
    double took = seconds(CLOCK_MONOTONIC) - start;
    printf("flood: %u refused, %u not, in %.3f s: %.0f a second\n", refused, others, took, count / took);
    return others == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "table") == 0) {
        return bench_table();
    }
    if (argc == 6 && strcmp(argv[1], "flood") == 0) {
        return flood((uint16_t)atoi(argv[2]), argv[3], (unsigned)atoi(argv[4]), (unsigned)atoi(argv[5]));
    }
    fprintf(stderr, "usage: %s table | flood PORT PREFIX COUNT RATE\n", argv[0]);
    return 2;
}
