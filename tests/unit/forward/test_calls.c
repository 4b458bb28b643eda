/* Calls by workflow, through the node that does not own it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "api/grpc/text.h"
#include "base/assert.h"
#include "base/memory.h"
#include "tests/unit/forward/steps.h"

static int setup(void **state)
{
    *state = rig_new();
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

static void a_workflow_is_served_by_either_node(void **state)
{
    rig_t *rig = *state;

    for (uint32_t partition = 0; partition < RIG_PARTITION_COUNT; partition++) {
        const char *id = rig_workflow_id(rig, partition, 0);

        for (int node = 0; node < RIG_NODE_COUNT; node++) {
            if (node == 0)
                assert_int_equal(steps_start(rig, node, id, "q"), 0);
            assert_int_equal(steps_signal(rig, node, id), 0);
        }
        for (int node = 0; node < RIG_NODE_COUNT; node++) {
            assert_true(steps_is_running(rig, node, id));
            assert_int_equal(steps_history_length(rig, node, id), 4);
        }
    }
}

/* Code, text and details are the owner's. */
static void errors_come_back_unchanged(void **state)
{
    rig_t *rig = *state;
    const char *id = rig_workflow_id(rig, 3, 5);
    char *texts[RIG_NODE_COUNT];
    rig_call_t call;

    for (int node = 0; node < RIG_NODE_COUNT; node++) {
        steps_send_signal(rig, node, id, &call);
        rig_await(rig, &call);
        assert_int_equal(call.code, PD_GRPC_NOT_FOUND);
        texts[node] = pd_arena_strdup(&rig->arena, call.message);
        rig_call_deinit(&call);
    }
    assert_string_equal(texts[0], texts[1]);
}

static const char *header_of(const rig_node_t *node, const char *name)
{
    for (size_t i = 0; i < node->last_header_count; i++) {
        if (strcmp(node->last_headers[i].name, name) == 0)
            return node->last_headers[i].value;
    }
    return NULL;
}

static void headers_go_along(void **state)
{
    static const pd_grpc_metadata_t sent[] = {
        {"client-name", "temporal-go"},
        {"supported-features", "follows-next-run-id"},
        {"authorization", "Bearer x"},
        {"my-own-bin", "AAEC"},
    };
    rig_t *rig = *state;

    rig->metadata = sent;
    rig->metadata_count = PD_ARRAY_COUNT(sent);
    assert_int_equal(steps_start(rig, 0, rig_workflow_id(rig, 2, 0), "q"), 0);
    for (size_t i = 0; i < PD_ARRAY_COUNT(sent); i++)
        assert_string_equal(header_of(&rig->nodes[1], sent[i].name), sent[i].value);
    assert_string_equal(header_of(&rig->nodes[1], PD_FORWARD_HEADER), "a");
    assert_non_null(header_of(&rig->nodes[1], "grpc-timeout"));
}

/* Each node believes that the other one owns the partition. */
static void there_are_no_loops(void **state)
{
    rig_t *rig = *state;
    const char *id = rig_workflow_id(rig, 0, 0);
    uint64_t count;

    rig->owners[0] = 1;
    rig_tell_view_to(rig, 0);
    rig->owners[0] = 0;
    rig_tell_view_to(rig, 1);
    rig->next_timeout_ns = 2000 * RIG_MS;
    assert_int_not_equal(steps_signal(rig, 0, id), 0);
    count = rig->nodes[0].call_count;
    assert_int_equal(count, 1);
    assert_true(rig->nodes[1].call_count > 1); /* tried again, in case the view was too old */
}

static void a_call_waits_for_the_new_owner(void **state)
{
    rig_t *rig = *state;
    const char *id = rig_workflow_id(rig, 2, 0);
    rig_call_t call;

    assert_int_equal(steps_start(rig, 1, id, "q"), 0);
    rig_set_role(rig, 1, 2, PD_PARTITION_NONE);
    steps_send_signal(rig, 0, id, &call);
    rig_set_role(rig, 1, 2, PD_PARTITION_TO_OWN);
    rig_await(rig, &call);
    assert_int_equal(call.code, 0);
    rig_call_deinit(&call);
}

