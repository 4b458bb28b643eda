/* One call on the wire, from the client's side. */
#include <stdlib.h>

#include "api/grpc/client_private.h"
#include "api/grpc/text.h"
#include "base/assert.h"
#include "base/memory.h"

enum { HEADER_COUNT_MAX = 64 };

#define NV(n, v)                                                                                   \
    {                                                                                              \
        (uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), sizeof(n) - 1, sizeof(v) - 1,        \
            NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE                           \
    }

static bool is(const uint8_t *data, size_t size, const char *text)
{
    return strlen(text) == size && memcmp(data, text, size) == 0;
}

static nghttp2_nv nv_of(const char *name, const char *value, bool is_static)
{
    uint8_t flags = is_static ? NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE : 0;

    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), flags};
}

/* -- out -- */

static ssize_t read_body(nghttp2_session *http2, int32_t stream_id, uint8_t *buf, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    pd_grpc_pending_t *pending = source->ptr;
    size_t left = PD_GRPC_PREFIX_SIZE + pending->request->size - pending->out_offset;

    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (size >= left) {
        size = left;
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)size;
}

static int write_body(nghttp2_session *http2, nghttp2_frame *frame, const uint8_t *header,
                      size_t size, nghttp2_data_source *source, void *ctx)
{
    pdi_grpc_channel_t *channel = ctx;
    pd_grpc_pending_t *pending = source->ptr;

    PD_ASSERT(channel->output && frame->data.padlen == 0);
    if (channel->output->size >= channel->output_size)
        return NGHTTP2_ERR_WOULDBLOCK;
    pd_grpc_output_append(channel->output, header, 9);
    pd_grpc_output_append_blob(channel->output, pending->request, pending->out_offset, size);
    pending->out_offset += size;
    return 0;
}

bool pdi_grpc_submit(pdi_grpc_channel_t *channel, pd_grpc_pending_t *pending)
{
    static const nghttp2_nv method = NV(":method", "POST"), scheme = NV(":scheme", "http"),
                            type = NV("content-type", "application/grpc"),
                            te = NV("te", "trailers"),
                            accepted = NV("grpc-accept-encoding", "identity,gzip"),
                            gzip = NV("grpc-encoding", "gzip");
    pd_grpc_client_t *client = pending->client;
    nghttp2_data_provider provider = {.source.ptr = pending, .read_callback = read_body};
    nghttp2_nv headers[HEADER_COUNT_MAX];
    char timeout[PD_GRPC_TIMEOUT_SIZE];
    size_t count = 0;

    headers[count++] = method;
    headers[count++] = scheme;
    headers[count++] = nv_of(":path", pending->path, pending->path_is_static);
    headers[count++] = nv_of(":authority", client->authority, true);
    headers[count++] = te;
    headers[count++] = type;
    headers[count++] = nv_of("user-agent", client->user_agent, true);
    headers[count++] = accepted;
    if (pending->compressed)
        headers[count++] = gzip;
    if (pending->timeout_ns) {
        pd_grpc_timeout_format(pending->timeout_ns, timeout);
        headers[count++] = nv_of("grpc-timeout", timeout, false);
    }
    for (size_t i = 0; i < pending->metadata_count && count < HEADER_COUNT_MAX; i++)
        headers[count++] = nv_of(pending->metadata[i].name, pending->metadata[i].value,
                                 pending->metadata_is_static);
    pending->out_offset = 0;
    pending->stream_id =
        nghttp2_submit_request(channel->http2, NULL, headers, count, &provider, pending);
    return pending->stream_id > 0;
}

/* -- in -- */

static pd_grpc_pending_t *pending_of(nghttp2_session *http2, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(http2, stream_id);
}

/* Ends the call from our side; the stream closes when the RST_STREAM is out. */
static void give_up(pd_grpc_pending_t *pending, int code, const char *message)
{
    if (pending->local_code >= 0)
        return;
    pending->local_code = code;
    pending->local_message = message;
    nghttp2_submit_rst_stream(pending->channel->http2, NGHTTP2_FLAG_NONE, pending->stream_id,
                              NGHTTP2_CANCEL);
}

static void take_details(pd_grpc_pending_t *pending, const uint8_t *value, size_t size)
{
    if (pending->details || size > PD_GRPC_BIN_TEXT_SIZE_MAX)
        return;
    pending->details = pd_alloc(size / 4 * 3 + 3);
    if (pd_grpc_base64_decode(pd_bytes(value, size), pending->details, &pending->details_size) !=
        PD_OK)
        pending->details_size = 0;
}

