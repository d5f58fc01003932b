/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages from the master to a child, each with a descriptor: a child may open no file, and gets what is new this way.
 * The end of its channel tells a child that the master has died.
 */
#ifndef IMAPGUARD_PROC_CHANNEL_H
#define IMAPGUARD_PROC_CHANNEL_H

#include <stdint.h>

/* What the descriptor of a message is. */
enum channel_kind { CHANNEL_GEOIP /* a database; `which` is GEOIP_COUNTRY or GEOIP_ASN */ };

struct channel_message {
    uint32_t kind;
    uint32_t which;
    uint32_t version;
};

enum channel_result { CHANNEL_MESSAGE, CHANNEL_NOTHING, CHANNEL_END };

/* Creates a channel: ends[0] is for the master, ends[1] for the child. Returns 0, or -1 with errno set. */
int channel_open(int ends[2]);

/*
 * Sends a message with a copy of the descriptor. Returns 0, or -1 with errno set; EAGAIN if the child has not read the
 * messages before. Never blocks.
 */
int channel_send(int end, const struct channel_message *message, int descriptor);

/*
 * Receives the next message; the caller owns the descriptor. Returns CHANNEL_NOTHING if there is none now, or CHANNEL_END
 * when the other end was closed.
 */
enum channel_result channel_receive(int end, struct channel_message *message, int *descriptor);

#endif
