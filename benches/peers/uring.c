/* uring: the same echo on io_uring(7), as fast as plain C on it gets, and correct. What strong.c is to epoll.
 *
 * One ring for one thread (SINGLE_ISSUER, DEFER_TASKRUN: completions are worked off only where we wait), one
 * system call a turn: it submits all that the last turn asked for and waits. Multishot accept into the ring's own
 * descriptors, multishot receive into provided buffers, and each answer is sent from the buffer in which it
 * arrived: nothing is copied here, nothing is registered again. One send at a time on a connection, so that answers
 * stay in order; MSG_WAITALL lets the kernel repeat short ones. A client that has ended gets everything before its
 * connection closes. Who holds HELD_MAX buffers, since it does not read, is not received from until all is sent.
 *
 *     uring PORT [BUFFERS]     how many buffers of 4 KiB all connections share, a power of two
 */
#define _GNU_SOURCE
#include <liburing.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "listen.h"

enum { BACKLOG = 4096, ENTRIES = 4096, COMPLETIONS = 1 << 16, CONNECTIONS = 1 << 15 };
enum { BUFFER = 4096, BUFFERS_DEFAULT = 4096, BUFFERS_MAX = 1 << 15, HELD_MAX = 16 };
enum { GROUP = 0, NONE = -1 };

/* What a completion is of: the low bits of its user data; the connection is above them. */
enum kind { ACCEPTED, RECEIVED, SENT, CANCELLED, CLOSED };

struct connection {
    int first, last, held;        /* the queue of buffers to send, linked by `next` */
    unsigned sent;                /* of the first */
    bool is_receiving, is_sending, is_cancelling, has_ended, is_broken, is_starved;
};

static struct io_uring ring;
static struct io_uring_buf_ring *provided;
static struct connection table[CONNECTIONS];
static char *buffers;
static unsigned buffer_count;
static int next[BUFFERS_MAX];
static unsigned length[BUFFERS_MAX];
static int starved[CONNECTIONS], starved_count;
static unsigned returned;

static struct io_uring_sqe *entry(enum kind kind, int id)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

    if (!sqe) {
        io_uring_submit(&ring);
        sqe = io_uring_get_sqe(&ring);
        if (!sqe)
            die("submission queue");
    }
    sqe->user_data = (unsigned long long)id << 8 | kind;
    return sqe;
}

/* The prep functions of liburing clear user data, so it is set again after them. */
static void label(struct io_uring_sqe *sqe, enum kind kind, int id)
{
    sqe->user_data = (unsigned long long)id << 8 | kind;
}

static void accept_many(int listener)
{
    struct io_uring_sqe *sqe = entry(ACCEPTED, 0);

    io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
    label(sqe, ACCEPTED, 0);
}

