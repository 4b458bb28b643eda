/* Children: every step on the way, repeated, late, or after one of the two is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/pb/time.h"
#include "engine/decide/enum_name.h"
#include "engine/limits.h"
#include "tests/unit/decide/steps.h"

#define POLICY(NAME) TEMPORAL__API__ENUMS__V1__PARENT_CLOSE_POLICY__PARENT_CLOSE_POLICY_##NAME
#define STATUS(NAME)                                                                               \
    TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_##NAME
#define BODY(NAME) PERDURE__V1__MESSAGE__BODY_##NAME

static pd_fixture_t *fixture;

static int set_up(void **state)
{
    fixture = steps_new();
    return 0;
}

static int tear_down(void **state)
{
    steps_free(fixture);
    return 0;
}

static command_t *child(const char *workflow_id, int policy)
{
    command_t *command = pd_fixture_cmd_child(fixture, workflow_id);

    command->start_child_workflow_execution_command_attributes->parent_close_policy =
        (Temporal__Api__Enums__V1__ParentClosePolicy)policy;
    return command;
}

static const Perdure__V1__ExecutionRow *row_of(const char *workflow_id)
{
    pd_execution_t *exec;

    pd_fixture_look_at(fixture, workflow_id);
    exec = pd_fixture_current(fixture);
    pd_fixture_look_at(fixture, "w");
    return exec ? exec->row : NULL;
}

static const char *types_of(const char *workflow_id)
{
    const char *types;

    pd_fixture_look_at(fixture, workflow_id);
    types = pd_fixture_types(fixture, pd_fixture_current(fixture));
    pd_fixture_look_at(fixture, "w");
    return types;
}

/* The child's worker takes a task and answers with this one command. */
static void child_step(const char *workflow_id, command_t *command)
{
    pd_fixture_look_at(fixture, workflow_id);
    assert_true(STEP(fixture, command));
    pd_fixture_look_at(fixture, "w");
}

static void terminate(const char *workflow_id)
{
    Temporal__Api__Workflowservice__V1__TerminateWorkflowExecutionRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__TERMINATE_WORKFLOW_EXECUTION_REQUEST__INIT;
    pd_command_t command = {
        .kind = &pd_command_terminate, .request = &request, .workflow_id = workflow_id};

    assert_null(pd_fixture_run(fixture, &command));
}

/* Delivers messages up to and including the next one of this kind; returns that. */
static Perdure__V1__Message *deliver_through(int body_case)
{
    for (;;) {
        Perdure__V1__Message *message = pd_fixture_next_message(fixture);

        assert_non_null(message);
        assert_true(pd_fixture_deliver(fixture));
        if ((int)message->body_case == body_case)
            return message;
    }
}

static void lives_and_completes(void **state)
{
    assert_true(STEP(fixture, child("c", 0)));
    assert_int_equal(steps_row(fixture)->n_children, 1);
    assert_int_equal(steps_row(fixture)->children[0]->parent_close_policy, POLICY(TERMINATE));

    deliver_through(BODY(START_CHILD));
    assert_string_equal(types_of("c"), "WorkflowExecutionStarted");
    assert_true(row_of("c")->awaits_parent);
    assert_string_equal(row_of("c")->parent_workflow_id, "w");
    assert_string_equal(row_of("c")->root_workflow_id, "w");

    deliver_through(BODY(CHILD_START_ANSWERED));
    assert_string_equal(steps_types(fixture, 6),
                        "ChildWorkflowExecutionStarted WorkflowTaskScheduled");
    assert_string_equal(types_of("c"), "WorkflowExecutionStarted");

    deliver_through(BODY(CHILD_FIRST_TASK));
    assert_string_equal(types_of("c"), "WorkflowExecutionStarted WorkflowTaskScheduled");
    assert_false(row_of("c")->awaits_parent);

    child_step("c", pd_fixture_cmd_complete(fixture));
    assert_int_equal(pd_fixture_deliver_all(fixture), 1);
    assert_string_equal(steps_types(fixture, 6),
                        "ChildWorkflowExecutionStarted WorkflowTaskScheduled "
                        "ChildWorkflowExecutionCompleted");
    assert_int_equal(steps_event(fixture, 8)
                         ->child_workflow_execution_completed_event_attributes->started_event_id,
                     6);
    assert_int_equal(steps_row(fixture)->n_children, 0);
}

