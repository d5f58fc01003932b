/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/relay.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"

TestSuite(relay, .fini = test_over);

/* TLS and a login, so that what follows is the relay. */
#define RELAY "T\n< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN] imapguard ready.\n> l LOGIN joe " PASSWORD "\n" \
    "B\nb< * OK [CAPABILITY IMAP4rev1] old\nb> guard-login LOGIN \"joe\" \"" PASSWORD "\"\n"
#define IN "b< guard-login OK hi\n< l OK hi\n"

static void start(struct rig *r)
{
    rig_init(r, LISTENER_IMPLICIT, WHOLE);
    rig_connect(r);
    rig_play(r, "login", RELAY IN);
}

static void fill(uint8_t *bytes, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(seed >> 24);
    }
}

Test(relay, what_was_pipelined_behind_the_login_reaches_the_backend_byte_for_byte)
{
    static const struct dialogue rows[] = {
        {"LOGIN", LISTENER_IMPLICIT, "T\n< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN] imapguard ready.\n"
            ">~ l LOGIN joe " PASSWORD "\\r\\nx SELECT \\x22INBOX\\x22\\r\\ny \\x00\\xff bare\\nz\\r\\n\n"
            "B\nb< * OK [CAPABILITY IMAP4rev1] old\nb> guard-login LOGIN \"joe\" \"" PASSWORD "\"\n" IN
            "b> x SELECT \"INBOX\"\nb> y \\x00\\xff bare\\n\nb> z\nidle\n", false},
        {"AUTHENTICATE", LISTENER_IMPLICIT, "T\n< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN] imapguard ready.\n"
            ">~ l AUTHENTICATE PLAIN " PLAIN_JOE "\\r\\nx NOOP\\r\\n\n"
            "B\nb< * OK [CAPABILITY IMAP4rev1] old\nb> guard-login LOGIN \"joe\" \"" PASSWORD "\"\n" IN "b> x NOOP\nidle\n", false},
        {"and then its side is closed", LISTENER_IMPLICIT, "T\n< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN] imapguard ready.\n"
            ">~ l LOGIN joe " PASSWORD "\\r\\nx LOGOUT\\r\\n\nc.\n"
            "B\nb< * OK [CAPABILITY IMAP4rev1] old\nb> guard-login LOGIN \"joe\" \"" PASSWORD "\"\n" IN
            "b> x LOGOUT\nb< x OK bye\n< x OK bye\nbend\n.\n", false},
        {"a login that fails: it is answered here", LISTENER_IMPLICIT,
            "T\n< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN] imapguard ready.\n"
            ">~ l LOGIN joe " PASSWORD "\\r\\nx NOOP\\r\\n\nB\nb< * OK [CAPABILITY IMAP4rev1] old\n"
            "b> guard-login LOGIN \"joe\" \"" PASSWORD "\"\nb< guard-login NO no\nbend\n< l NO [AUTHENTICATIONFAILED] Authentication failed.\n"
            "< x OK NOOP completed.\nidle\n", false},
    };
    rig_play_all(rows, COUNT(rows));
}

Test(relay, a_record_full_of_pipelined_octets_waits_for_the_login)
{
    static uint8_t behind[15000];
    static const char login[] = "l LOGIN joe " PASSWORD "\r\n";
    static uint8_t all[sizeof login - 1 + sizeof behind];
    struct rig r;
    fill(behind, sizeof behind, 3);
    memcpy(all, login, sizeof login - 1);
    memcpy(all + sizeof login - 1, behind, sizeof behind);
    rig_init(&r, LISTENER_IMPLICIT, WHOLE);
    rig_connect(&r);
    rig_play(&r, "TLS", "T\n< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN] imapguard ready.\n");
    rig_client_says(&r, all, sizeof all);
    rig_settle(&r);
    cr_expect(LIST_EMPTY(&r.loop.tasks), "waiting for the backend is no reason to spin");
    rig_play(&r, "login", "B\nb< * OK [CAPABILITY IMAP4rev1] old\nb> guard-login LOGIN \"joe\" \"" PASSWORD "\"\n");
    rig_backend_says(&r, "guard-login OK hi\r\n", 19);
    rig_settle(&r);
    cr_expect(same_bytes((struct span){buffer_data(&r.backend_heard), r.backend_heard.len}, behind, sizeof behind));
    buffer_clear(&r.backend_heard);
    buffer_clear(&r.heard);
    rig_over(&r);
}

