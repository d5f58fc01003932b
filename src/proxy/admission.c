/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admission.h"

#include "base/clock.h"
#include "base/log.h"
#include "proxy/attempt.h"
#include "proxy/session_log.h"

static void observed(void *data, const char *rule, enum access_action action)
{
    session_log_observed(data, rule, access_action_word(action));
}

/* Most clients from one private address: something in between hides them, and their limits are one's. */
static void look_for_gateway(struct proxy *proxy, const struct visitor *v)
{
    char text[NETWORK_TEXT_SIZE];
    if (!gateway_seen(&proxy->gateway, &v->facts.address) || !proxy->warns_first(proxy)) {
        return;
    }
    struct network gateway = network_around(&proxy->gateway.suspect, 32, 128);
    log_event(LOG_LEVEL_WARNING, "gateway",
              "rip=%s listener=%s cause=\"most clients come from this private address: limits and bans meet them all; "
              "let the gateway keep their addresses, or use proxy_protocol\"",
              network_text(&gateway, text), v->listener->options->name);
}

/* A flood of refusals is told once a minute for each network. */
static void tell_limited(struct proxy *proxy, struct visitor *v, enum reason reason)
{
    if (client_table_should_log(proxy->table, &v->facts.address, clock_boot_us())) {
        session_log_limited(v, reason);
    }
}

enum reason admission_connect(struct proxy *proxy, struct visitor *v)
{
    static const enum reason refusals[] = {
        [CLIENT_TABLE_BANNED] = REASON_BANNED, [CLIENT_TABLE_RATE] = REASON_CONNECTION_RATE, [CLIENT_TABLE_SESSIONS] = REASON_SESSIONS};
    struct network_address address = network_address_of(&v->peer);
    v->facts = facts_at_connect(&address, v->listener->options->name, proxy->geoip);
    struct verdict verdict = access_ask(proxy->access, &v->facts, observed, v);
    if (verdict.action != ACCESS_ALLOW) {
        session_log_denied(v, verdict.rule, access_action_word(verdict.action));
        return verdict.action == ACCESS_TARPIT ? REASON_TARPIT : REASON_DENIED;
    }
    if (v->listener->proxies.count == 0) {
        look_for_gateway(proxy, v);
    }
    v->unlimited = !verdict.limits;
    enum client_table_entry entry =
        v->unlimited ? CLIENT_TABLE_ENTERED : client_table_enter(proxy->table, &address, clock_boot_us(), &v->ref);
    if (entry != CLIENT_TABLE_ENTERED) {
        tell_limited(proxy, v, refusals[entry]);
        return refusals[entry];
    }
    session_log_connect(v);
    return REASON_NONE;
}

void admission_over(struct proxy *proxy, struct visitor *v)
{
    client_table_leave(proxy->table, &v->ref);
}

bool admission_is_banned(const struct session *s)
{
    return !s->visitor.unlimited && client_table_is_banned(s->proxy->table, s->visitor.ref, clock_boot_us());
}

enum reason admission_login(struct session *s)
{
    struct visitor *v = &s->visitor;
    const struct credentials *c = &s->attempt->credentials;
    const char *const names[] = {c->user, c->authorize};
    bool limits = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && names[i] != NULL; i++) {
        v->facts.user = names[i];
        struct verdict verdict = access_ask(s->proxy->access, &v->facts, observed, v);
        v->facts.user = NULL;
        if (verdict.action != ACCESS_ALLOW) {
            session_log_login_refused(s, "rule", verdict.rule);
            return verdict.action == ACCESS_TARPIT ? REASON_TARPIT : REASON_DENIED;
        }
        limits = limits || verdict.limits;
    }
    if (!limits) {
        v->unlimited = true;
        client_table_leave(s->proxy->table, &v->ref);
    }
    if (admission_is_banned(s)) {
        session_log_login_refused(s, "banned", NULL);
        return REASON_BANNED;
    }
    return REASON_NONE;
}

void admission_login_failed(struct session *s)
{
    struct client_table_ban ban;
    struct visitor *v = &s->visitor;
    const struct credentials *c = &s->attempt->credentials;
    uint64_t now = clock_boot_us();
    if (!v->unlimited && client_table_login_failed(s->proxy->table, v->ref, &v->facts.address, c->user, &c->secret, now, &ban) == CLIENT_TABLE_FAILURE_BANNED) {
        session_log_banned(v, &ban, now);
    }
}

void admission_flooded(struct session *s)
{
    struct client_table_ban ban;
    struct visitor *v = &s->visitor;
    uint64_t now = clock_boot_us();
    if (!v->unlimited && client_table_charge(s->proxy->table, v->ref, &v->facts.address, now, &ban) == CLIENT_TABLE_FAILURE_BANNED) {
        session_log_banned(v, &ban, now);
    }
}
