#include "api/grpc/transport.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"

enum {
    READ_SIZE = 128 * 1024,  /* one read: some thousand small calls */
    WRITE_SIZE = 256 * 1024, /* one writev */
    WRITE_COUNT_MAX = 8,     /* per turn and connection, so that others get their turn */
};

struct pd_grpc_io {
    pd_loop_event_t *loop;
    pd_grpc_blob_pool_t *blobs;
    struct event *flush_event;
    pd_grpc_transport_t *dirty; /* newest first */
    pd_grpc_later_t *later_first, *later_last;
    pd_grpc_output_t *scratch; /* lent to a transport when its socket is full */
    uint32_t transport_count;
    uint8_t *read_buffer;
};

static void flush_all(evutil_socket_t fd, short what, void *ctx);

pd_grpc_io_t *pd_grpc_io_new(pd_loop_event_t *loop, pd_grpc_blob_pool_t *blobs)
{
    pd_grpc_io_t *io = PD_NEW(pd_grpc_io_t);

    io->loop = loop;
    io->blobs = blobs;
    io->read_buffer = pd_alloc(READ_SIZE);
    io->flush_event = event_new(pd_loop_event_base(loop), -1, 0, flush_all, io);
    PD_ASSERT(io->flush_event);
    return io;
}

static void free_output(pd_grpc_output_t *output)
{
    if (!output)
        return;
    pd_grpc_output_deinit(output);
    pd_free(output);
}

void pd_grpc_io_free(pd_grpc_io_t *io)
{
    if (!io)
        return;
    PD_ASSERT(!io->transport_count && !io->dirty);
    event_free(io->flush_event);
    free_output(io->scratch);
    pd_free(io->read_buffer);
    pd_free(io);
}

void pd_grpc_io_later(pd_grpc_io_t *io, pd_grpc_later_t *later)
{
    if (later->queued)
        return;
    later->queued = true;
    later->next = NULL;
    if (io->later_first)
        io->later_last->next = later;
    else
        io->later_first = later;
    io->later_last = later;
    event_active(io->flush_event, EV_TIMEOUT, 0);
}

/* libevent runs what becomes active within a turn behind what is active already: so the flush comes
 * when all sockets and all mail of the turn have had their say. */
void pd_grpc_transport_mark(pd_grpc_transport_t *self)
{
    if (self->dirty)
        return;
    self->dirty = true;
    self->dirty_next = self->io->dirty;
    self->io->dirty = self;
    event_active(self->io->flush_event, EV_TIMEOUT, 0);
}

static void close_later(pd_grpc_transport_t *self, const char *reason, bool dropped)
{
    if (!self->close_reason)
        self->close_reason = reason;
    self->dropped |= dropped;
    pd_grpc_transport_mark(self);
}

void pd_grpc_transport_drop(pd_grpc_transport_t *self, const char *reason)
{
    close_later(self, reason, true);
}

static void set_reading(pd_grpc_transport_t *self, bool reading)
{
    if (self->reading == reading)
        return;
    self->reading = reading;
    if (reading)
        PD_ASSERT(event_add(self->read_event, NULL) == 0);
    else
        PD_ASSERT(event_del(self->read_event) == 0);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    pd_grpc_transport_t *self = ctx;
    int64_t now_ns = pd_loop_event_refresh_ns(self->io->loop);
    ssize_t size;

    if (self->close_reason)
        return;
    size = read(self->fd, self->io->read_buffer, READ_SIZE);
    if (size < 0) {
        if (errno != EAGAIN && errno != EINTR)
            close_later(self, "read error", true);
        return;
    }
    if (size == 0) {
        close_later(self, "closed by the peer", true);
        return;
    }
    self->received_ns = now_ns;
    if (!self->ops->receive(self->ctx, now_ns, pd_bytes(self->io->read_buffer, (size_t)size)))
        close_later(self, "protocol error", false);
    pd_grpc_transport_mark(self);
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
    pd_grpc_transport_t *self = ctx;

    pd_loop_event_refresh_ns(self->io->loop);
    pd_grpc_transport_mark(self);
}

void pd_grpc_transport_start(pd_grpc_transport_t *self, pd_grpc_io_t *io, int fd,
                             const pd_grpc_transport_ops_t *ops, void *ctx)
{
    struct event_base *base = pd_loop_event_base(io->loop);

    memset(self, 0, sizeof(*self));
    self->io = io;
    self->ops = ops;
    self->ctx = ctx;
    self->fd = fd;
    self->received_ns = pd_loop_now_ns(pd_loop_event_loop(io->loop));
    self->read_event = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, self);
    self->write_event = event_new(base, fd, EV_WRITE, on_writable, self);
    PD_ASSERT(self->read_event && self->write_event);
    io->transport_count++;
    set_reading(self, true);
    pd_grpc_transport_mark(self);
}

