/* uv: echo on libuv (Debian package libuv1-dev), in the way of its guide: a buffer for every read, freed
 * when its write is done.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { BACKLOG = 4096 };

struct answer {
    uv_write_t request;
    uv_buf_t buffer;
};

static void released(uv_handle_t *handle)
{
    free(handle);
}

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    *buffer = uv_buf_init(malloc(suggested), (unsigned)suggested);
}

static void written(uv_write_t *request, int status)
{
    struct answer *answer = (struct answer *)request;

    if (status < 0 && !uv_is_closing((uv_handle_t *)request->handle))
        uv_close((uv_handle_t *)request->handle, released);
    free(answer->buffer.base);
    free(answer);
}

static void done(uv_shutdown_t *request, int status)
{
    (void)status;
    if (!uv_is_closing((uv_handle_t *)request->handle))
        uv_close((uv_handle_t *)request->handle, released);
    free(request);
}

static void received(uv_stream_t *client, ssize_t count, const uv_buf_t *buffer)
{
    if (count > 0) {
        struct answer *answer = malloc(sizeof *answer);
        answer->buffer = uv_buf_init(buffer->base, (unsigned)count);
        uv_write(&answer->request, client, &answer->buffer, 1, written);
        return;
    }
    free(buffer->base);
    if (count == UV_EOF) {
        uv_shutdown_t *request = malloc(sizeof *request);
        if (uv_shutdown(request, client, done) == 0)
            return;
        free(request);
    }
    if (count < 0 && !uv_is_closing((uv_handle_t *)client))
        uv_close((uv_handle_t *)client, released);
}

static void connected(uv_stream_t *server, int status)
{
    uv_tcp_t *client;

    if (status < 0)
        return;
    client = malloc(sizeof *client);
    uv_tcp_init(server->loop, client);
    if (uv_accept(server, (uv_stream_t *)client) < 0) {
        uv_close((uv_handle_t *)client, released);
        return;
    }
    uv_tcp_nodelay(client, 1);
    uv_read_start((uv_stream_t *)client, allocate, received);
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    struct sockaddr_in address;
    uv_tcp_t server;
    int failed;

    uv_ip4_addr("127.0.0.1", argc > 1 ? atoi(argv[1]) : 0, &address);
    uv_tcp_init(loop, &server);
    failed = uv_tcp_bind(&server, (const struct sockaddr *)&address, 0);
    if (!failed)
        failed = uv_listen((uv_stream_t *)&server, BACKLOG, connected);
    if (failed) {
        fprintf(stderr, "uv: %s\n", uv_strerror(failed));
        return 1;
    }
    return uv_run(loop, UV_RUN_DEFAULT);
}