/* Whatever comes a second time changes nothing. */
static void repeats_change_nothing(void **state)
{
    static const int bodies[] = {BODY(START_CHILD), BODY(CHILD_START_ANSWERED),
                                 BODY(CHILD_FIRST_TASK), BODY(CHILD_CLOSED)};

    assert_true(STEP(fixture, child("c", 0)));
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        int64_t parent_events, child_events;
        Perdure__V1__Message *message;

        if (bodies[i] == BODY(CHILD_CLOSED))
            child_step("c", pd_fixture_cmd_complete(fixture));
        message = deliver_through(bodies[i]);
        parent_events = steps_row(fixture)->next_event_id;
        child_events = row_of("c")->next_event_id;
        pd_fixture_deliver_again(fixture, message);
        assert_int_equal(steps_row(fixture)->next_event_id, parent_events);
        assert_int_equal(row_of("c")->next_event_id, child_events);
    }
    pd_fixture_deliver_all(fixture);
    assert_string_equal(types_of("c"), "WorkflowExecutionStarted WorkflowTaskScheduled "
                                       "WorkflowTaskStarted WorkflowTaskCompleted "
                                       "WorkflowExecutionCompleted");
}

/* The same start is answered with the same run. */
static void start_repeated_is_answered_alike(void **state)
{
    Perdure__V1__Message *message, *answer;
    const char *run_id;

    assert_true(STEP(fixture, child("c", 0)));
    message = deliver_through(BODY(START_CHILD));
    run_id = pd_arena_strdup(&fixture->arena, row_of("c")->run_id);
    pd_fixture_deliver_again(fixture, message);
    for (int i = 0; i < 2; i++) {
        answer = deliver_through(BODY(CHILD_START_ANSWERED));
        assert_string_equal(answer->child_start_answered->run_id, run_id);
        assert_int_equal(answer->child_start_answered->failed_cause, 0);
    }
}

static void id_is_taken(void **state)
{
    pd_fixture_look_at(fixture, "c");
    assert_null(pd_fixture_start(fixture, pd_fixture_start_request(fixture)));
    pd_fixture_look_at(fixture, "w");
    assert_true(STEP(fixture, child("c", 0)));
    assert_int_equal(pd_fixture_deliver_all(fixture), 2);
    assert_string_equal(steps_types(fixture, 6),
                        "StartChildWorkflowExecutionFailed WorkflowTaskScheduled");
    assert_int_equal(steps_row(fixture)->n_children, 0);
    terminate("w"); /* the other one is none of its children */
    assert_int_equal(pd_fixture_deliver_all(fixture), 0);
    assert_int_equal(row_of("c")->status, STATUS(RUNNING));
}

/* What a task that fails had asked for is not sent. */
static void bad_command_takes_all_back(void **state)
{
    assert_false(STEP(fixture, child("c", 0), child("", 0)));
    assert_int_equal(pd_fixture_deliver_all(fixture), 0);
    assert_null(row_of("c"));
    assert_int_equal(steps_row(fixture)->n_children, 0);
}

static void close_in_the_same_task_starts_nothing(void **state)
{
    assert_true(STEP(fixture, child("c", POLICY(ABANDON)),
                     pd_fixture_cmd_signal_external(fixture, "x", "s"),
                     pd_fixture_cmd_complete(fixture)));
    assert_int_equal(pd_fixture_deliver_all(fixture), 0);
    assert_null(row_of("c"));
}

/* ---- the parent is gone, at each step ---- */

/* After that message has arrived, the parent is terminated. What becomes of the child? */
static const Perdure__V1__ExecutionRow *parent_gone_after(int body_case, int policy)
{
    assert_true(STEP(fixture, child("c", policy)));
    if (body_case)
        deliver_through(body_case);
    terminate("w");
    pd_fixture_deliver_all(fixture);
    assert_int_equal(steps_row(fixture)->status, STATUS(TERMINATED));
    return row_of("c");
}

static void gone_before_the_start_arrives(void **state)
{
    assert_int_equal(parent_gone_after(0, POLICY(TERMINATE))->status, STATUS(TERMINATED));
}

static void gone_before_the_start_arrives_abandoning(void **state)
{
    assert_int_equal(parent_gone_after(0, POLICY(ABANDON))->status, STATUS(TERMINATED));
    assert_string_equal(types_of("c"), "WorkflowExecutionStarted WorkflowExecutionTerminated");
}

static void gone_before_the_start_arrives_canceling(void **state)
{
    assert_int_equal(parent_gone_after(0, POLICY(REQUEST_CANCEL))->status, STATUS(RUNNING));
    assert_string_equal(types_of("c"), "WorkflowExecutionStarted "
                                       "WorkflowExecutionCancelRequested WorkflowTaskScheduled");
}

