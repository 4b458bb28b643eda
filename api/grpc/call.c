/* Calls: their life, and what goes out for them. */
#include "api/grpc/session_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/grpc/text.h"
#include "base/assert.h"
#include "base/memory.h"

enum {
    MESSAGE_TEXT_SIZE_MAX = 8 * 1024,   /* grpc-message, percent-encoded */
    DETAILS_TEXT_SIZE_MAX = 128 * 1024, /* grpc-status-details-bin */
    KEPT_ARENA_SIZE_MAX = 8 * 1024,     /* in pooled calls */
    UNSENT_SIZE_FATAL_FACTOR = 4,       /* times unsent_size_max: the connection goes */
};

#define NV(n, v)                                                                                   \
    {                                                                                              \
        (uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), sizeof(n) - 1, sizeof(v) - 1,        \
            NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE                           \
    }

static const char *const code_texts[] = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                         "9", "10", "11", "12", "13", "14", "15", "16"};

const char *pd_grpc_code_name(int code)
{
    static const char *const names[] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    };

    return code >= 0 && code < (int)PD_ARRAY_COUNT(names) ? names[code] : "UNKNOWN";
}

/* -- life -- */

pd_grpc_call_t *pdi_grpc_call_new(pd_grpc_session_t *session, int32_t stream_id)
{
    pd_grpc_env_t *env = session->env;
    pd_grpc_call_t *call = env->free_calls;

    if (call) {
        env->free_calls = call->next;
        env->free_call_count--;
    } else {
        call = pd_alloc(sizeof(*call));
        pd_arena_init_sized(&call->arena, PDI_GRPC_ARENA_CHUNK_SIZE);
    }
    memset(call, 0, offsetof(pd_grpc_call_t, arena));
    call->env = env;
    call->session = session;
    call->stream_id = stream_id;
    call->headers = call->inline_headers;
    call->header_capacity = PDI_GRPC_HEADER_INLINE_COUNT;
    call->deadline_ns = INT64_MAX;
    pd_grpc_decoder_init(&call->decoder, env->options.limits.receive_size_max);
    call->next = session->calls;
    if (call->next)
        call->next->previous = call;
    session->calls = call;
    session->stream_count++;
    env->call_object_count++;
    env->call_count++;
    env->open_call_count++;
    return call;
}

/* Gives back what the request holds. */
static void release_request(pd_grpc_call_t *call)
{
    for (uint16_t i = 0; i < call->header_count; i++) {
        nghttp2_rcbuf_decref(call->headers[i].name);
        nghttp2_rcbuf_decref(call->headers[i].value);
    }
    call->header_count = 0;
    call->path = NULL;
    pd_grpc_decoder_deinit(&call->decoder);
    pd_free(call->inflated);
    call->inflated = NULL;
    call->message = pd_bytes(NULL, 0);
    if (call->arena.used_size > KEPT_ARENA_SIZE_MAX) {
        pd_arena_deinit(&call->arena);
        pd_arena_init_sized(&call->arena, PDI_GRPC_ARENA_CHUNK_SIZE);
    } else {
        pd_arena_reset(&call->arena);
    }
    PD_ASSERT(call->env->held_size >= call->held_size);
    call->env->held_size -= call->held_size;
    call->held_size = 0;
}

static void free_call(pd_grpc_call_t *call)
{
    pd_grpc_env_t *env = call->env;

    PD_ASSERT(call->answered && !call->session);
    PD_ASSERT(!call->deadline.heap_index && !call->out_first);
    release_request(call);
    pd_free(call->end_message);
    env->call_object_count--;
    if (env->free_call_count >= PDI_GRPC_CALL_POOL_COUNT_MAX) {
        pd_arena_deinit(&call->arena);
        pd_free(call);
        return;
    }
    call->next = env->free_calls;
    env->free_calls = call;
    env->free_call_count++;
}

/* The handler is done. Frees the call when its stream is gone too. */
static void mark_answered(pd_grpc_call_t *call)
{
    pd_grpc_env_t *env = call->env;

    PD_ASSERT(!call->answered);
    call->answered = true;
    PD_ASSERT(env->open_call_count > 0);
    env->open_call_count--;
    if (!call->session)
        free_call(call);
    else if (!call->streaming)
        release_request(call); /* a streaming handler may be inside on_message */
    if (env->options.on_answered)
        env->options.on_answered(env->options.on_answered_ctx);
}

