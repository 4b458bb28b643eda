/* Health and reflection, through a session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/grpc/framing.h"
#include "api/service/descriptors.h"
#include "api/service/service.h"
#include "api/service/wire.h"
#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"
#include "tests/unit/api/grpc_peer.h"

static const char workflow_service[] = "temporal.api.workflowservice.v1.WorkflowService";

static const char *const names[] = {workflow_service, "no.such.Service"};

static void on_call(void *ctx, pd_grpc_call_t *call)
{
    PD_ASSERT(pd_service_on_call(ctx, call));
}

static void on_cancel(void *ctx, pd_grpc_call_t *call)
{
    PD_ASSERT(pd_service_on_cancel(ctx, call));
}

static bool on_open(void *ctx, pd_grpc_call_t *call)
{
    return pd_service_on_open(ctx, call);
}

static void on_message(void *ctx, pd_grpc_call_t *call, pd_bytes_t message)
{
    pd_service_on_message(ctx, call, message);
}

static void on_half_close(void *ctx, pd_grpc_call_t *call)
{
    pd_service_on_half_close(ctx, call);
}

static const pd_grpc_server_handler_t handler = {
    .on_call = on_call,
    .on_cancel = on_cancel,
    .on_open = on_open,
    .on_message = on_message,
    .on_half_close = on_half_close,
};

typedef struct world {
    pd_service_t *service;
    peer_t *peer;
} world_t;

static int setup(void **state)
{
    world_t *world = PD_NEW(world_t);

    world->service = pd_service_new(names, PD_ARRAY_COUNT(names));
    world->peer = peer_new_with(&handler, world->service);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;

    peer_free(world->peer);
    pd_service_free(world->service);
    pd_free(world);
    return 0;
}

/* A request with one string field. */
static int32_t ask(world_t *world, const char *path, uint32_t number, const char *value, bool end)
{
    const char *headers[] = {":path", path, NULL};
    pd_buf_t message;
    int32_t id;

    pd_buf_init(&message, 1000);
    if (value)
        pdi_wire_put_bytes(&message, number, pd_bytes_str(value));
    id = peer_request(world->peer, headers, peer_frame(message.data, message.size, 0), end);
    pd_buf_deinit(&message);
    peer_exchange(world->peer);
    return id;
}

/* The n-th message of an answer. */
static pd_bytes_t answer(world_t *world, int32_t id, size_t index)
{
    pd_bytes_t data = pd_buf_bytes(&peer_stream(world->peer, id)->data);

    for (;; index--) {
        size_t size;

        assert_true(data.size >= 5);
        size = (size_t)data.data[1] << 24 | (size_t)data.data[2] << 16 | (size_t)data.data[3] << 8 |
               data.data[4];
        assert_true(data.size >= 5 + size);
        if (!index)
            return pd_bytes(data.data + 5, size);
        data = pd_bytes(data.data + 5 + size, data.size - 5 - size);
    }
}

static pdi_field_t find(pd_bytes_t message, uint32_t number)
{
    pdi_field_t field;

    while (pdi_wire_next(&message, &field, NULL)) {
        if (field.number == number)
            return field;
    }
    return (pdi_field_t){0};
}

static size_t count(pd_bytes_t message, uint32_t number)
{
    pdi_field_t field;
    size_t found = 0;

    while (pdi_wire_next(&message, &field, NULL))
        found += field.number == number;
    return found;
}

static void health_is_checked(void **state)
{
    static const char path[] = "/grpc.health.v1.Health/Check";
    world_t *world = *state;
    int32_t id = ask(world, path, 1, NULL, true);

    assert_int_equal(find(answer(world, id, 0), 1).value, 1);
    id = ask(world, path, 1, workflow_service, true);
    assert_int_equal(find(answer(world, id, 0), 1).value, 1);
    pd_service_set_serving(world->service, false);
    id = ask(world, path, 1, workflow_service, true);
    assert_int_equal(find(answer(world, id, 0), 1).value, 2);
    id = ask(world, path, 1, "unheard.of", true);
    assert_int_equal(peer_stream(world->peer, id)->grpc_status, PD_GRPC_NOT_FOUND);
    assert_string_equal(peer_stream(world->peer, id)->message, "unknown service");
}

