/* How every small server here begins: `PROGRAM PORT`, a listening socket on 127.0.0.1, port 0 = any. */
#ifndef LISTEN_H
#define LISTEN_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* As many descriptors as we may have, and no end of the program when a client is gone at a write. */
static void prepare(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    signal(SIGPIPE, SIG_IGN);
}

/* `type` is SOCK_STREAM, with SOCK_NONBLOCK where the server never wants to wait. */
static int listen_on(const char *port, int type, int backlog)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
    int on = 1;
    int listener = socket(AF_INET, type, 0);

    prepare();
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0)
        die("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0)
        die("bind");
    if (listen(listener, backlog) < 0)
        die("listen");
    return listener;
}

#endif
