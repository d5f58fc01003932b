/* SPDX-License-Identifier: BSD-2-Clause */
/* GeoIP with databases that tests/geoip/make-databases makes. */
#include "policy/geoip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support.h"

TestSuite(geoip, .fini = test_over);

/* The folder of the databases, made once for each test. */
static const char *folder(void)
{
    static char path[600];
    char command[1400];
    const char *top = getenv("top_srcdir");
    if (path[0] == '\0') {
        snprintf(path, sizeof path, "%s", temp_path("country.mmdb"));
        *strrchr(path, '/') = '\0';
        snprintf(command, sizeof command, "perl '%s/tests/geoip/make-databases' '%s'", top != NULL ? top : ".", path);
        cr_assert_eq(system(command), 0, "the databases are made by libmaxmind-db-writer-perl: is it installed?");
    }
    return path;
}

/* The path of a database, to be freed. */
static char *database(const char *name)
{
    char *path = NULL;
    cr_assert_geq(asprintf(&path, "%s/%s.mmdb", folder(), name), 0);
    return path;
}

static void put_path(char out[700], const char *name)
{
    out[0] = '\0';
    if (name != NULL) {
        snprintf(out, 700, "%s/%s.mmdb", folder(), name);
    }
}

static const char *state_file; /* of the geoip that opened() makes next */
static bool required;

static struct geoip *opened(const char *country, const char *asn, struct test_report *report)
{
    static char paths[2][700]; /* a refresh looks there */
    struct geoip_options options = {paths[0], paths[1], required};
    put_path(paths[0], country);
    put_path(paths[1], asn);
    test_report_init(report);
    struct geoip *g = geoip_new(&options, state_file, &report->report);
    cr_expect_eq(g == NULL, report->report.errors > 0);
    return g;
}

static struct place place_of(const struct geoip *g, const char *text)
{
    union address a;
    cr_assert_eq(address_parse(text, 0, &a), 0);
    struct network_address octets = network_address_of(&a);
    return geoip_lookup(g, &octets);
}

Test(geoip, addresses_have_a_country_a_continent_and_a_system_if_the_databases_know)
{
    static const struct {
        const char *country, *asn, *address, *wanted;
    } rows[] = {
        {"country", "asn", "127.0.1.1", "DE EU 64501"}, {"country", "asn", "127.0.2.255", "AT EU 64502"},
        {"country", "asn", "127.0.3.0", "US NA 64503"}, {"country", "asn", "127.0.0.1", "-- -- 0"},
        {"country", "asn", "::ffff:127.0.1.1", "DE EU 64501"}, {"country", "asn", "2001:db8:1::1", "DE EU 64501"},
        {"country", "asn", "2001:db8:2:ffff::", "FR EU 64511"}, {"country", "asn", "2001:db8:4::", "-- -- 0"},
        {"country", "asn", "::1", "-- -- 0"}, {"country", "asn", "10.7.1.1", "SE EU 65007"}, {"country", "asn", "10.7.200.1", "-- -- 0"},
        {"country", NULL, "127.0.1.1", "DE EU 0"}, {NULL, "asn", "127.0.1.1", "-- -- 64501"}, {NULL, NULL, "127.0.1.1", "-- -- 0"},
        {"city", NULL, "127.0.4.1", "BR SA 0"}, {"dbip", NULL, "127.0.5.1", "CN AS 0"}, {"dbip", "asn", "192.0.2.1", "JP AS 64506"},
        {"country4", NULL, "127.0.1.1", "DE EU 0"}, {"country4", NULL, "::ffff:127.0.1.1", "DE EU 0"},
        {"country4", NULL, "2001:db8:1::1", "-- -- 0"}, {"country-new", NULL, "127.0.1.1", "NL EU 0"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct test_report report;
        char text[64];
        struct geoip *g = opened(rows[i].country, rows[i].asn, &report);
        cr_assert_not_null(g, "%s", report.text);
        struct place p = place_of(g, rows[i].address);
        snprintf(text, sizeof text, "%s %s %u", p.country, p.continent, p.asn);
        cr_expect_str_eq(text, rows[i].wanted, "row %zu: %s: %s", i, rows[i].address, text);
        geoip_free(g);
    }
}

Test(geoip, a_missing_damaged_or_wrong_database_that_is_required_is_an_error)
{
    static const struct {
        const char *country, *asn, *wanted;
    } rows[] = {
        {"missing", NULL, "No such file or directory"}, {"truncated", NULL, "not a MaxMind DB, or not a whole one"},
        {"corrupted", NULL, "damaged: "}, {"wrong", NULL, "it has no such data"}, {"asn", NULL, "it has no such data"},
        {NULL, "country", "it has no such data"}, {NULL, "truncated", "not a MaxMind DB"}, {NULL, "..", "cannot use"},
    };
    required = true;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct test_report report;
        struct geoip *g = opened(rows[i].country, rows[i].asn, &report);
        cr_expect_null(g);
        cr_expect_not_null(strstr(report.text, rows[i].wanted), "row %zu: %s", i, report.text);
        cr_expect_not_null(strstr(report.text, rows[i].country != NULL ? "error geoip.country: " : "error geoip.asn: "));
    }
}

