/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lets chosen calls of a program fail, fall short or hang, while it runs. Preload it, and name the control file in
 * IMAPGUARD_FAULTS; every process of the program maps that file, and a test writes to it
 * (tests/integration/faults.py has the same layout and the same order of calls).
 *
 * For one call (a slot) the test says in which process, after how many calls, how many times, and what happens. The
 * library counts how often it did happen. While nothing is armed, a call costs one more comparison.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The order is the test's too. MALLOC stands for calloc() and realloc() as well, EPOLL_WAIT for epoll_pwait(). */
enum call {
    CALL_MALLOC, CALL_READ, CALL_WRITE, CALL_WRITEV, CALL_SEND, CALL_SENDTO, CALL_SENDMSG, CALL_RECV, CALL_RECVFROM,
    CALL_ACCEPT4, CALL_ACCEPT, CALL_CONNECT, CALL_SOCKET, CALL_EPOLL_CTL, CALL_EPOLL_WAIT, CALL_MMAP, CALL_FORK,
    CALL_PTHREAD_CREATE, CALL_OPEN, CALL_COUNT
};

enum action {
    ACTION_NONE,
    ACTION_FAIL,  /* return the error */
    ACTION_SHORT, /* of what is written or read, pass one octet on */
    ACTION_LOOP,  /* run for ever */
    ACTION_BLOCK, /* sleep for ever, deaf to every signal but SIGKILL */
    ACTION_STALL, /* sleep until the slot is disarmed; after fork(): in the child */
    ACTION_COUNT, /* nothing but being counted */
};

/* Values of slot.pid that name no process. */
enum { PID_ANY = 0, PID_NEXT_CHILD = -1 };

struct slot {
    int32_t pid;      /* the process; PID_NEXT_CHILD becomes that of the next one that is forked */
    int32_t action;
    int32_t error;    /* errno for ACTION_FAIL */
    int32_t after;    /* calls that still succeed before */
    int32_t times;    /* calls that it still happens to */
    int32_t fired;    /* calls that it happened to */
    int32_t last_pid; /* in this process the last time */
    int32_t sockets;  /* not 0: descriptors that are no sockets are left alone */
    int32_t port;     /* not 0: so are sockets that have it at neither end */
    int32_t reserved;
    uint64_t size;    /* smaller allocations, reads and writes are left alone */
    uint64_t device;  /* with inode, if that is not 0: so are descriptors and paths of other files */
    uint64_t inode;
};

struct control {
    int32_t armed; /* 0: no slot is, and the clocks are right */
    int32_t reserved;
    int64_t realtime_us; /* added to CLOCK_REALTIME, time() and gettimeofday() */
    int64_t monotonic_us;
    struct slot slots[CALL_COUNT];
};

