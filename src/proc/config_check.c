/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/config_check.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/address.h"
#include "base/file.h"
#include "base/network.h"
#include "net/endpoint.h"
#include "proxy/backend_state.h"

enum { PATH_SIZE = 64 };

/* --- addresses ------------------------------------------------------------------------------------------------- */

/* An IPv4-mapped address becomes the IPv4 address that it stands for. */
static union address unmapped(const union address *a)
{
    union address plain;
    struct network_address octets = network_address_of(a);
    network_address_to(&octets, &plain);
    return plain;
}

/* Two addresses without regard to their ports. */
static bool same_host(const union address *a, const union address *b)
{
    struct network_address x = network_address_of(a), y = network_address_of(b);
    return memcmp(&x, &y, sizeof x) == 0;
}

static bool is_any(const union address *a)
{
    union address plain = unmapped(a);
    return plain.sa.sa_family == AF_INET ? plain.in.sin_addr.s_addr == htonl(INADDR_ANY)
                                         : IN6_IS_ADDR_UNSPECIFIED(&plain.in6.sin6_addr);
}

static bool same_family(const union address *a, const union address *b)
{
    return unmapped(a).sa.sa_family == unmapped(b).sa.sa_family;
}

/* --- listeners -------------------------------------------------------------------------------------------------- */

/* Whether the two cannot both be listened on. */
static bool overlap(const union address *a, const union address *b)
{
    return address_port(a) == address_port(b) && same_family(a, b) && (is_any(a) || is_any(b) || same_host(a, b));
}

static bool listeners_overlap(const struct listener_options *a, const struct listener_options *b)
{
    union address these[2], those[2];
    int count = a->address != NULL ? address_parse_listen(a->address, these) : 0;
    int others = b->address != NULL ? address_parse_listen(b->address, those) : 0;
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < others; j++) {
            if (overlap(&these[i], &those[j])) {
                return true;
            }
        }
    }
    return false;
}

static bool is_mapped(const union address *a)
{
    return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr);
}

/* What makes an address one that no client can connect to; NULL: nothing. */
static const char *unreachable(const union address *a)
{
    uint32_t ipv4 = a->sa.sa_family == AF_INET ? ntohl(a->in.sin_addr.s_addr) : INADDR_ANY;
    if (a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&a->in6.sin6_addr)) {
        return "a link-local address";
    }
    if (IN_MULTICAST(ipv4) || (a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_MULTICAST(&a->in6.sin6_addr))) {
        return "a multicast address";
    }
    return ipv4 == INADDR_BROADCAST ? "the broadcast address" : NULL;
}

/* An IPv4-mapped address cannot be bound, because IPv6 sockets are for IPv6 alone; the others reach nobody. */
static void check_address(const char *text, const union address *a, const char *path, struct option_report *report)
{
    char plain[ADDRESS_TEXT_SIZE];
    union address v4 = unmapped(a);
    const char *what = unreachable(&v4);
    if (what != NULL) {
        option_error(
            report, path,
            "expected an address that clients can connect to, found \"%s\", %s: write that of an interface, or "
            "\"%s:%u\" for all",
            text, what, v4.sa.sa_family == AF_INET ? "0.0.0.0" : "[::]", address_port(a));
    } else if (is_mapped(a)) {
        option_error(report, path, "expected an IPv4 address as such, found \"%s\": write \"%s:%u\"", text,
                     address_text(a, plain), address_port(a));
    }
}

static void check_listener_addresses(const struct config *config, struct option_report *report)
{
    const struct listener_options *listeners = config->listeners.items;
    for (size_t i = 0; i < config->listeners.count; i++) {
        union address addresses[2];
        char path[PATH_SIZE];
        const char *text = listeners[i].address;
        int count = text != NULL ? address_parse_listen(text, addresses) : 0;
        snprintf(path, sizeof path, "listeners.[%zu].address", i);
        for (int j = 0; j < count; j++) {
            check_address(text, &addresses[j], path, report);
        }
    }
}

static void check_listeners(const struct config *config, struct option_report *report)
{
    const struct listener_options *listeners = config->listeners.items;
    for (size_t i = 0; i < config->listeners.count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (listeners_overlap(&listeners[i], &listeners[j])) {
                char path[PATH_SIZE];
                snprintf(path, sizeof path, "listeners.[%zu].address", i);
                option_error(report, path,
                             "expected an address and port that no other listener has, found \"%s\" beside \"%s\" of "
                             "listeners.[%zu]: remove one of them, or change its port",
                             listeners[i].address, listeners[j].address, j);
            }
        }
    }
}