Test(geoip, without_a_good_database_or_copy_nothing_is_known_of_any_address)
{
    static const char *const names[] = {"missing", "truncated", "corrupted", "wrong"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct test_report report;
        struct geoip *g = opened(names[i], NULL, &report);
        cr_assert_not_null(g);
        cr_expect_not_null(strstr(report.text, "warning geoip.country: "), "%s", report.text);
        cr_expect_not_null(strstr(report.text, "nothing is known of any address"), "%s", report.text);
        cr_expect_str_eq(place_of(g, "127.0.1.1").country, "--");
        capture_begin();
        geoip_begin(g);
        const char *log = capture_end();
        cr_expect(strstr(log, "geoip-failed database=country") != NULL && strstr(log, "using=none") != NULL, "%s", log);
        geoip_free(g);
    }
}

/* Replaces the content of `name` by that of `other`: by a new file, or in place as cp does it. */
static void replace(const char *name, const char *other, bool in_place)
{
    char *to = database(name), *from = database(other), command[2600];
    if (in_place) {
        snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
    } else {
        snprintf(command, sizeof command, "cp '%s' '%s.new' && mv '%s.new' '%s'", from, to, to, to);
    }
    cr_assert_eq(system(command), 0);
    free(to);
    free(from);
}

/* What some seconds of refreshing log. */
static const char *refresh(struct geoip *g)
{
    capture_begin();
    for (int i = 0; i < 10; i++) {
        geoip_refresh(g);
    }
    return capture_end();
}

static unsigned count_of(const char *text, const char *word)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
        n++;
    }
    return n;
}

Test(geoip, a_replaced_database_is_taken_and_a_bad_one_is_told_once)
{
    struct test_report report;
    free(database("country")); /* makes them */
    replace("own", "country", false);
    struct geoip *g = opened("own", NULL, &report);
    cr_expect_str_eq(refresh(g), "", "nothing has changed");
    static const struct {
        const char *by;
        bool in_place;
        const char *country, *event;
    } rows[] = {
        {"country-new", false, "NL", " geoip-loaded "}, {"country", true, "DE", " geoip-loaded "}, {"truncated", true, "DE", " geoip-failed "},
        {"corrupted", false, "DE", " geoip-failed "}, {"wrong", false, "DE", " geoip-failed "}, {"dbip", true, "DE", " geoip-loaded "},
        {"country-new", true, "NL", " geoip-loaded "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        replace("own", rows[i].by, rows[i].in_place);
        cr_expect_str_eq(place_of(g, "127.0.1.1").country, i == 0 ? "DE" : rows[i - 1].country, "not before it is looked at");
        const char *log = refresh(g);
        cr_expect_eq(count_of(log, rows[i].event), 1, "row %zu: %s", i, log);
        cr_expect_str_eq(place_of(g, "127.0.1.1").country, rows[i].country, "row %zu", i);
    }
    char *path = database("own");
    unlink(path);
    cr_expect_eq(count_of(refresh(g), " geoip-failed "), 1);
    cr_expect_eq(count_of(refresh(g), " geoip-failed "), 0, "told once");
    cr_expect_str_eq(place_of(g, "127.0.1.1").country, "NL");
    free(path);
    geoip_free(g);
}

Test(geoip, a_file_that_is_there_and_cannot_be_opened_is_logged_once)
{
    struct test_report report;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    free(database("country"));
    replace("own", "country", false);
    struct geoip *g = opened("own", NULL, &report);
    char *path = database("own");
    unlink(path);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path); /* refused to root, too: open() gives ENXIO */
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    cr_expect_eq(count_of(refresh(g), " geoip-failed "), 1);
    cr_expect_eq(count_of(refresh(g), " geoip-failed "), 0, "logged once");
    cr_expect_str_eq(place_of(g, "127.0.1.1").country, "DE");
    close(fd);
    free(path);
    geoip_free(g);
}

Test(geoip, a_process_that_was_forked_before_adopts_what_the_first_has_taken)
{
    struct test_report report;
    free(database("country"));
    replace("own", "country", false);
    struct geoip *second = opened("country", NULL, &report), *first = opened("own", NULL, &report);
    uint32_t version = geoip_version(first, GEOIP_COUNTRY);
    replace("own", "country-new", true);
    (void)refresh(first);
    cr_expect_neq(geoip_version(first, GEOIP_COUNTRY), version);
    geoip_adopt(second, GEOIP_COUNTRY, 7, dup(geoip_descriptor(first, GEOIP_COUNTRY)));
    cr_expect_str_eq(place_of(second, "127.0.1.1").country, "NL");
    geoip_free(first);
    cr_expect_str_eq(place_of(second, "127.0.1.1").country, "NL");
    geoip_free(second);
}

Test(geoip, nobody_can_change_a_database_that_is_used)
{
    struct test_report report;
    free(database("country"));
    struct geoip *g = opened("country", NULL, &report);
    int fd = geoip_descriptor(g, GEOIP_COUNTRY);
    cr_expect(pwrite(fd, "x", 1, 0) == -1 && errno == EPERM);
    cr_expect(ftruncate(fd, 0) == -1 && errno == EPERM);
    cr_expect_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    geoip_free(g);
}