static struct control *control;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
static ssize_t (*real_sendmsg)(int, const struct msghdr *, int);
static ssize_t (*real_recv)(int, void *, size_t, int);
static ssize_t (*real_recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
static int (*real_accept4)(int, struct sockaddr *, socklen_t *, int);
static int (*real_accept)(int, struct sockaddr *, socklen_t *);
static int (*real_connect)(int, const struct sockaddr *, socklen_t);
static int (*real_socket)(int, int, int);
static int (*real_epoll_ctl)(int, int, int, struct epoll_event *);
static int (*real_epoll_wait)(int, struct epoll_event *, int, int);
static int (*real_epoll_pwait)(int, struct epoll_event *, int, int, const sigset_t *);
static void *(*real_mmap)(void *, size_t, int, int, int, off_t);
static pid_t (*real_fork)(void);
static int (*real_open)(const char *, int, ...);
static int (*real_pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
static int (*real_clock_gettime)(clockid_t, struct timespec *);

/* What is allocated while dlsym() looks for the allocator. */
static _Alignas(max_align_t) char first_memory[4096];
static size_t first_used;

static void *first_malloc(size_t size)
{
    size_t begin = first_used;
    first_used += (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    return first_used <= sizeof first_memory ? first_memory + begin : NULL;
}

static int is_first_memory(const void *memory)
{
    return (const char *)memory >= first_memory && (const char *)memory < first_memory + sizeof first_memory;
}

#define FIND(name) (*(void **)&real_##name = dlsym(RTLD_NEXT, #name))

static void find_allocator(void)
{
    static int searching;
    if (!searching) {
        searching = 1;
        FIND(free), FIND(calloc), FIND(realloc), FIND(malloc);
    }
}

static void map_control(void)
{
    struct stat status;
    const char *path = getenv("IMAPGUARD_FAULTS");
    int fd = path != NULL ? real_open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd == -1) {
        return;
    }
    if (fstat(fd, &status) != 0 || status.st_size != (off_t)sizeof *control) {
        fprintf(stderr, "faults: %s: expected %zu octets\n", path, sizeof *control);
        _exit(127);
    }
    void *map = real_mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    control = map != MAP_FAILED ? map : NULL;
}

__attribute__((constructor)) static void begin(void)
{
    find_allocator();
    FIND(read), FIND(write), FIND(writev), FIND(send), FIND(sendto), FIND(sendmsg), FIND(recv), FIND(recvfrom);
    FIND(accept4), FIND(accept), FIND(connect), FIND(socket), FIND(epoll_ctl), FIND(epoll_wait), FIND(epoll_pwait);
    FIND(mmap), FIND(fork), FIND(pthread_create), FIND(open), FIND(clock_gettime);
    map_control();
}

/* A call may be made by a library's constructor that runs before ours. */
#define REAL(name) (real_##name != NULL ? (void)0 : begin())

static int load(const int32_t *value)
{
    return __atomic_load_n(value, __ATOMIC_SEQ_CST);
}

static int is_armed(void)
{
    return control != NULL && load(&control->armed) != 0;
}

static _Noreturn void run_for_ever(void)
{
    for (;;) {
        __asm__ volatile("");
    }
}

static _Noreturn void sleep_for_ever(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (;;) {
        pause();
    }
}

static void stall(const struct slot *slot)
{
    const struct timespec moment = {0, 1000000};
    while (load(&control->armed) != 0 && load(&slot->action) == ACTION_STALL) {
        nanosleep(&moment, NULL);
    }
}

/* Counts one down; 0 when it was at zero. */
static int take_one(int32_t *value)
{
    int32_t now = load(value);
    while (now > 0) {
        if (__atomic_compare_exchange_n(value, &now, now - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            return 1;
        }
    }
    return 0;
}

static int is_wanted(struct slot *slot, uint64_t size)
{
    int pid = load(&slot->pid);
    return load(&slot->action) != ACTION_NONE && size >= slot->size && (pid == PID_ANY || pid == getpid()) &&
           !take_one(&slot->after) && take_one(&slot->times);
}

static void count(struct slot *slot)
{
    __atomic_store_n(&slot->last_pid, getpid(), __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&slot->fired, 1, __ATOMIC_SEQ_CST);
}

/* What happens to this call: ACTION_NONE, ACTION_FAIL with errno set, or ACTION_SHORT. The others happen here. */
static enum action happens(enum call call, uint64_t size)
{
    if (!is_armed() || !is_wanted(&control->slots[call], size)) {
        return ACTION_NONE;
    }
    struct slot *slot = &control->slots[call];
    enum action action = (enum action)load(&slot->action);
    count(slot);
    switch (action) {
    case ACTION_FAIL:
        errno = slot->error;
        break;
    case ACTION_LOOP:
        run_for_ever();
    case ACTION_BLOCK:
        sleep_for_ever();
    case ACTION_STALL:
        stall(slot);
        return ACTION_NONE;
    case ACTION_COUNT:
        return ACTION_NONE;
    default:
        break;
    }
    return action;
}

static int port_of(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET    ? ntohs(((const struct sockaddr_in *)address)->sin_port)
           : address->ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)address)->sin6_port)
                                            : -1;
}

static int has_port(int fd, int port)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) == 0 && port_of(&address) == port) {
        return 1;
    }
    len = sizeof address;
    return getpeername(fd, (struct sockaddr *)&address, &len) == 0 && port_of(&address) == port;
}

static int is_its_file(const struct slot *slot, const struct stat *status)
{
    return (uint64_t)status->st_ino == slot->inode && (uint64_t)status->st_dev == slot->device;
}

static int is_meant(const struct slot *slot, int fd)
{
    int type;
    socklen_t len = sizeof type;
    struct stat status;
    return (!slot->inode || (fstat(fd, &status) == 0 && is_its_file(slot, &status))) &&
           (!slot->sockets || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0) &&
           (!slot->port || has_port(fd, slot->port));
}

/* As happens(), to a call that has a descriptor. */
static enum action happens_to(enum call call, int fd, uint64_t size)
{
    int before = errno;
    if (!is_armed() || load(&control->slots[call].action) == ACTION_NONE) {
        return ACTION_NONE;
    }
    if (!is_meant(&control->slots[call], fd)) {
        errno = before;
        return ACTION_NONE;
    }
    return happens(call, size);
}

static size_t shortened(enum action action, size_t size)
{
    return action == ACTION_SHORT && size > 1 ? 1 : size;
}

