/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"
#include "net/tls.h"
#include "pki.h"
#include "support.h"

/* One stream, raw or the server's end of TLS, and its peer. */
static struct {
    struct loop loop;
    struct stream s;
    int peer;
    struct tls *tls;
    struct tls_options options;
    SSL *client;
} t;

static void on_event(struct ev_loop *ev, struct ev_io *io, int revents)
{
    (void)ev, (void)io, (void)revents;
}

static void start(bool small)
{
    int fds[2];
    cr_assert_eq(loop_init(&t.loop), 0);
    socket_pair(fds, small);
    t.peer = fds[1];
    stream_init(&t.s, &t.loop, fds[0], on_event, NULL);
}

static void begin(void)
{
    start(false);
}

static void begin_small(void)
{
    start(true);
}

static void begin_tls(void)
{
    struct test_report r;
    struct certificate_options *pair = calloc(1, sizeof *pair);
    start(true);
    make_pair(pair, "pair", (struct wanted){0});
    option_set_defaults(&tls_option_table, &t.options);
    t.options.certificates = (struct option_list){pair, 1};
    t.options.session_tickets = false;
    test_report_init(&r);
    t.tls = tls_new(&t.options, NULL, &r.report);
    cr_assert_not_null(t.tls, "%s", r.text);
    cr_assert_eq(tls_start_server(t.tls, &t.s, true), 0);
    t.client = client_new(t.peer, (struct client_options){0});
    cr_assert(shake_hands(&t.s, t.client));
}

static void over(void)
{
    stream_close(&t.s);
    SSL_free(t.client);
    close(t.peer);
    tls_free(t.tls);
    option_free(&tls_option_table, &t.options);
    loop_fini(&t.loop);
    test_over();
}

TestSuite(stream, .init = begin, .fini = over);
TestSuite(stream_small, .init = begin_small, .fini = over);
TestSuite(stream_tls, .init = begin_tls, .fini = over);

static void say(const char *text)
{
    cr_assert_eq(write(t.peer, text, strlen(text)), (ssize_t)strlen(text));
}

static void tls_say(const char *text)
{
    cr_assert_eq(SSL_write(t.client, text, (int)strlen(text)), (int)strlen(text));
}

/* What stream_peek() shows must be that. */
static void expect_peek(const char *want)
{
    struct span bytes;
    cr_assert_eq(stream_peek(&t.s, &bytes), STREAM_READY);
    cr_assert(same_bytes(bytes, want, strlen(want)), "got %s", show(bytes));
}

static void expect_status(enum stream_status want)
{
    uint8_t octets[16];
    size_t len = 1;
    enum stream_status got = stream_read(&t.s, octets, sizeof octets, &len);
    cr_assert_eq(got, want, "got %d", got);
    cr_assert(want == STREAM_READY || len == 0);
}

Test(stream, what_was_not_taken_stays_in_the_kernel)
{
    uint8_t octets[64];
    say("a STARTTLS\r\nb NOOP\r\n");
    expect_peek("a STARTTLS\r\nb NOOP\r\n");
    cr_assert_eq(stream_take(&t.s, 12), 0);
    cr_expect_eq(t.s.in.len, 0);
    cr_expect_eq(t.s.received, 12);
    cr_expect_eq(stream_waiting(&t.s, octets, sizeof octets), 8);
    cr_expect_eq(memcmp(octets, "b NOOP\r\n", 8), 0);
    cr_expect_eq(recv(t.s.io.fd, octets, sizeof octets, 0), 8, "waiting takes nothing");
    cr_expect_eq(stream_waiting(&t.s, octets, sizeof octets), 0);
}

Test(stream, what_was_shown_is_wiped_from_the_scratch_buffer)
{
    say("a LOGIN joe secret\r\n");
    expect_peek("a LOGIN joe secret\r\n");
    cr_assert_eq(stream_take(&t.s, 20), 0);
    for (size_t i = 0; i < 20; i++) {
        cr_expect_eq(t.loop.scratch[i], 0);
    }
}

