#include "tests/unit/api/grpc_peer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"

enum { BODY_SIZE_MAX = 16 << 20 };

typedef struct body {
    uint8_t *data;
    size_t size;
    size_t sent;
    bool end;
} body_t;

static peer_stream_t *add_stream(peer_t *peer, int32_t id)
{
    peer_stream_t *stream = &peer->streams[peer->stream_count++];

    PD_ASSERT(peer->stream_count <= PEER_STREAM_COUNT_MAX);
    stream->id = id;
    stream->grpc_status = -1;
    pd_buf_init(&stream->data, BODY_SIZE_MAX);
    return stream;
}

peer_stream_t *peer_stream(peer_t *peer, int32_t id)
{
    for (size_t i = 0; i < peer->stream_count; i++) {
        if (peer->streams[i].id == id)
            return &peer->streams[i];
    }
    return NULL;
}

/* -- the handler -- */

static uint8_t *copy_of(pd_bytes_t bytes)
{
    return bytes.size ? pd_memdup(bytes.data, bytes.size) : NULL;
}

static void on_call(void *ctx, pd_grpc_call_t *call)
{
    peer_t *peer = ctx;
    pd_bytes_t message = pd_grpc_call_message(call);

    PD_ASSERT(peer->call_count < PEER_CALL_COUNT_MAX);
    peer->calls[peer->call_count++] = call;
    if (peer->auto_echo)
        pd_grpc_call_respond(call, copy_of(message), message.size);
}

static void on_cancel(void *ctx, pd_grpc_call_t *call)
{
    peer_t *peer = ctx;

    peer->cancel_count++;
    PD_ASSERT(pd_grpc_call_is_cancelled(call));
    if (peer->answer_cancels)
        pd_grpc_call_fail(call, PD_GRPC_CANCELLED, "cancelled", pd_bytes(NULL, 0));
}

static bool on_open(void *ctx, pd_grpc_call_t *call)
{
    peer_t *peer = ctx;

    return peer->streaming;
}

static void on_message(void *ctx, pd_grpc_call_t *call, pd_bytes_t message)
{
    pd_grpc_call_send_message(call, copy_of(message), message.size);
}

static void on_half_close(void *ctx, pd_grpc_call_t *call)
{
    pd_grpc_call_finish(call, PD_GRPC_OK, NULL);
}

static const pd_grpc_server_handler_t handler = {
    .on_call = on_call,
    .on_cancel = on_cancel,
    .on_open = on_open,
    .on_message = on_message,
    .on_half_close = on_half_close,
};

static void on_output(void *owner)
{
    peer_t *peer = owner;

    peer->output_count++;
}

/* -- the client's side of HTTP/2 -- */

static void keep(char *out, size_t out_size, const uint8_t *value, size_t size)
{
    snprintf(out, out_size, "%.*s", (int)size, (const char *)value);
}

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name_bytes,
                     size_t name_size, const uint8_t *value, size_t size, uint8_t flags, void *ctx)
{
    peer_stream_t *stream = peer_stream(ctx, frame->hd.stream_id);
    const char *name = (const char *)name_bytes;

    if (!stream)
        return 0;
    if (strcmp(name, ":status") == 0)
        stream->http_status = atoi((const char *)value);
    else if (strcmp(name, "grpc-status") == 0)
        stream->grpc_status = atoi((const char *)value);
    else if (strcmp(name, "grpc-message") == 0)
        keep(stream->message, sizeof(stream->message), value, size);
    else if (strcmp(name, "grpc-status-details-bin") == 0)
        keep(stream->details, sizeof(stream->details), value, size);
    else if (strcmp(name, "grpc-encoding") == 0)
        keep(stream->encoding, sizeof(stream->encoding), value, size);
    else if (strcmp(name, "content-type") == 0)
        keep(stream->content_type, sizeof(stream->content_type), value, size);
    return 0;
}

static int on_data(nghttp2_session *http2, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t size, void *ctx)
{
    peer_stream_t *stream = peer_stream(ctx, stream_id);

    PD_ASSERT(stream && pd_buf_append(&stream->data, data, size) == PD_OK);
    return 0;
}

static int on_frame_recv(nghttp2_session *http2, const nghttp2_frame *frame, void *ctx)
{
    peer_t *peer = ctx;

    if (frame->hd.type == NGHTTP2_GOAWAY) {
        peer->goaway = true;
        peer->goaway_count++;
        peer->goaway_error = frame->goaway.error_code;
    }
    peer->settings_count += frame->hd.type == NGHTTP2_SETTINGS;
    return 0;
}

static int on_stream_close(nghttp2_session *http2, int32_t stream_id, uint32_t error, void *ctx)
{
    peer_stream_t *stream = peer_stream(ctx, stream_id);
    body_t *body = nghttp2_session_get_stream_user_data(http2, stream_id);

    if (stream) {
        stream->closed = true;
        stream->error = error;
    }
    if (body) {
        pd_free(body->data);
        pd_free(body);
        nghttp2_session_set_stream_user_data(http2, stream_id, NULL);
    }
    return 0;
}

static ssize_t read_body(nghttp2_session *http2, int32_t stream_id, uint8_t *buf, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    body_t *body = source->ptr;
    size_t left = body->size - body->sent;

    if (!left && !body->end)
        return NGHTTP2_ERR_DEFERRED;
    if (size > left)
        size = left;
    if (size)
        memcpy(buf, body->data + body->sent, size);
    body->sent += size;
    if (body->end && body->sent == body->size)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)size;
}

/* -- the peer -- */