/* --- memory ----------------------------------------------------------------------------------------------- */

void *malloc(size_t size)
{
    if (real_malloc == NULL) {
        find_allocator();
    }
    return real_malloc == NULL                               ? first_malloc(size)
           : happens(CALL_MALLOC, size) == ACTION_FAIL ? NULL
                                                             : real_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    if (real_malloc == NULL) {
        find_allocator();
    }
    return real_malloc == NULL                                       ? first_malloc(count * size)
           : happens(CALL_MALLOC, count * size) == ACTION_FAIL ? NULL
                                                                     : real_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    if (real_malloc == NULL) {
        find_allocator();
    }
    if (real_malloc == NULL || is_first_memory(memory)) {
        void *moved = malloc(size);
        if (moved != NULL && memory != NULL) {
            size_t rest = (size_t)(first_memory + sizeof first_memory - (char *)memory);
            memcpy(moved, memory, size < rest ? size : rest);
        }
        return moved;
    }
    return size > 0 && happens(CALL_MALLOC, size) == ACTION_FAIL ? NULL : real_realloc(memory, size);
}

void free(void *memory)
{
    if (memory != NULL && !is_first_memory(memory)) {
        REAL(free);
        real_free(memory);
    }
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    REAL(mmap);
    return happens(CALL_MMAP, size) == ACTION_FAIL ? MAP_FAILED
                                                   : real_mmap(address, size, protection, flags, fd, offset);
}

/* A disk that does not answer: the path of the slot's file. Without one, paths are left alone. */
static void open_happens(const char *path)
{
    struct stat status;
    const struct slot *slot = control != NULL ? &control->slots[CALL_OPEN] : NULL;
    int before = errno;
    if (slot != NULL && is_armed() && load(&slot->action) != ACTION_NONE && slot->inode && stat(path, &status) == 0 &&
        is_its_file(slot, &status)) {
        (void)happens(CALL_OPEN, 0);
    }
    errno = before;
}

int open(const char *path, int flags, ...)
{
    REAL(open);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    open_happens(path);
    return real_open(path, flags, mode);
}

/* --- octets ----------------------------------------------------------------------------------------------- */

ssize_t read(int fd, void *into, size_t size)
{
    REAL(read);
    enum action action = happens_to(CALL_READ, fd, size);
    return action == ACTION_FAIL ? -1 : real_read(fd, into, shortened(action, size));
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    REAL(write);
    enum action action = happens_to(CALL_WRITE, fd, size);
    return action == ACTION_FAIL ? -1 : real_write(fd, bytes, shortened(action, size));
}

static size_t sum(const struct iovec *parts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += parts[i].iov_len;
    }
    return size;
}

/* The first octet there is. */
static struct iovec first_octet(const struct iovec *parts, size_t count)
{
    while (count > 1 && parts->iov_len == 0) {
        parts++;
        count--;
    }
    return (struct iovec){parts->iov_base, parts->iov_len > 0 ? 1 : 0};
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(writev);
    enum action action = happens_to(CALL_WRITEV, fd, sum(parts, (size_t)count));
    if (action == ACTION_SHORT) {
        struct iovec one = first_octet(parts, (size_t)count);
        return real_writev(fd, &one, 1);
    }
    return action == ACTION_FAIL ? -1 : real_writev(fd, parts, count);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    REAL(send);
    enum action action = happens_to(CALL_SEND, fd, size);
    return action == ACTION_FAIL ? -1 : real_send(fd, bytes, shortened(action, size), flags);
}

ssize_t sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to, socklen_t len)
{
    REAL(sendto);
    enum action action = happens_to(CALL_SENDTO, fd, size);
    return action == ACTION_FAIL ? -1 : real_sendto(fd, bytes, shortened(action, size), flags, to, len);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    REAL(sendmsg);
    enum action action = happens_to(CALL_SENDMSG, fd, sum(message->msg_iov, message->msg_iovlen));
    if (action == ACTION_SHORT) {
        struct msghdr smaller = *message;
        struct iovec one = first_octet(message->msg_iov, message->msg_iovlen);
        smaller.msg_iov = &one;
        smaller.msg_iovlen = 1;
        return real_sendmsg(fd, &smaller, flags);
    }
    return action == ACTION_FAIL ? -1 : real_sendmsg(fd, message, flags);
}

ssize_t recv(int fd, void *into, size_t size, int flags)
{
    REAL(recv);
    enum action action = happens_to(CALL_RECV, fd, size);
    return action == ACTION_FAIL ? -1 : real_recv(fd, into, shortened(action, size), flags);
}

