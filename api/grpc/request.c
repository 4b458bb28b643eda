/* What a peer sends: headers, messages, their limits. The texts are grpc-go's, on which SDKs key.
 */
#include <ctype.h>

#include "api/grpc/session_private.h"
#include "api/grpc/text.h"
#include "base/assert.h"
#include "base/memory.h"

enum { HEADER_OVERHEAD_SIZE = 32, SHOWN_SIZE_MAX = 200 };

static bool is_binary(pd_bytes_t name)
{
    return name.size > 4 && memcmp(name.data + name.size - 4, "-bin", 4) == 0;
}

/* What grpc-go's decoder would stumble over first; -1: fine. */
static long bad_base64_at(pd_bytes_t value)
{
    uint8_t decoded[256];
    size_t size;

    for (size_t i = 0; i < value.size; i++) {
        uint8_t byte = value.data[i];

        if (!isalnum(byte) && !strchr("+/=, ", byte))
            return (long)i;
    }
    while (value.size) {
        pd_bytes_t part = pd_bytes(value.data, value.size < 256 ? value.size : 256);

        if (memchr(part.data, ',', part.size))
            return -1; /* a list; its values are checked when they are read */
        if (pd_grpc_base64_decode(part, decoded, &size) != PD_OK)
            return (long)part.size;
        value = pd_bytes(value.data + part.size, value.size - part.size);
    }
    return -1;
}

static void note_header(pd_grpc_call_t *call, pd_bytes_t name, nghttp2_rcbuf *value)
{
    nghttp2_rcbuf **slot = NULL;

    switch (name.size) {
    case 5:
        if (PDI_GRPC_IS(name, ":path"))
            slot = &call->path;
        break;
    case 7:
        if (PDI_GRPC_IS(name, ":method"))
            slot = &call->method;
        break;
    case 12:
        if (PDI_GRPC_IS(name, "content-type"))
            slot = &call->content_type;
        else if (PDI_GRPC_IS(name, "grpc-timeout"))
            slot = &call->timeout;
        break;
    case 13:
        if (PDI_GRPC_IS(name, "grpc-encoding"))
            slot = &call->encoding;
        break;
    case 20:
        if (PDI_GRPC_IS(name, "grpc-accept-encoding"))
            slot = &call->accept_encoding;
        break;
    }
    if (slot && !*slot)
        *slot = value;
}

bool pdi_grpc_request_header(pd_grpc_call_t *call, nghttp2_rcbuf *name, nghttp2_rcbuf *value)
{
    size_t size = pdi_grpc_rcbuf(name).size + pdi_grpc_rcbuf(value).size + HEADER_OVERHEAD_SIZE;

    if (call->header_size + size > call->env->options.limits.header_size_max ||
        call->header_count == PDI_GRPC_HEADER_COUNT_MAX) {
        call->header_size = UINT32_MAX / 2;
        return false;
    }
    call->header_size += (uint32_t)size;
    if (call->header_count == call->header_capacity) {
        size_t capacity = (size_t)call->header_capacity * 2;
        pdi_grpc_header_t *grown = pd_arena_alloc(&call->arena, capacity * sizeof(*grown));

        memcpy(grown, call->headers, call->header_count * sizeof(*grown));
        call->headers = grown;
        call->header_capacity = (uint16_t)capacity;
    }
    nghttp2_rcbuf_incref(name);
    nghttp2_rcbuf_incref(value);
    call->headers[call->header_count].name = name;
    call->headers[call->header_count].value = value;
    call->header_count++;
    note_header(call, pdi_grpc_rcbuf(name), value);
    if (!call->bad_header && is_binary(pdi_grpc_rcbuf(name)) &&
        bad_base64_at(pdi_grpc_rcbuf(value)) >= 0)
        call->bad_header = call->header_count;
    return true;
}

static int shown(pd_bytes_t text)
{
    return text.size > SHOWN_SIZE_MAX ? SHOWN_SIZE_MAX : (int)text.size;
}

static const char *text_of(pd_bytes_t text)
{
    return text.data ? (const char *)text.data : "";
}

/* "application/grpc", alone or followed by "+" or ";". */
static bool is_grpc(pd_bytes_t type)
{
    static const char base[] = "application/grpc";
    size_t size = sizeof(base) - 1;

    if (type.size < size || strncasecmp((const char *)type.data, base, size) != 0)
        return false;
    return type.size == size || type.data[size] == '+' || type.data[size] == ';';
}

