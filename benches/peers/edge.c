/* edge: epoll(7), edge-triggered, as the manual page tells it. An event says that something is new, and
 * says it once: the server must read until there is nothing more (EAGAIN), which costs one read(2) more
 * for every echo. strong.c shows how to save it.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>

#include "listen.h"

enum { BACKLOG = 4096, BUFFER = 16 * 1024, EVENTS = 1024 };

static void add(int poll, int fd)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd };

    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0)
        close(fd);
}

/* The sockets do not block, so a write may be cut short. Here it is tried again until all is gone, and
 * everybody else waits; strong.c keeps the rest and goes on with the others. */
static int write_all(int client, const char *bytes, ssize_t count)
{
    while (count > 0) {
        ssize_t written = write(client, bytes, (size_t)count);
        if (written < 0 && errno != EAGAIN)
            return 0;
        if (written > 0) {
            bytes += written;
            count -= written;
        }
    }
    return 1;
}

static void echo(int client)
{
    static char buffer[BUFFER];

    for (;;) {
        ssize_t count = read(client, buffer, sizeof buffer);
        if (count < 0 && errno == EAGAIN)
            return;
        if (count <= 0 || !write_all(client, buffer, count)) {
            close(client);
            return;
        }
    }
}

int main(int argc, char **argv)
{
    static struct epoll_event events[EVENTS];
    int listener = listen_on(argc > 1 ? argv[1] : "0", SOCK_STREAM | SOCK_NONBLOCK, BACKLOG);
    int poll = epoll_create1(0);

    add(poll, listener);
    for (;;) {
        int count = epoll_wait(poll, events, EVENTS, -1);

        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                echo(fd);
                continue;
            }
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
                add(poll, fd);
        }
    }
}
