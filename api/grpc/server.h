/* server.h -- a gRPC server: one listener and its connections on one loop.
 *
 * Several servers, each on its own loop, may share an address (reuse_port): the kernel spreads the
 * connections. No protobuf here: bytes in, bytes out. Calls are in call.h.
 *
 * Thread: _new before the loop runs or on it; _free after the loop has ended or on it; all else on
 * the loop. Another thread answers a call by posting mail to the loop.
 * Ownership: the server borrows loop, handler and ctx until _free. */
#ifndef PD_API_GRPC_SERVER_H
#define PD_API_GRPC_SERVER_H

#include "api/grpc/call.h"
#include "base/loop_event.h"

typedef struct pd_grpc_server pd_grpc_server_t;

typedef struct pd_grpc_server_options {
    const char *ip;            /* numeric, v4 or v6 */
    uint16_t port;             /* 0: the system chooses, see pd_grpc_server_port */
    bool reuse_port;           /* other servers of this user may listen on the same address */
    size_t receive_size_max;   /* of one request message, compressed and inflated */
    size_t header_size_max;    /* of a request's header list, counted as in RFC 9113 */
    size_t held_size_max;      /* request bytes of all unanswered calls together */
    uint32_t call_count_max;   /* unanswered calls of all connections */
    uint32_t stream_count_max; /* concurrent streams of one connection */
    uint32_t connection_count_max;
    int64_t keepalive_idle_ns;    /* silent that long: we ping */
    int64_t keepalive_timeout_ns; /* and still silent: the connection is dead */
    /* Answers of this size are compressed for peers that accept it; see README.md for the reasons.
     * Loopback peers get none, unless gzip_loopback. */
    size_t gzip_size_min;
    size_t gzip_size_max;
    bool gzip_loopback;
} pd_grpc_server_options_t;

typedef struct pd_grpc_server_stats {
    uint64_t call_count;       /* ever begun */
    uint64_t open_call_count;  /* not answered yet */
    uint64_t connection_count; /* ever accepted */
    uint64_t open_connection_count;
} pd_grpc_server_stats_t;

/* 127.0.0.1, port 0, 4 MiB, and limits for a large installation. */
void pd_grpc_server_options_init(pd_grpc_server_options_t *options);

/* Binds and listens. PD_EXISTS: the address is in use; PD_INVALID: no such address; PD_IO. */
pd_status_t pd_grpc_server_new(pd_loop_event_t *loop, const pd_grpc_server_options_t *options,
                               const pd_grpc_server_handler_t *handler, void *ctx,
                               pd_grpc_server_t **server, pd_error_t *error) PD_MUST_USE;
/* Open connections are closed, unanswered calls get on_cancel; all must have been answered when it
 * returns. */
void pd_grpc_server_free(pd_grpc_server_t *self);

uint16_t pd_grpc_server_port(const pd_grpc_server_t *self);
void pd_grpc_server_stats(const pd_grpc_server_t *self, pd_grpc_server_stats_t *stats);

/* Graceful end: accepts nothing more, tells the peers (GOAWAY), lets open calls finish. What is
 * still open after drain_ns is cancelled. on_stopped comes once, when no connection and no
 * unanswered call is left; the server may be freed from there. Once only. */
void pd_grpc_server_stop(pd_grpc_server_t *self, int64_t drain_ns, void (*on_stopped)(void *ctx),
                         void *ctx);

#endif
