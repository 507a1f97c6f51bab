/* level: epoll(7), level-triggered. The kernel keeps the list of clients and returns those that are
 * ready: an echo costs the same however many are silent. What is not read now is told again.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>

#include "listen.h"

enum { BACKLOG = 4096, BUFFER = 16 * 1024, EVENTS = 1024 };

static void add(int poll, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0)
        close(fd);
}

static void echo(int client)
{
    static char buffer[BUFFER];
    ssize_t count = read(client, buffer, sizeof buffer);

    /* The write may block: the price of having no queue of unsent bytes (strong.c has one). */
    if (count <= 0 || write(client, buffer, (size_t)count) != count)
        close(client);
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
            while ((fd = accept(listener, NULL, NULL)) >= 0)
                add(poll, fd);
        }
    }
}
