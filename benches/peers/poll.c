/* poll: one thread asks the kernel about all clients at once, with poll(2). The whole list goes into
 * the kernel and comes back for every call, so each echo pays for every silent client.
 */
#include <poll.h>

#include "listen.h"

enum { BACKLOG = 4096, BUFFER = 16 * 1024, CLIENTS = 1 << 17 };

static struct pollfd watched[CLIENTS];
static nfds_t count;

static void add(int fd)
{
    if (count == CLIENTS) {
        close(fd);
        return;
    }
    watched[count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

/* False: the client is gone. */
static int echo(int client)
{
    static char buffer[BUFFER];
    ssize_t got = read(client, buffer, sizeof buffer);

    return got > 0 && write(client, buffer, (size_t)got) == got;
}

int main(int argc, char **argv)
{
    int listener = listen_on(argc > 1 ? argv[1] : "0", SOCK_STREAM | SOCK_NONBLOCK, BACKLOG);

    add(listener);
    for (;;) {
        int ready = poll(watched, count, -1);

        /* Backwards, so that the last can take the place of one that has gone. */
        for (nfds_t i = count; ready > 0 && i-- > 1;) {
            if (!watched[i].revents)
                continue;
            ready--;
            if (!echo(watched[i].fd)) {
                close(watched[i].fd);
                watched[i] = watched[--count];
            }
        }
        if (watched[0].revents) {
            int client;
            while ((client = accept(listener, NULL, NULL)) >= 0)
                add(client);
        }
    }
}
