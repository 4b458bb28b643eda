#include "tests/unit/api/grpc_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"

static uint8_t *copy_of(pd_bytes_t bytes)
{
    return bytes.size ? pd_memdup(bytes.data, bytes.size) : NULL;
}

static void on_call(void *ctx, pd_grpc_call_t *call)
{
    world_t *world = ctx;
    const char *path = pd_grpc_call_path(call);
    pd_bytes_t message = pd_grpc_call_message(call);

    if (strcmp(path, "/t.T/Echo") == 0) {
        pd_grpc_call_respond(call, copy_of(message), message.size);
    } else if (strcmp(path, "/t.T/Metadata") == 0) {
        const char *value = pd_grpc_call_header(call, "x-key");

        pd_grpc_call_respond(call, (uint8_t *)pd_strdup(value), strlen(value));
    } else if (strcmp(path, "/t.T/Large") == 0) {
        world->large_count++;
        pd_grpc_call_respond(call, pd_calloc(1, 1 << 20), 1 << 20);
    } else if (strcmp(path, "/t.T/Wait") == 0) {
        PD_ASSERT(world->waiting_count < POLL_COUNT);
        pd_grpc_call_set_user(call, &world->waiting[world->waiting_count]);
        world->waiting[world->waiting_count++] = call;
        if (world->waiting_count == world->stop_waiting_at)
            pd_loop_event_break(world->loop);
    } else {
        pd_grpc_call_fail(call, PD_GRPC_ABORTED, "100% \xc3\xa4\n", message);
    }
}

static void on_cancel(void *ctx, pd_grpc_call_t *call)
{
    world_t *world = ctx;
    pd_grpc_call_t **slot = pd_grpc_call_user(call);

    world->cancel_count++;
    if (!world->answer_cancels)
        return;
    *slot = NULL;
    pd_grpc_call_fail(call, PD_GRPC_CANCELLED, NULL, pd_bytes(NULL, 0));
}

const pd_grpc_server_handler_t world_handler = {.on_call = on_call, .on_cancel = on_cancel};

void world_start_server(world_t *world)
{
    pd_error_t error;

    world->server_options.port = world->port;
    assert_int_equal(pd_grpc_server_new(world->loop, &world->server_options, &world_handler, world,
                                        &world->server, &error),
                     PD_OK);
    world->port = pd_grpc_server_port(world->server);
    snprintf(world->address, sizeof(world->address), "127.0.0.1:%u", world->port);
}

void world_stop_server(world_t *world)
{
    pd_grpc_server_free(world->server);
    world->server = NULL;
}

void world_start_client(world_t *world, const pd_grpc_client_options_t *wanted)
{
    pd_grpc_client_options_t options;
    pd_error_t error;

    if (wanted)
        options = *wanted;
    else
        pd_grpc_client_options_init(&options);
    options.address = world->address;
    options.backoff_min_ns = MS_NS;
    options.backoff_max_ns = 5 * MS_NS;
    assert_int_equal(pd_grpc_client_new(world->loop, &options, &world->client, &error), PD_OK);
}

int world_setup(void **state)
{
    pd_loop_event_options_t options = {.name = "test", .mailbox_count = 16};
    world_t *world = PD_NEW(world_t);

    world->loop = pd_loop_event_new(&options);
    world->waiting = pd_calloc(POLL_COUNT, sizeof(*world->waiting));
    world->answer_cancels = true;
    pd_grpc_server_options_init(&world->server_options);
    world->server_options.gzip_loopback = true;
    world_start_server(world);
    *state = world;
    return 0;
}

int world_teardown(void **state)
{
    world_t *world = *state;

    pd_grpc_client_free(world->client);
    pd_grpc_server_free(world->server);
    pd_loop_event_free(world->loop);
    pd_free(world->waiting);
    pd_free(world);
    return 0;
}

void world_on_reply(void *ctx, const pd_grpc_reply_t *reply)
{
    world_t *world = ctx;

    PD_ASSERT(world->replies_left > 0 && reply->code >= 0 && reply->code <= 16);
    world->code_counts[reply->code]++;
    snprintf(world->message, sizeof(world->message), "%s", reply->message);
    snprintf(world->details, sizeof(world->details), "%.*s", (int)reply->details.size,
             reply->details.data ? (const char *)reply->details.data : "");
    world->data_size = reply->data.size;
    world->data_sum = 0;
    for (size_t i = 0; i < reply->data.size; i++)
        world->data_sum = (uint8_t)(world->data_sum + reply->data.data[i]);
    if (--world->replies_left == 0)
        pd_loop_event_break(world->loop);
}

pd_grpc_pending_t *world_call(world_t *world, const char *path, const void *data, size_t size,
                              int64_t timeout_ns, bool wait_for_ready)
{
    pd_grpc_request_t request = {
        .path = path,
        .data = size ? pd_memdup(data, size) : NULL,
        .size = size,
        .timeout_ns = timeout_ns,
        .wait_for_ready = wait_for_ready,
        .on_reply = world_on_reply,
        .ctx = world,
    };

    world->replies_left++;
    return pd_grpc_client_call(world->client, &request);
}

void world_run(world_t *world)
{
    pd_loop_event_run(world->loop);
}

void world_echo(world_t *world)
{
    world_call(world, "/t.T/Echo", NULL, 0, 0, false);
    world_run(world);
}
