/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "policy/user_name.h"
#include "proxy/attempt.h"
#include "proxy/session_log.h"
#include "proxy/waiting.h"

static void observed(void *data, const char *rule, enum access_action action)
{
    session_log_observed(data, rule, access_action_word(action));
}

enum reason admission_connect(struct proxy *proxy, struct connection *conn)
{
    static const enum reason refusals[] = {[CLIENT_TABLE_BANNED] = REASON_BANNED,
                                           [CLIENT_TABLE_RATE] = REASON_CONNECTION_RATE,
                                           [CLIENT_TABLE_SESSIONS] = REASON_SESSIONS};
    struct network_address written = network_address_of(&conn->peer);
    struct network_address address = limits_unwrap(conn->generation->limits, &written);
    conn->facts = facts_at_connect(&address, conn->listener->options->name, proxy->geoip);
    struct verdict verdict = access_ask(conn->generation->access, &conn->facts, observed, conn);
    if (verdict.action != ACCESS_ALLOW) {
        session_log_denied(conn, verdict.rule, access_action_word(verdict.action));
        return verdict.action == ACCESS_TARPIT ? REASON_TARPIT : REASON_DENIED;
    }
    conn->unlimited = !verdict.limits;
    enum client_table_entry entry = conn->unlimited
                                        ? CLIENT_TABLE_ENTERED
                                        : client_table_enter(proxy->table, &address, clock_boot_us(), &conn->ref);
    if (entry != CLIENT_TABLE_ENTERED) {
        session_log_limited(conn, refusals[entry]);
        return refusals[entry];
    }
    if (client_table_is_shared(proxy->table, conn->ref) && client_table_claim_full_log(proxy->table, clock_boot_us())) {
        log_event(LOG_LEVEL_WARNING, "table-full", "entries=%zu", client_table_used(proxy->table));
    }
    session_log_connect(conn);
    return REASON_NONE;
}

enum reason admission_crowded(struct proxy *proxy, struct connection *conn)
{
    admission_end(proxy, conn);
    session_log_limited(conn, REASON_CROWDED);
    return REASON_CROWDED;
}

unsigned admission_sessions(const struct proxy *proxy, const struct connection *conn)
{
    return conn->unlimited ? 1 : client_table_sessions_beside(proxy->table, conn->ref, &conn->facts.address);
}

void admission_end(struct proxy *proxy, struct connection *conn)
{
    client_table_leave(proxy->table, &conn->ref);
}

/* If most clients have one private address, something in between hides them, and they share their limits. */
void admission_secured(struct session *s)
{
    char text[NETWORK_TEXT_SIZE];
    struct proxy *proxy = s->proxy;
    const struct connection *conn = &s->connection;
    if (conn->listener->proxies.count > 0 || !shared_address_count(&proxy->shared_address, &conn->facts.address) ||
        !proxy->claim_shared_address_warning(proxy)) {
        return;
    }
    struct network network = network_around(&proxy->shared_address.suspect, 32, 128);
    log_event(LOG_LEVEL_WARNING, "shared-address-noticed",
              "rip=%s listener=%s reason=\"most clients come from this private address: limits and bans meet them all; "
              "let the gateway keep their addresses, or use proxy_protocol\"",
              network_text(&network, text), conn->listener->options->name);
}

bool admission_is_banned(const struct session *s)
{
    const struct connection *conn = &s->connection;
    return !conn->unlimited &&
           client_table_shuts_out(s->proxy->table, conn->ref, &conn->facts.address, clock_boot_us());
}

/* Asks the rules about one user, by the name that was written and by the account, which the backend knows. */
static enum reason ask_about(struct session *s, const char *written, const char *account, struct verdict *verdict)
{
    struct facts *facts = &s->connection.facts;
    char *user = user_name_fold(written);
    if (user == NULL || account == NULL) {
        free(user);
        return REASON_MEMORY;
    }
    facts->user = user;
    facts->account = account;
    *verdict = access_ask(s->connection.generation->access, facts, observed, &s->connection);
    facts->user = facts->account = NULL;
    free(user);
    return verdict->action == ACCESS_ALLOW    ? REASON_NONE
           : verdict->action == ACCESS_TARPIT ? REASON_TARPIT
                                              : REASON_DENIED;
}

