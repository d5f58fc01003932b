/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/service.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net/socket.h"
#include "proc/config_check.h"
#include "proc/rules.h"
#include "proxy/backend_state.h"

static void load_account(struct service *service, struct config_source *source)
{
    const char *user = service->current->config.user;
    if (user == NULL || account_find(&service->account, user) == 0) {
        return;
    }
    if (getpwnam(user) == NULL) {
        option_error(&source->report, "user",
                     "expected the name of an account, found \"%s\", which does not exist: "
                     "create it: useradd --system %s",
                     user, user);
    } else {
        option_error(&source->report, "user", "expected an account other than root, found \"%s\"", user);
    }
}

int service_load(struct service *service, struct config_source *source, const char *path)
{
    *service = (struct service){0};
    service->current = configuration_read(source, path);
    if (service->current == NULL) {
        return -1;
    }
    service->workers = service->current->workers;
    arena_init(&service->arena, service->workers);
    service->tickets = ticket_keys_new(&service->arena);
    if (service->tickets == NULL) {
        option_error(&source->report, "tls.session_tickets", "no memory or randomness for the ticket keys");
    }
    load_account(service, source);
    service->geoip = geoip_new(&service->current->config.geoip, service->current->config.limits.state_file,
                               &source->report);
    configuration_build(service->current, &service->arena, service->tickets, source);
    config_check(&service->current->config, service->current->generation.backends, &service->account, &source->report);
    if (source->report.errors > 0) {
        service_free(service);
        return -1;
    }
    return 0;
}

static void close_listen_sockets(struct service *service, size_t index)
{
    for (unsigned i = 0; i < service->workers; i++) {
        if (service->listen_sockets[index].fds[i] != -1) {
            close(service->listen_sockets[index].fds[i]);
        }
    }
    free(service->listen_sockets[index].fds);
}

/* One address, one socket for each worker. */
static int open_listen_socket(struct service *service, const struct listener *listener, const union address *address)
{
    struct listen_socket *grown = realloc(service->listen_sockets,
                                          (service->listen_socket_count + 1) * sizeof *service->listen_sockets);
    int *fds = calloc(service->workers, sizeof *fds);
    if (grown != NULL) {
        service->listen_sockets = grown;
    }
    if (grown == NULL || fds == NULL) {
        free(fds);
        errno = ENOMEM;
        return -1;
    }
    for (unsigned i = 0; i < service->workers; i++) {
        fds[i] = -1;
    }
    grown[service->listen_socket_count++] = (struct listen_socket){listener, *address, fds};
    for (unsigned i = 0; i < service->workers; i++) {
        fds[i] = i == 0 ? socket_listen(address) : socket_listen_shared(address);
        if (fds[i] == -1) {
            return -1;
        }
    }
    return 0;
}

/* 0, or -1 when somebody else listens there. */
static int open_listener(struct service *service, size_t index, struct config_source *source)
{
    const struct listener *listener = &service->current->listeners[index];
    union address addresses[2];
    int count = address_parse_listen(listener->options->address, addresses);
    for (int i = 0; i < count; i++) {
        if (open_listen_socket(service, listener, &addresses[i]) == 0) {
            continue;
        }
        if (i == 1 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
            close_listen_sockets(service,
                                 --service->listen_socket_count); /* "*" on a host without IPv6 is IPv4 alone */
            continue;
        }
        int error = errno;
        char path[64], text[ADDRESS_TEXT_SIZE];
        snprintf(path, sizeof path, "listeners.[%zu].address", index);
        option_error(&source->report, path, "cannot listen on %s port %u: %s", address_text(&addresses[i], text),
                     address_port(&addresses[i]), strerror(error));
        if (error == EADDRINUSE) {
            return -1;
        }
    }
    return 0;
}