static void gone_before_the_answer(void **state)
{
    assert_int_equal(parent_gone_after(BODY(START_CHILD), POLICY(ABANDON))->status,
                     STATUS(TERMINATED));
}

static void gone_before_the_first_task(void **state)
{
    assert_int_equal(parent_gone_after(BODY(CHILD_START_ANSWERED), POLICY(TERMINATE))->status,
                     STATUS(TERMINATED));
}

static void gone_before_the_first_task_abandoning(void **state)
{
    assert_int_equal(parent_gone_after(BODY(CHILD_START_ANSWERED), POLICY(ABANDON))->status,
                     STATUS(RUNNING));
    assert_string_equal(types_of("c"), "WorkflowExecutionStarted WorkflowTaskScheduled");
}

static void gone_while_the_child_runs(void **state)
{
    const Perdure__V1__ExecutionRow *row =
        parent_gone_after(BODY(CHILD_FIRST_TASK), POLICY(REQUEST_CANCEL));

    assert_int_equal(row->status, STATUS(RUNNING));
    assert_true(row->cancel_requested);
    assert_int_equal(steps_row(fixture)->n_children, 1); /* Describe shows it */
}

/* ---- chains ---- */

static void policy_means_the_current_run(void **state)
{
    const char *first_run_id;

    assert_true(STEP(fixture, child("c", 0)));
    pd_fixture_deliver_all(fixture);
    first_run_id = pd_arena_strdup(&fixture->arena, row_of("c")->run_id);
    child_step("c", pd_fixture_cmd_continue(fixture));
    assert_int_equal(pd_fixture_deliver_all(fixture), 0); /* the chain goes on */
    assert_string_not_equal(row_of("c")->run_id, first_run_id);
    assert_string_equal(row_of("c")->parent_workflow_id, "w");
    assert_false(row_of("c")->awaits_parent);
    terminate("w");
    pd_fixture_deliver_all(fixture);
    assert_int_equal(row_of("c")->status, STATUS(TERMINATED));
}

static void end_of_the_chain_is_reported(void **state)
{
    const Perdure__V1__Message *closed;

    assert_true(STEP(fixture, child("c", 0)));
    pd_fixture_deliver_all(fixture);
    child_step("c", pd_fixture_cmd_continue(fixture));
    pd_fixture_look_at(fixture, "c");
    pd_fixture_advance(fixture, 2 * S);
    child_step("c", pd_fixture_cmd_fail(fixture, "T"));
    closed = deliver_through(BODY(CHILD_CLOSED));
    assert_string_equal(closed->child_closed->run_id, row_of("c")->run_id);
    assert_string_equal(steps_types(fixture, 8), "ChildWorkflowExecutionFailed");
}

static void another_run_of_the_parent_is_not_told(void **state)
{
    assert_true(STEP(fixture, child("c", POLICY(ABANDON))));
    pd_fixture_deliver_all(fixture);
    assert_true(STEP(fixture, pd_fixture_cmd_continue(fixture)));
    child_step("c", pd_fixture_cmd_complete(fixture));
    assert_int_equal(pd_fixture_deliver_all(fixture), 1);
    assert_string_equal(pd_fixture_types(fixture, pd_fixture_current(fixture)),
                        "WorkflowExecutionStarted");
}

static void cron_counts_once_the_parent_knows(void **state)
{
    command_t *command = child("c", 0);

    command->start_child_workflow_execution_command_attributes->cron_schedule = TEXT("@every 5s");
    assert_true(STEP(fixture, command));
    deliver_through(BODY(START_CHILD));
    pd_fixture_look_at(fixture, "c");
    pd_fixture_advance(fixture, 10 * S);
    assert_string_equal(types_of("c"), "WorkflowExecutionStarted");
    pd_fixture_deliver_all(fixture);
    assert_string_equal(types_of("c"), "WorkflowExecutionStarted");
    pd_fixture_look_at(fixture, "c");
    pd_fixture_advance(fixture, S);
    assert_string_equal(types_of("c"), "WorkflowExecutionStarted WorkflowTaskScheduled");
}

/* A signal before the first task schedules that: it is not scheduled twice. */
static void signaled_before_its_first_task(void **state)
{
    assert_true(STEP(fixture, child("c", 0)));
    deliver_through(BODY(START_CHILD));
    pd_fixture_look_at(fixture, "c");
    assert_null(pd_fixture_signal(fixture, "s", "r"));
    pd_fixture_deliver_all(fixture);
    assert_string_equal(types_of("c"), "WorkflowExecutionStarted WorkflowExecutionSignaled "
                                       "WorkflowTaskScheduled");
}

/* ---- the buffer ---- */

