/* grpc_session.c -- any bytes as what a peer sends on an HTTP/2 connection.
 *
 * The first two bytes choose how the bytes are cut, what the handler does with calls and how the
 * output is taken; the client's magic is added here. In the end nothing may be left open or held.
 */
#include <nghttp2/nghttp2.h>

#include "api/grpc/framing.h"
#include "api/grpc/gzip.h"
#include "api/grpc/session.h"
#include "base/assert.h"
#include "base/memory.h"
#include "tests/fuzz/fuzz.h"

enum { WAITING_COUNT_MAX = 64, BODY_SIZE_MAX = 600 };

static const char magic[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

typedef struct world {
    pd_random_t random;
    pd_grpc_call_t *waiting[WAITING_COUNT_MAX];
    size_t waiting_count;
} world_t;

static void answer(world_t *world, pd_grpc_call_t *call)
{
    pd_bytes_t message = pd_grpc_call_message(call);
    size_t size = pd_random_chance(&world->random, 1, 4) ? pd_random_below(&world->random, 50000)
                                                         : message.size;

    if (pd_random_chance(&world->random, 1, 4)) {
        pd_grpc_call_fail(call, (int)pd_random_below(&world->random, 20) + 1, "it % failed",
                          message);
        return;
    }
    pd_grpc_call_respond(call, size ? pd_calloc(1, size) : NULL, size);
}

static void answer_waiting(world_t *world, size_t index)
{
    pd_grpc_call_t *call = world->waiting[index];

    world->waiting[index] = world->waiting[--world->waiting_count];
    answer(world, call);
}

/* Everything that a call lends is read, for the sanitizers. */
static void on_call(void *ctx, pd_grpc_call_t *call)
{
    world_t *world = ctx;
    pd_bytes_t message = pd_grpc_call_message(call);
    uint8_t *copy = pd_memdup(message.data, message.size);

    pd_free(copy);
    PD_ASSERT(pd_grpc_call_path(call)[0] == '/');
    PD_ASSERT(!pd_grpc_call_header(call, "no such header"));
    pd_arena_alloc(pd_grpc_call_arena(call), pd_random_below(&world->random, 3000));
    if (pd_random_chance(&world->random, 1, 2) || world->waiting_count == WAITING_COUNT_MAX)
        answer(world, call);
    else
        world->waiting[world->waiting_count++] = call;
}

static void on_cancel(void *ctx, pd_grpc_call_t *call)
{
    world_t *world = ctx;

    for (size_t i = 0; i < world->waiting_count; i++) {
        if (world->waiting[i] != call)
            continue;
        if (pd_random_chance(&world->random, 1, 2))
            answer_waiting(world, i); /* else at the end */
        return;
    }
    pd_grpc_call_finish(call, PD_GRPC_CANCELLED, NULL); /* a stream */
}

static bool on_open(void *ctx, pd_grpc_call_t *call)
{
    return strcmp(pd_grpc_call_path(call), "/a.B/Stream") == 0;
}

static void on_message(void *ctx, pd_grpc_call_t *call, pd_bytes_t message)
{
    world_t *world = ctx;

    if (pd_random_chance(&world->random, 1, 8))
        pd_grpc_call_finish(call, PD_GRPC_ABORTED, "enough");
    else
        pd_grpc_call_send_message(call, pd_memdup(message.data, message.size), message.size);
}

static void on_half_close(void *ctx, pd_grpc_call_t *call)
{
    pd_grpc_call_finish(call, PD_GRPC_OK, NULL);
}

static void on_output(void *owner)
{
}

static const pd_grpc_server_handler_t handler = {
    .on_call = on_call,
    .on_cancel = on_cancel,
    .on_open = on_open,
    .on_message = on_message,
    .on_half_close = on_half_close,
};

static pd_grpc_env_t *make_env(world_t *world)
{
    pd_grpc_env_options_t options = {
        .handler = &handler, .handler_ctx = world, .on_output = on_output};

    pd_grpc_limits_init(&options.limits);
    options.limits.receive_size_max = 20000;
    options.limits.header_size_max = 2000;
    options.limits.held_size_max = 60000;
    options.limits.unsent_size_max = 100000;
    options.limits.call_count_max = 30;
    options.limits.stream_count_max = 40;
    options.limits.glitch_count_max = 100;
    options.limits.gzip_size_min = 1000;
    return pd_grpc_env_new(&options);
}

static void take_output(world_t *world, pd_grpc_env_t *env, pd_grpc_session_t *session)
{
    pd_grpc_output_t output;
    struct iovec iov[4];
    int count;

    if (pd_random_chance(&world->random, 1, 4))
        return; /* the socket is full */
    pd_grpc_output_init(&output, pd_grpc_env_blobs(env));
    (void)!pd_grpc_session_send(session, &output, 1 + pd_random_below(&world->random, 30000));
    while ((count = pd_grpc_output_peek(&output, iov, 4)) > 0) {
        size_t size = iov[0].iov_len;

        pd_free(pd_memdup(iov[0].iov_base, size));
        if (pd_random_chance(&world->random, 1, 16))
            break; /* the connection is lost with output on its way */
        pd_grpc_output_consume(&output, size);
    }
    pd_grpc_output_deinit(&output);
}

static bool receive(world_t *world, pd_grpc_session_t *session, int64_t now_ns, const void *data,
                    size_t size)
{
    uint8_t *copy = pd_memdup(data, size);
    pd_status_t status = pd_grpc_session_receive(session, now_ns, pd_bytes(copy, size));

    pd_free(copy);
    return status == PD_OK;
}

static void check_end(world_t *world, pd_grpc_env_t *env)
{
    pd_grpc_env_stats_t stats;

    while (world->waiting_count)
        answer_waiting(world, 0);
    pd_grpc_env_stats(env, &stats);
    PD_ASSERT(!stats.open_call_count && !stats.held_size);
    pd_grpc_env_free(env);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world_t world = {.waiting_count = 0};
    pd_grpc_session_options_t options = {.compress = true, .now_ns = 1000};
    pd_grpc_session_t *session;
    pd_grpc_env_t *env;
    int64_t now_ns = options.now_ns;
    size_t piece_size;

    if (size < 2)
        return 0;
    pd_random_init(&world.random, (uint64_t)data[0] << 8 | data[1]);
    env = make_env(&world);
    session = pd_grpc_session_new(env, &options);
    piece_size =
        pd_random_chance(&world.random, 1, 2) ? size : 1 + pd_random_below(&world.random, 200);
    receive(&world, session, now_ns, magic, sizeof(magic) - 1);
    for (size_t at = 2; at < size; at += piece_size) {
        size_t part = size - at < piece_size ? size - at : piece_size;

        if (!receive(&world, session, now_ns, data + at, part))
            break;
        take_output(&world, env, session);
        if (world.waiting_count && pd_random_chance(&world.random, 1, 3))
            answer_waiting(&world, pd_random_below(&world.random, world.waiting_count));
        if (pd_random_chance(&world.random, 1, 8)) {
            now_ns += (int64_t)pd_random_below(&world.random, 2000000000);
            pd_grpc_session_tick(session, now_ns);
        }
        if (pd_random_chance(&world.random, 1, 64))
            pd_grpc_session_shutdown(session);
    }
    if (pd_random_chance(&world.random, 1, 4))
        pd_grpc_session_abort(session);
    take_output(&world, env, session);
    (void)pd_grpc_session_is_done(session);
    pd_grpc_session_free(session);
    check_end(&world, env);
    return 0;
}

/* -- examples: what a client of nghttp2 would send -- */

typedef struct body {
    uint8_t data[BODY_SIZE_MAX];
    size_t size;
    size_t sent;
} body_t;

static ssize_t read_body(nghttp2_session *http2, int32_t stream_id, uint8_t *buf, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    body_t *body = source->ptr;

    if (size > body->size - body->sent)
        size = body->size - body->sent;
    if (size)
        memcpy(buf, body->data + body->sent, size);
    body->sent += size;
    if (body->sent == body->size)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)size;
}

