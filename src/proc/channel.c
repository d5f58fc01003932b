/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for one descriptor, aligned as a header has to be. */
union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

int channel_open(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
}

int channel_send(int end, const struct channel_message *message, int descriptor)
{
    union control control = {0};
    struct iovec part = {(void *)message, sizeof *message};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.space};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof descriptor);
    memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
    return sendmsg(end, &header, MSG_NOSIGNAL) == (ssize_t)sizeof *message ? 0 : -1;
}

enum channel_result channel_receive(int end, struct channel_message *message, int *descriptor)
{
    union control control = {0};
    struct iovec part = {message, sizeof *message};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.space};
    ssize_t n = recvmsg(end, &header, MSG_CMSG_CLOEXEC);
    if (n < 0) {
        return errno == ECONNRESET ? CHANNEL_END : CHANNEL_NOTHING;
    }
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    if (n == 0) {
        return CHANNEL_END;
    }
    if (rights == NULL || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS ||
        rights->cmsg_len != CMSG_LEN(sizeof *descriptor)) {
        return CHANNEL_NOTHING; /* there was no descriptor left for it: the master sends it again */
    }
    memcpy(descriptor, CMSG_DATA(rights), sizeof *descriptor);
    if (n != (ssize_t)sizeof *message) {
        close(*descriptor);
        return CHANNEL_NOTHING;
    }
    return CHANNEL_MESSAGE;
}
