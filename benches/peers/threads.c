/* threads: a thread for every client. Each is as simple as `blocking`; the kernel does the juggling,
 * and every client costs a stack and every echo a switch between threads.
 */
#include <pthread.h>

#include "listen.h"

enum { BACKLOG = 4096, BUFFER = 16 * 1024, STACK = 64 * 1024 };

static void *serve(void *argument)
{
    char buffer[BUFFER];
    int client = (int)(long)argument;
    ssize_t count;

    while ((count = read(client, buffer, sizeof buffer)) > 0)
        if (write(client, buffer, (size_t)count) != count)
            break;
    close(client);
    return NULL;
}

int main(int argc, char **argv)
{
    int listener = listen_on(argc > 1 ? argv[1] : "0", SOCK_STREAM, BACKLOG);
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK);
    for (;;) {
        pthread_t thread;
        int client = accept(listener, NULL, NULL);

        if (client < 0)
            continue;
        if (pthread_create(&thread, &attributes, serve, (void *)(long)client) != 0)
            close(client);
    }
}