enum reason admission_login(struct session *s, const char **rule)
{
    struct attempt *a = s->attempt;
    const struct credentials *c = &a->credentials;
    struct verdict verdict = {0};
    enum reason reason = ask_about(s, c->user, a->account, &verdict);
    bool limits = verdict.limits;
    if (reason == REASON_NONE && c->authorize != NULL) {
        char *account = route_account(a->route, c->authorize);
        reason = ask_about(s, c->authorize, account, &verdict);
        limits = limits || verdict.limits;
        free(account);
    }
    if (reason != REASON_NONE) {
        *rule = verdict.rule;
        return reason;
    }
    a->exempt = !limits;
    return REASON_NONE;
}

/* A proof of a password is no guess before it is sent: until then, the login takes a place, see guess_charge(). */
static struct guesser guesser_of(const struct session *s)
{
    const struct attempt *a = s->attempt;
    const struct sasl_mechanism *m = a->credentials.passthrough;
    bool hidden = m != NULL && m->hides_password;
    bool asks = hidden && a->command.parts == 0 && a->refusal.kind == UNDECIDED;
    return (struct guesser){.ref = s->connection.ref,
                            .address = &s->connection.facts.address,
                            .user = asks                 ? NULL
                                    : a->account != NULL ? a->account
                                                         : a->credentials.user,
                            .password = hidden ? NULL : &a->credentials.secret};
}

uint64_t admission_password_hash(const struct session *s)
{
    const struct credentials *c = &s->attempt->credentials;
    struct guesser guesser = guesser_of(s);
    size_t size = c->user != NULL ? strlen(c->user) + (c->authorize != NULL ? strlen(c->authorize) : 0) + 2 : 0;
    char *names = size > 0 ? malloc(size) : NULL;
    if (names == NULL || guesser.password == NULL) {
        free(names);
        return 0;
    }
    snprintf(names, size, "%s\n%s", c->user, c->authorize != NULL ? c->authorize : "");
    guesser.user = names;
    uint64_t hash = guess_hash(s->proxy->table, &guesser);
    free(names);
    return hash;
}

enum guess_permission admission_guess(struct session *s)
{
    struct guess_news news;
    struct connection *conn = &s->connection;
    struct attempt *a = s->attempt;
    struct guesser guesser = guesser_of(s);
    uint64_t now = clock_boot_us();
    ev_tstamp patient_at = session_after(a->began, conn->generation->limits->login_delay_max_ms);
    guesser.patient = session_now(s) >= patient_at;
    if (conn->unlimited) {
        return GUESS_ALLOWED;
    }
    enum guess_permission permission = guess_charge(s->proxy->table, &guesser, now, &a->guess, &news);
    if (permission == GUESS_DELAYED) {
        a->not_before = patient_at;
    }
    if (news.attacked) {
        session_log_user_attacked(s);
    }
    for (size_t i = 0; i < news.ban_count; i++) {
        session_log_banned(s, &news.bans[i], now);
    }
    return permission;
}

void admission_settle(struct session *s, enum guess_verdict verdict)
{
    struct connection *conn = &s->connection;
    struct attempt *a = s->attempt;
    guess_settle(s->proxy->table, &a->guess, verdict, clock_boot_us());
    waiting_hurry(s->proxy);
    if (verdict == GUESS_RIGHT && a->exempt) {
        conn->unlimited = true;
        client_table_leave(s->proxy->table, &conn->ref);
    }
}

void admission_charge_flood(struct session *s)
{
    struct client_table_ban ban;
    struct connection *conn = &s->connection;
    uint64_t now = clock_boot_us();
    if (!conn->unlimited && client_table_charge(s->proxy->table, conn->ref, &conn->facts.address, now, &ban)) {
        session_log_banned(s, &ban, now);
    }
}
