/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/shed.h"

#include <string.h>

#include "proxy/admission.h"
#include "proxy/session.h"

/* Networks are told apart by their entry in the client table, up to a collision that only makes the choice coarser. */
enum { NETWORKS = 4096, AT_ONCE = 16 };

static bool is_idle(const struct session *s)
{
    bool asks = s->attempt != NULL && s->state != STATE_NOT_AUTHENTICATED && s->state != STATE_QUEUED &&
                s->state != STATE_CHALLENGE && s->state != STATE_PENALTY;
    return session_is_before_login(s) && !asks && !s->connection.unlimited;
}

/* The networks of a site are one: who has a site has thousands. */
static unsigned network_of(const struct connection *conn)
{
    return (conn->ref.site != 0 ? conn->ref.site : conn->ref.slot) % NETWORKS;
}

/*
 * Returns how many sessions a network must have for one of them to make room. A client whose PROXY header is not read yet
 * may be one that is refused then, so nobody who is alone makes room for it.
 */
static unsigned needed_for(const struct proxy *proxy, const struct connection *conn)
{
    bool unread = conn != NULL && conn->ref.slot == 0 && !conn->unlimited;
    unsigned sessions = unread ? 3 : conn != NULL ? admission_sessions(proxy, conn) : 1;
    return sessions > 2 ? sessions - 1 : 1;
}

static uint16_t counts[NETWORKS]; /* of idle sessions, as find_most() has found them */

/*
 * Returns how many idle sessions the network with the most of them has, and which network that is: of several, the one with
 * the oldest of these sessions.
 */
static unsigned find_most(const struct proxy *proxy, const struct session *spare, unsigned *network)
{
    struct session *s;
    unsigned most = 0;
    memset(counts, 0, sizeof counts);
    LIST_FOREACH (s, &proxy->sessions, entry) {
        uint16_t *count = &counts[network_of(&s->connection)];
        if (is_idle(s) && s != spare && *count < UINT16_MAX && ++*count > most) {
            most = *count;
        }
    }
    LIST_FOREACH (s, &proxy->sessions, entry) { /* begins with the newest */
        if (is_idle(s) && s != spare && counts[network_of(&s->connection)] == most) {
            *network = network_of(&s->connection);
        }
    }
    return most;
}

/*
 * Drops the oldest idle sessions of a network that has so many: a sixteenth of them, so that a flood of connections
 * does not make every one of them search again.
 */
static void drop_oldest(struct proxy *proxy, const struct session *spare, unsigned network, unsigned number)
{
    struct session *oldest[AT_ONCE] = {0}, *s;
    unsigned wanted = number / AT_ONCE + 1, at = 0;
    wanted = wanted < AT_ONCE ? wanted : AT_ONCE;
    LIST_FOREACH (s, &proxy->sessions, entry) { /* begins with the newest */
        if (is_idle(s) && s != spare && network_of(&s->connection) == network) {
            oldest[at++ % wanted] = s;
        }
    }
    for (unsigned i = 0; i < wanted && oldest[i] != NULL; i++) {
        session_drop(oldest[i], REASON_SHED);
    }
}

bool shed_is_possible(const struct proxy *proxy)
{
    struct session *s;
    if (proxy->tarpit_count > 0) {
        return true;
    }
    LIST_FOREACH (s, &proxy->sessions, entry) {
        if (is_idle(s)) {
            return true;
        }
    }
    return false;
}

bool shed_tarpit(struct proxy *proxy)
{
    if (proxy->tarpit_count == 0) {
        return false;
    }
    session_drop(TAILQ_FIRST(&proxy->tarpit), REASON_SHED);
    return true;
}

bool shed_idle(struct proxy *proxy, const struct connection *conn, const struct session *spare)
{
    unsigned network = 0;
    if (shed_tarpit(proxy)) {
        return true;
    }
    unsigned number = find_most(proxy, spare, &network);
    if (conn != NULL && number < needed_for(proxy, conn)) {
        network = network_of(conn);
        number = counts[network];
    }
    if (number == 0) {
        return false;
    }
    drop_oldest(proxy, spare, network, number);
    return true;
}
