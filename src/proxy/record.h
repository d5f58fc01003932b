/* SPDX-License-Identifier: BSD-2-Clause */
/* What the log says of a session: every line carries the same keys in the same order. */
#ifndef IMAPGUARD_PROXY_RECORD_H
#define IMAPGUARD_PROXY_RECORD_H

#include "base/log.h"
#include "base/span.h"
#include "proxy/session.h"

/* "connect": a client is there. */
void record_connect(const struct session *s);

/* "cleartext-password": `user` sent one before TLS; empty when it is not known. */
void record_cleartext(const struct session *s, struct span user, const char *method);

/* "starttls-refused": `cause` says why. */
void record_starttls_refused(const struct session *s, const char *cause);

/* "tls-failed" with OpenSSL's `cause`. */
void record_tls_failed(const struct session *s, const char *cause);

/* "alpn-foreign": a lenient listener let a client in that offered other protocols than "imap". */
void record_alpn_foreign(const struct session *s);

/* How an attempt went: "login", "login-failed" or "login-unavailable"; `reason` NULL for a login. */
void record_login(const struct session *s, enum log_level level, const char *event, const char *reason,
                  struct span said);

/* "disconnect", with s->reason. */
void record_disconnect(const struct session *s);

#endif