static void add_message(pd_random_t *random, pd_grpc_gzip_t *gzip, bool compressed, body_t *body)
{
    uint8_t text[200] = {0}, *packed = NULL;
    size_t size = pd_random_below(random, sizeof(text));

    for (size_t i = 0; i < size; i++)
        text[i] = (uint8_t)pd_random_below(random, 4);
    if (compressed)
        pd_grpc_gzip_deflate(gzip, pd_bytes(text, size), &packed, &size);
    if (body->size + PD_GRPC_PREFIX_SIZE + size <= BODY_SIZE_MAX) {
        pd_grpc_prefix_write(body->data + body->size, compressed, (uint32_t)size);
        memcpy(body->data + body->size + PD_GRPC_PREFIX_SIZE, packed ? packed : text, size);
        body->size += PD_GRPC_PREFIX_SIZE + size;
    }
    pd_free(packed);
}

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), 0};
}

static void add_request(pd_random_t *random, pd_grpc_gzip_t *gzip, nghttp2_session *http2,
                        body_t *body)
{
    nghttp2_data_provider provider = {.source.ptr = body, .read_callback = read_body};
    bool streaming = pd_random_chance(random, 1, 3), compressed = pd_random_chance(random, 1, 3);
    nghttp2_nv headers[12];
    size_t count = 0;

    body->size = body->sent = 0;
    headers[count++] = nv(":method", pd_random_chance(random, 1, 20) ? "GET" : "POST");
    headers[count++] = nv(":scheme", "http");
    headers[count++] = nv(":path", streaming ? "/a.B/Stream" : "/a.B/Call");
    headers[count++] = nv(":authority", "test");
    headers[count++] = nv("te", "trailers");
    headers[count++] = nv("content-type", "application/grpc+proto");
    headers[count++] = nv("grpc-accept-encoding", "identity,gzip");
    if (compressed)
        headers[count++] = nv("grpc-encoding", "gzip");
    if (pd_random_chance(random, 1, 2))
        headers[count++] = nv("grpc-timeout", pd_random_chance(random, 1, 2) ? "1S" : "500m");
    if (pd_random_chance(random, 1, 4))
        headers[count++] = nv("x-bin", "YWJj,YQ==");
    for (uint64_t i = 0; i < (streaming ? 3 : 1); i++)
        add_message(random, gzip, compressed, body);
    PD_ASSERT(nghttp2_submit_request(http2, NULL, headers, count, &provider, NULL) > 0);
}