static bool check_http(pd_grpc_call_t *call)
{
    pd_bytes_t method = pdi_grpc_rcbuf(call->method);
    pd_bytes_t type = pdi_grpc_rcbuf(call->content_type);
    pd_bytes_t path = pdi_grpc_rcbuf(call->path);
    const pd_grpc_limits_t *limits = &call->env->options.limits;
    pd_arena_t *arena = &call->arena;

    if (call->header_size > limits->header_size_max) {
        pdi_grpc_call_refuse(call, PD_GRPC_RESOURCE_EXHAUSTED,
                             "grpc: received header list larger than max");
        return false;
    }
    if (!is_grpc(type)) {
        pdi_grpc_call_refuse_http(call, "415", PD_GRPC_INVALID_ARGUMENT,
                                  pd_arena_printf(arena,
                                                  "invalid gRPC request content-type \"%.*s\"",
                                                  shown(type), text_of(type)));
        return false;
    }
    if (!PDI_GRPC_IS(method, "POST")) {
        pdi_grpc_call_refuse_http(
            call, "405", PD_GRPC_INTERNAL,
            pd_arena_printf(arena,
                            "Received a HEADERS frame with :method \"%.*s\" which should be POST",
                            shown(method), text_of(method)));
        return false;
    }
    if (path.size < 2 || path.data[0] != '/' || !memchr(path.data + 1, '/', path.size - 1)) {
        pdi_grpc_call_refuse(
            call, PD_GRPC_UNIMPLEMENTED,
            pd_arena_printf(arena, "malformed method name: \"%.*s\"", shown(path), text_of(path)));
        return false;
    }
    return true;
}

