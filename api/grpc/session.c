#include "api/grpc/session_private.h"

#include "base/assert.h"
#include "base/memory.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

static const int64_t second_ns = 1000000000;

void pd_grpc_limits_init(pd_grpc_limits_t *limits)
{
    *limits = (pd_grpc_limits_t){
        .receive_size_max = 4 * MIB,
        .header_size_max = 64 * KIB,
        .held_size_max = 512 * (size_t)MIB,
        .unsent_size_max = 64 * MIB,
        .call_count_max = 200000,
        .stream_count_max = 100000,
        .glitch_count_max = 50000,
        .glitch_count_per_s = 5000,
        .gzip_size_min = 16 * KIB,
        .gzip_size_max = 256 * KIB,
    };
}

static bool spend_glitch(pd_grpc_session_t *self)
{
    const pd_grpc_limits_t *limits = &self->env->options.limits;
    int64_t passed_s = (self->now_ns - self->glitch_ns) / second_ns;

    if (passed_s > 0) {
        uint64_t refill = (uint64_t)passed_s * limits->glitch_count_per_s;

        self->glitch_count =
            refill >= self->glitch_count ? 0 : self->glitch_count - (uint32_t)refill;
        self->glitch_ns = self->now_ns;
    }
    if (++self->glitch_count <= limits->glitch_count_max)
        return true;
    if (!self->broken)
        nghttp2_session_terminate_session(self->http2, NGHTTP2_ENHANCE_YOUR_CALM);
    self->broken = true;
    return false;
}

static pd_grpc_call_t *call_of(nghttp2_session *http2, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(http2, stream_id);
}

static int on_begin_headers(nghttp2_session *http2, const nghttp2_frame *frame, void *ctx)
{
    pd_grpc_session_t *self = ctx;
    pd_grpc_call_t *call;

    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    call = pdi_grpc_call_new(self, frame->hd.stream_id);
    PD_ASSERT(nghttp2_session_set_stream_user_data(http2, frame->hd.stream_id, call) == 0);
    return 0;
}

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *ctx)
{
    pd_grpc_call_t *call;

    /* Trailers of a request mean nothing in gRPC. */
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    call = call_of(http2, frame->hd.stream_id);
    if (call)
        pdi_grpc_request_header(call, name, value);
    return 0;
}

static int on_data(nghttp2_session *http2, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t size, void *ctx)
{
    pd_grpc_call_t *call = call_of(http2, stream_id);

    if (call && !call->answered)
        pdi_grpc_request_data(call, pd_bytes(data, size));
    return 0;
}

static int on_frame_recv(nghttp2_session *http2, const nghttp2_frame *frame, void *ctx)
{
    pd_grpc_session_t *self = ctx;
    bool end_stream = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    pd_grpc_call_t *call;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        if (frame->hd.type == NGHTTP2_DATA && !frame->hd.length && !end_stream)
            spend_glitch(self);
        call = call_of(http2, frame->hd.stream_id);
        if (!call)
            return 0;
        if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
            pdi_grpc_request_open(call, end_stream);
        if (end_stream)
            pdi_grpc_request_end(call);
        return 0;
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_PRIORITY:
        spend_glitch(self);
        return 0;
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
            spend_glitch(self);
        return 0;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) && self->shutting_down)
            nghttp2_submit_goaway(http2, NGHTTP2_FLAG_NONE,
                                  nghttp2_session_get_last_proc_stream_id(http2), NGHTTP2_NO_ERROR,
                                  NULL, 0);
        return 0;
    default:
        return 0;
    }
}

