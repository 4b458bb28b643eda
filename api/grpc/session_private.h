/* session_private.h -- the insides of sessions and calls: session.c (HTTP/2), request.c (what comes
 * in), call.c (what goes out). Thread and ownership as in session.h. */
#ifndef PD_API_GRPC_SESSION_PRIVATE_H
#define PD_API_GRPC_SESSION_PRIVATE_H

#include <nghttp2/nghttp2.h>

#include "api/grpc/framing.h"
#include "api/grpc/gzip.h"
#include "api/grpc/session.h"
#include "base/timer_heap.h"

enum {
    PDI_GRPC_HEADER_INLINE_COUNT = 16,
    PDI_GRPC_HEADER_COUNT_MAX = 256,
    PDI_GRPC_WINDOW_SIZE_STREAM = 1 << 20,
    PDI_GRPC_WINDOW_SIZE_CONNECTION = 4 << 20,
    PDI_GRPC_CALL_POOL_COUNT_MAX = 2048,
    PDI_GRPC_ARENA_CHUNK_SIZE = 1024, /* first chunk of a call; most requests need no second */
};

typedef struct pdi_grpc_header {
    nghttp2_rcbuf *name; /* shared with the peer's header table: no copy */
    nghttp2_rcbuf *value;
} pdi_grpc_header_t;

struct pd_grpc_call {
    pd_grpc_env_t *env;
    pd_grpc_session_t *session;      /* NULL once the stream is closed */
    pd_grpc_call_t *next, *previous; /* calls of the session, or the env's free list */
    int32_t stream_id;

    bool streaming;
    bool seen;        /* the handler knows the call */
    bool answered;    /* the handler is done with it, or never saw it */
    bool wire_ended;  /* the end of the answer is submitted */
    bool cancelled;   /* on_cancel has come */
    bool half_closed; /* the peer sends no more */
    bool responding;  /* response headers are submitted */
    bool deferred;    /* nghttp2 waits for us to resume the body */
    bool trailer_due; /* the body ends with trailers when the queue is empty */
    bool has_message;
    bool compressed_peer; /* grpc-encoding: gzip */
    bool accepts_gzip;
    uint8_t code; /* grpc-status of the trailers */

    uint16_t header_count;
    uint16_t header_capacity;
    uint16_t bad_header; /* index + 1 of a -bin header that is not base64; 0: none */
    uint32_t header_size;
    pdi_grpc_header_t *headers; /* inline, or in the arena */
    nghttp2_rcbuf *path, *method, *content_type, *timeout, *encoding, *accept_encoding;

    pd_timer_t deadline;
    int64_t deadline_ns;

    pd_grpc_decoder_t decoder;
    pd_bytes_t message; /* in the arena, the decoder or `inflated` */
    uint8_t *inflated;
    size_t held_size; /* what the call adds to the env's */

    pd_grpc_blob_t *out_first, *out_last;
    size_t out_offset; /* into the first one, prefix included */
    char *end_message; /* grpc-message of the trailers, percent-encoded; owned */

    void *user;
    /* From here on nothing is cleared when a call object is used again. */
    pd_arena_t arena;
    pdi_grpc_header_t inline_headers[PDI_GRPC_HEADER_INLINE_COUNT];
};

struct pd_grpc_env {
    pd_grpc_env_options_t options;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    pd_grpc_gzip_t *gzip;
    pd_grpc_blob_pool_t blobs;
    pd_grpc_call_t *free_calls;
    uint32_t free_call_count;
    uint32_t session_count;
    uint64_t call_object_count; /* calls that are not in the free list */
    uint64_t call_count;
    uint64_t open_call_count;
    size_t held_size;
};

struct pd_grpc_session {
    pd_grpc_env_t *env;
    nghttp2_session *http2;
    void *owner;
    pd_grpc_output_t *output; /* only during _send */
    size_t output_size;       /* to stop at */
    pd_grpc_call_t *calls;    /* with an open stream, newest first */
    pd_timer_heap_t deadlines;
    int64_t now_ns;
    int64_t glitch_ns; /* when the budget was last refilled */
    uint32_t glitch_count;
    uint32_t stream_count;
    size_t unsent_size;
    bool compress;
    bool inside; /* _receive or _tick runs: output is fetched after it */
    bool broken; /* protocol error or flood */
    bool shutting_down;
};

static inline pd_bytes_t pdi_grpc_rcbuf(nghttp2_rcbuf *rcbuf)
{
    nghttp2_vec vec;

    if (!rcbuf)
        return pd_bytes(NULL, 0);
    vec = nghttp2_rcbuf_get_buf(rcbuf);
    return pd_bytes(vec.base, vec.len);
}

static inline bool pdi_grpc_is(pd_bytes_t bytes, const char *text, size_t size)
{
    return bytes.size == size && memcmp(bytes.data, text, size) == 0;
}
#define PDI_GRPC_IS(bytes, literal) pdi_grpc_is((bytes), literal, sizeof(literal) - 1)

/* -- call.c -- */
pd_grpc_call_t *pdi_grpc_call_new(pd_grpc_session_t *session, int32_t stream_id);
/* The stream is gone: cancels, or frees what is answered. The call may be freed inside. */
void pdi_grpc_call_closed(pd_grpc_call_t *call);
/* Ends a call with an error of ours; a handler that knows it gets on_cancel and still answers. */
void pdi_grpc_call_refuse(pd_grpc_call_t *call, int code, const char *message);
/* As _refuse, with an HTTP status other than 200. Only before anything else was answered. */
void pdi_grpc_call_refuse_http(pd_grpc_call_t *call, const char *http_status, int code,
                               const char *message);
/* nghttp2's writer of a body's frames. */
int pdi_grpc_call_write(nghttp2_session *http2, nghttp2_frame *frame, const uint8_t *header,
                        size_t size, nghttp2_data_source *source, void *ctx);

/* -- request.c -- */
/* Keeps one header field; false when the limits are passed. */
bool pdi_grpc_request_header(pd_grpc_call_t *call, nghttp2_rcbuf *name, nghttp2_rcbuf *value);
/* All headers are here: validates them, starts the deadline. May answer the call. */
void pdi_grpc_request_open(pd_grpc_call_t *call, bool half_closed);
/* Body bytes. May answer the call. */
void pdi_grpc_request_data(pd_grpc_call_t *call, pd_bytes_t bytes);
/* The peer is done: hands the call to the handler. */
void pdi_grpc_request_end(pd_grpc_call_t *call);

#endif