ssize_t recvfrom(int fd, void *restrict into, size_t size, int flags, struct sockaddr *restrict from,
                 socklen_t *restrict len)
{
    REAL(recvfrom);
    enum action action = happens_to(CALL_RECVFROM, fd, size);
    return action == ACTION_FAIL ? -1 : real_recvfrom(fd, into, shortened(action, size), flags, from, len);
}

/* --- connections -------------------------------------------------------------------------------------------- */

int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    REAL(accept4);
    return happens(CALL_ACCEPT4, 0) == ACTION_FAIL ? -1 : real_accept4(fd, address, len, flags);
}

int accept(int fd, struct sockaddr *restrict address, socklen_t *restrict len)
{
    REAL(accept);
    return happens(CALL_ACCEPT, 0) == ACTION_FAIL ? -1 : real_accept(fd, address, len);
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    REAL(connect);
    return happens(CALL_CONNECT, 0) == ACTION_FAIL ? -1 : real_connect(fd, address, len);
}

int socket(int domain, int type, int protocol)
{
    REAL(socket);
    return happens(CALL_SOCKET, 0) == ACTION_FAIL ? -1 : real_socket(domain, type, protocol);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    REAL(epoll_ctl);
    return happens_to(CALL_EPOLL_CTL, fd, 0) == ACTION_FAIL ? -1 : real_epoll_ctl(epoll, operation, fd, event);
}

int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
    REAL(epoll_wait);
    return happens(CALL_EPOLL_WAIT, 0) == ACTION_FAIL ? -1 : real_epoll_wait(epoll, events, count, timeout);
}

int epoll_pwait(int epoll, struct epoll_event *events, int count, int timeout, const sigset_t *mask)
{
    REAL(epoll_pwait);
    return happens(CALL_EPOLL_WAIT, 0) == ACTION_FAIL ? -1 : real_epoll_pwait(epoll, events, count, timeout, mask);
}

/* --- processes ---------------------------------------------------------------------------------------------- */

/* The slots that wait for the next child, a bit for each. */
static uint32_t slots_for_next_child(void)
{
    uint32_t slots = 0;
    for (int i = 0; i < CALL_COUNT && is_armed(); i++) {
        slots |= load(&control->slots[i].pid) == PID_NEXT_CHILD ? 1u << i : 0;
    }
    return slots;
}

/* The calling process is the child that these slots waited for. */
static void adopt_faults(uint32_t slots)
{
    for (int i = 0; i < CALL_COUNT; i++) {
        int32_t next = PID_NEXT_CHILD;
        if ((slots >> i & 1) != 0) {
            __atomic_compare_exchange_n(&control->slots[i].pid, &next, (int32_t)getpid(), 0, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST);
        }
    }
}

pid_t fork(void)
{
    REAL(fork);
    int stalls = is_armed() && load(&control->slots[CALL_FORK].action) == ACTION_STALL;
    if (!stalls && happens(CALL_FORK, 0) == ACTION_FAIL) {
        return -1;
    }
    /* Looked up before the fork: a child that was forked earlier and runs late is not the next one. */
    uint32_t slots = slots_for_next_child();
    pid_t pid = real_fork();
    if (pid == 0 && is_armed()) {
        adopt_faults(slots);
        if (stalls) {
            (void)happens(CALL_FORK, 0);
        }
    }
    return pid;
}

/* Which returns its error. */
int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*run)(void *),
                   void *restrict data)
{
    REAL(pthread_create);
    return happens(CALL_PTHREAD_CREATE, 0) == ACTION_FAIL ? errno : real_pthread_create(thread, attributes, run, data);
}

/* --- clocks ------------------------------------------------------------------------------------------------- */

static int64_t offset_us(clockid_t clock)
{
    if (!is_armed()) {
        return 0;
    }
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        return control->realtime_us;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
        return control->monotonic_us;
    default:
        return 0;
    }
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    REAL(clock_gettime);
    int result = real_clock_gettime(clock, now);
    int64_t offset = result == 0 ? offset_us(clock) : 0;
    if (offset != 0) {
        int64_t nanoseconds = now->tv_nsec + offset % 1000000 * 1000;
        now->tv_sec += offset / 1000000 + (nanoseconds >= 1000000000) - (nanoseconds < 0);
        now->tv_nsec = nanoseconds >= 1000000000 ? nanoseconds - 1000000000
                       : nanoseconds < 0         ? nanoseconds + 1000000000
                                                 : nanoseconds;
    }
    return result;
}

time_t time(time_t *into)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (into != NULL) {
        *into = now.tv_sec;
    }
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict into, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    *into = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return result;
}