Test(geoip, a_file_that_its_owner_can_still_change_is_not_adopted)
{
    struct test_report report;
    char *path = database("country-new"), bytes[64 * 1024];
    free(database("country"));
    struct geoip *g = opened("country", NULL, &report);
    int fd = memfd_create("open", MFD_ALLOW_SEALING), from = open(path, O_RDONLY);
    ssize_t len = read(from, bytes, sizeof bytes);
    cr_assert(len > 0 && write(fd, bytes, (size_t)len) == len);
    capture_begin();
    geoip_adopt(g, GEOIP_COUNTRY, 7, fd);
    cr_expect_not_null(strstr(capture_end(), "geoip-failed"));
    cr_expect_str_eq(place_of(g, "127.0.1.1").country, "DE");
    close(from);
    free(path);
    geoip_free(g);
}

/* What is logged at the start. */
static const char *begun(struct geoip *g)
{
    capture_begin();
    geoip_begin(g);
    return capture_end();
}

Test(geoip, an_empty_database_is_told_as_that)
{
    struct test_report report;
    replace("own", "country", false);
    struct geoip *g = opened("own", NULL, &report);
    char own[700];
    put_path(own, "own");
    cr_assert_eq(truncate(own, 0), 0);
    const char *log = refresh(g);
    cr_expect(strstr(log, "reason=\"it is empty\"") != NULL && strstr(log, "path=\"/") != NULL, "%s", log);
    geoip_free(g);
    g = opened("own", NULL, &report);
    cr_expect_not_null(strstr(report.text, "own.mmdb: it is empty; nothing is known"), "%s", report.text);
    geoip_free(g);
}

Test(geoip, a_database_that_is_damaged_over_a_restart_is_replaced_by_its_last_good_copy)
{
    char state[700], copy[800];
    struct test_report report;
    snprintf(state, sizeof state, "%s/bans", folder());
    snprintf(copy, sizeof copy, "%s.geoip-country", state);
    state_file = state;
    replace("own", "country", false);
    struct geoip *g = opened("own", NULL, &report);
    cr_assert_not_null(g);
    geoip_begin(g);
    cr_expect_eq(access(copy, R_OK), 0, "the copy is written at the start");
    geoip_free(g);

    replace("own", "truncated", true);
    g = opened("own", NULL, &report);
    cr_assert_not_null(g);
    cr_expect_not_null(strstr(report.text, "the last good copy is used"), "%s", report.text);
    cr_expect_str_eq(place_of(g, "127.0.1.1").country, "DE");
    capture_begin();
    geoip_begin(g);
    const char *log = capture_end();
    cr_expect_not_null(strstr(log, copy), "%s", log);
    replace("own", "country-new", false);
    cr_expect_eq(count_of(refresh(g), " geoip-loaded "), 1);
    cr_expect_str_eq(place_of(g, "127.0.1.1").country, "NL", "the file is used again once it is good");
    geoip_free(g);

    replace("own", "truncated", true);
    g = opened("own", NULL, &report);
    cr_expect_str_eq(place_of(g, "127.0.1.1").country, "NL", "the copy is that of the latest good one");
    geoip_free(g);

    cr_assert_eq(truncate(copy, 100), 0);
    g = opened("own", NULL, &report);
    cr_expect_str_eq(place_of(g, "127.0.1.1").country, "--", "a damaged copy is not used");
    cr_expect_not_null(strstr(report.text, "cannot use the last good copy "), "%s", report.text);
    cr_expect_eq(count_of(begun(g), " geoip-copy-failed "), 1);
    geoip_free(g);

    cr_assert_eq(unlink(copy), 0);
    g = opened("own", NULL, &report);
    cr_expect_eq(count_of(begun(g), " geoip-copy-failed "), 0, "no copy is no damage");
    geoip_free(g);
}

Test(geoip, no_damage_to_a_database_does_any_harm, .timeout = 120)
{
    enum { ROUNDS = 400, FLIPS = 3 };
    static char whole[64 * 1024];
    char *from = database("country"), *to = database("flipped");
    FILE *f = fopen(from, "rb");
    size_t len = fread(whole, 1, sizeof whole, f);
    fclose(f);
    srand(11);
    for (int round = 0; round < ROUNDS; round++) {
        char bytes[sizeof whole];
        struct test_report report;
        memcpy(bytes, whole, len);
        for (int i = 0; i < FLIPS; i++) {
            bytes[(size_t)rand() % len] = (char)rand();
        }
        f = fopen(to, "wb");
        cr_assert_eq(fwrite(bytes, 1, len, f), len);
        fclose(f);
        struct geoip *g = opened("flipped", NULL, &report);
        for (int i = 0; g != NULL && i < 256; i++) {
            char text[32];
            snprintf(text, sizeof text, "%d.%d.1.1", i, i);
            struct place p = place_of(g, text);
            cr_assert(p.country[2] == '\0' && p.continent[2] == '\0');
        }
        geoip_free(g);
    }
    free(from);
    free(to);
}
