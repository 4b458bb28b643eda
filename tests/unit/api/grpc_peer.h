/* grpc_peer.h -- an HTTP/2 client in memory against one pd_grpc_session, for tests: says anything,
 * right or wrong, and keeps what comes back. Thread: one. */
#ifndef PD_TESTS_UNIT_API_GRPC_PEER_H
#define PD_TESTS_UNIT_API_GRPC_PEER_H

#include <nghttp2/nghttp2.h>

#include "api/grpc/session.h"

enum { PEER_STREAM_COUNT_MAX = 64, PEER_CALL_COUNT_MAX = 64 };

typedef struct peer_stream {
    int32_t id;
    int http_status;
    int grpc_status; /* -1: none came */
    char message[256];
    char details[256];
    char encoding[32];
    char content_type[64];
    pd_buf_t data;
    bool closed;
    uint32_t error; /* of the close */
} peer_stream_t;

typedef struct peer {
    pd_grpc_env_t *env;
    pd_grpc_session_t *session;
    nghttp2_session *http2;
    int64_t now_ns;
    size_t chunk_size;    /* bytes handed over at once; 0: all */
    pd_status_t received; /* of the last pd_grpc_session_receive */
    bool goaway;
    uint32_t goaway_error;
    int goaway_count;
    uint32_t settings_count;
    peer_stream_t streams[PEER_STREAM_COUNT_MAX];
    size_t stream_count;

    /* What the handler saw. */
    pd_grpc_call_t *calls[PEER_CALL_COUNT_MAX];
    size_t call_count;
    size_t cancel_count;
    size_t output_count;
    bool auto_echo; /* the handler answers at once with the request */
    bool streaming; /* on_open says so; each message is echoed */
    bool answer_cancels;
} peer_t;

/* Limits may be NULL (defaults). */
peer_t *peer_new(const pd_grpc_limits_t *limits);
/* With a handler of the test's own instead of the one described above. */
peer_t *peer_new_with(const pd_grpc_server_handler_t *own_handler, void *ctx);
/* Calls in `calls` must have been answered, or answer_cancels be set. */
void peer_free(peer_t *peer);

/* Sends a request; headers are "name", "value", ..., NULL in addition to those of gRPC; a value of
 * "" removes the default one. body may span several messages; end: END_STREAM behind it. */
int32_t peer_request(peer_t *peer, const char *const *headers, pd_bytes_t body, bool end);
/* A framed message, in static memory that the next call overwrites. */
pd_bytes_t peer_frame(const void *data, size_t size, int flag);
/* Moves bytes both ways until nothing moves any more. */
void peer_exchange(peer_t *peer);
/* Only from us to the session: raw bytes. */
void peer_raw(peer_t *peer, const void *data, size_t size);
peer_stream_t *peer_stream(peer_t *peer, int32_t id);

#endif