size_t pd_fuzz_example(pd_random_t *random, uint8_t *out, size_t size_max)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *http2;
    pd_grpc_gzip_t *gzip = pd_grpc_gzip_new();
    body_t *bodies = pd_calloc(8, sizeof(*bodies));
    size_t size = 0, count = 1 + pd_random_below(random, 8), skip = sizeof(magic) - 1;
    const uint8_t *data;
    ssize_t data_size;

    PD_ASSERT(nghttp2_session_callbacks_new(&callbacks) == 0);
    PD_ASSERT(nghttp2_session_client_new(&http2, callbacks, NULL) == 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(http2, NGHTTP2_FLAG_NONE, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        add_request(random, gzip, http2, &bodies[i]);
        if (pd_random_chance(random, 1, 8))
            nghttp2_submit_ping(http2, NGHTTP2_FLAG_NONE, NULL);
    }
    for (int i = 0; size_max >= 2 && i < 2; i++)
        out[size++] = (uint8_t)pd_random_u64(random);
    while (size && (data_size = nghttp2_session_mem_send(http2, &data)) > 0) {
        size_t left = (size_t)data_size, drop = left < skip ? left : skip;

        skip -= drop;
        left -= drop;
        if (size + left > size_max)
            break;
        memcpy(out + size, data + drop, left);
        size += left;
        if (pd_random_chance(random, 1, 30))
            nghttp2_submit_rst_stream(http2, NGHTTP2_FLAG_NONE, 1, NGHTTP2_CANCEL);
    }
    nghttp2_session_del(http2);
    pd_grpc_gzip_free(gzip);
    pd_free(bodies);
    return size > 2 ? size : 0;
}
