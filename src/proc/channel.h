/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages from the master to a child. Each carries a descriptor, because a child has no right to open the files
 * itself. A child that finds the channel closed knows that the master has died.
 */
#ifndef IMAPGUARD_PROC_CHANNEL_H
#define IMAPGUARD_PROC_CHANNEL_H

#include <stdint.h>

/* The kind of a message. */
enum channel_kind { CHANNEL_GEOIP /* a database for geoip_adopt() */ };

struct channel_message {
    uint32_t kind;    /* an enum channel_kind */
    uint32_t which;   /* GEOIP_COUNTRY or GEOIP_ASN */
    uint32_t version; /* of the database, see geoip_version() */
};

enum channel_result {
    CHANNEL_MESSAGE, /* a message was received */
    CHANNEL_NOTHING, /* no message waits, or one was dropped: it was malformed, or came without its descriptor */
    CHANNEL_END,     /* the other end is closed */
};

/*
 * Creates a channel: ends[0] is for the master, ends[1] for the child. Both are non-blocking and close-on-exec; the
 * caller owns them and closes each with close(). Returns 0, or -1 with errno set.
 */
int channel_open(int ends[2]);

/*
 * Sends a message with a copy of the descriptor, which still belongs to the caller. Never blocks. Returns 0, or -1 with
 * errno set and nothing sent; EAGAIN means that the child has not read the messages before.
 */
int channel_send(int end, const struct channel_message *message, int descriptor);

/*
 * Receives the next message. Never blocks. On CHANNEL_MESSAGE, the caller owns the descriptor, which is close-on-exec.
 * The content of the message is not checked. On any other result, *descriptor must not be used.
 */
enum channel_result channel_receive(int end, struct channel_message *message, int *descriptor);

#endif
