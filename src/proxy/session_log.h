/* SPDX-License-Identifier: BSD-2-Clause */
/* What the log says of clients and their sessions: every line carries the same keys in the same order. */
#ifndef IMAPGUARD_PROXY_SESSION_LOG_H
#define IMAPGUARD_PROXY_SESSION_LOG_H

#include "base/log.h"
#include "base/span.h"
#include "proxy/fault.h"
#include "proxy/session.h"

/* "connect": a client was let in. */
void session_log_connect(struct connection *conn);

/* "cleartext-password": `user` sent one before TLS; empty when it is not known. */
void session_log_cleartext(struct session *s, struct span user, const char *method);

/* "starttls-refused": `cause` says why. */
void session_log_starttls_refused(struct session *s, const char *cause);

/* "tls-failed" with OpenSSL's `cause`. */
void session_log_tls_failed(struct session *s, const char *cause);

/* "alpn-foreign": a lenient listener let a client in that offered other protocols than "imap". */
void session_log_alpn_foreign(struct session *s);

/* "login": the backend has accepted the login. */
void session_log_login(struct session *s);

/* "login-failed": the login was rejected for `reason`. `said` is the backend's response code, or empty. */
void session_log_login_failed(struct session *s, const char *reason, struct span said);

/*
 * "login-unavailable": a fault has kept the login from being decided; "login-refused" where the fault is the client's.
 * `said` is what the backend or OpenSSL says of it, or empty.
 */
void session_log_login_fault(struct session *s, enum fault fault, struct span said);

/* "login-refused": not even tried. `rule` NULL: by none. */
void session_log_login_refused(struct session *s, const char *reason, const char *rule);

/* "denied": a rule has refused the client at connect. */
void session_log_denied(struct connection *conn, const char *rule, const char *action);

/* "observed": a rule with `observe` would have done `action`. */
void session_log_observed(struct connection *conn, const char *rule, const char *action);

/* "limited": refused at connect because of a ban or a limit. */
void session_log_limited(struct connection *conn, enum reason reason);

/* "banned": a ban begins. */
void session_log_banned(struct connection *conn, const struct client_table_ban *ban, uint64_t now_us);

/* "state": the session goes from one state to another. At debug only. */
void session_log_state(const struct session *s, const char *from, const char *to);

/* "disconnect", with s->reason. */
void session_log_disconnect(struct session *s);

#endif