static void tell_cancel(pd_grpc_call_t *call)
{
    const pd_grpc_server_handler_t *handler = call->env->options.handler;

    if (call->answered || call->cancelled)
        return;
    call->cancelled = true;
    if (!call->seen)
        mark_answered(call);
    else if (handler->on_cancel)
        handler->on_cancel(call->env->options.handler_ctx, call);
}

static void stop_deadline(pd_grpc_call_t *call)
{
    if (call->deadline.heap_index)
        pd_timer_heap_remove(&call->session->deadlines, &call->deadline);
}

void pdi_grpc_call_closed(pd_grpc_call_t *call)
{
    pd_grpc_session_t *session = call->session;

    PD_ASSERT(session);
    stop_deadline(call);
    if (call->previous)
        call->previous->next = call->next;
    else
        session->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    session->stream_count--;
    while (call->out_first) {
        pd_grpc_blob_t *blob = call->out_first;

        session->unsent_size -= PD_GRPC_PREFIX_SIZE + blob->size - call->out_offset;
        call->out_offset = 0;
        call->out_first = blob->next;
        pd_grpc_blob_unref(&call->env->blobs, blob);
    }
    call->wire_ended = true;
    call->session = NULL;
    if (call->answered)
        free_call(call);
    else
        tell_cancel(call); /* the answer frees it */
}

/* -- what the handler reads -- */

const char *pd_grpc_call_path(const pd_grpc_call_t *call)
{
    PD_ASSERT(call->path);
    return (const char *)pdi_grpc_rcbuf(call->path).data;
}

const char *pd_grpc_call_header(const pd_grpc_call_t *call, const char *name)
{
    size_t size = strlen(name);

    for (uint16_t i = 0; i < call->header_count; i++) {
        if (pdi_grpc_is(pdi_grpc_rcbuf(call->headers[i].name), name, size))
            return (const char *)pdi_grpc_rcbuf(call->headers[i].value).data;
    }
    return NULL;
}

bool pd_grpc_call_header_at(const pd_grpc_call_t *call, size_t index, const char **name,
                            const char **value)
{
    if (index >= call->header_count)
        return false;
    *name = (const char *)pdi_grpc_rcbuf(call->headers[index].name).data;
    *value = (const char *)pdi_grpc_rcbuf(call->headers[index].value).data;
    return true;
}

int64_t pd_grpc_call_deadline_ns(const pd_grpc_call_t *call)
{
    return call->deadline_ns;
}

pd_bytes_t pd_grpc_call_message(const pd_grpc_call_t *call)
{
    return call->message;
}

pd_arena_t *pd_grpc_call_arena(pd_grpc_call_t *call)
{
    PD_ASSERT(!call->answered);
    return &call->arena;
}

void *pd_grpc_call_user(const pd_grpc_call_t *call)
{
    return call->user;
}

void pd_grpc_call_set_user(pd_grpc_call_t *call, void *user)
{
    call->user = user;
}

bool pd_grpc_call_is_cancelled(const pd_grpc_call_t *call)
{
    return call->cancelled || !call->session;
}

size_t pd_grpc_call_unsent_size(const pd_grpc_call_t *call)
{
    size_t size = 0;

    for (const pd_grpc_blob_t *blob = call->out_first; blob; blob = blob->next)
        size += PD_GRPC_PREFIX_SIZE + blob->size;
    return size - (call->out_first ? call->out_offset : 0);
}

/* -- what goes out -- */

static void notify_output(pd_grpc_session_t *session)
{
    if (!session->inside)
        session->env->options.on_output(session->owner);
}

static nghttp2_nv value_nv(const char *name, size_t name_size, const char *value, size_t size)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, name_size, size,
                        NGHTTP2_NV_FLAG_NO_COPY_NAME};
}

/* The peer's own subtype ("application/grpc+proto") comes back. */
static nghttp2_nv content_type_nv(const pd_grpc_call_t *call)
{
    static const nghttp2_nv plain = NV("content-type", "application/grpc");
    pd_bytes_t type = call->header_count ? pdi_grpc_rcbuf(call->content_type) : pd_bytes(NULL, 0);

    if (type.size <= sizeof("application/grpc") ||
        type.data[sizeof("application/grpc") - 1] != '+' || memchr(type.data, ';', type.size))
        return plain;
    return value_nv("content-type", 12, (const char *)type.data, type.size);
}

static nghttp2_nv status_nv(int code)
{
    nghttp2_nv nv = value_nv("grpc-status", 11, code_texts[code], strlen(code_texts[code]));

    nv.flags |= NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    return nv;
}