static peer_t *new_peer(const pd_grpc_limits_t *limits, const pd_grpc_server_handler_t *own_handler,
                        void *ctx)
{
    peer_t *peer = PD_NEW(peer_t);
    pd_grpc_env_options_t env = {.handler = own_handler ? own_handler : &handler,
                                 .handler_ctx = own_handler ? ctx : peer,
                                 .on_output = on_output};
    pd_grpc_session_options_t session = {.owner = peer, .compress = true, .now_ns = 1000};
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;

    if (limits)
        env.limits = *limits;
    else
        pd_grpc_limits_init(&env.limits);
    peer->now_ns = session.now_ns;
    peer->env = pd_grpc_env_new(&env);
    peer->session = pd_grpc_session_new(peer->env, &session);
    PD_ASSERT(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    PD_ASSERT(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
    PD_ASSERT(nghttp2_session_client_new2(&peer->http2, callbacks, peer, option) == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    PD_ASSERT(nghttp2_submit_settings(peer->http2, NGHTTP2_FLAG_NONE, NULL, 0) == 0);
    return peer;
}

peer_t *peer_new(const pd_grpc_limits_t *limits)
{
    return new_peer(limits, NULL, NULL);
}

peer_t *peer_new_with(const pd_grpc_server_handler_t *own_handler, void *ctx)
{
    return new_peer(NULL, own_handler, ctx);
}

void peer_free(peer_t *peer)
{
    pd_grpc_session_free(peer->session);
    pd_grpc_env_free(peer->env);
    for (size_t i = 0; i < peer->stream_count; i++) {
        if (!peer->streams[i].closed)
            on_stream_close(peer->http2, peer->streams[i].id, 0, peer);
        pd_buf_deinit(&peer->streams[i].data);
    }
    nghttp2_session_del(peer->http2);
    pd_free(peer);
}

static void set_header(nghttp2_nv *headers, size_t *count, const char *name, const char *value)
{
    size_t i = 0;

    while (i < *count && strcmp((const char *)headers[i].name, name) != 0)
        i++;
    headers[i] = (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                              strlen(value), 0};
    if (i == *count)
        (*count)++;
}

int32_t peer_request(peer_t *peer, const char *const *headers, pd_bytes_t body_bytes, bool end)
{
    static const char *const defaults[] = {
        ":method",    "POST", ":scheme", "http",     ":path",        "/a.B/C",
        ":authority", "test", "te",      "trailers", "content-type", "application/grpc"};
    nghttp2_nv all[300];
    size_t count = 0, kept = 0;
    body_t *body = PD_NEW(body_t);
    nghttp2_data_provider provider = {.source.ptr = body, .read_callback = read_body};
    int32_t id;

    for (size_t i = 0; i < PD_ARRAY_COUNT(defaults); i += 2)
        set_header(all, &count, defaults[i], defaults[i + 1]);
    for (size_t i = 0; headers && headers[i]; i += 2)
        set_header(all, &count, headers[i], headers[i + 1]);
    for (size_t i = 0; i < count; i++) {
        if (all[i].valuelen)
            all[kept++] = all[i];
    }
    body->data = pd_memdup(body_bytes.data, body_bytes.size);
    body->size = body_bytes.size;
    body->end = end;
    id = nghttp2_submit_request(peer->http2, NULL, all, kept, &provider, body);
    PD_ASSERT(id > 0);
    add_stream(peer, id);
    return id;
}

pd_bytes_t peer_frame(const void *data, size_t size, int flag)
{
    static uint8_t *frame;
    static size_t capacity;

    if (capacity < size + 5) {
        capacity = size + 5;
        frame = pd_realloc(frame, capacity);
    }
    frame[0] = (uint8_t)flag;
    frame[1] = (uint8_t)(size >> 24);
    frame[2] = (uint8_t)(size >> 16);
    frame[3] = (uint8_t)(size >> 8);
    frame[4] = (uint8_t)size;
    if (size)
        memcpy(frame + 5, data, size);
    return pd_bytes(frame, size + 5);
}

void peer_raw(peer_t *peer, const void *data, size_t size)
{
    size_t step = peer->chunk_size ? peer->chunk_size : size;

    for (size_t at = 0; at < size; at += step) {
        size_t part = size - at < step ? size - at : step;
        /* A copy of its own, so that a sanitizer sees any reading beyond it. */
        uint8_t *copy = pd_memdup((const uint8_t *)data + at, part);

        peer->received = pd_grpc_session_receive(peer->session, peer->now_ns, pd_bytes(copy, part));
        pd_free(copy);
        if (peer->received != PD_OK)
            return;
    }
}

static bool move_out(peer_t *peer)
{
    const uint8_t *data;
    ssize_t size = nghttp2_session_mem_send(peer->http2, &data);

    PD_ASSERT(size >= 0);
    if (size)
        peer_raw(peer, data, (size_t)size);
    return size != 0;
}

static bool move_in(peer_t *peer)
{
    pd_grpc_output_t output;
    struct iovec iov[8];
    bool moved = false;
    int count;

    pd_grpc_output_init(&output, pd_grpc_env_blobs(peer->env));
    (void)!pd_grpc_session_send(peer->session, &output, 100000);
    while ((count = pd_grpc_output_peek(&output, iov, 8)) > 0) {
        size_t step = peer->chunk_size && peer->chunk_size < iov[0].iov_len ? peer->chunk_size
                                                                            : iov[0].iov_len;

        PD_ASSERT(nghttp2_session_mem_recv(peer->http2, iov[0].iov_base, step) == (ssize_t)step);
        pd_grpc_output_consume(&output, step);
        moved = true;
    }
    PD_ASSERT(output.size == 0);
    pd_grpc_output_deinit(&output);
    return moved;
}

void peer_exchange(peer_t *peer)
{
    bool moved;

    do {
        moved = move_out(peer);
        moved |= move_in(peer);
    } while (moved && peer->received == PD_OK);
}
