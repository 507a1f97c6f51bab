/* weak: epoll(7) as courses write it, level-triggered. One read(2) of one small buffer for each event,
 * then a write(2) that may block: a client that does not read stops everybody.
 *
 * The backlog is not the 5 of the textbooks: with it, a thousand clients that come at once would wait
 * for seconds, and that is another story than this one.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>

#include "listen.h"

enum { BACKLOG = 4096, BUFFER = 1024, EVENTS = 50 };

static void add(int poll, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

static void echo(int poll, int fd)
{
    char buffer[BUFFER];
    ssize_t count = read(fd, buffer, sizeof buffer);

    if (count <= 0 || write(fd, buffer, (size_t)count) != count) {
        epoll_ctl(poll, EPOLL_CTL_DEL, fd, NULL);
        close(fd);
    }
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    int listener = listen_on(argc > 1 ? argv[1] : "0", SOCK_STREAM, BACKLOG);
    int poll = epoll_create1(0);

    add(poll, listener);
    for (;;) {
        int count = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                fd = accept(listener, NULL, NULL);
                if (fd >= 0)
                    add(poll, fd);
            } else {
                echo(poll, fd);
            }
        }
    }
}