/* We have ended a stream whose peer still sends: tell it to stop (RFC 9113 §8.1). */
static int on_frame_send(nghttp2_session *http2, const nghttp2_frame *frame, void *ctx)
{
    int32_t stream_id = frame->hd.stream_id;

    if (frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    if (nghttp2_session_get_stream_remote_close(http2, stream_id) == 0)
        nghttp2_submit_rst_stream(http2, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_NO_ERROR);
    return 0;
}

static int on_stream_close(nghttp2_session *http2, int32_t stream_id, uint32_t error, void *ctx)
{
    pd_grpc_call_t *call = call_of(http2, stream_id);

    if (call)
        pdi_grpc_call_closed(call);
    return 0;
}

static void make_callbacks(pd_grpc_env_t *env)
{
    nghttp2_session_callbacks *callbacks;

    PD_ASSERT(nghttp2_session_callbacks_new(&env->callbacks) == 0);
    callbacks = env->callbacks;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, pdi_grpc_call_write);
    PD_ASSERT(nghttp2_option_new(&env->option) == 0);
    nghttp2_option_set_no_closed_streams(env->option, 1);
    /* Our own budget decides (spend_glitch): it allows a client to cancel all its long polls at
     * once. */
    nghttp2_option_set_stream_reset_rate_limit(env->option, 1 << 20, 1 << 20);
    nghttp2_option_set_max_send_header_block_length(env->option, 256 * KIB);
}

pd_grpc_env_t *pd_grpc_env_new(const pd_grpc_env_options_t *options)
{
    pd_grpc_env_t *env = PD_NEW(pd_grpc_env_t);

    PD_ASSERT(options->handler && options->handler->on_call);
    PD_ASSERT(options->limits.receive_size_max < UINT32_MAX);
    env->options = *options;
    env->gzip = pd_grpc_gzip_new();
    make_callbacks(env);
    return env;
}

void pd_grpc_env_free(pd_grpc_env_t *env)
{
    if (!env)
        return;
    PD_ASSERT(!env->session_count && !env->call_object_count);
    while (env->free_calls) {
        pd_grpc_call_t *next = env->free_calls->next;

        pd_arena_deinit(&env->free_calls->arena);
        pd_free(env->free_calls);
        env->free_calls = next;
    }
    pd_grpc_blob_pool_deinit(&env->blobs);
    nghttp2_option_del(env->option);
    nghttp2_session_callbacks_del(env->callbacks);
    pd_grpc_gzip_free(env->gzip);
    pd_free(env);
}

void pd_grpc_env_stats(const pd_grpc_env_t *env, pd_grpc_env_stats_t *stats)
{
    stats->call_count = env->call_count;
    stats->open_call_count = env->open_call_count;
    stats->held_size = env->held_size;
}

pd_grpc_blob_pool_t *pd_grpc_env_blobs(pd_grpc_env_t *env)
{
    return &env->blobs;
}

static void send_settings(pd_grpc_session_t *self)
{
    const pd_grpc_limits_t *limits = &self->env->options.limits;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->stream_count_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, PDI_GRPC_WINDOW_SIZE_STREAM},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->header_size_max},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };

    PD_ASSERT(nghttp2_submit_settings(self->http2, NGHTTP2_FLAG_NONE, settings,
                                      PD_ARRAY_COUNT(settings)) == 0);
    PD_ASSERT(nghttp2_session_set_local_window_size(self->http2, NGHTTP2_FLAG_NONE, 0,
                                                    PDI_GRPC_WINDOW_SIZE_CONNECTION) == 0);
}

pd_grpc_session_t *pd_grpc_session_new(pd_grpc_env_t *env, const pd_grpc_session_options_t *options)
{
    pd_grpc_session_t *self = PD_NEW(pd_grpc_session_t);

    self->env = env;
    self->owner = options->owner;
    self->compress = options->compress;
    self->now_ns = self->glitch_ns = options->now_ns;
    pd_timer_heap_init(&self->deadlines);
    PD_ASSERT(nghttp2_session_server_new2(&self->http2, env->callbacks, self, env->option) == 0);
    send_settings(self);
    env->session_count++;
    return self;
}

void pd_grpc_session_free(pd_grpc_session_t *self)
{
    if (!self)
        return;
    PD_ASSERT(!self->inside && !self->output);
    self->broken = true;
    self->inside = true; /* what handlers answer now has nowhere to go */
    while (self->calls)
        pdi_grpc_call_closed(self->calls);
    PD_ASSERT(!pd_timer_heap_first(&self->deadlines));
    nghttp2_session_del(self->http2);
    pd_timer_heap_deinit(&self->deadlines);
    self->env->session_count--;
    pd_free(self);
}

