/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log lines about clients and their sessions. Each function writes the event in quotes; all have the same first
 * keys.
 */
#ifndef IMAPGUARD_PROXY_SESSION_LOG_H
#define IMAPGUARD_PROXY_SESSION_LOG_H

#include "base/log.h"
#include "base/span.h"
#include "proxy/fault.h"
#include "proxy/session.h"

/* "connect": the client may connect. At debug only. */
void session_log_connect(struct connection *conn);

/*
 * "cleartext-password": the client sent a password before TLS; "cleartext-login" if it only began a login, and `password`
 * is false. `user` is empty if the command did not name one.
 */
void session_log_cleartext(struct session *s, struct span user, const char *method, bool password);

/* "starttls-refused", with a reason (static). */
void session_log_starttls_refused(struct session *s, const char *reason);

/* "tls-failed", with OpenSSL's words as the reason. */
void session_log_tls_failed(struct session *s, const char *reason);

/* "alpn-foreign": the client offered ALPN protocols without "imap", and the lenient listener let it in. */
void session_log_alpn_foreign(struct session *s);

/* "login": the backend has accepted the login. */
void session_log_login(struct session *s);

/* "login-failed": the login was rejected for `reason`. `said` is the backend's response code, or empty. */
void session_log_login_failed(struct session *s, const char *reason, struct span said);

/* "backend-passed-over": the login goes on with the next backend, because of this fault of the present one. */
void session_log_passed_over(struct session *s, enum fault fault, struct span said);

/*
 * "login-unavailable": a fault has kept the login from being decided; "login-refused" where the fault is the client's.
 * `said` is what the backend or OpenSSL says of it, or empty.
 */
void session_log_login_fault(struct session *s, enum fault fault, struct span said);

/* "login-refused": the login was not tried. `rule` is the rule that refused it, or NULL. */
void session_log_login_refused(struct session *s, const char *reason, const char *rule);

/*
 * "login-aborted": the client has gone, or has cancelled the login. `verdict` says what the backend said of it in spite
 * of that: "right", "wrong", "unknown", or "none" if it had not seen the secret.
 */
void session_log_login_aborted(struct session *s, const char *verdict);

/* "denied": the rule refuses the client at connect, by that action. */
void session_log_denied(struct connection *conn, const char *rule, const char *action);

/* "observed": the rule, which has `observe`, would have done that action. */
void session_log_observed(struct connection *conn, const char *rule, const char *action);

/* "limited": the client is refused at connect because of a ban or a limit. */
void session_log_limited(struct connection *conn, enum reason reason);

/* "banned": a ban of the client's network or site begins, or of the attempt's user there. */
void session_log_banned(struct session *s, const struct client_table_ban *ban, uint64_t now_us);

/* "user-attacked": the user of the attempt is guessed at from many networks, more often than `user_failures`. */
void session_log_user_attacked(struct session *s);

/*
 * "lines-suppressed": so many lines of an event were not written because a client network has caused too many; for
 * log_quota_sweep(). Not of a session.
 */
void session_log_suppressed(void *data, const struct log_quota_summary *summary);

/* "state": the session goes from one state to another. At debug only. */
void session_log_state(const struct session *s, const char *from, const char *to);

/* "disconnect", with s->reason. */
void session_log_disconnect(struct session *s);

#endif