static void start_and_end_are_buffered(void **state)
{
    const Perdure__V1__TaskToken *token;
    Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest *request;
    command_t *commands[] = {child("c", 0)};

    token = pd_fixture_poll(fixture, NULL);
    request = pd_fixture_completion(fixture, commands, 1);
    request->force_create_new_workflow_task = true;
    assert_null(pd_fixture_complete_with(fixture, token, request));
    steps_poll(fixture);
    pd_fixture_deliver_all(fixture);
    assert_true(steps_row(fixture)->children[0]->start_buffered);
    child_step("c", pd_fixture_cmd_complete(fixture));
    pd_fixture_deliver_all(fixture);
    assert_true(steps_row(fixture)->children[0]->close_buffered);
    steps_signal(fixture);
    assert_int_equal(steps_row(fixture)->n_buffered_events, 3);
    assert_true(COMPLETE(fixture, pd_fixture_cmd_marker(fixture, "m")));
    assert_string_equal(steps_types(fixture, 8),
                        "WorkflowTaskCompleted MarkerRecorded ChildWorkflowExecutionStarted "
                        "WorkflowExecutionSignaled ChildWorkflowExecutionCompleted "
                        "WorkflowTaskScheduled");
    assert_int_equal(steps_event(fixture, 12)
                         ->child_workflow_execution_completed_event_attributes->started_event_id,
                     10);
    assert_int_equal(steps_row(fixture)->n_children, 0);
}

/* Terminating while the start is buffered: the child is known by its run, and told. */
static void parent_terminated_with_a_full_buffer(void **state)
{
    const Perdure__V1__TaskToken *token;
    Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest *request;
    command_t *commands[] = {child("c", 0), child("d", POLICY(ABANDON))};

    token = pd_fixture_poll(fixture, NULL);
    request = pd_fixture_completion(fixture, commands, 2);
    request->force_create_new_workflow_task = true;
    assert_null(pd_fixture_complete_with(fixture, token, request));
    steps_poll(fixture);
    pd_fixture_deliver_all(fixture);
    terminate("w");
    pd_fixture_deliver_all(fixture);
    assert_int_equal(row_of("c")->status, STATUS(TERMINATED));
    assert_int_equal(row_of("d")->status, STATUS(RUNNING));
}

/* ---- very many ---- */

static void as_many_as_may_be(void **state)
{
    enum { COUNT = PD_PENDING_CHILD_COUNT_MAX };
    command_t **commands = pd_arena_calloc(&fixture->arena, COUNT + 1, sizeof(commands[0]));

    for (size_t i = 0; i <= COUNT; i++)
        commands[i] = child(pd_arena_printf(&fixture->arena, "c%zu", i),
                            i % 2 ? POLICY(TERMINATE) : POLICY(REQUEST_CANCEL));
    steps_poll(fixture);
    assert_false(steps_complete(fixture, commands, COUNT + 1));
    assert_string_equal(fixture->error->message,
                        "PendingChildWorkflowsLimitExceeded: the number of pending child workflow "
                        "executions, 2000, has reached the per-workflow limit of 2000");
    steps_poll(fixture);
    assert_true(steps_complete(fixture, commands, COUNT));
    assert_int_equal(pd_fixture_deliver_all(fixture), 3 * COUNT);
    assert_int_equal(steps_row(fixture)->n_children, COUNT);
    terminate("w");
    assert_int_equal(pd_fixture_deliver_all(fixture), COUNT + COUNT / 2);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(row_of(pd_arena_printf(&fixture->arena, "c%zu", i))->status,
                         i % 2 ? STATUS(TERMINATED) : STATUS(RUNNING));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lives_and_completes),
        TEST(repeats_change_nothing),
        TEST(start_repeated_is_answered_alike),
        TEST(id_is_taken),
        TEST(bad_command_takes_all_back),
        TEST(close_in_the_same_task_starts_nothing),
        TEST(gone_before_the_start_arrives),
        TEST(gone_before_the_start_arrives_abandoning),
        TEST(gone_before_the_start_arrives_canceling),
        TEST(gone_before_the_answer),
        TEST(gone_before_the_first_task),
        TEST(gone_before_the_first_task_abandoning),
        TEST(gone_while_the_child_runs),
        TEST(policy_means_the_current_run),
        TEST(end_of_the_chain_is_reported),
        TEST(another_run_of_the_parent_is_not_told),
        TEST(cron_counts_once_the_parent_knows),
        TEST(signaled_before_its_first_task),
        TEST(start_and_end_are_buffered),
        TEST(parent_terminated_with_a_full_buffer),
        TEST(as_many_as_may_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