static const size_t large = 3 * 1024 * 1024;

Test(relay, large_data_arrives_unchanged_in_both_directions)
{
    struct rig r;
    uint8_t *bytes = malloc(large);
    fill(bytes, large, 1);
    start(&r);
    rig_client_says(&r, bytes, large);
    rig_settle(&r);
    cr_expect(same_bytes((struct span){buffer_data(&r.backend_heard), r.backend_heard.len}, bytes, large));
    buffer_clear(&r.backend_heard);
    fill(bytes, large, 2);
    rig_backend_says(&r, bytes, large);
    rig_settle(&r);
    cr_expect(same_bytes((struct span){buffer_data(&r.heard), r.heard.len}, bytes, large));
    buffer_clear(&r.heard);
    cr_expect_leq(r.most_kept, LOOP_SCRATCH_SIZE);
    rig_play(&r, "idle", "idle\n");
    free(bytes);
    rig_over(&r);
}

/* Sends as much as is taken until nothing more is; returns how much. */
static size_t stuff(struct rig *r, bool from_client, const uint8_t *bytes)
{
    size_t done = 0;
    for (int quiet = 0; quiet < 10 && done < large;) {
        ssize_t n = from_client ? SSL_write(r->ssl, bytes + done, 8192)
                                : send(r->upstream, bytes + done, 8192, MSG_NOSIGNAL);
        done += n > 0 ? (size_t)n : 0;
        quiet = n > 0 ? 0 : quiet + 1;
        rig_round(r);
    }
    return done;
}

Test(relay, a_slow_reader_holds_the_writer_up_and_loses_nothing)
{
    uint8_t *bytes = malloc(large + 8192);
    fill(bytes, large + 8192, 4);
    for (int client_first = 0; client_first < 2; client_first++) {
        struct rig r;
        start(&r);
        r.client_deaf = r.backend_deaf = true;
        size_t there = stuff(&r, client_first != 0, bytes), back = stuff(&r, client_first == 0, bytes);
        cr_expect(there < large && back < large, "the writers are held up");
        const struct session *s = rig_session(&r);
        cr_expect(s->client_stream.out.len > 0 && s->backend_stream.out.len > 0);
        cr_expect_leq(r.most_kept, LOOP_SCRATCH_SIZE, "%zu octets are kept", r.most_kept);
        cr_expect_leq(s->client_stream.out.size + s->client_stream.in.size + s->backend_stream.out.size + s->backend_stream.in.size, 128u * 1024,
                      "buffers of a session together");
        cr_expect(LIST_EMPTY(&r.loop.tasks), "the loop sleeps meanwhile");

        r.client_deaf = r.backend_deaf = false;
        rig_settle(&r);
        const struct buffer *first = client_first ? &r.backend_heard : &r.heard, *second = client_first ? &r.heard : &r.backend_heard;
        /* A TLS record that was held up in the client is still to be pushed. */
        if (first->len < there || second->len < back) {
            for (int i = 0; i < 100; i++) {
                rig_round(&r);
            }
        }
        cr_expect(first->len == there && memcmp(buffer_data(first), bytes, there) == 0, "%u of %zu", first->len, there);
        cr_expect(second->len == back && memcmp(buffer_data(second), bytes, back) == 0, "%u of %zu", second->len, back);
        buffer_clear(&r.heard);
        buffer_clear(&r.backend_heard);
        rig_play(&r, "idle", "idle\n");
        rig_over(&r);
    }
    free(bytes);
}

