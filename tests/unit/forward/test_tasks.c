/* Tasks and workers on different nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <temporal/api/history/v1/message.pb-c.h>

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

/* A partition of that node. */
static uint32_t owned_by(int node)
{
    return node == 0 ? 1 : 2;
}

/* The workflow's owner, the queue's home and the node that the worker talks to may all differ. */
static void a_worker_may_be_anywhere(void **state)
{
    rig_t *rig = *state;

    for (int i = 0; i < 16; i++) {
        int owner = i & 1, home = i >> 1 & 1, worker = i >> 2 & 1;
        bool polls_first = i >> 3;
        const char *id = rig_workflow_id(rig, owned_by(owner), i);
        const char *queue = rig_task_queue(rig, home, i);
        steps_task_t *task;
        rig_call_t call;

        if (polls_first)
            steps_send_poll(rig, worker, queue, &call);
        assert_int_equal(steps_start(rig, worker, id, queue), 0);
        if (!polls_first)
            steps_send_poll(rig, worker, queue, &call);
        task = steps_task_of(rig, &call);
        assert_non_null(task);
        assert_true(task->task_token.len > 0);
        assert_string_equal(task->workflow_execution->workflow_id, id);
        assert_int_equal(task->history->n_events, 3);
        assert_int_equal(steps_complete(rig, worker, task, true, NULL), 0);
        assert_false(steps_is_running(rig, 1 - worker, id));
    }
}

static void activities_too(void **state)
{
    rig_t *rig = *state;

    for (int i = 0; i < 8; i++) {
        int owner = i & 1, home = i >> 1 & 1, worker = i >> 2 & 1;
        const char *queue = rig_task_queue(rig, home, i);
        steps_task_t *task;
        rig_call_t call;

        assert_int_equal(steps_start(rig, worker, rig_workflow_id(rig, owned_by(owner), i), queue),
                         0);
        task = steps_poll(rig, worker, queue);
        assert_int_equal(steps_complete(rig, worker, task, false, queue), 0);
        steps_send_activity_poll(rig, worker, queue, &call);
        rig_await(rig, &call);
        assert_int_equal(call.code, 0);
        assert_true(call.size > 0);
        rig_call_deinit(&call);
    }
}

static void a_direct_query_finds_its_worker(void **state)
{
    rig_t *rig = *state;

    for (int i = 0; i < 8; i++) {
        int owner = i & 1, home = i >> 1 & 1, worker = i >> 2 & 1;
        const char *id = rig_workflow_id(rig, owned_by(owner), i);
        const char *queue = rig_task_queue(rig, home, i);
        steps_task_t *task;
        rig_call_t query;

        assert_int_equal(steps_start(rig, 0, id, queue), 0);
        assert_int_equal(steps_complete(rig, 0, steps_poll(rig, worker, queue), false, NULL), 0);
        steps_send_query(rig, 1, id, &query);
        task = steps_poll(rig, worker, queue);
        assert_non_null(task->query);
        assert_int_equal(steps_answer_query(rig, worker, task), 0);
        rig_await(rig, &query);
        assert_int_equal(query.code, 0);
        rig_call_deinit(&query);
    }
}

static void a_task_is_started_once_however_often_it_is_offered(void **state)
{
    rig_t *rig = *state;
    const char *id = rig_workflow_id(rig, owned_by(0), 0);
    const char *queue = rig_task_queue(rig, 1, 0);
    rig_call_t call;
    int64_t backlog;

    assert_int_equal(steps_start(rig, 0, id, queue), 0);
    for (int i = 0; i < 5; i++)
        pd_node_offer_again(rig->nodes[0].node);
    assert_true(steps_poll(rig, 0, queue)->task_token.len > 0);
    steps_send_poll(rig, 1, queue, &call);
    assert_true(steps_until_backlog(rig, 0, queue, 0)); /* all the references were refused */
    assert_int_equal(steps_pollers(rig, 0, queue, &backlog), 1);
    assert_false(call.done);
    rig_cancel(rig, &call);
    assert_true(steps_until_open_calls(rig, 1, 0));
    assert_int_equal(steps_history_length(rig, 1, id), 3);
}

static void a_cancelled_poll_takes_no_task(void **state)
{
    rig_t *rig = *state;
    const char *queue = rig_task_queue(rig, 1, 0);
    rig_call_t call;

    steps_send_poll(rig, 0, queue, &call);
    assert_true(steps_until_open_calls(rig, 1, 1));
    rig_cancel(rig, &call);
    assert_true(steps_until_open_calls(rig, 1, 0));
    assert_true(steps_until_open_calls(rig, 0, 0));
    assert_int_equal(steps_start(rig, 0, rig_workflow_id(rig, owned_by(0), 0), queue), 0);
    assert_true(steps_poll(rig, 1, queue)->task_token.len > 0);
}