/* --- backends that are imapguard itself -------------------------------------------------------------------------- */

/* Whether it is an address of this host; `interfaces` may be NULL. */
static bool is_local(const union address *a, const struct ifaddrs *interfaces)
{
    struct network_address octets = network_address_of(a);
    if (network_is_loopback(&octets)) {
        return true;
    }
    for (const struct ifaddrs *i = interfaces; i != NULL; i = i->ifa_next) {
        union address own = {0};
        int family = i->ifa_addr != NULL ? i->ifa_addr->sa_family : AF_UNSPEC;
        if (family == AF_INET || family == AF_INET6) {
            memcpy(&own, i->ifa_addr, family == AF_INET ? sizeof own.in : sizeof own.in6);
            if (same_host(a, &own)) {
                return true;
            }
        }
    }
    return false;
}

/* Whether a connection to `to` arrives at a listener on `at`. For 0.0.0.0 and :: Linux takes the loopback address. */
static bool arrives(const union address *to, const union address *at, const struct ifaddrs *interfaces)
{
    if (address_port(to) != address_port(at) || !same_family(to, at)) {
        return false;
    }
    union address goal = *to;
    if (is_any(to)) {
        (void)address_parse(unmapped(to).sa.sa_family == AF_INET ? "127.0.0.1" : "::1", address_port(to), &goal);
    }
    return is_any(at) ? is_local(&goal, interfaces) : same_host(&goal, at);
}

/* The listener where a connection to the address arrives; NULL: none. */
static const struct listener_options *listener_at(const struct config *config, const union address *to,
                                                  const struct ifaddrs *interfaces)
{
    const struct listener_options *listeners = config->listeners.items;
    for (size_t i = 0; i < config->listeners.count; i++) {
        union address at[2];
        int count = listeners[i].address != NULL ? address_parse_listen(listeners[i].address, at) : 0;
        for (int j = 0; j < count; j++) {
            if (arrives(to, &at[j], interfaces)) {
                return &listeners[i];
            }
        }
    }
    return NULL;
}

static void check_loop(const struct config *config, const struct endpoint *endpoint, size_t index,
                       const struct ifaddrs *interfaces, struct option_report *report)
{
    const struct backend_options *backends = config->backends.items;
    for (size_t i = 0; i < endpoint->count; i++) {
        const struct endpoint_address *a = &endpoint->addresses[i];
        if (a->sa.sa_family == AF_UNIX) {
            continue;
        }
        const struct listener_options *listener = listener_at(config, &a->ip, interfaces);
        if (listener != NULL) {
            char path[PATH_SIZE], text[ADDRESS_TEXT_SIZE];
            snprintf(path, sizeof path, "backends.[%zu].address", index);
            option_error(report, path,
                         "expected the address of an IMAP server, found \"%s\" (%s), where the listener \"%s\" of "
                         "imapguard itself is: each login would come back to imapguard, again and again",
                         backends[index].address, address_text(&a->ip, text),
                         listener->name != NULL ? listener->name : "");
            return;
        }
    }
}

static void check_loops(const struct config *config, const struct backends *backends, struct option_report *report)
{
    const struct backend_options *options = config->backends.items;
    struct ifaddrs *interfaces = NULL;
    if (getifaddrs(&interfaces) != 0) {
        interfaces = NULL;
    }
    for (size_t i = 0; i < config->backends.count; i++) {
        struct endpoint endpoint = {0};
        if (options[i].name == NULL || options[i].address == NULL) {
            continue; /* reported already; backends_new() has passed it over */
        }
        if (backends != NULL) {
            backend_endpoint(&backends->items[i], &endpoint);
        } else if (!endpoint_is_name(options[i].address)) {
            (void)endpoint_resolve(options[i].address, &endpoint, NULL);
        }
        check_loop(config, &endpoint, i, interfaces, report);
    }
    freeifaddrs(interfaces);
}

/* --- options of TLS for a backend that has none ----------------------------------------------------------------- */

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/*
 * Who names authorities or a certificate believes that the backend is verified, and its passwords are in the clear: an
 * error. The others, set away from their defaults, are left over when TLS was switched off for a while: a warning.
 */