Test(stream, taking_nothing_shows_the_same_again)
{
    say("abc");
    expect_peek("abc");
    cr_assert_eq(stream_take(&t.s, 0), 0);
    expect_peek("abc");
    cr_assert_eq(stream_take(&t.s, 3), 0);
    expect_status(STREAM_AGAIN);
}

Test(stream, an_end_comes_after_the_last_octets)
{
    uint8_t octets[16];
    size_t len;
    say("bye");
    shutdown(t.peer, SHUT_WR);
    cr_assert_eq(stream_read(&t.s, octets, sizeof octets, &len), STREAM_READY);
    cr_expect_eq(len, 3);
    expect_status(STREAM_END);
    expect_status(STREAM_END);
    cr_expect_eq(t.s.end, STREAM_END);
    cr_expect_eq(t.s.received, 3);
}

Test(stream, an_end_is_told_once_and_is_then_no_reason_to_go_on)
{
    uint8_t octets[16];
    size_t len;
    shutdown(t.peer, SHUT_WR);
    cr_expect(!stream_pending(&t.s), "the kernel will tell");
    cr_assert_eq(stream_read(&t.s, octets, sizeof octets, &len), STREAM_END);
    cr_expect(!stream_pending(&t.s));
    stream_watch(&t.s, EV_READ);
    cr_expect(!ev_is_active(&t.s.io));
}

Test(stream, a_broken_connection_is_a_reset_and_takes_what_is_sent)
{
    cr_assert_eq(send(t.s.io.fd, "unread", 6, 0), 6);
    close(t.peer);
    t.peer = -1;
    expect_status(STREAM_RESET);
    cr_expect_eq(stream_send(&t.s, "x", 1, 10), 0);
    cr_expect_eq(t.s.write_error, EPIPE);
    cr_expect_eq(stream_send(&t.s, "more than the limit", 19, 10), 0);
    cr_expect_eq(t.s.out.len, 0);
    stream_flush(&t.s);
    stream_shutdown(&t.s);
}

Test(stream, queued_pieces_go_out_together)
{
    char octets[32];
    cr_assert_eq(stream_queue(&t.s, "* ", 2, 100), 0);
    cr_assert_eq(stream_queue(&t.s, "OK\r\n", 4, 100), 0);
    cr_expect_eq(recv(t.peer, octets, sizeof octets, 0), -1);
    cr_expect_eq(stream_queue(&t.s, "0123456789", 10, 15), -1, "over the limit");
    stream_flush(&t.s);
    cr_expect_eq(recv(t.peer, octets, sizeof octets, 0), 6);
    cr_expect_eq(memcmp(octets, "* OK\r\n", 6), 0);
    cr_expect_null(t.s.out.bytes);
}

Test(stream, sending_goes_behind_what_waits)
{
    char octets[32];
    cr_assert_eq(stream_queue(&t.s, "first ", 6, 100), 0);
    cr_assert_eq(stream_send(&t.s, "second", 6, 100), 0);
    stream_flush(&t.s);
    cr_expect_eq(recv(t.peer, octets, sizeof octets, 0), 12);
    cr_expect_eq(memcmp(octets, "first second", 12), 0);
    cr_expect_eq(t.s.sent, 12);
}

Test(stream, watches_what_it_is_told_and_writes_while_something_waits)
{
    stream_watch(&t.s, EV_READ);
    cr_expect(ev_is_active(&t.s.io) && (t.s.io.events & (EV_READ | EV_WRITE)) == EV_READ);
    cr_assert_eq(stream_queue(&t.s, "x", 1, 10), 0);
    stream_watch(&t.s, 0);
    cr_expect(ev_is_active(&t.s.io) && (t.s.io.events & (EV_READ | EV_WRITE)) == EV_WRITE);
    stream_flush(&t.s);
    stream_watch(&t.s, 0);
    cr_expect(!ev_is_active(&t.s.io));
    shutdown(t.peer, SHUT_WR);
    expect_status(STREAM_END);
    stream_watch(&t.s, EV_READ);
    cr_expect(!ev_is_active(&t.s.io), "an end that is known is not waited for again");
}

