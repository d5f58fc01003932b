/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the master to each of its children: messages that carry a descriptor, which is how a child that may open no
 * file gets what is new. A child that finds the end of its channel knows that the master has gone.
 */
#ifndef IMAPGUARD_PROC_CHANNEL_H
#define IMAPGUARD_PROC_CHANNEL_H

#include <stdint.h>

/* What a message hands over. */
enum channel_kind { CHANNEL_GEOIP /* a database: `which` of enum in policy/geoip.h */ };

struct channel_message {
    uint32_t kind;
    uint32_t which;
    uint32_t version;
};

enum channel_result { CHANNEL_MESSAGE, CHANNEL_NOTHING, CHANNEL_END };

/* Makes both ends: ends[0] for the master, ends[1] for the child. 0, or -1 with errno set. */
int channel_open(int ends[2]);

/* Sends a message with a copy of the descriptor, without waiting. 0, or -1 with errno set: the child is behind, or gone. */
int channel_send(int end, const struct channel_message *message, int descriptor);

/* Receives the next message, whose descriptor is the caller's from then on. */
enum channel_result channel_receive(int end, struct channel_message *message, int *descriptor);

#endif