static void push_blob(pd_grpc_call_t *call, bool compressed, uint8_t *data, size_t size)
{
    pd_grpc_session_t *session = call->session;
    const pd_grpc_limits_t *limits = &call->env->options.limits;
    pd_grpc_blob_t *blob = pd_grpc_blob_new(&call->env->blobs, compressed, data, size);

    if (call->out_last && call->out_first)
        call->out_last->next = blob;
    else
        call->out_first = blob;
    call->out_last = blob;
    session->unsent_size += PD_GRPC_PREFIX_SIZE + size;
    if (session->unsent_size > limits->unsent_size_max * UNSENT_SIZE_FATAL_FACTOR &&
        !session->broken) {
        nghttp2_session_terminate_session(session->http2, NGHTTP2_ENHANCE_YOUR_CALM);
        session->broken = true;
    }
}

static bool wants_gzip(const pd_grpc_call_t *call, size_t size)
{
    const pd_grpc_limits_t *limits = &call->env->options.limits;

    return call->accepts_gzip && call->session->compress && size >= limits->gzip_size_min &&
           size <= limits->gzip_size_max;
}

static void deflate_answer(pd_grpc_call_t *call, uint8_t **data, size_t *size)
{
    uint8_t *plain = *data;

    pd_grpc_gzip_deflate(call->env->gzip, pd_bytes(plain, *size), data, size);
    pd_free(plain);
}

static ssize_t read_body(nghttp2_session *http2, int32_t stream_id, uint8_t *buf, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *ctx);

/* Submits the response headers; the body comes from the queue. */
static void start_response(pd_grpc_call_t *call, bool compressed)
{
    static const nghttp2_nv ok = NV(":status", "200"), gzip = NV("grpc-encoding", "gzip");
    nghttp2_nv headers[3] = {ok, content_type_nv(call), gzip};
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_body};

    PD_ASSERT(!call->responding);
    call->responding = true;
    /* Fails only when the stream is already going away; then on_stream_close cleans up. */
    (void)nghttp2_submit_response(call->session->http2, call->stream_id, headers,
                                  compressed ? 3 : 2, &provider);
}

static void resume(pd_grpc_call_t *call)
{
    if (call->deferred) {
        call->deferred = false;
        (void)nghttp2_session_resume_data(call->session->http2, call->stream_id);
    }
    notify_output(call->session);
}

static char *encode_message(const char *message, size_t *size)
{
    pd_bytes_t text = pd_bytes_str(message);
    char *encoded;

    *size = pd_grpc_percent_encode(text, NULL, 0);
    if (!*size)
        return NULL;
    if (*size > MESSAGE_TEXT_SIZE_MAX)
        *size = MESSAGE_TEXT_SIZE_MAX;
    encoded = pd_alloc(*size + 1);
    *size = pd_grpc_percent_encode(text, encoded, *size);
    encoded[*size] = '\0';
    return encoded;
}

/* Headers and trailers in one frame: all that an error needs. */
static void submit_trailers_only(pd_grpc_call_t *call, const char *http_status, int code,
                                 const char *message, pd_bytes_t details)
{
    static const nghttp2_nv accepted = NV("grpc-accept-encoding", "gzip");
    nghttp2_nv headers[6];
    size_t count = 0, message_size;
    char *encoded = encode_message(message, &message_size);
    char *details_text = NULL;

    headers[count++] = value_nv(":status", 7, http_status, strlen(http_status));
    headers[count++] = content_type_nv(call);
    headers[count++] = status_nv(code);
    if (encoded)
        headers[count++] = value_nv("grpc-message", 12, encoded, message_size);
    if (details.size && pd_grpc_base64_size(details.size) <= DETAILS_TEXT_SIZE_MAX) {
        size_t size = pd_grpc_base64_size(details.size);

        details_text = pd_alloc(size);
        pd_grpc_base64_encode(details, details_text);
        headers[count++] = value_nv("grpc-status-details-bin", 23, details_text, size);
    }
    if (code == PD_GRPC_UNIMPLEMENTED)
        headers[count++] = accepted;
    call->responding = true;
    (void)nghttp2_submit_response(call->session->http2, call->stream_id, headers, count, NULL);
    pd_free(encoded);
    pd_free(details_text);
}