/* The same where the client's node is the owner itself. */
static void a_call_waits_until_its_own_node_owns(void **state)
{
    rig_t *rig = *state;
    const char *id = rig_workflow_id(rig, 0, 0);
    rig_call_t call;

    assert_int_equal(steps_start(rig, 0, id, "q"), 0);
    rig_set_role(rig, 0, 0, PD_PARTITION_NONE);
    steps_send_signal(rig, 0, id, &call);
    rig_set_role(rig, 0, 0, PD_PARTITION_TO_OWN);
    rig_await(rig, &call);
    assert_int_equal(call.code, 0);
    rig_call_deinit(&call);
    assert_int_equal(steps_history_length(rig, 1, id), 3);
}

static void a_call_goes_over_when_the_view_changes(void **state)
{
    rig_t *rig = *state;
    const char *id = rig_workflow_id(rig, 2, 0);
    rig_call_t call;

    assert_int_equal(steps_start(rig, 1, id, "q"), 0);
    rig->owners[2] = -1;
    rig_tell_view(rig);
    steps_send_signal(rig, 0, id, &call);
    rig->owners[2] = 1;
    rig_tell_view(rig);
    rig_await(rig, &call);
    assert_int_equal(call.code, 0);
    rig_call_deinit(&call);
}

static void a_call_without_an_owner_fails_in_time(void **state)
{
    rig_t *rig = *state;
    rig_call_t call;

    rig->owners[2] = -1;
    rig_tell_view(rig);
    steps_send_signal(rig, 0, rig_workflow_id(rig, 2, 0), &call);
    rig_await(rig, &call);
    assert_int_equal(call.code, PD_GRPC_UNAVAILABLE);
    rig_call_deinit(&call);
}

/* The client is gone while its call waits, here and there. */
static void cancelling_follows_the_call(void **state)
{
    rig_t *rig = *state;
    const char *id = rig_workflow_id(rig, 2, 0);
    rig_call_t call, parked;

    assert_int_equal(steps_start(rig, 1, id, "q"), 0);
    steps_send_long_poll(rig, 0, id, &call);
    assert_true(steps_until_open_calls(rig, 1, 1));
    rig_cancel(rig, &call);
    assert_true(steps_until_open_calls(rig, 1, 0));
    assert_true(steps_until_open_calls(rig, 0, 0));
    rig->owners[2] = -1;
    rig_tell_view(rig);
    steps_send_signal(rig, 0, id, &parked);
    assert_true(steps_until_open_calls(rig, 0, 1));
    rig_cancel(rig, &parked);
    assert_true(steps_until_open_calls(rig, 0, 0));
}

static void the_deadline_goes_along(void **state)
{
    rig_t *rig = *state;
    const char *id = rig_workflow_id(rig, 2, 0), *text;
    int64_t timeout_ns;

    rig->next_timeout_ns = 7000 * RIG_MS;
    assert_int_equal(steps_start(rig, 0, id, "q"), 0);
    text = header_of(&rig->nodes[1], "grpc-timeout");
    assert_non_null(text);
    assert_int_equal(pd_grpc_timeout_parse(pd_bytes_str(text), &timeout_ns, NULL), PD_OK);
    assert_in_range(timeout_ns, 1, 7000 * RIG_MS);
}

static void a_dead_owner_is_noticed(void **state)
{
    rig_t *rig = *state;
    const char *id = rig_workflow_id(rig, 2, 0);
    rig_call_t call;

    assert_int_equal(steps_start(rig, 0, id, "q"), 0);
    rig_kill(rig, 1);
    steps_send_signal(rig, 0, id, &call);
    rig_await(rig, &call);
    assert_int_equal(call.code, PD_GRPC_UNAVAILABLE);
    rig_call_deinit(&call);
    /* Its partition is served here from now on: nobody shows an error. */
    steps_send_signal(rig, 0, id, &call);
    rig->gone[1] = true;
    rig->owners[2] = rig->owners[3] = 0;
    rig_tell_view_to(rig, 0);
    rig_await(rig, &call);
    assert_int_equal(call.code, PD_GRPC_NOT_FOUND); /* this rig's nodes share no log */
    rig_call_deinit(&call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_workflow_is_served_by_either_node, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_come_back_unchanged, setup, teardown),
        cmocka_unit_test_setup_teardown(headers_go_along, setup, teardown),
        cmocka_unit_test_setup_teardown(there_are_no_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_waits_for_the_new_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_waits_until_its_own_node_owns, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_goes_over_when_the_view_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_without_an_owner_fails_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelling_follows_the_call, setup, teardown),
        cmocka_unit_test_setup_teardown(the_deadline_goes_along, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_owner_is_noticed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