static void check_without_tls(const struct backend_options *backend, size_t index, struct option_report *report)
{
    const struct tls_client_options *tls = &backend->tls_client;
    const struct {
        const char *key;
        bool given;
        bool fatal;
    } rows[] = {
        {"fingerprint", tls->fingerprints.count > 0, true},
        {"ca_file", is_given(tls->ca_file), true},
        {"certificate", is_given(tls->certificate.chain), true},
        {"key", is_given(tls->certificate.key), true},
        {"server_name", is_given(tls->server_name), false},
        {"verify", !tls->verify, false},
        {"legacy_tls", tls->legacy, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "backends.[%zu].%s", index, rows[i].key);
        if (rows[i].given && rows[i].fatal) {
            option_error(report, path,
                         "expected tls = \"starttls\" or \"implicit\" with it, found tls = \"none\": nothing would "
                         "be verified, and passwords would go in the clear");
        } else if (rows[i].given) {
            option_warning(report, path,
                           "has no effect with tls = \"none\": set tls = \"starttls\" or \"implicit\", or remove it");
        }
    }
}

static void check_backends_tls(const struct config *config, struct option_report *report)
{
    const struct backend_options *backends = config->backends.items;
    for (size_t i = 0; i < config->backends.count; i++) {
        if (backends[i].tls == BACKEND_TLS_NONE) {
            check_without_tls(&backends[i], i, report);
        }
    }
}

/* --- backends that see one address for all clients --------------------------------------------------------------- */

static void check_client_addresses(const struct config *config, struct option_report *report)
{
    const struct backend_options *backends = config->backends.items;
    for (size_t i = 0; i < config->backends.count; i++) {
        if (!backend_is_told_address(&backends[i], NULL)) {
            char path[PATH_SIZE];
            snprintf(path, sizeof path, "backends.[%zu].forward_id", i);
            option_warning(
                report, path,
                "with false and proxy_protocol = \"none\", all clients are one to the server \"%s\": when one "
                "of them guesses passwords, it may hold back or refuse all; set forward_id = true if it has "
                "ID, or proxy_protocol = \"v2\" if it expects a PROXY header",
                backends[i].name != NULL ? backends[i].name : "");
        }
    }
}

/* --- the log file and the account of the workers ---------------------------------------------------------------- */

/* Cuts a path behind its part number `n`, from 0: "/", "/var", "/var/log". False when it has no more parts. */
static bool cut_path(const char *path, int n, char out[PATH_MAX])
{
    const char *end = path;
    snprintf(out, PATH_MAX, "%s", path);
    for (int i = 0; i < n; i++) {
        if (end == NULL || end[0] == '\0' || end[1] == '\0') {
            return false;
        }
        end = strchr(end + 1, '/');
    }
    if (end != NULL) {
        out[end > path ? end - path : 1] = '\0';
    }
    return true;
}

/* In a child: which part of the path the account cannot search, from 1; 0: none, as far as that can be told. */
static int first_closed(const struct account *account, const char *folder)
{
    char part[PATH_MAX];
    if (account_become(account) != 0) {
        return 0;
    }
    for (int n = 0; n < UINT8_MAX && cut_path(folder, n, part); n++) {
        if (access(part, X_OK) != 0) {
            return n + 1;
        }
    }
    return 0;
}

/* Asks the kernel, as the account: it knows access lists too. Writes the folder that is closed to `closed`. */
static bool can_search(const struct account *account, const char *folder, char closed[PATH_MAX])
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(first_closed(account, folder));
    }
    if (pid == -1 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) == 0) {
        return true;
    }
    (void)cut_path(folder, WEXITSTATUS(status) - 1, closed);
    return false;
}

/* What is rotated away is opened again by each process, by its path. */
static void check_log(const struct config *config, const struct account *account, struct option_report *report)
{
    const char *target = config->log.target;
    char folder[PATH_MAX], closed[PATH_MAX];
    struct stat info;
    if (!account->change || target == NULL || target[0] != '/' ||
        (stat(target, &info) == 0 && !S_ISREG(info.st_mode)) || file_folder(target, folder) != 0 ||
        stat(folder, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return;
    }
    if (!can_search(account, folder, closed)) {
        option_error(report, "log.target",
                     "expected a path that the account \"%s\" can follow, found \"%s\": it may not enter %s, and "
                     "could not open the log again after a rotation; let it: chmod o+x %s",
                     config->user, target, closed, closed);
    }
}

void config_check(const struct config *config, const struct backends *backends, const struct account *account,
                  struct option_report *report)
{
    check_listener_addresses(config, report);
    check_listeners(config, report);
    check_loops(config, backends, report);
    check_backends_tls(config, report);
    check_client_addresses(config, report);
    check_log(config, account, report);
}