Test(stream, is_closed_once_and_for_all)
{
    char octet;
    stream_watch(&t.s, EV_READ);
    cr_assert_eq(stream_queue(&t.s, "x", 1, 10), 0);
    stream_close(&t.s);
    cr_expect(!stream_is_open(&t.s));
    stream_close(&t.s);
    cr_expect_eq(recv(t.peer, &octet, 1, 0), 0);
}

Test(stream, a_refused_connection_says_so)
{
    union address a;
    struct endpoint e;
    bool pending;
    struct stream s;
    cr_assert_eq(address_parse("127.0.0.1", 1, &a), 0);
    cr_assert_null(endpoint_resolve("127.0.0.1:1", &e, NULL));
    int fd = socket_connect(&e.addresses[0], &pending);
    if (fd == -1) {
        cr_expect_eq(errno, ECONNREFUSED);
        return;
    }
    stream_init(&s, &t.loop, fd, on_event, NULL);
    s.connecting = true;
    stream_watch(&s, 0);
    cr_expect(ev_is_active(&s.io) && (s.io.events & EV_WRITE) != 0);
    usleep(20000);
    cr_expect_eq(stream_connected(&s), STREAM_RESET);
    cr_expect_eq(errno, ECONNREFUSED);
    stream_close(&s);
}

/* Sends `len` octets that count, in pieces, and asserts that the peer gets them in order. */
static void pass(size_t len, bool tls)
{
    static uint8_t piece[40000], octets[100000];
    size_t sent = 0, got = 0;
    while (got < len) {
        if (sent < len && t.s.out.len == 0) {
            size_t n = len - sent < sizeof piece ? len - sent : sizeof piece;
            for (size_t i = 0; i < n; i++) {
                piece[i] = (uint8_t)((sent + i) * 31 >> 3);
            }
            cr_assert_eq(stream_send(&t.s, piece, n, LOOP_SCRATCH_SIZE), 0);
            memset(piece, '!', sizeof piece);
            sent += n;
        }
        ssize_t n = tls ? SSL_read(t.client, octets, 3000) : recv(t.peer, octets, 3000, 0);
        for (ssize_t i = 0; i < n; i++) {
            cr_assert_eq(octets[i], (uint8_t)((got + (size_t)i) * 31 >> 3), "octet %zu", got + (size_t)i);
        }
        got += n > 0 ? (size_t)n : 0;
        stream_flush(&t.s);
    }
    cr_expect_eq(t.s.sent, len);
    cr_expect_null(t.s.out.bytes);
}

Test(stream_small, keeps_in_order_what_a_slow_reader_does_not_take)
{
    pass(1000000, false);
}

Test(stream_tls, keeps_in_order_what_a_slow_reader_does_not_take)
{
    pass(1000000, true);
}

Test(stream_small, never_keeps_more_than_the_limit)
{
    static uint8_t octets[100000];
    cr_expect_eq(stream_send(&t.s, octets, sizeof octets, 10), -1);
    cr_expect_leq(t.s.out.len, 10);
}

Test(stream_tls, keeps_what_was_decrypted_and_not_taken)
{
    tls_say("one\r\n");
    tls_say("two\r\n");
    struct span bytes;
    cr_assert_eq(stream_peek(&t.s, &bytes), STREAM_READY);
    cr_assert_eq(bytes.len, 10, "both records at once");
    cr_assert_eq(stream_take(&t.s, 5), 0);
    cr_expect_eq(t.s.in.len, 5);
    cr_expect(stream_pending(&t.s));
    expect_peek("two\r\n");
    cr_assert_eq(stream_take(&t.s, 2), 0);
    expect_peek("o\r\n");
    cr_assert_eq(stream_take(&t.s, 3), 0);
    cr_expect_null(t.s.in.bytes, "an idle stream owns no memory");
    cr_expect_eq(stream_peek(&t.s, &bytes), STREAM_AGAIN);
    cr_expect(!stream_pending(&t.s));
    cr_expect_eq(t.s.received, 10);
}

