/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

TestSuite(channel, .fini = test_over);

Test(channel, a_message_brings_a_descriptor)
{
    int ends[2], got = -1, pipes[2];
    char text[8] = "";
    struct channel_message sent = {CHANNEL_GEOIP, 1, 42}, message = {0};
    cr_assert(channel_open(ends) == 0 && pipe(pipes) == 0);
    cr_expect_eq(channel_receive(ends[1], &message, &got), CHANNEL_NOTHING);
    cr_assert_eq(channel_send(ends[0], &sent, pipes[0]), 0);
    cr_assert_eq(channel_receive(ends[1], &message, &got), CHANNEL_MESSAGE);
    cr_expect_eq(memcmp(&message, &sent, sizeof sent), 0);
    cr_expect(fcntl(got, F_GETFD) & FD_CLOEXEC);
    cr_expect(write(pipes[1], "hello", 5) == 5 && read(got, text, sizeof text) == 5 && strcmp(text, "hello") == 0);
    close(ends[0]);
    cr_expect_eq(channel_receive(ends[1], &message, &got), CHANNEL_END);
    close(ends[1]);
    close(pipes[0]);
    close(pipes[1]);
    close(got);
}

Test(channel, a_receiver_that_is_behind_holds_nobody_up)
{
    int ends[2];
    struct channel_message message = {CHANNEL_GEOIP, 0, 1};
    cr_assert_eq(channel_open(ends), 0);
    int sent = 0;
    while (channel_send(ends[0], &message, STDIN_FILENO) == 0) {
        cr_assert_lt(++sent, 100000);
    }
    cr_expect(errno == EAGAIN || errno == ETOOMANYREFS, "%s", strerror(errno));
    close(ends[0]);
    close(ends[1]);
}
