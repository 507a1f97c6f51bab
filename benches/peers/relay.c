/* relay: two clients, matched in order of arrival, receive each other's bytes. What strong.c is to echo, this is to
 * `chat --chat-with pair`: as little as is correct. It knows no messages and no turns.
 *
 * Edge-triggered, registered once. One 64 KiB buffer for all; what a partner does not take waits in memory, and
 * while it waits the other is not read. Who waits for a partner is not read either. When one ends, the other gets
 * what is still owed, then the end.
 *
 *     relay PORT
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <sys/epoll.h>

#include "listen.h"

enum { BACKLOG = 4096, BUFFER = 64 * 1024, EVENTS = 1024, CONNECTIONS = 1 << 20, NOBODY = -1 };

/* The place in the table is the descriptor. `unsent` is for this client. */
struct client {
    int partner;
    char *unsent;
    unsigned from, to;
    bool is_gone;
};

static struct client *table;
static char buffer[BUFFER];
static int waiting = NOBODY;
static int gone[CONNECTIONS], gone_count;

/* Its descriptor is closed after this batch of events, which may still hold one of it. */
static void drop(int fd)
{
    free(table[fd].unsent);
    table[fd] = (struct client){ .partner = NOBODY, .is_gone = true };
    if (waiting == fd)
        waiting = NOBODY;
    gone[gone_count++] = fd;
}

/* Ends one, and its partner once that has received everything. */
static void end(int fd)
{
    int partner = table[fd].partner;

    drop(fd);
    if (partner == NOBODY)
        return;
    table[partner].partner = NOBODY;
    if (!table[partner].unsent)
        drop(partner);
}

/* Everything that the kernel takes now. False: the connection broke. */
static bool flush(int fd)
{
    struct client *c = &table[fd];

    while (c->from < c->to) {
        ssize_t n = send(fd, c->unsent + c->from, c->to - c->from, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN;
        c->from += (unsigned)n;
    }
    free(c->unsent);
    c->unsent = NULL;
    return true;
}

/* Sends what was read. False: the connection broke. */
static bool deliver(int fd, size_t count)
{
    struct client *c = &table[fd];
    ssize_t n = send(fd, buffer, count, MSG_NOSIGNAL);

    if (n == (ssize_t)count)
        return true;
    if (n < 0 && errno != EAGAIN)
        return false;
    n = n < 0 ? 0 : n;
    c->unsent = malloc(count - (size_t)n);
    if (!c->unsent)
        return false;
    memcpy(c->unsent, buffer + n, count - (size_t)n);
    c->from = 0;
    c->to = (unsigned)(count - (size_t)n);
    return flush(fd);
}

static void forward(int fd, bool has_ended)
{
    while (table[fd].partner != NOBODY && !table[table[fd].partner].unsent) {
        ssize_t n = recv(fd, buffer, BUFFER, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            end(fd);
            return;
        }
        if (!deliver(table[fd].partner, (size_t)n)) {
            end(table[fd].partner);
            return;
        }
        if (n < BUFFER && !has_ended)
            return;
    }
}

/* Whoever leaves before it has a partner leaves its place to the next. */
static void miss(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, sizeof byte, MSG_PEEK);

    if (n == 0 || (n < 0 && errno != EAGAIN))
        drop(fd);
}

static void serve(int fd, unsigned events)
{
    bool has_ended = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    int partner = table[fd].partner;

    if (table[fd].is_gone)
        return;
    if (table[fd].unsent) {
        if (!flush(fd)) {
            end(fd);
            return;
        }
        if (!table[fd].unsent && partner == NOBODY) {
            drop(fd);
            return;
        }
        /* There is room again for what the partner sent. */
        if (!table[fd].unsent)
            forward(partner, true);
        if (table[fd].is_gone)
            return;
    }
    if (table[fd].partner == NOBODY && has_ended)
        miss(fd);
    else if (events & ~(unsigned)EPOLLOUT)
        forward(fd, has_ended);
}

static void match(int fd)
{
    int other = waiting;

    if (other == NOBODY) {
        waiting = fd;
        return;
    }
    waiting = NOBODY;
    table[fd].partner = other;
    table[other].partner = fd;
    forward(other, true);
}

static void accept_all(int poll, int listener)
{
    for (;;) {
        int on = 1;
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd };
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (fd >= CONNECTIONS || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0) {
            close(fd);
            continue;
        }
        table[fd] = (struct client){ .partner = NOBODY };
        match(fd);
    }
}

int main(int argc, char **argv)
{
    static struct epoll_event events[EVENTS];
    int listener = listen_on(argc > 1 ? argv[1] : "0", SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, BACKLOG);
    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };

    table = calloc(CONNECTIONS, sizeof *table);
    if (!table || poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event) < 0)
        die("relay");
    for (;;) {
        int count = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_all(poll, listener);
            else
                serve(events[i].data.fd, events[i].events);
        }
        while (gone_count > 0)
            close(gone[--gone_count]);
    }
}
