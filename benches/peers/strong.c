/* strong: as fast as plain C on epoll(7) gets, and correct. The reference that epollo is measured by.
 *
 * Edge-triggered, each connection registered once for reading and writing: no epoll_ctl(2) after
 * accept. One 64 KiB buffer for all; after a short read there is nothing more to read, so no second
 * read(2) asks. What the kernel does not take waits in memory of its own, and while it waits nothing
 * is read. A client that has finished gets everything before the connection closes.
 *
 *     strong PORT          echo
 *     strong PORT spin     echo that asks again for SPIN_NANOSECONDS before it sleeps, as `serve --spin 50us` does
 *     strong PORT hello    13 bytes to whoever connects, then the end of them; closed when the client
 *                          has ended too, so that nothing it sends resets the connection (epollo does so)
 *     strong PORT abrupt   the same, and closed at once: cheaper, and a client that sends loses the 13 bytes
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <sys/epoll.h>
#include <time.h>

#include "listen.h"

enum { BACKLOG = 4096, BUFFER = 64 * 1024, EVENTS = 1024, CONNECTIONS = 1 << 20 };
enum { SPIN_NANOSECONDS = 50 * 1000 };

/* What one connection still owes its client; the place in the table is the descriptor. */
struct connection {
    char *unsent;
    unsigned from, to;
};

static struct connection *table;
static char buffer[BUFFER];
static const char greeting[13] = "Hello World!";

static void drop(int fd)
{
    free(table[fd].unsent);
    table[fd].unsent = NULL;
    close(fd);
}

/* Everything that the kernel takes now. False: the connection broke. */
static bool flush(int fd)
{
    struct connection *c = &table[fd];

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

static bool keep(int fd, const char *bytes, size_t count)
{
    struct connection *c = &table[fd];

    c->unsent = malloc(count);
    if (!c->unsent)
        return false;
    memcpy(c->unsent, bytes, count);
    c->from = 0;
    c->to = (unsigned)count;
    return true;
}

/* Sends what was read. False: the connection broke. */
static bool answer(int fd, size_t count)
{
    ssize_t n = send(fd, buffer, count, MSG_NOSIGNAL);

    if (n == (ssize_t)count)
        return true;
    if (n < 0 && errno != EAGAIN)
        return false;
    n = n < 0 ? 0 : n;
    /* Once more at once: the room that came meanwhile may be one that no event tells of. */
    return keep(fd, buffer + n, count - (size_t)n) && flush(fd);
}

static void echo(int fd, unsigned events)
{
    bool has_ended = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);

    while (!table[fd].unsent) {
        ssize_t n = recv(fd, buffer, BUFFER, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0 || !answer(fd, (size_t)n)) {
            drop(fd);
            return;
        }
        if (n < BUFFER && !has_ended)
            return;
    }
}

static void serve(int fd, unsigned events)
{
    bool had_unsent = table[fd].unsent != NULL;

    if (had_unsent && !flush(fd)) {
        drop(fd);
        return;
    }
    /* The first event after accept may say no more than that there is room to write. */
    if (had_unsent || (events & ~(unsigned)EPOLLOUT))
        echo(fd, events);
}

static void greet(int poll, int fd, bool is_abrupt)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd };

    if (send(fd, greeting, sizeof greeting, MSG_NOSIGNAL) < 0)
        perror("send");
    if (is_abrupt || shutdown(fd, SHUT_WR) < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0)
        close(fd);
}

/* What a client sends that was greeted is not wanted; its end is. */
static void part(int fd)
{
    for (;;) {
        ssize_t n = recv(fd, buffer, BUFFER, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close(fd);
            return;
        }
    }
}

static void accept_all(int poll, int listener, bool is_hello, bool is_abrupt)
{
    for (;;) {
        int on = 1;
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (is_hello) {
            greet(poll, fd, is_abrupt);
            continue;
        }
        struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd };
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (fd >= CONNECTIONS || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0)
            close(fd);
    }
}

static long long now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int wait_for(int poll, struct epoll_event *events, bool is_spinning)
{
    if (is_spinning) {
        long long until = now() + SPIN_NANOSECONDS;
        do {
            int count = epoll_wait(poll, events, EVENTS, 0);
            if (count != 0)
                return count;
        } while (now() < until);
    }
    return epoll_wait(poll, events, EVENTS, -1);
}

int main(int argc, char **argv)
{
    static struct epoll_event events[EVENTS];
    bool is_abrupt = argc > 2 && strcmp(argv[2], "abrupt") == 0;
    bool is_spinning = argc > 2 && strcmp(argv[2], "spin") == 0;
    bool is_hello = is_abrupt || (argc > 2 && strcmp(argv[2], "hello") == 0);
    int listener = listen_on(argc > 1 ? argv[1] : "0", SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, BACKLOG);
    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };

    table = calloc(CONNECTIONS, sizeof *table);
    if (!table || poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event) < 0)
        die("strong");
    for (;;) {
        int count = wait_for(poll, events, is_spinning);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_all(poll, listener, is_hello, is_abrupt);
            else if (is_hello)
                part(events[i].data.fd);
            else
                serve(events[i].data.fd, events[i].events);
        }
    }
}
