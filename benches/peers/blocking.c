/* blocking: where every course begins. One client after another; whoever comes second waits in the
 * backlog until the first has left.
 */
#include "listen.h"

enum { BACKLOG = 4096, BUFFER = 16 * 1024 };

int main(int argc, char **argv)
{
    static char buffer[BUFFER];
    int listener = listen_on(argc > 1 ? argv[1] : "0", SOCK_STREAM, BACKLOG);

    for (;;) {
        int client = accept(listener, NULL, NULL);
        ssize_t count;

        if (client < 0)
            continue;
        while ((count = read(client, buffer, sizeof buffer)) > 0)
            if (write(client, buffer, (size_t)count) != count)
                break;
        close(client);
    }
}