void pd_grpc_transport_stop(pd_grpc_transport_t *self)
{
    pd_grpc_io_t *io = self->io;

    if (!io)
        return;
    for (pd_grpc_transport_t **at = &io->dirty; self->dirty && *at; at = &(*at)->dirty_next) {
        if (*at != self)
            continue;
        *at = self->dirty_next;
        break;
    }
    event_free(self->read_event);
    event_free(self->write_event);
    close(self->fd);
    free_output(self->output);
    io->transport_count--;
    memset(self, 0, sizeof(*self));
    self->fd = -1;
}

/* Where the output of this turn goes: what the socket left over, or the io's own buffer. */
static pd_grpc_output_t *borrow_output(pd_grpc_transport_t *self)
{
    pd_grpc_io_t *io = self->io;

    if (self->output)
        return self->output;
    if (!io->scratch) {
        io->scratch = PD_NEW(pd_grpc_output_t);
        pd_grpc_output_init(io->scratch, io->blobs);
    }
    return io->scratch;
}

typedef enum write_result { WRITE_ALL, WRITE_BLOCKED, WRITE_FAILED } write_result_t;

static write_result_t write_out(int fd, pd_grpc_output_t *output)
{
    struct iovec iov[PD_GRPC_OUTPUT_IOV_COUNT];

    while (output->size) {
        struct msghdr message = {.msg_iov = iov};
        ssize_t written;

        message.msg_iovlen = (size_t)pd_grpc_output_peek(output, iov, PD_GRPC_OUTPUT_IOV_COUNT);
        written = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno == EAGAIN ? WRITE_BLOCKED : WRITE_FAILED;
        pd_grpc_output_consume(output, (size_t)written);
    }
    return WRITE_ALL;
}

/* Keeps the rest with the transport, or gives its own buffer back when there is none. */
static void settle_output(pd_grpc_transport_t *self, pd_grpc_output_t *output)
{
    pd_grpc_io_t *io = self->io;

    if (output->size && output == io->scratch) {
        io->scratch = NULL;
        self->output = output;
    } else if (!output->size && output == self->output) {
        self->output = NULL;
        if (io->scratch)
            free_output(output);
        else
            io->scratch = output;
    }
}

static write_result_t flush_writes(pd_grpc_transport_t *self)
{
    pd_grpc_output_t *output = borrow_output(self);
    write_result_t result = WRITE_ALL;
    int count;

    for (count = 0; count < WRITE_COUNT_MAX; count++) {
        /* Only into an empty output: its joined bytes are dropped as a whole. */
        if (!output->size && !self->ops->produce(self->ctx, output, WRITE_SIZE) &&
            !self->close_reason)
            self->close_reason = "protocol error";
        if (!output->size)
            break;
        result = write_out(self->fd, output);
        if (result != WRITE_ALL)
            break;
    }
    settle_output(self, output);
    if (count == WRITE_COUNT_MAX)
        PD_ASSERT(event_add(self->write_event, NULL) == 0);
    return result;
}

static void finish(pd_grpc_transport_t *self)
{
    const pd_grpc_transport_ops_t *ops = self->ops;
    const char *reason = self->close_reason;
    void *ctx = self->ctx;

    pd_grpc_transport_stop(self);
    ops->closed(ctx, reason);
}

static void flush(pd_grpc_transport_t *self)
{
    write_result_t result;

    if (self->dropped) {
        finish(self);
        return;
    }
    result = flush_writes(self);
    if (result == WRITE_FAILED) {
        self->close_reason = self->close_reason ? self->close_reason : "write error";
        finish(self);
        return;
    }
    if (result == WRITE_BLOCKED && self->ops->is_cut_off && self->ops->is_cut_off(self->ctx)) {
        self->close_reason = self->close_reason ? self->close_reason : "cut off";
        finish(self);
        return;
    }
    if (result == WRITE_BLOCKED) {
        PD_ASSERT(event_add(self->write_event, NULL) == 0);
        set_reading(self, !self->ops->is_full(self->ctx));
        return;
    }
    if (self->ops->is_done(self->ctx)) {
        self->close_reason = self->close_reason ? self->close_reason : "HTTP/2 session ended";
        finish(self);
        return;
    }
    set_reading(self, !self->close_reason);
}

static void flush_all(evutil_socket_t fd, short what, void *ctx)
{
    pd_grpc_io_t *io = ctx;
    pd_grpc_later_t *later;
    pd_grpc_transport_t *self;

    while ((self = io->dirty)) {
        io->dirty = self->dirty_next;
        self->dirty = false;
        flush(self);
    }
    later = io->later_first;
    io->later_first = io->later_last = NULL;
    while (later) { /* the last of them may free the io */
        pd_grpc_later_t *next = later->next;

        later->queued = false;
        later->run(later);
        later = next;
    }
}