/* One to three digits; else -1. */
static int number_of(const uint8_t *text, size_t size)
{
    int number = 0;

    if (size < 1 || size > 3)
        return -1;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + text[i] - '0';
    }
    return number;
}

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t size, uint8_t flags, void *ctx)
{
    pd_grpc_pending_t *pending = pending_of(http2, frame->hd.stream_id);

    if (!pending || frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    if (is(name, name_size, ":status")) {
        pending->http_status = number_of(value, size);
    } else if (is(name, name_size, "grpc-status")) {
        int status = number_of(value, size);

        pending->grpc_status = status >= 0 ? status : PD_GRPC_UNKNOWN;
    } else if (is(name, name_size, "grpc-message") && !pending->message) {
        pending->message = pd_alloc(size + 1);
        size = pd_grpc_percent_decode(pd_bytes(value, size), pending->message);
        pending->message[size] = '\0';
    } else if (is(name, name_size, "grpc-encoding")) {
        pending->gzip_answer = is(value, size, "gzip");
    } else if (is(name, name_size, "grpc-status-details-bin")) {
        take_details(pending, value, size);
    }
    return 0;
}

static void take_message(pd_grpc_pending_t *pending, const pd_grpc_frame_t *frame)
{
    pd_grpc_client_t *client = pending->client;
    size_t size;
    pd_status_t status;

    if (pending->has_message) {
        give_up(pending, PD_GRPC_INTERNAL, "more than one message came for a unary call");
        return;
    }
    pending->has_message = true;
    if (!frame->compressed) {
        if (frame->in_place) {
            PD_ASSERT(pd_buf_append(&pending->answer, frame->data.data, frame->data.size) == PD_OK);
            pending->data = pd_buf_bytes(&pending->answer);
        } else {
            pending->data = frame->data;
        }
        return;
    }
    if (!pending->gzip_answer) {
        give_up(pending, PD_GRPC_INTERNAL, "the answer has an unknown grpc-encoding");
        return;
    }
    status = pd_grpc_gzip_inflate(client->gzip, frame->data, client->options.receive_size_max,
                                  &pending->inflated, &size, NULL);
    if (status == PD_LIMIT)
        give_up(pending, PD_GRPC_RESOURCE_EXHAUSTED,
                "grpc: received message after decompression larger than max");
    else if (status != PD_OK)
        give_up(pending, PD_GRPC_INTERNAL, "the answer cannot be inflated");
    else
        pending->data = pd_bytes(pending->inflated, size);
}

static int on_data(nghttp2_session *http2, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t size, void *ctx)
{
    pd_grpc_pending_t *pending = pending_of(http2, stream_id);
    pd_bytes_t bytes = pd_bytes(data, size);

    while (pending && bytes.size && !pending->abandoned && pending->local_code < 0) {
        pd_grpc_frame_t frame;
        pd_status_t status;

        if (pending->has_message) {
            take_message(pending, NULL);
            break;
        }
        status = pd_grpc_decoder_next(&pending->decoder, &bytes, &frame);
        if (status == PD_LIMIT)
            give_up(pending, PD_GRPC_RESOURCE_EXHAUSTED, "grpc: received message larger than max");
        else if (status != PD_OK)
            give_up(pending, PD_GRPC_INTERNAL, "the answer is not framed as gRPC");
        else if (frame.complete)
            take_message(pending, &frame);
    }
    return 0;
}

static int on_frame_recv(nghttp2_session *http2, const nghttp2_frame *frame, void *ctx)
{
    pdi_grpc_channel_t *channel = ctx;
    pd_grpc_pending_t *pending;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
            return 0;
        pending = pending_of(http2, frame->hd.stream_id);
        if (!pending)
            return 0;
        pending->ended = true;
        /* The server answered before it had the whole request: stop sending. */
        if (nghttp2_session_get_stream_local_close(http2, frame->hd.stream_id) == 0)
            nghttp2_submit_rst_stream(http2, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                      NGHTTP2_CANCEL);
        return 0;
    case NGHTTP2_SETTINGS:
        pdi_grpc_channel_settings(channel);
        return 0;
    case NGHTTP2_GOAWAY:
        channel->draining = true;
        pdi_grpc_client_wake(channel->client);
        return 0;
    default:
        return 0;
    }
}

static int on_frame_not_send(nghttp2_session *http2, const nghttp2_frame *frame, int error,
                             void *ctx)
{
    pd_grpc_pending_t *pending;

    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    pending = pending_of(http2, frame->hd.stream_id);
    if (pending)
        pending->not_sent = true;
    return 0;
}

static int on_stream_close(nghttp2_session *http2, int32_t stream_id, uint32_t error, void *ctx)
{
    pd_grpc_pending_t *pending = pending_of(http2, stream_id);

    if (pending)
        pdi_grpc_pending_closed(pending, error);
    return 0;
}

void pdi_grpc_make_callbacks(pd_grpc_client_t *client)
{
    nghttp2_session_callbacks *callbacks;

    PD_ASSERT(nghttp2_session_callbacks_new(&client->callbacks) == 0);
    callbacks = client->callbacks;
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, write_body);
    PD_ASSERT(nghttp2_option_new(&client->option) == 0);
    nghttp2_option_set_no_closed_streams(client->option, 1);
}

int pdi_grpc_code_of_http_status(int http_status)
{
    switch (http_status) {
    case 400:
        return PD_GRPC_INTERNAL;
    case 401:
        return PD_GRPC_UNAUTHENTICATED;
    case 403:
        return PD_GRPC_PERMISSION_DENIED;
    case 404:
        return PD_GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return PD_GRPC_UNAVAILABLE;
    default:
        return PD_GRPC_UNKNOWN;
    }
}

int pdi_grpc_code_of_reset(uint32_t http2_error)
{
    switch (http2_error) {
    case NGHTTP2_REFUSED_STREAM:
        return PD_GRPC_UNAVAILABLE;
    case NGHTTP2_CANCEL:
        return PD_GRPC_CANCELLED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return PD_GRPC_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return PD_GRPC_PERMISSION_DENIED;
    default:
        return PD_GRPC_INTERNAL;
    }
}
