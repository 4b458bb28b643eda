/* transport.h -- moves the bytes of HTTP/2 sessions between sockets and memory, for server and
 * client.
 *
 * One pd_grpc_io_t per loop user: a large read buffer that all its connections share, and one flush
 * at the end of each turn of the loop, so that everything which became ready in the turn leaves in
 * one writev per connection. Thread: the loop's. Ownership: transports are embedded in connections;
 * the fd is owned. */
#ifndef PD_API_GRPC_TRANSPORT_H
#define PD_API_GRPC_TRANSPORT_H

#include "api/grpc/output.h"
#include "base/loop_event.h"

struct event;

typedef struct pd_grpc_io pd_grpc_io_t;
typedef struct pd_grpc_transport pd_grpc_transport_t;

/* All get the transport's ctx. */
typedef struct pd_grpc_transport_ops {
    /* Bytes have come; false: write what is left, then close. */
    bool (*receive)(void *ctx, int64_t now_ns, pd_bytes_t bytes);
    /* Appends until `size` bytes are in the empty output; false: as in receive. */
    bool (*produce)(void *ctx, pd_grpc_output_t *output, size_t size);
    /* The session has nothing more to read or write. */
    bool (*is_done)(void *ctx);
    /* While the peer does not read: is so much waiting that we stop reading, too? */
    bool (*is_full)(void *ctx);
    /* May be NULL. While the peer does not read: is there no use in waiting for it? */
    bool (*is_cut_off)(void *ctx);
    /* The end, once, at the end of a turn; the fd is closed already. The owner may free the
     * transport. */
    void (*closed)(void *ctx, const char *reason);
} pd_grpc_transport_ops_t;

struct pd_grpc_transport {
    pd_grpc_io_t *io;
    const pd_grpc_transport_ops_t *ops;
    void *ctx;
    int fd;
    struct event *read_event;
    struct event *write_event;
    pd_grpc_output_t *output; /* what the socket did not take; NULL: nothing */
    pd_grpc_transport_t *dirty_next;
    int64_t received_ns;      /* when bytes came last */
    const char *close_reason; /* set: closes once written, or at once when `dropped` */
    bool dirty;               /* in the io's list */
    bool reading;
    bool dropped;
};

pd_grpc_io_t *pd_grpc_io_new(pd_loop_event_t *loop, pd_grpc_blob_pool_t *blobs);
/* All transports must be closed. */
void pd_grpc_io_free(pd_grpc_io_t *io);
/* Calls ctx's function at the end of this turn, with the flushes; for work that must not run inside
 * the caller. The node is borrowed until then. */
typedef struct pd_grpc_later {
    struct pd_grpc_later *next;
    void (*run)(struct pd_grpc_later *later);
    bool queued;
} pd_grpc_later_t;
void pd_grpc_io_later(pd_grpc_io_t *io, pd_grpc_later_t *later);

/* Takes the connected, non-blocking fd and begins to read. */
void pd_grpc_transport_start(pd_grpc_transport_t *self, pd_grpc_io_t *io, int fd,
                             const pd_grpc_transport_ops_t *ops, void *ctx);
/* Something may be to write (or to close): done at the end of the turn. */
void pd_grpc_transport_mark(pd_grpc_transport_t *self);
/* Closes at the end of the turn, without writing more. reason: static text. */
void pd_grpc_transport_drop(pd_grpc_transport_t *self, const char *reason);
/* Closes now, without `closed`. For owners that go away. */
void pd_grpc_transport_stop(pd_grpc_transport_t *self);

#endif
