/* session.h -- the server's side of one HTTP/2 connection that carries gRPC, without I/O.
 *
 * Bytes from the peer go in through _receive, bytes for it come out of _send, time comes in as an
 * argument; so the same code runs on sockets (server.c), under the fuzzer and in tests.
 *
 *   HEADERS ─▶ open ──(END_STREAM)──▶ on_call ──respond/fail──▶ answered ─┐
 *               │ bad request: answered at once, the handler never sees it  ├─▶ freed when the
 * stream └─ reset, deadline, connection lost ─▶ on_cancel ─ answer ──┘   is closed as well
 *
 * Against floods: streams, calls, header lists, messages and held bytes have limits; resets,
 * SETTINGS, PRIORITY and empty DATA frames draw on a budget per connection (rapid reset). Thread:
 * one loop. Ownership: the env outlives its sessions and their calls. */
#ifndef PD_API_GRPC_SESSION_H
#define PD_API_GRPC_SESSION_H

#include "api/grpc/call.h"
#include "api/grpc/output.h"

typedef struct pd_grpc_env pd_grpc_env_t;
typedef struct pd_grpc_session pd_grpc_session_t;

typedef struct pd_grpc_limits {
    size_t receive_size_max;     /* of one request message, on the wire and inflated */
    size_t header_size_max;      /* of a header list, 32 bytes added per field */
    size_t held_size_max;        /* request bytes of all unanswered calls of the env */
    size_t unsent_size_max;      /* answers of one connection that wait: new calls are refused */
    uint32_t call_count_max;     /* unanswered calls of the env */
    uint32_t stream_count_max;   /* concurrent streams of one connection */
    uint32_t glitch_count_max;   /* budget of one connection for frames that only cost */
    uint32_t glitch_count_per_s; /* its refill */
    size_t gzip_size_min; /* answers from this size on are compressed, if the peer accepts ... */
    size_t gzip_size_max; /* ... up to this one, as the loop has other calls to serve */
} pd_grpc_limits_t;

void pd_grpc_limits_init(pd_grpc_limits_t *limits);

typedef struct pd_grpc_env_options {
    pd_grpc_limits_t limits;
    const pd_grpc_server_handler_t *handler; /* borrowed */
    void *handler_ctx;
    /* A session that was idle has something to send. Not called during _receive and _tick, after
     * which the caller sends anyway. */
    void (*on_output)(void *owner);
    /* The env's open_call_count went down; may be NULL. */
    void (*on_answered)(void *ctx);
    void *on_answered_ctx;
} pd_grpc_env_options_t;

typedef struct pd_grpc_env_stats {
    uint64_t call_count;
    uint64_t open_call_count;
    size_t held_size;
} pd_grpc_env_stats_t;

/* What the sessions of one loop share: limits, pools, the handler. */
pd_grpc_env_t *pd_grpc_env_new(const pd_grpc_env_options_t *options);
/* All sessions must be freed and all calls answered. */
void pd_grpc_env_free(pd_grpc_env_t *env);
void pd_grpc_env_stats(const pd_grpc_env_t *env, pd_grpc_env_stats_t *stats);
/* For outputs that carry the env's blobs. */
pd_grpc_blob_pool_t *pd_grpc_env_blobs(pd_grpc_env_t *env);

typedef struct pd_grpc_session_options {
    void *owner;   /* argument of on_output */
    bool compress; /* may answers be compressed? Pointless on a loopback connection */
    int64_t now_ns;
} pd_grpc_session_options_t;

pd_grpc_session_t *pd_grpc_session_new(pd_grpc_env_t *env,
                                       const pd_grpc_session_options_t *options);
/* Unanswered calls get on_cancel. Not from inside a handler's callback. */
void pd_grpc_session_free(pd_grpc_session_t *self);

/* Handlers run inside. PD_INVALID: the peer broke the protocol; send what is left and close. */
pd_status_t pd_grpc_session_receive(pd_grpc_session_t *self, int64_t now_ns,
                                    pd_bytes_t bytes) PD_MUST_USE;
/* Appends frames until `size` bytes are in *output or nothing is left. PD_INVALID: close. */
pd_status_t pd_grpc_session_send(pd_grpc_session_t *self, pd_grpc_output_t *output,
                                 size_t size) PD_MUST_USE;
/* Nothing will be read or written any more: close. */
bool pd_grpc_session_is_done(const pd_grpc_session_t *self);
/* The peer broke the rules: what it still gets is a favour, not to be waited for. */
bool pd_grpc_session_is_broken(const pd_grpc_session_t *self);

/* Ends calls whose deadline has come. */
void pd_grpc_session_tick(pd_grpc_session_t *self, int64_t now_ns);
/* The earliest deadline, INT64_MAX if none. */
int64_t pd_grpc_session_next_ns(const pd_grpc_session_t *self);

/* Sends a PING; any answer shows up as received bytes. */
void pd_grpc_session_ping(pd_grpc_session_t *self);
/* Begins the graceful end: GOAWAY without a limit, a PING, and when that returns the final GOAWAY.
 */
void pd_grpc_session_shutdown(pd_grpc_session_t *self);
/* Ends all open calls with UNAVAILABLE and the session with GOAWAY. */
void pd_grpc_session_abort(pd_grpc_session_t *self);
uint32_t pd_grpc_session_stream_count(const pd_grpc_session_t *self);
/* Message bytes that are answered but not handed to _send yet. */
size_t pd_grpc_session_unsent_size(const pd_grpc_session_t *self);

#endif