Test(relay, when_one_side_ends_the_other_gets_what_is_left)
{
    static const struct dialogue rows[] = {
        {"the backend closes", LISTENER_IMPLICIT, RELAY IN "b< * BYE bye\nb.\n< * BYE bye\n.\nc.\nlog reason=backend-closed\n", false},
        {"the client closes", LISTENER_IMPLICIT, RELAY IN "> x LOGOUT\nc.\nb> x LOGOUT\nbend\n.\nlog disconnect\nlog reason=client-closed\n", false},
        {"the client closes its side only", LISTENER_IMPLICIT, RELAY IN "> x LOGOUT\nc.\nb> x LOGOUT\nb< * BYE bye\nb< x OK done\n"
            "< * BYE bye\n< x OK done\nbend\n.\n", false},
        {"the client resets", LISTENER_IMPLICIT, RELAY IN "> x APPEND\nb< * 1 EXISTS\nc!\nb> x APPEND\nbend\nlog disconnect\n", true},
        {"right behind the login", LISTENER_IMPLICIT, RELAY "b<~ guard-login OK hi\\r\\n* BYE bye\\r\\n\nb.\n< l OK hi\n< * BYE bye\n.\nc.\n"
            "log reason=backend-closed\n", false},
    };
    rig_play_all(rows, COUNT(rows));
}

Test(relay, waiting_for_a_backend_that_is_slow_to_close_does_not_spin)
{
    struct rig r;
    start(&r);
    rig_play(&r, "half-close", "> x LOGOUT\nc.\nb> x LOGOUT\n");
    cr_assert_not_null(rig_session(&r));
    cr_expect_eq(rig_session(&r)->state, STATE_DRAIN);
    for (int i = 0; i < 20; i++) {
        rig_round(&r);
    }
    cr_expect(LIST_EMPTY(&r.loop.tasks), "it is to be woken by the backend alone");
    rig_play(&r, "late", "b< x OK\n< x OK\nbend\n.\n");
    rig_over(&r);
}

Test(relay, a_client_that_closes_after_a_long_silence_still_gets_its_answer)
{
    struct rig r;
    start(&r);
    LIST_FIRST(&r.proxy.sessions)->active -= 20.;
    rig_play(&r, "logout", "> x LOGOUT\nb> x LOGOUT\n");
    LIST_FIRST(&r.proxy.sessions)->active -= 20.;
    rig_play(&r, "closes", "c.\n");
    for (int i = 0; i < 20; i++) {
        rig_round(&r);
    }
    rig_play(&r, "is answered", "b< x OK\n< x OK\nbend\n.\nlog reason=client-closed\nnolog drain-timeout\n");
    rig_over(&r);
}

Test(relay, what_a_stopped_reader_has_not_taken_survives_the_end_of_the_writer)
{
    for (int from_client = 0; from_client < 2; from_client++) {
        struct rig r;
        uint8_t *bytes = malloc(large + 8192);
        fill(bytes, large + 8192, 5);
        start(&r);
        r.client_deaf = r.backend_deaf = true;
        size_t sent = stuff(&r, from_client != 0, bytes);
        cr_assert_gt(sent, 0);
        /* Nothing may be left in the TLS client: only then is its close behind the octets. */
        if (from_client) {
            r.backend_deaf = false;
            for (int i = 0; i < 3; i++) {
                rig_round(&r);
            }
            r.backend_deaf = true;
            ssize_t n = SSL_write(r.ssl, bytes + sent, 8192);
            sent += n > 0 ? (size_t)n : 0;
            SSL_shutdown(r.ssl);
            shutdown(r.client, SHUT_WR);
        } else {
            shutdown(r.upstream, SHUT_WR);
        }
        for (int i = 0; i < 20; i++) {
            rig_round(&r);
        }
        cr_expect(LIST_EMPTY(&r.loop.tasks));
        r.client_deaf = r.backend_deaf = false;
        rig_settle(&r);
        const struct buffer *got = from_client ? &r.backend_heard : &r.heard;
        cr_expect(got->len == sent && memcmp(buffer_data(got), bytes, sent) == 0, "%s: %u of %zu octets",
                  from_client ? "client" : "backend", got->len, sent);
        cr_expect(from_client ? r.backend_end : r.client_end);
        buffer_clear(&r.heard);
        buffer_clear(&r.backend_heard);
        free(bytes);
        rig_over(&r);
    }
}

Test(relay, idle_sessions_own_no_buffer_and_the_timer_only)
{
    struct rig r;
    start(&r);
    rig_play(&r, "idle", "idle\n> x\nb> x\nb< y\n< y\nidle\n");
    rig_over(&r);
}