Test(stream_tls, reads_what_was_kept_before_what_comes)
{
    uint8_t octets[16];
    size_t len;
    tls_say("first second");
    expect_peek("first second");
    cr_assert_eq(stream_take(&t.s, 6), 0);
    tls_say(" third");
    cr_assert_eq(stream_read(&t.s, octets, 3, &len), STREAM_READY);
    cr_expect(len == 3 && memcmp(octets, "sec", 3) == 0);
    cr_assert_eq(stream_read(&t.s, octets, sizeof octets, &len), STREAM_READY);
    cr_expect(len == 3 && memcmp(octets, "ond", 3) == 0);
    cr_assert_eq(stream_read(&t.s, octets, sizeof octets, &len), STREAM_READY);
    cr_expect(len == 6 && memcmp(octets, " third", 6) == 0);
}

Test(stream_tls, says_when_it_holds_octets_that_the_kernel_does_not_have)
{
    uint8_t octets[8];
    size_t len;
    tls_say("0123456789");
    cr_assert_eq(stream_read(&t.s, octets, sizeof octets, &len), STREAM_READY);
    cr_expect_eq(len, 8);
    cr_expect(stream_pending(&t.s));
    cr_assert_eq(stream_read(&t.s, octets, sizeof octets, &len), STREAM_READY);
    cr_expect_eq(len, 2);
    cr_assert_eq(stream_read(&t.s, octets, sizeof octets, &len), STREAM_AGAIN);
    cr_expect(!stream_pending(&t.s), "half a record or nothing is no reason to spin");
}

Test(stream_tls, part_of_a_record_is_nothing_to_read_yet)
{
    static uint8_t wire[400];
    int fds[2];
    socket_pair(fds, false);
    cr_assert_eq(SSL_set_wfd(t.client, fds[0]), 1);
    tls_say("0123456789");
    ssize_t n = recv(fds[1], wire, sizeof wire, 0);
    cr_assert_gt(n, 10);
    for (ssize_t i = 0; i < n - 1; i++) {
        cr_assert_eq(write(t.peer, wire + i, 1), 1);
        expect_status(STREAM_AGAIN);
        cr_assert(!stream_pending(&t.s), "after %zd octets", i + 1);
    }
    cr_assert_eq(write(t.peer, wire + n - 1, 1), 1);
    expect_peek("0123456789");
    close(fds[0]);
    close(fds[1]);
}

Test(stream_tls, an_end_in_order_or_not_comes_after_the_last_octets)
{
    uint8_t octets[16];
    size_t len;
    tls_say("bye");
    SSL_shutdown(t.client);
    cr_assert_eq(stream_read(&t.s, octets, sizeof octets, &len), STREAM_READY);
    cr_expect_eq(len, 3);
    cr_expect(t.s.end == STREAM_READY || stream_pending(&t.s), "an end that is known and was not told must be told");
    expect_status(STREAM_END);
    cr_expect(!stream_pending(&t.s));
    expect_status(STREAM_END);
}

Test(stream_tls, a_connection_that_is_cut_is_an_end)
{
    shutdown(t.peer, SHUT_WR);
    expect_status(STREAM_END);
}

Test(stream_tls, octets_that_are_no_tls_break_it)
{
    say("this is no TLS record at all");
    expect_status(STREAM_FAILED);
    expect_status(STREAM_FAILED);
}

Test(stream_tls, shutdown_sends_close_notify_and_the_end)
{
    char octet;
    cr_assert_eq(stream_send(&t.s, "x", 1, 10), 0);
    stream_shutdown(&t.s);
    cr_expect_eq(SSL_read(t.client, &octet, 1), 1);
    int result = SSL_read(t.client, &octet, 1);
    cr_expect_eq(SSL_get_error(t.client, result), SSL_ERROR_ZERO_RETURN);
    cr_expect_eq(recv(t.peer, &octet, 1, 0), 0);
}

/* --- peers that mean harm ---------------------------------------------------------------------------------------- */

/* A message of TLS without application data: a KeyUpdate, which asks for one in return or not. */
static void update_key(int kind)
{
    cr_assert(SSL_key_update(t.client, kind) == 1 && SSL_do_handshake(t.client) == 1);
}

Test(stream_tls, records_without_application_data_end_it_when_they_are_too_many)
{
    for (int i = 0; i < STREAM_CONTROL_MAX; i++) {
        update_key(SSL_KEY_UPDATE_NOT_REQUESTED);
        expect_status(STREAM_AGAIN);
    }
    update_key(SSL_KEY_UPDATE_NOT_REQUESTED);
    tls_say("never read");
    expect_status(STREAM_FLOODED);
    cr_expect(!stream_pending(&t.s));
    expect_status(STREAM_FLOODED);
}