/* The home leaves: its polls end empty, wherever they came from, and the tasks are at the new one.
 */
static void a_home_moves(void **state)
{
    rig_t *rig = *state;
    const char *queue = rig_task_queue(rig, 1, 0), *other = rig_task_queue(rig, 1, 1);
    rig_call_t from_a, from_b;

    steps_send_poll(rig, 0, other, &from_a);
    steps_send_poll(rig, 1, other, &from_b);
    assert_true(steps_until_open_calls(rig, 1, 2));
    assert_int_equal(steps_start(rig, 0, rig_workflow_id(rig, owned_by(0), 0), queue), 0);
    assert_int_equal(steps_start(rig, 0, rig_workflow_id(rig, owned_by(1), 0), queue), 0);
    rig->leaving[1] = true;
    rig_tell_view(rig);
    assert_int_equal(steps_task_of(rig, &from_a)->task_token.len, 0);
    assert_int_equal(steps_task_of(rig, &from_b)->task_token.len, 0);
    for (int node = 0; node < RIG_NODE_COUNT; node++)
        assert_true(steps_poll(rig, node, queue)->task_token.len > 0);
}

static void a_dead_home_ends_polls_empty(void **state)
{
    rig_t *rig = *state;
    const char *queue = rig_task_queue(rig, 1, 0);
    rig_call_t call;

    steps_send_poll(rig, 0, queue, &call);
    assert_true(steps_until_open_calls(rig, 1, 1));
    rig_kill(rig, 1);
    assert_int_equal(steps_task_of(rig, &call)->task_token.len, 0);
    /* The next one waits for the new home. */
    assert_int_equal(steps_start(rig, 0, rig_workflow_id(rig, owned_by(0), 0), queue), 0);
    steps_send_poll(rig, 0, queue, &call);
    rig->gone[1] = true;
    rig->owners[2] = rig->owners[3] = 0;
    rig_tell_view_to(rig, 0);
    assert_true(steps_task_of(rig, &call)->task_token.len > 0);
}

/* The one who left still has its connections: it waits for their calls to end. */
static void a_node_that_has_left_gets_its_polls_back(void **state)
{
    rig_t *rig = *state;
    const char *queue = rig_task_queue(rig, 1, 0);
    rig_call_t through_the_gone, direct;

    steps_send_poll(rig, 0, queue, &through_the_gone);
    assert_true(steps_until_open_calls(rig, 1, 1));
    steps_send_poll(rig, 1, queue, &direct);
    assert_true(steps_until_open_calls(rig, 1, 2));
    rig->gone[0] = true;
    rig->owners[0] = rig->owners[1] = 1;
    rig_tell_view_to(rig, 1);
    assert_int_equal(steps_task_of(rig, &through_the_gone)->task_token.len, 0);
    assert_int_equal(steps_start(rig, 1, rig_workflow_id(rig, owned_by(1), 0), queue), 0);
    assert_true(steps_task_of(rig, &direct)->task_token.len > 0);
}

static void a_queue_is_described_by_either_node(void **state)
{
    rig_t *rig = *state;
    const char *queue = rig_task_queue(rig, 1, 0);
    int64_t backlog;

    assert_int_equal(steps_start(rig, 0, rig_workflow_id(rig, owned_by(0), 0), queue), 0);
    assert_int_equal(steps_start(rig, 0, rig_workflow_id(rig, owned_by(1), 0), queue), 0);
    assert_true(steps_poll(rig, 0, queue)->task_token.len > 0);
    for (int node = 0; node < RIG_NODE_COUNT; node++)
        assert_int_equal(steps_pollers(rig, node, queue, &backlog), 1);
}

static void a_worker_that_leaves_is_let_go_everywhere(void **state)
{
    rig_t *rig = *state;
    rig_call_t call;

    steps_send_poll(rig, 0, rig_task_queue(rig, 1, 0), &call);
    assert_true(steps_until_open_calls(rig, 1, 1));
    assert_int_equal(steps_shutdown_worker(rig, 0), 0);
    assert_int_equal(steps_task_of(rig, &call)->task_token.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_worker_may_be_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(activities_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_direct_query_finds_its_worker, setup, teardown),
        cmocka_unit_test_setup_teardown(a_task_is_started_once_however_often_it_is_offered, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_poll_takes_no_task, setup, teardown),
        cmocka_unit_test_setup_teardown(a_home_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_home_ends_polls_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(a_node_that_has_left_gets_its_polls_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_queue_is_described_by_either_node, setup, teardown),
        cmocka_unit_test_setup_teardown(a_worker_that_leaves_is_let_go_everywhere, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