/* What is counted of client networks. */
static void open_tables(struct service *service, struct config_source *source)
{
    const struct limits *limits = &service->current->config.limits;
    service->table = client_table_new(&limits->network, &service->arena);
    if (service->table == NULL) {
        option_error(&source->report, "limits.table_size", "no memory for %u networks: %s", limits->network.table_size,
                     strerror(errno));
    }
    service->log_quota = log_quota_new(limits->network.ipv4_prefix, limits->network.ipv6_prefix, &service->arena);
    if (service->log_quota == NULL) {
        option_error(&source->report, "log", "no memory for the limits of lines");
    }
}

static void take_back_status(void *data, unsigned child)
{
    struct process_status *status = service_writable_status(data, child);
    atomic_store(&status->heartbeat_ms, 0);
    atomic_store(&status->sessions, 0);
    atomic_store(&status->activity.session, 0);
}

int service_open(struct service *service, struct config_source *source)
{
    /* Stops at an address in use: of two servers that start at once, one must not take sockets from the other. */
    for (size_t i = 0; i < service->current->config.listeners.count && open_listener(service, i, source) == 0; i++) {
    }
    open_tables(service, source);
    service->processes = arena_map(&service->arena, &(struct arena_options){.name = "process",
                                                                            .size = sizeof(struct process_status),
                                                                            .writer = ARENA_EACH,
                                                                            .take_back = take_back_status,
                                                                            .data = service});
    if (service->processes == NULL) {
        option_error(&source->report, "workers", "no memory for %u workers", service->workers);
    }
    return source->report.errors == 0 ? 0 : -1;
}

static void keep_listen_sockets(struct service *service, unsigned index)
{
    for (size_t i = 0; i < service->listen_socket_count; i++) {
        int *fds = service->listen_sockets[i].fds;
        for (unsigned j = 0; j < service->workers; j++) {
            if (j != index) {
                close(fds[j]);
                fds[j] = -1;
            }
        }
    }
}

void service_replace_dead_sockets(struct service *service, unsigned index)
{
    for (size_t i = 0; i < service->listen_socket_count; i++) {
        struct listen_socket *e = &service->listen_sockets[i];
        if (socket_is_listening(e->fds[index])) {
            continue;
        }
        int fd = socket_listen_shared(&e->address);
        if (fd == -1) {
            log_event(LOG_LEVEL_ERROR, "listener-failed", "worker=%u listener=%s reason=\"%s\"", index,
                      e->listener->options->name, strerror(errno));
            continue;
        }
        close(e->fds[index]);
        e->fds[index] = fd;
        log_event(LOG_LEVEL_ERROR, "listener-replaced", "worker=%u listener=%s", index, e->listener->options->name);
    }
}

void service_purge(struct service *service, unsigned index)
{
    keep_listen_sockets(service, index);
    arena_keep(&service->arena, index);
    backends_set_child(service->current->generation.backends, index);
    if (index == service->workers) {
        ticket_keys_free(service->tickets);
        client_table_free(service->table);
        log_quota_free(service->log_quota);
        geoip_free(service->geoip);
        configuration_purge(service->current);
        service->tickets = NULL;
        service->table = NULL;
        service->log_quota = NULL;
        service->geoip = NULL;
    }
}

void service_free(struct service *service)
{
    for (size_t i = 0; i < service->listen_socket_count; i++) {
        close_listen_sockets(service, i);
    }
    free(service->listen_sockets);
    configuration_release(service->current);
    client_table_free(service->table);
    log_quota_free(service->log_quota);
    geoip_free(service->geoip);
    ticket_keys_free(service->tickets);
    arena_fini(&service->arena);
    *service = (struct service){0};
}

const struct process_status *service_status(const struct service *service, unsigned index)
{
    return service->processes[index].read;
}

struct process_status *service_writable_status(const struct service *service, unsigned index)
{
    return service->processes[index].write;
}

uint64_t service_sessions(const struct service *service)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < service->workers; i++) {
        sum += atomic_load(&service_status(service, i)->sessions);
    }
    return sum;
}