static bool start_deadline(pd_grpc_call_t *call)
{
    pd_grpc_session_t *session = call->session;
    int64_t timeout_ns;
    pd_error_t error;

    if (!call->timeout)
        return true;
    if (pd_grpc_timeout_parse(pdi_grpc_rcbuf(call->timeout), &timeout_ns, &error) != PD_OK) {
        pdi_grpc_call_refuse_http(
            call, "400", PD_GRPC_INTERNAL,
            pd_arena_printf(&call->arena, "malformed grpc-timeout: %s", error.text));
        return false;
    }
    if (timeout_ns > INT64_MAX - session->now_ns)
        return true;
    call->deadline_ns = session->now_ns + timeout_ns;
    if (timeout_ns == 0) {
        pdi_grpc_call_refuse(call, PD_GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
        return false;
    }
    pd_timer_heap_set(&session->deadlines, &call->deadline, call->deadline_ns);
    return true;
}

static bool check_binary(pd_grpc_call_t *call)
{
    pd_bytes_t name, value;

    if (!call->bad_header)
        return true;
    name = pdi_grpc_rcbuf(call->headers[call->bad_header - 1].name);
    value = pdi_grpc_rcbuf(call->headers[call->bad_header - 1].value);
    pdi_grpc_call_refuse_http(
        call, "400", PD_GRPC_INTERNAL,
        pd_arena_printf(
            &call->arena,
            "malformed binary metadata \"%.*s\" in header \"%.*s\": illegal base64 data "
            "at input byte %ld",
            shown(value), text_of(value), shown(name), text_of(name), bad_base64_at(value)));
    return false;
}

static bool check_encoding(pd_grpc_call_t *call)
{
    pd_bytes_t encoding = pdi_grpc_rcbuf(call->encoding);
    pd_bytes_t list = pdi_grpc_rcbuf(call->accept_encoding), item;

    while (pd_grpc_list_next(&list, &item))
        call->accepts_gzip |= PDI_GRPC_IS(item, "gzip");
    if (!encoding.size || PDI_GRPC_IS(encoding, "identity"))
        return true;
    if (PDI_GRPC_IS(encoding, "gzip")) {
        call->compressed_peer = true;
        return true;
    }
    pdi_grpc_call_refuse(
        call, PD_GRPC_UNIMPLEMENTED,
        pd_arena_printf(&call->arena,
                        "grpc: Decompressor is not installed for grpc-encoding \"%.*s\"",
                        shown(encoding), text_of(encoding)));
    return false;
}

static bool check_load(pd_grpc_call_t *call)
{
    const pd_grpc_limits_t *limits = &call->env->options.limits;

    if (call->session->unsent_size > limits->unsent_size_max) {
        pdi_grpc_call_refuse(call, PD_GRPC_RESOURCE_EXHAUSTED,
                             "too many answers of this connection wait to be read");
        return false;
    }
    if (call->env->open_call_count > limits->call_count_max) {
        pdi_grpc_call_refuse(call, PD_GRPC_RESOURCE_EXHAUSTED, "too many calls are open");
        return false;
    }
    return true;
}

void pdi_grpc_request_open(pd_grpc_call_t *call, bool half_closed)
{
    const pd_grpc_server_handler_t *handler = call->env->options.handler;

    call->half_closed = half_closed;
    if (!check_http(call) || !check_binary(call) || !start_deadline(call) ||
        !check_encoding(call) || !check_load(call))
        return;
    if (handler->on_open && handler->on_open(call->env->options.handler_ctx, call)) {
        call->streaming = true;
        call->seen = true;
    }
}

/* Makes the env's sum right for what this call holds now; false when that is too much. */
static bool account(pd_grpc_call_t *call, size_t message_size)
{
    pd_grpc_env_t *env = call->env;
    size_t held = call->decoder.collected.capacity + message_size;

    PD_ASSERT(env->held_size >= call->held_size);
    env->held_size = env->held_size - call->held_size + held;
    call->held_size = held;
    if (env->held_size <= env->options.limits.held_size_max)
        return true;
    pdi_grpc_call_refuse(call, PD_GRPC_RESOURCE_EXHAUSTED, "too many request bytes are held");
    return false;
}

/* After this, *data is plain; `inflated` owns it when it was not. */
static bool inflate_message(pd_grpc_call_t *call, pd_grpc_frame_t *frame, uint8_t **inflated)
{
    size_t size_max = call->env->options.limits.receive_size_max;
    pd_error_t error;
    size_t size;
    pd_status_t status;

    if (!call->compressed_peer) {
        pdi_grpc_call_refuse(call, PD_GRPC_INTERNAL,
                             "grpc: compressed flag set with identity or empty encoding");
        return false;
    }
    status = pd_grpc_gzip_inflate(call->env->gzip, frame->data, size_max, inflated, &size, &error);
    if (status == PD_OK) {
        frame->data = pd_bytes(*inflated, size);
        return true;
    }
    if (status == PD_LIMIT)
        pdi_grpc_call_refuse(
            call, PD_GRPC_RESOURCE_EXHAUSTED,
            pd_arena_printf(&call->arena,
                            "grpc: received message after decompression larger than max %zu",
                            size_max));
    else
        pdi_grpc_call_refuse(call, PD_GRPC_INTERNAL,
                             pd_arena_printf(&call->arena, "grpc: %s", error.text));
    return false;
}

static bool take_unary(pd_grpc_call_t *call, pd_grpc_frame_t *frame)
{
    if (frame->compressed) {
        if (!inflate_message(call, frame, &call->inflated))
            return false;
        if (!frame->in_place) { /* the compressed bytes have served */
            pd_grpc_decoder_deinit(&call->decoder);
            pd_grpc_decoder_init(&call->decoder, call->env->options.limits.receive_size_max);
        }
    } else if (frame->in_place) {
        frame->data = pd_bytes(pd_arena_memdup(&call->arena, frame->data.data, frame->data.size),
                               frame->data.size);
    }
    call->message = frame->data;
    call->has_message = true;
    return account(call, frame->compressed || frame->in_place ? frame->data.size : 0);
}

static bool take_streaming(pd_grpc_call_t *call, pd_grpc_frame_t *frame)
{
    const pd_grpc_server_handler_t *handler = call->env->options.handler;
    uint8_t *inflated = NULL;

    if (frame->compressed && !inflate_message(call, frame, &inflated))
        return false;
    if (handler->on_message)
        handler->on_message(call->env->options.handler_ctx, call, frame->data);
    pd_free(inflated);
    return !call->answered && !call->wire_ended;
}

static void refuse_frame(pd_grpc_call_t *call, pd_status_t status)
{
    if (status == PD_LIMIT)
        pdi_grpc_call_refuse(call, PD_GRPC_RESOURCE_EXHAUSTED,
                             pd_arena_printf(&call->arena,
                                             "grpc: received message larger than max (%u vs. %zu)",
                                             call->decoder.message_size, call->decoder.size_max));
    else
        pdi_grpc_call_refuse(call, PD_GRPC_INTERNAL,
                             pd_arena_printf(&call->arena,
                                             "grpc: received unexpected payload format %u",
                                             call->decoder.prefix[0]));
}

void pdi_grpc_request_data(pd_grpc_call_t *call, pd_bytes_t bytes)
{
    /* What follows the one message of a unary call is ignored, as grpc-go does. */
    while (bytes.size && !call->wire_ended && !call->has_message) {
        pd_grpc_frame_t frame;
        pd_status_t status;

        status = pd_grpc_decoder_next(&call->decoder, &bytes, &frame);
        if (status != PD_OK) {
            refuse_frame(call, status);
            return;
        }
        if (!frame.complete) {
            account(call, 0);
            return;
        }
        if (!(call->streaming ? take_streaming(call, &frame) : take_unary(call, &frame)))
            return;
    }
}

void pdi_grpc_request_end(pd_grpc_call_t *call)
{
    const pd_grpc_server_handler_t *handler = call->env->options.handler;

    call->half_closed = true;
    if (call->answered || call->wire_ended)
        return;
    if (!pd_grpc_decoder_at_boundary(&call->decoder)) {
        pdi_grpc_call_refuse(call, PD_GRPC_UNKNOWN,
                             call->decoder.prefix_size < PD_GRPC_PREFIX_SIZE ? "EOF"
                                                                             : "unexpected EOF");
        return;
    }
    if (call->streaming) {
        if (handler->on_half_close)
            handler->on_half_close(call->env->options.handler_ctx, call);
        return;
    }
    if (!call->has_message) {
        pdi_grpc_call_refuse(call, PD_GRPC_INTERNAL,
                             "cardinality violation: received no request message from "
                             "non-client-streaming RPC");
        return;
    }
    call->seen = true;
    handler->on_call(call->env->options.handler_ctx, call);
}