pd_status_t pd_grpc_session_receive(pd_grpc_session_t *self, int64_t now_ns, pd_bytes_t bytes)
{
    ssize_t taken;

    PD_ASSERT(!self->inside);
    if (self->broken)
        return PD_INVALID;
    self->now_ns = now_ns;
    self->inside = true;
    taken = nghttp2_session_mem_recv(self->http2, bytes.data, bytes.size);
    self->inside = false;
    if (taken != (ssize_t)bytes.size)
        self->broken = true;
    return self->broken ? PD_INVALID : PD_OK;
}

pd_status_t pd_grpc_session_send(pd_grpc_session_t *self, pd_grpc_output_t *output, size_t size)
{
    pd_status_t status = PD_OK;

    PD_ASSERT(!self->inside && !self->output);
    self->output = output;
    self->output_size = size;
    self->inside = true;
    while (output->size < size) {
        const uint8_t *data;
        ssize_t data_size = nghttp2_session_mem_send(self->http2, &data);

        if (data_size < 0) {
            self->broken = true;
            status = PD_INVALID;
        }
        if (data_size <= 0)
            break;
        pd_grpc_output_append(output, data, (size_t)data_size);
    }
    self->inside = false;
    self->output = NULL;
    return status;
}

bool pd_grpc_session_is_done(const pd_grpc_session_t *self)
{
    if (nghttp2_session_want_write(self->http2))
        return false;
    return self->broken || !nghttp2_session_want_read(self->http2);
}

bool pd_grpc_session_is_broken(const pd_grpc_session_t *self)
{
    return self->broken;
}

void pd_grpc_session_tick(pd_grpc_session_t *self, int64_t now_ns)
{
    pd_timer_t *first;

    PD_ASSERT(!self->inside);
    self->now_ns = now_ns;
    self->inside = true;
    while ((first = pd_timer_heap_first(&self->deadlines)) && first->at_ns <= now_ns)
        pdi_grpc_call_refuse(PD_CONTAINER_OF(first, pd_grpc_call_t, deadline),
                             PD_GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
    self->inside = false;
}

int64_t pd_grpc_session_next_ns(const pd_grpc_session_t *self)
{
    pd_timer_t *first = pd_timer_heap_first(&self->deadlines);

    return first ? first->at_ns : INT64_MAX;
}

void pd_grpc_session_ping(pd_grpc_session_t *self)
{
    if (!self->broken)
        nghttp2_submit_ping(self->http2, NGHTTP2_FLAG_NONE, NULL);
}

void pd_grpc_session_shutdown(pd_grpc_session_t *self)
{
    if (self->broken || self->shutting_down)
        return;
    self->shutting_down = true;
    nghttp2_submit_shutdown_notice(self->http2);
    nghttp2_submit_ping(self->http2, NGHTTP2_FLAG_NONE, NULL);
}

void pd_grpc_session_abort(pd_grpc_session_t *self)
{
    pd_grpc_call_t *call, *next;

    PD_ASSERT(!self->inside);
    self->inside = true;
    for (call = self->calls; call; call = next) {
        next = call->next; /* calls leave the list only when nghttp2 closes their stream */
        if (!call->wire_ended)
            pdi_grpc_call_refuse(call, PD_GRPC_UNAVAILABLE, "server is shutting down");
    }
    self->inside = false;
    if (!self->broken)
        nghttp2_submit_goaway(self->http2, NGHTTP2_FLAG_NONE,
                              nghttp2_session_get_last_proc_stream_id(self->http2),
                              NGHTTP2_NO_ERROR, NULL, 0);
}

uint32_t pd_grpc_session_stream_count(const pd_grpc_session_t *self)
{
    return self->stream_count;
}

size_t pd_grpc_session_unsent_size(const pd_grpc_session_t *self)
{
    return self->unsent_size;
}
