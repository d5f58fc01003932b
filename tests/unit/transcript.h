/* SPDX-License-Identifier: BSD-2-Clause */
/* What the lexer makes of some bytes, as text, and the same in whatever pieces they come. */
#ifndef IMAPGUARD_UNIT_TRANSCRIPT_H
#define IMAPGUARD_UNIT_TRANSCRIPT_H

#include "imap/lexer.h"

/*
 * Feeds the bytes whole, octet by octet and split in two at every place (at many places when they are long), and
 * asserts that each way gives the transcript `want`. After AUTHENTICATE with a mechanism alone, after TLS, the next
 * line is expected to be a response. One line for each event:
 *
 *   COMMAND [TAG] NAME A:atom S:string ( )      values of more than 64 octets as #LENGTH
 *   BAD [TAG] NAME                              NAME is "?" when it is none of ours
 *   RESPONSE VALUE
 *   INVITE
 *   FATAL CAUSE
 *   PARTIAL                                     the bytes ended within a command
 */
void lexed_as(const char *name, enum command_phase phase, const void *bytes, size_t len, const char *want);

#endif