static void receive_many(int id)
{
    struct io_uring_sqe *sqe = entry(RECEIVED, id);

    io_uring_prep_recv_multishot(sqe, id, NULL, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
    label(sqe, RECEIVED, id);
    table[id].is_receiving = true;
}

static void send_first(int id)
{
    struct connection *c = &table[id];
    struct io_uring_sqe *sqe = entry(SENT, id);
    char *bytes = buffers + (size_t)c->first * BUFFER + c->sent;

    io_uring_prep_send(sqe, id, bytes, length[c->first] - c->sent, MSG_NOSIGNAL | MSG_WAITALL);
    sqe->flags |= IOSQE_FIXED_FILE;
    label(sqe, SENT, id);
    c->is_sending = true;
}

static void give_back(int buffer)
{
    char *bytes = buffers + (size_t)buffer * BUFFER;

    io_uring_buf_ring_add(provided, bytes, BUFFER, (unsigned short)buffer, (int)buffer_count - 1, (int)returned++);
}

static int take_first(struct connection *c)
{
    int buffer = c->first;

    c->first = next[buffer];
    c->held--;
    c->sent = 0;
    return buffer;
}

/* Closes who has ended, or broke, once nothing of it is under way in the kernel. */
static void settle(int id)
{
    struct connection *c = &table[id];

    if (c->is_broken && !c->is_sending)
        while (c->held > 0)
            give_back(take_first(c));
    if (c->is_broken && c->is_receiving && !c->is_cancelling) {
        struct io_uring_sqe *sqe = entry(CANCELLED, id);
        io_uring_prep_cancel64(sqe, (unsigned long long)id << 8 | RECEIVED, 0);
        label(sqe, CANCELLED, id);
        c->is_cancelling = true;
    }
    if (c->held > 0 || c->is_sending || c->is_receiving || c->is_cancelling || c->is_starved)
        return;
    if (c->has_ended || c->is_broken) {
        struct io_uring_sqe *sqe = entry(CLOSED, id);
        io_uring_prep_close_direct(sqe, (unsigned)id);
        label(sqe, CLOSED, id);
    } else {
        receive_many(id);
    }
}

static void on_received(int id, int result, unsigned flags)
{
    struct connection *c = &table[id];

    if (!(flags & IORING_CQE_F_MORE))
        c->is_receiving = false;
    if (result > 0) {
        int buffer = (int)(flags >> IORING_CQE_BUFFER_SHIFT);
        length[buffer] = (unsigned)result;
        if (c->held++ == 0)
            c->first = buffer;
        else
            next[c->last] = buffer;
        c->last = buffer;
        if (!c->is_sending && !c->is_broken)
            send_first(id);
        if (c->held == HELD_MAX && c->is_receiving && !c->is_cancelling) {
            struct io_uring_sqe *sqe = entry(CANCELLED, id);
            io_uring_prep_cancel64(sqe, (unsigned long long)id << 8 | RECEIVED, 0);
            label(sqe, CANCELLED, id);
            c->is_cancelling = true;
        }
    } else if (result == -ENOBUFS) {
        c->is_starved = true;
        starved[starved_count++] = id;
    } else if (result == 0) {
        c->has_ended = true;
    } else if (result != -ECANCELED) {
        c->is_broken = true;
    }
    if (!c->is_receiving)
        settle(id);
}

static void on_sent(int id, int result)
{
    struct connection *c = &table[id];

    c->is_sending = false;
    if (result < 0) {
        c->is_broken = true;
    } else {
        c->sent += (unsigned)result;
        if (c->sent == length[c->first])
            give_back(take_first(c));
        if (c->held > 0 && !c->is_broken) {
            send_first(id);
            return;
        }
    }
    if (!c->is_receiving || c->is_broken)
        settle(id);
}

/* Whoever found no buffer asks again once there are some. */
static void feed_starved(void)
{
    int count = starved_count;

    starved_count = 0;
    for (int i = 0; i < count; i++) {
        table[starved[i]].is_starved = false;
        settle(starved[i]);
    }
}

static void on_completion(const struct io_uring_cqe *cqe, int listener)
{
    int id = (int)(cqe->user_data >> 8);

    switch ((enum kind)(cqe->user_data & 0xff)) {
    case ACCEPTED:
        if (cqe->res >= 0) {
            table[cqe->res] = (struct connection){ .first = NONE };
            receive_many(cqe->res);
        }
        if (!(cqe->flags & IORING_CQE_F_MORE))
            accept_many(listener);
        break;
    case RECEIVED:
        on_received(id, cqe->res, cqe->flags);
        break;
    case SENT:
        on_sent(id, cqe->res);
        break;
    case CANCELLED:
        table[id].is_cancelling = false;
        settle(id);
        break;
    case CLOSED:
        break;
    }
}

static void set_up(void)
{
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };
    struct io_uring_buf_reg group = { .ring_entries = buffer_count, .bgid = GROUP };
    size_t bytes = buffer_count * sizeof(struct io_uring_buf);

    if (io_uring_queue_init_params(ENTRIES, &ring, &parameters) < 0)
        die("io_uring_setup");
    if (io_uring_register_files_sparse(&ring, CONNECTIONS) < 0 && io_uring_register_files_sparse(&ring, 19000) < 0)
        die("io_uring_register files");
    provided = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    buffers = mmap(NULL, (size_t)buffer_count * BUFFER, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (provided == MAP_FAILED || buffers == MAP_FAILED)
        die("mmap");
    group.ring_addr = (unsigned long long)(uintptr_t)provided;
    if (io_uring_register_buf_ring(&ring, &group, 0) < 0)
        die("io_uring_register buffers");
    io_uring_buf_ring_init(provided);
    for (unsigned buffer = 0; buffer < buffer_count; buffer++)
        give_back((int)buffer);
    io_uring_buf_ring_advance(provided, (int)returned);
    returned = 0;
}

int main(int argc, char **argv)
{
    int on = 1;
    int listener = listen_on(argc > 1 ? argv[1] : "0", SOCK_STREAM | SOCK_CLOEXEC, BACKLOG);

    buffer_count = argc > 2 ? (unsigned)atoi(argv[2]) : BUFFERS_DEFAULT;
    if (buffer_count == 0 || buffer_count > BUFFERS_MAX || (buffer_count & (buffer_count - 1)) != 0)
        die("BUFFERS is no power of two up to 32768");
    /* Accepted sockets inherit it. */
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    set_up();
    accept_many(listener);
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;

        int result = io_uring_submit_and_wait(&ring, 1);
        if (result < 0 && result != -EINTR)
            die("io_uring_enter");
        io_uring_for_each_cqe(&ring, head, cqe) {
            on_completion(cqe, listener);
            count++;
        }
        io_uring_cq_advance(&ring, count);
        if (returned > 0) {
            io_uring_buf_ring_advance(provided, (int)returned);
            feed_starved();
            returned = 0;
        }
    }
}