/* The peer's socket takes much at once. */
static void widen(void)
{
    int octets = 1 << 20;
    cr_assert_eq(setsockopt(t.peer, SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets), 0);
}

Test(stream_tls, a_flood_ends_within_one_reading)
{
    widen();
    for (int i = 0; i < 200; i++) {
        update_key(SSL_KEY_UPDATE_NOT_REQUESTED);
    }
    tls_say("never read");
    expect_status(STREAM_FLOODED);
    cr_expect_leq(t.s.control, STREAM_CONTROL_MAX + 1);
}

Test(stream_tls, each_record_with_application_data_forgives_one_without)
{
    for (int i = 0; i < 5 * STREAM_CONTROL_MAX; i++) {
        update_key(SSL_KEY_UPDATE_REQUESTED);
        tls_say("x");
        expect_status(STREAM_READY);
        ev_run(t.loop.ev, EVRUN_NOWAIT); /* one iteration would not have a share for so many changes of keys */
    }
}

Test(stream_tls, a_key_update_is_answered_behind_what_a_slow_reader_has_not_taken)
{
    static uint8_t octets[LOOP_SCRATCH_SIZE], got[LOOP_SCRATCH_SIZE];
    size_t len = 0;
    memset(octets, 'x', sizeof octets);
    cr_assert_eq(stream_send(&t.s, octets, sizeof octets, sizeof octets), 0);
    size_t unsent = stream_unsent(&t.s);
    cr_assert_gt(unsent, 0, "the socket takes it all: this test tests nothing");
    for (int i = 0; i < 3; i++) {
        update_key(SSL_KEY_UPDATE_REQUESTED);
        expect_status(STREAM_AGAIN);
        cr_expect(!stream_pending(&t.s), "waiting to write is no reason to run again");
    }
    cr_expect_gt(stream_unsent(&t.s), unsent);
    cr_assert_eq(stream_send(&t.s, "end", 3, LOOP_SCRATCH_SIZE + 100), 0);
    while (len < sizeof octets + 3) {
        int n = SSL_read(t.client, got, sizeof got);
        for (int i = 0; i < n; i++, len++) {
            cr_assert_eq(got[i], len < sizeof octets ? 'x' : "end"[len - sizeof octets], "octet %zu", len);
        }
        stream_flush(&t.s);
    }
    cr_expect_eq(stream_unsent(&t.s), 0);
}

Test(stream_tls, gives_no_more_than_its_share_in_one_iteration_of_the_loop)
{
    static uint8_t octets[LOOP_SCRATCH_SIZE];
    size_t total = 0, before = 0, len;
    widen();
    while (SSL_write(t.client, octets, 1000) == 1000) {
        total += 1000;
    }
    cr_assert_gt(total, 3 * 64 * 1024, "too little to see anything");
    for (int round = 0; round < 3; round++) {
        size_t now = 0;
        while (stream_read(&t.s, octets, sizeof octets, &len) == STREAM_READY) {
            now += len;
        }
        cr_expect(now > 32 * 1024 && now <= 64 * 1024, "round %d: %zu", round, now);
        before += now;
        ev_run(t.loop.ev, EVRUN_NOWAIT);
    }
    cr_expect_lt(before, total);
}

Test(stream, a_failed_write_ends_it_once_what_had_arrived_is_read)
{
    uint8_t octets[16];
    size_t len;
    say("bye");
    shutdown(t.peer, SHUT_RD);
    cr_expect_eq(stream_send(&t.s, "x", 1, 10), 0);
    cr_expect_eq(t.s.write_error, EPIPE);
    cr_expect(!stream_failed_locally(&t.s));
    cr_expect_eq(stream_unsent(&t.s), 0);
    cr_assert_eq(stream_read(&t.s, octets, sizeof octets, &len), STREAM_READY);
    cr_expect_eq(len, 3);
    expect_status(STREAM_RESET);
}