/* The end of the answer, whether or not the handler gave it. */
static void end_on_wire(pd_grpc_call_t *call, const char *http_status, int code,
                        const char *message, pd_bytes_t details)
{
    size_t size;

    PD_ASSERT(call->session && !call->wire_ended);
    if (code < 0 || code >= (int)PD_ARRAY_COUNT(code_texts))
        code = PD_GRPC_UNKNOWN;
    call->wire_ended = true;
    stop_deadline(call);
    if (call->responding) {
        call->code = (uint8_t)code;
        call->end_message = encode_message(message, &size);
        call->trailer_due = true;
        resume(call);
        return;
    }
    submit_trailers_only(call, http_status, code, message, details);
    notify_output(call->session);
}

void pdi_grpc_call_refuse_http(pd_grpc_call_t *call, const char *http_status, int code,
                               const char *message)
{
    end_on_wire(call, http_status, code, message, pd_bytes(NULL, 0));
    tell_cancel(call);
}

void pdi_grpc_call_refuse(pd_grpc_call_t *call, int code, const char *message)
{
    pdi_grpc_call_refuse_http(call, "200", code, message);
}

void pd_grpc_call_respond(pd_grpc_call_t *call, uint8_t *data, size_t size)
{
    bool compressed;

    PD_ASSERT(call->seen && !call->answered && !call->streaming);
    if (call->wire_ended) {
        pd_free(data);
        mark_answered(call);
        return;
    }
    call->wire_ended = true;
    stop_deadline(call);
    compressed = wants_gzip(call, size);
    if (compressed)
        deflate_answer(call, &data, &size);
    push_blob(call, compressed, data, size);
    call->trailer_due = true;
    start_response(call, compressed);
    notify_output(call->session);
    mark_answered(call);
}

void pd_grpc_call_fail(pd_grpc_call_t *call, int code, const char *message, pd_bytes_t details)
{
    PD_ASSERT(call->seen && !call->answered && code != PD_GRPC_OK);
    if (!call->wire_ended)
        end_on_wire(call, "200", code, message, details);
    mark_answered(call);
}

void pd_grpc_call_send_message(pd_grpc_call_t *call, uint8_t *data, size_t size)
{
    PD_ASSERT(call->seen && !call->answered && call->streaming);
    if (call->wire_ended) {
        pd_free(data);
        return;
    }
    push_blob(call, false, data, size);
    if (!call->responding)
        start_response(call, false);
    resume(call);
}

void pd_grpc_call_finish(pd_grpc_call_t *call, int code, const char *message)
{
    PD_ASSERT(call->seen && !call->answered && call->streaming);
    if (!call->wire_ended)
        end_on_wire(call, "200", code, message, pd_bytes(NULL, 0));
    mark_answered(call);
}

/* -- under nghttp2 -- */

static void submit_trailers(pd_grpc_call_t *call)
{
    nghttp2_nv trailers[2] = {status_nv(call->code)};
    size_t count = 1;

    if (call->end_message)
        trailers[count++] =
            value_nv("grpc-message", 12, call->end_message, strlen(call->end_message));
    (void)nghttp2_submit_trailer(call->session->http2, call->stream_id, trailers, count);
}

static ssize_t read_body(nghttp2_session *http2, int32_t stream_id, uint8_t *buf, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    pd_grpc_call_t *call = source->ptr;
    pd_grpc_blob_t *blob = call->out_first;
    size_t left;

    if (!blob && !call->trailer_due) {
        call->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    left = blob ? PD_GRPC_PREFIX_SIZE + blob->size - call->out_offset : 0;
    if (size > left)
        size = left;
    if (size == left && call->trailer_due && (!blob || !blob->next)) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        submit_trailers(call);
    }
    return (ssize_t)size;
}

int pdi_grpc_call_write(nghttp2_session *http2, nghttp2_frame *frame, const uint8_t *header,
                        size_t size, nghttp2_data_source *source, void *ctx)
{
    pd_grpc_session_t *session = ctx;
    pd_grpc_call_t *call = source->ptr;
    pd_grpc_blob_t *blob = call->out_first;

    PD_ASSERT(session->output && frame->data.padlen == 0);
    if (session->output->size >= session->output_size)
        return NGHTTP2_ERR_WOULDBLOCK;
    pd_grpc_output_append(session->output, header, 9);
    if (!size)
        return 0;
    pd_grpc_output_append_blob(session->output, blob, call->out_offset, size);
    call->out_offset += size;
    session->unsent_size -= size;
    if (call->out_offset == PD_GRPC_PREFIX_SIZE + blob->size) {
        call->out_first = blob->next;
        call->out_offset = 0;
        pd_grpc_blob_unref(&call->env->blobs, blob);
    }
    return 0;
}