static void health_is_watched(void **state)
{
    static const char path[] = "/grpc.health.v1.Health/Watch";
    world_t *world = *state;
    int32_t id = ask(world, path, 1, workflow_service, true);
    int32_t unknown = ask(world, path, 1, "unheard.of", true);
    int32_t lost = ask(world, path, 1, NULL, false);

    assert_int_equal(find(answer(world, id, 0), 1).value, 1);
    assert_int_equal(find(answer(world, unknown, 0), 1).value, 3);
    nghttp2_submit_rst_stream(world->peer->http2, NGHTTP2_FLAG_NONE, lost, NGHTTP2_CANCEL);
    peer_exchange(world->peer);
    pd_service_set_serving(world->service, false);
    peer_exchange(world->peer);
    assert_int_equal(find(answer(world, id, 1), 1).value, 2);
    assert_false(peer_stream(world->peer, id)->closed);
    pd_service_end_watches(world->service);
    peer_exchange(world->peer);
    assert_int_equal(peer_stream(world->peer, id)->grpc_status, PD_GRPC_UNAVAILABLE);
    assert_int_equal(peer_stream(world->peer, unknown)->grpc_status, PD_GRPC_UNAVAILABLE);
}

static void services_are_listed(void **state)
{
    static const char *const paths[] = {
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    };
    world_t *world = *state;

    for (size_t i = 0; i < PD_ARRAY_COUNT(paths); i++) {
        int32_t id = ask(world, paths[i], 7, "*", true);
        pd_bytes_t list = find(answer(world, id, 0), 6).bytes;

        assert_int_equal(peer_stream(world->peer, id)->grpc_status, PD_GRPC_OK);
        assert_int_equal(count(list, 1),
                         2); /* what has no descriptor is left out; health is added */
        assert_true(
            pd_bytes_equal(find(find(list, 1).bytes, 1).bytes, pd_bytes_str(workflow_service)));
    }
}

static void files_are_found(void **state)
{
    static const char path[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    static const char *const symbols[] = {
        "temporal.api.workflowservice.v1.WorkflowService",
        "temporal.api.workflowservice.v1.WorkflowService.StartWorkflowExecution",
        "temporal.api.workflowservice.v1.StartWorkflowExecutionRequest",
        "temporal.api.workflowservice.v1.StartWorkflowExecutionRequest.workflow_id",
        "temporal.api.enums.v1.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
        "google.protobuf.FieldDescriptorProto.Type",
    };
    world_t *world = *state;
    int32_t id;

    for (size_t i = 0; i < PD_ARRAY_COUNT(symbols); i++) {
        id = ask(world, path, 4, symbols[i], true);
        assert_true(find(answer(world, id, 0), 4).bytes.size > 100);
    }
    id = ask(world, path, 4, symbols[0], true);
    assert_true(count(find(answer(world, id, 0), 4).bytes, 1) > 20); /* with what it needs */
    id = ask(world, path, 3, "temporal/api/common/v1/message.proto", true);
    assert_true(pd_bytes_equal(find(find(find(answer(world, id, 0), 4).bytes, 1).bytes, 1).bytes,
                               pd_bytes_str("temporal/api/common/v1/message.proto")));
    id = ask(world, path, 4, "temporal.api.Nope", true);
    assert_int_equal(find(find(answer(world, id, 0), 7).bytes, 1).value, PD_GRPC_NOT_FOUND);
    id = ask(world, path, 3, "nope.proto", true);
    assert_int_equal(find(find(answer(world, id, 0), 7).bytes, 1).value, PD_GRPC_NOT_FOUND);
    id = ask(world, path, 6, "google.protobuf.MethodOptions", true);
    assert_true(count(find(answer(world, id, 0), 5).bytes, 2) > 0);
    /* Nothing in it, or nonsense. */
    id = ask(world, path, 1, "host", true);
    assert_int_equal(peer_stream(world->peer, id)->grpc_status, PD_GRPC_INVALID_ARGUMENT);
}

static void damaged_descriptors_are_survived(void **state)
{
    pd_bytes_t builtin = pd_descriptors_builtin();
    pd_random_t random;

    pd_random_init(&random, 5);
    for (int round = 0; round < 30; round++) {
        size_t size = round ? pd_random_below(&random, builtin.size) : builtin.size;
        uint8_t *copy = pd_memdup(builtin.data, size);
        pd_descriptors_t *descriptors;

        for (int i = 0; size && i < 50; i++)
            copy[pd_random_below(&random, size)] = (uint8_t)pd_random_u64(&random);
        descriptors = pd_descriptors_new(pd_bytes(copy, size));
        pd_descriptors_by_symbol(descriptors, pd_bytes_str(workflow_service));
        pd_descriptors_free(descriptors);
        pd_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(health_is_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(health_is_watched, setup, teardown),
        cmocka_unit_test_setup_teardown(services_are_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_found, setup, teardown),
        cmocka_unit_test(damaged_descriptors_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
