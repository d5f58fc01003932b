/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ticket.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/certificate.h"
#include "net/tls.h"
#include "pki.h"
#include "support.h"

TestSuite(ticket, .fini = test_over);

static struct loop loop;
static struct tls_options options;

static void on_event(struct ev_loop *ev, struct ev_io *io, int revents)
{
    (void)ev, (void)io, (void)revents;
}

static struct tls *build(struct ticket_keys *keys)
{
    struct test_report r;
    static struct certificate_options *pair; /* the same for all workers of a test */
    if (pair == NULL) {
        pair = calloc(1, sizeof *pair);
        make_pair(pair, "pair", (struct wanted){0});
        option_set_defaults(&tls_option_table, &options);
        options.certificates = (struct option_list){pair, 1};
        cr_assert_eq(loop_init(&loop), 0);
    }
    test_report_init(&r);
    struct tls *tls = tls_new(&options, keys, &r.report);
    cr_assert_not_null(tls, "%s", r.text);
    return tls;
}

static void done(void)
{
    option_free(&tls_option_table, &options);
    loop_fini(&loop);
}

/* One connection, with that session if it is not NULL; whether it was resumed. A new session is written to `next`. */
static bool resumed(struct tls *tls, int version, SSL_SESSION *with, SSL_SESSION **next)
{
    struct stream server;
    int fds[2];
    char octet;
    socket_pair(fds, false);
    stream_init(&server, &loop, fds[0], on_event, NULL);
    SSL *client = client_new(fds[1], (struct client_options){.version = version, .resume = with});
    cr_assert_eq(tls_start_server(tls, &server, true), 0);
    cr_assert(shake_hands(&server, client));
    (void)SSL_read(client, &octet, 1); /* TLS 1.3 sends its tickets behind the handshake */
    bool reused = SSL_session_reused(client) == 1 && SSL_session_reused(server.tls) == 1;
    if (next != NULL) {
        *next = SSL_get1_session(client);
        cr_assert(SSL_SESSION_has_ticket(*next));
    }
    SSL_set_shutdown(client, SSL_SENT_SHUTDOWN); /* otherwise the session counts as broken */
    stream_close(&server);
    SSL_free(client);
    close(fds[1]);
    return reused;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

Test(ticket, of_the_current_and_the_previous_key_is_taken_and_older_ones_are_not)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct ticket_keys *keys = ticket_keys_new(test_arena(1));
        cr_assert_not_null(keys);
        struct tls *tls = build(keys);
        for (int rotations = 0; rotations <= 5; rotations++) {
            SSL_SESSION *session;
            cr_expect(!resumed(tls, versions[i], NULL, &session));
            for (int n = 0; n < rotations; n++) {
                cr_assert_eq(ticket_keys_rotate(keys), 0);
            }
            cr_expect_eq(resumed(tls, versions[i], session, NULL), rotations < 2, "version %zu, %d rotations", i, rotations);
            SSL_SESSION_free(session);
        }
        tls_free(tls);
        ticket_keys_free(keys);
    }
    done();
}

Test(ticket, of_the_previous_key_is_renewed)
{
    struct ticket_keys *keys = ticket_keys_new(test_arena(1));
    struct tls *tls = build(keys);
    for (size_t i = 0; i < COUNT(versions); i++) {
        SSL_SESSION *session, *renewed;
        (void)resumed(tls, versions[i], NULL, &session);
        cr_assert_eq(ticket_keys_rotate(keys), 0);
        cr_expect(resumed(tls, versions[i], session, &renewed));
        cr_assert_eq(ticket_keys_rotate(keys), 0);
        cr_expect(resumed(tls, versions[i], renewed, NULL), "version %zu: the new ticket has the newer key", i);
        SSL_SESSION_free(session);
        SSL_SESSION_free(renewed);
    }
    tls_free(tls);
    ticket_keys_free(keys);
    done();
}

Test(ticket, of_one_worker_is_taken_by_another)
{
    struct ticket_keys *keys = ticket_keys_new(test_arena(1));
    struct tls *one = build(keys), *other = build(keys);
    for (size_t i = 0; i < COUNT(versions); i++) {
        SSL_SESSION *session;
        (void)resumed(one, versions[i], NULL, &session);
        cr_expect(resumed(other, versions[i], session, NULL));
        SSL_SESSION_free(session);
    }
    tls_free(one);
    tls_free(other);
    ticket_keys_free(keys);
    done();
}

Test(ticket, a_rotation_in_the_master_is_seen_by_a_worker)
{
    struct ticket_keys *keys = ticket_keys_new(test_arena(1));
    struct tls *tls = build(keys);
    SSL_SESSION *session;
    (void)resumed(tls, TLS1_3_VERSION, NULL, &session);
    pid_t master = fork();
    if (master == 0) {
        _exit(ticket_keys_rotate(keys) == 0 && ticket_keys_rotate(keys) == 0 ? 0 : 1);
    }
    int status = -1;
    waitpid(master, &status, 0);
    cr_assert_eq(status, 0);
    cr_expect(!resumed(tls, TLS1_3_VERSION, session, NULL));
    SSL_SESSION_free(session);
    tls_free(tls);
    ticket_keys_free(keys);
    done();
}

Test(ticket, of_another_server_is_not_taken)
{
    struct ticket_keys *keys = ticket_keys_new(test_arena(1)), *others = ticket_keys_new(test_arena(1));
    struct tls *tls = build(keys), *other = build(others);
    for (size_t i = 0; i < COUNT(versions); i++) {
        SSL_SESSION *session;
        (void)resumed(tls, versions[i], NULL, &session);
        cr_expect(!resumed(other, versions[i], session, NULL));
        SSL_SESSION_free(session);
    }
    tls_free(tls);
    tls_free(other);
    ticket_keys_free(keys);
    ticket_keys_free(others);
    done();
}
