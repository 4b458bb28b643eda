/* The life of runs and workflow tasks: every decision is applied to a store, and its history read
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/pb/time.h"
#include "engine/decide/id_policy.h"
#include "engine/limits.h"
#include "tests/unit/decide/fixture.h"

#define S INT64_C(1000000000)

#define STATUS(NAME)                                                                               \
    TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_##NAME

#define BEGUN "WorkflowExecutionStarted WorkflowTaskScheduled"
#define TAKEN BEGUN " WorkflowTaskStarted"
#define DONE TAKEN " WorkflowTaskCompleted"

static int set_up(void **state)
{
    *state = pd_fixture_new();
    return 0;
}

static int tear_down(void **state)
{
    pd_fixture_check_replay(*state);
    pd_fixture_free(*state);
    return 0;
}

static const Perdure__V1__TaskToken *begin(pd_fixture_t *fixture)
{
    const Perdure__V1__TaskToken *token;

    assert_null(pd_fixture_start(fixture, pd_fixture_start_request(fixture)));
    token = pd_fixture_poll(fixture, NULL);
    assert_non_null(token);
    return token;
}

/* Completes a first task stickily; a signal schedules the next one, on the sticky queue. */
static void begin_sticky(pd_fixture_t *fixture)
{
    const Perdure__V1__TaskToken *token = begin(fixture);
    Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest *request =
        pd_fixture_completion(fixture, NULL, 0);

    request->sticky_attributes =
        PD_FIXTURE_NEW(fixture, Temporal__Api__Taskqueue__V1__StickyExecutionAttributes,
                       temporal__api__taskqueue__v1__sticky_execution_attributes);
    request->sticky_attributes->worker_task_queue = PD_FIXTURE_NEW(
        fixture, Temporal__Api__Taskqueue__V1__TaskQueue, temporal__api__taskqueue__v1__task_queue);
    request->sticky_attributes->worker_task_queue->name = (char *)"sticky";
    request->sticky_attributes->schedule_to_start_timeout = pd_pb_duration(&fixture->arena, 5 * S);
    assert_null(pd_fixture_complete_with(fixture, token, request));
    assert_null(pd_fixture_signal(fixture, "s", "wake"));
}

static void assert_error(pd_fixture_t *fixture, pd_rpc_code_t code, const char *message)
{
    assert_non_null(fixture->error);
    assert_int_equal(fixture->error->code, code);
    assert_string_equal(fixture->error->message, message);
}

/* ---- starting ---- */

static void start_and_complete(void **state)
{
    pd_fixture_t *fixture = *state;
    const Perdure__V1__TaskToken *token = begin(fixture);
    pd_execution_t *exec;

    assert_null(pd_fixture_complete(fixture, token, pd_fixture_cmd_complete(fixture)));
    exec = pd_fixture_current(fixture);
    pd_fixture_assert_history(fixture, exec, DONE " WorkflowExecutionCompleted");
    assert_int_equal(exec->row->status, STATUS(COMPLETED));
    assert_int_equal(exec->row->workflow_task_timeout_ns, 10 * S);
    pd_fixture_complete(fixture, token, NULL);
    assert_error(fixture, PD_RPC_NOT_FOUND, "Workflow task not found.");
    assert_false(fixture->recorded);
}

static void same_request(void **state)
{
    pd_fixture_t *fixture = *state;
    const Temporal__Api__Workflowservice__V1__StartWorkflowExecutionResponse *response;
    const char *run_id;

    (void)begin(fixture);
    run_id = pd_arena_strdup(&fixture->arena, pd_fixture_current(fixture)->row->run_id);
    assert_null(pd_fixture_start(fixture, pd_fixture_start_request(fixture)));
    assert_false(fixture->recorded);
    response = fixture->decision->response;
    assert_true(response->started);
    assert_string_equal(response->run_id, run_id);
}

static void conflicts(void **state)
{
    pd_fixture_t *fixture = *state;
    Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *request =
        pd_fixture_start_request(fixture);
    const char *first_run_id;

    (void)begin(fixture);
    first_run_id = pd_arena_strdup(&fixture->arena, pd_fixture_current(fixture)->row->run_id);
    request->request_id = (char *)"other";
    pd_fixture_start(fixture, request);
    assert_error(fixture, PD_RPC_ALREADY_EXISTS,
                 pd_arena_printf(&fixture->arena,
                                 "Workflow execution is already running. WorkflowId: w, RunId: "
                                 "%s.",
                                 first_run_id));
    request->workflow_id_conflict_policy = PD_CONFLICT(USE_EXISTING);
    assert_null(pd_fixture_start(fixture, request));
    assert_false(fixture->recorded);
    request->workflow_id_conflict_policy = PD_CONFLICT(TERMINATE_EXISTING);
    assert_null(pd_fixture_signal(fixture, "buffered", "b"));
    assert_null(pd_fixture_start(fixture, request));
    pd_fixture_assert_history(
        fixture, pd_fixture_run_of(fixture, first_run_id),
        TAKEN " WorkflowTaskFailed WorkflowExecutionSignaled WorkflowExecutionTerminated");
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture), BEGUN);
    assert_string_not_equal(pd_fixture_current(fixture)->row->run_id, first_run_id);
}

static void attached_request(void **state)
{
    pd_fixture_t *fixture = *state;
    Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *request =
        pd_fixture_start_request(fixture);

    assert_null(pd_fixture_start(fixture, request));
    request->request_id = (char *)"attached";
    request->workflow_id_conflict_policy = PD_CONFLICT(USE_EXISTING);
    request->on_conflict_options =
        PD_FIXTURE_NEW(fixture, Temporal__Api__Workflow__V1__OnConflictOptions,
                       temporal__api__workflow__v1__on_conflict_options);
    request->on_conflict_options->attach_request_id = true;
    assert_null(pd_fixture_start(fixture, request));
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture),
                              BEGUN " WorkflowExecutionOptionsUpdated");
    /* Known from now on, whatever its policy says. */
    request->workflow_id_conflict_policy = PD_CONFLICT(FAIL);
    assert_null(pd_fixture_start(fixture, request));
    assert_false(fixture->recorded);
}

static void reuse(void **state)
{
    static const struct {
        int policy;
        bool fails, allowed;
    } cases[] = {
        {PD_REUSE(UNSPECIFIED), false, true},
        {PD_REUSE(ALLOW_DUPLICATE), false, true},
        {PD_REUSE(ALLOW_DUPLICATE_FAILED_ONLY), false, false},
        {PD_REUSE(ALLOW_DUPLICATE_FAILED_ONLY), true, true},
        {PD_REUSE(REJECT_DUPLICATE), false, false},
        {PD_REUSE(REJECT_DUPLICATE), true, false},
        {PD_REUSE(TERMINATE_IF_RUNNING), true, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pd_fixture_t *fixture = pd_fixture_new();
        Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *request =
            pd_fixture_start_request(fixture);
        const Perdure__V1__TaskToken *token = begin(fixture);

        assert_null(pd_fixture_complete(fixture, token,
                                        cases[i].fails ? pd_fixture_cmd_fail(fixture, "Boom")
                                                       : pd_fixture_cmd_complete(fixture)));
        request->request_id = (char *)"again";
        request->workflow_id_reuse_policy = cases[i].policy;
        pd_fixture_start(fixture, request);
        assert_int_equal(fixture->error == NULL, cases[i].allowed);
        if (fixture->error)
            assert_int_equal(fixture->error->code, PD_RPC_ALREADY_EXISTS);
        pd_fixture_free(fixture);
    }
}

static void start_delay(void **state)
{
    pd_fixture_t *fixture = *state;
    Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *request =
        pd_fixture_start_request(fixture);

    request->workflow_start_delay = pd_pb_duration(&fixture->arena, 3 * S);
    assert_null(pd_fixture_start(fixture, request));
    assert_null(pd_fixture_signal(fixture, "early", "1"));
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture),
                              "WorkflowExecutionStarted WorkflowExecutionSignaled");
    pd_fixture_advance(fixture, 4 * S);
    pd_fixture_assert_history(
        fixture, pd_fixture_current(fixture),
        "WorkflowExecutionStarted WorkflowExecutionSignaled WorkflowTaskScheduled");
}

static void eager_start(void **state)
{
    pd_fixture_t *fixture = *state;
    Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *request =
        pd_fixture_start_request(fixture);

    request->request_eager_execution = true;
    assert_null(pd_fixture_start(fixture, request));
    assert_true(fixture->decision->hand_out_workflow_task);
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture), TAKEN);
    assert_true(pd_fixture_event(fixture, pd_fixture_current(fixture), 1)
                    ->workflow_execution_started_event_attributes->eager_execution_accepted);
}

/* ---- workflow tasks ---- */

static void transient_task(void **state)
{
    pd_fixture_t *fixture = *state;
    const Perdure__V1__TaskToken *token = begin(fixture);
    const Perdure__V1__WorkflowTaskRow *task;

    assert_null(pd_fixture_fail_task(fixture, token));
    task = pd_fixture_current(fixture)->row->workflow_task;
    assert_int_equal(task->attempt, 2);
    assert_true(task->transient);
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture), TAKEN " WorkflowTaskFailed");

    /* Further failures and timeouts leave no trace in the history. */
    token = pd_fixture_poll(fixture, NULL);
    assert_null(pd_fixture_fail_task(fixture, token));
    assert_int_equal(pd_fixture_current(fixture)->row->workflow_task->attempt, 3);
    token = pd_fixture_poll(fixture, NULL);
    pd_fixture_advance(fixture, 11 * S);
    assert_int_equal(pd_fixture_current(fixture)->row->workflow_task->attempt, 4);
    assert_int_equal(pd_fixture_current(fixture)->row->workflow_task->start_to_close_timeout_ns,
                     15 * S);
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture), TAKEN " WorkflowTaskFailed");

    token = pd_fixture_poll(fixture, NULL);
    assert_null(pd_fixture_complete(fixture, token, NULL));
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture),
                              TAKEN " WorkflowTaskFailed WorkflowTaskScheduled "
                                    "WorkflowTaskStarted WorkflowTaskCompleted");
    assert_int_equal(pd_fixture_event(fixture, pd_fixture_current(fixture), 5)
                         ->workflow_task_scheduled_event_attributes->attempt,
                     4);
}

static void event_makes_transient_task_real(void **state)
{
    pd_fixture_t *fixture = *state;
    const Perdure__V1__TaskToken *token = begin(fixture);

    assert_null(pd_fixture_fail_task(fixture, token));
    assert_null(pd_fixture_signal(fixture, "s", "1"));
    assert_non_null(pd_fixture_poll(fixture, NULL));
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture),
                              TAKEN
                              " WorkflowTaskFailed WorkflowExecutionSignaled WorkflowTaskScheduled "
                              "WorkflowTaskStarted");
    assert_int_equal(pd_fixture_current(fixture)->row->workflow_task->attempt, 1);
}

static void sticky_timeout(void **state)
{
    pd_fixture_t *fixture = *state;
    const Perdure__V1__WorkflowTaskRow *task;

    begin_sticky(fixture);
    task = pd_fixture_current(fixture)->row->workflow_task;
    assert_true(task->sticky);
    assert_string_equal(task->task_queue, "sticky");
    pd_fixture_advance(fixture, 6 * S);
    task = pd_fixture_current(fixture)->row->workflow_task;
    assert_false(task->sticky);
    assert_int_equal(task->attempt, 1);
    assert_string_equal(task->task_queue, "q");
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture),
                              DONE " WorkflowExecutionSignaled WorkflowTaskScheduled "
                                   "WorkflowTaskTimedOut WorkflowTaskScheduled");
}

static void sticky_failure(void **state)
{
    pd_fixture_t *fixture = *state;
    const Perdure__V1__TaskToken *token;

    begin_sticky(fixture);
    token = pd_fixture_poll(fixture, "sticky");
    assert_null(pd_fixture_fail_task(fixture, token));
    assert_int_equal(pd_fixture_current(fixture)->row->workflow_task->attempt, 1);
    assert_string_equal(pd_fixture_current(fixture)->row->sticky_task_queue, "");
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture),
                              DONE " WorkflowExecutionSignaled WorkflowTaskScheduled "
                                   "WorkflowTaskStarted WorkflowTaskFailed "
                                   "WorkflowTaskScheduled");
}

static void heartbeats(void **state)
{
    pd_fixture_t *fixture = *state;
    const Perdure__V1__TaskToken *token = begin(fixture);
    Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest *request =
        pd_fixture_completion(fixture, NULL, 0);

    request->force_create_new_workflow_task = true;
    request->return_new_workflow_task = true;
    assert_null(pd_fixture_complete_with(fixture, token, request));
    assert_true(fixture->decision->hand_out_workflow_task);
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture),
                              DONE " WorkflowTaskScheduled WorkflowTaskStarted");
    for (int i = 0; i < 400; i++) {
        const Perdure__V1__WorkflowTaskRow *task = pd_fixture_current(fixture)->row->workflow_task;
        Perdure__V1__TaskToken *next = pd_pb_clone(token, &fixture->arena);

        next->scheduled_event_id = task->scheduled_event_id;
        next->started_event_id = task->started_event_id;
        next->started_time_ns = task->started_time_ns;
        fixture->now_ns += 5 * S;
        if (pd_fixture_complete_with(fixture, next, request))
            break;
    }
    assert_error(fixture, PD_RPC_NOT_FOUND, "workflow task heartbeat timeout");
    assert_true(fixture->recorded);
}

static void unhandled_command(void **state)
{
    pd_fixture_t *fixture = *state;
    const Perdure__V1__TaskToken *token = begin(fixture);

    assert_null(pd_fixture_signal(fixture, "buffered", "b"));
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture), TAKEN);
    pd_fixture_complete(fixture, token, pd_fixture_cmd_complete(fixture));
    assert_error(fixture, PD_RPC_INVALID_ARGUMENT, "UnhandledCommand");
    assert_true(fixture->recorded);
    pd_fixture_assert_history(
        fixture, pd_fixture_current(fixture),
        TAKEN " WorkflowTaskFailed WorkflowExecutionSignaled WorkflowTaskScheduled");
    token = pd_fixture_poll(fixture, NULL);
    pd_fixture_signal(fixture, "late", "l");
    assert_error(fixture, PD_RPC_RESOURCE_EXHAUSTED,
                 "workflow operation can not be applied because workflow is closing");
    assert_null(pd_fixture_complete(fixture, token, pd_fixture_cmd_complete(fixture)));
    assert_int_equal(pd_fixture_current(fixture)->row->status, STATUS(COMPLETED));
}

static void full_buffer(void **state)
{
    pd_fixture_t *fixture = *state;
    char name[PD_ID_SIZE_MAX + 1] = "";
    int count = 0;
    memset(name, 'n', PD_ID_SIZE_MAX);
    (void)begin(fixture);
    do {
        pd_fixture_signal(fixture, name, pd_arena_printf(&fixture->arena, "%d", count++));
    } while (pd_fixture_current(fixture)->row->n_buffered_events);
    assert_in_range(count, PD_BUFFERED_SIZE_MAX / (PD_ID_SIZE_MAX + 100),
                    PD_BUFFERED_SIZE_MAX / PD_ID_SIZE_MAX);
    assert_int_equal(pd_fixture_event(fixture, pd_fixture_current(fixture), 4)->event_type,
                     PD_EVENT(WORKFLOW_TASK_FAILED));
    assert_int_equal(pd_fixture_current(fixture)->row->next_event_id, 5 + count);
}

static void bad_command(void **state)
{
    pd_fixture_t *fixture = *state;
    const Perdure__V1__TaskToken *token = begin(fixture);
    Temporal__Api__Command__V1__Command *commands[3];

    commands[0] = pd_fixture_cmd_marker(fixture, "good");
    commands[1] = pd_fixture_cmd_marker(fixture, "");
    commands[2] = pd_fixture_cmd_complete(fixture);
    pd_fixture_complete_with(fixture, token, pd_fixture_completion(fixture, commands, 3));
    assert_error(fixture, PD_RPC_INVALID_ARGUMENT,
                 "BadRecordMarkerAttributes: MarkerName is not set on RecordMarkerCommand.");
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture), TAKEN " WorkflowTaskFailed");
    token = pd_fixture_poll(fixture, NULL);
    pd_fixture_complete_with(fixture, token, pd_fixture_completion(fixture, commands, 3));
    assert_false(fixture->recorded); /* the second time only the worker hears of it */
    commands[0] = pd_fixture_cmd_complete(fixture);
    pd_fixture_complete_with(fixture, token, pd_fixture_completion(fixture, commands, 2));
    assert_error(fixture, PD_RPC_INVALID_ARGUMENT,
                 "invalid command sequence: [CompleteWorkflowExecution, RecordMarker], command "
                 "CompleteWorkflowExecution must be the last command.");
    commands[0]->command_type = 4711;
    pd_fixture_complete_with(fixture, token, pd_fixture_completion(fixture, commands, 1));
    assert_error(fixture, PD_RPC_INVALID_ARGUMENT, "unknown command type: 4711");
    assert_false(fixture->recorded);
}

static void too_large(void **state)
{
    pd_fixture_t *fixture = *state;
    const Perdure__V1__TaskToken *token = begin(fixture);
    Temporal__Api__Command__V1__Command *command = pd_fixture_cmd_complete(fixture);
    Temporal__Api__Common__V1__Payloads *payloads = PD_FIXTURE_NEW(
        fixture, Temporal__Api__Common__V1__Payloads, temporal__api__common__v1__payloads);
    Temporal__Api__Common__V1__Payload *payload = PD_FIXTURE_NEW(
        fixture, Temporal__Api__Common__V1__Payload, temporal__api__common__v1__payload);

    payload->data.len = 3 << 20;
    payload->data.data = pd_arena_calloc(&fixture->arena, 1, payload->data.len);
    payloads->payloads = &payload;
    payloads->n_payloads = 1;
    command->complete_workflow_execution_command_attributes->result = payloads;
    pd_fixture_complete(fixture, token, command);
    assert_int_equal(fixture->error->code, PD_RPC_INVALID_ARGUMENT);
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture),
                              TAKEN " WorkflowTaskFailed WorkflowExecutionTerminated");
}

static Temporal__Api__Command__V1__Command **markers_and_timers(pd_fixture_t *fixture, int count)
{
    Temporal__Api__Command__V1__Command **commands =
        pd_arena_alloc(&fixture->arena, (size_t)count * sizeof(commands[0]));

    for (int i = 0; i < count; i++)
        commands[i] = i % 2 ? pd_fixture_cmd_marker(fixture, "m")
                            : pd_fixture_cmd_timer(
                                  fixture, pd_arena_printf(&fixture->arena, "t%d", i), S * 1000);
    return commands;
}

static void many_commands(void **state)
{
    enum { COUNT = 50000 };
    pd_fixture_t *fixture = *state;
    const Perdure__V1__TaskToken *token = begin(fixture);

    assert_null(pd_fixture_complete_with(
        fixture, token, pd_fixture_completion(fixture, markers_and_timers(fixture, COUNT), COUNT)));
    assert_int_equal(pd_fixture_current(fixture)->row->next_event_id, COUNT + 5);
}

static void too_many_commands(void **state)
{
    enum { COUNT = 100000 };
    pd_fixture_t *fixture = *state;
    const Perdure__V1__TaskToken *token = begin(fixture);

    pd_fixture_complete_with(
        fixture, token, pd_fixture_completion(fixture, markers_and_timers(fixture, COUNT), COUNT));
    assert_error(fixture, PD_RPC_INVALID_ARGUMENT, "Workflow history count exceeds limit.");
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture),
                              TAKEN " WorkflowTaskFailed WorkflowExecutionTerminated");
}

/* ---- how runs follow each other ---- */

static void continue_as_new(void **state)
{
    pd_fixture_t *fixture = *state;
    const Perdure__V1__TaskToken *token = begin(fixture);
    const char *first_run_id = token->run_id;
    const Temporal__Api__History__V1__WorkflowExecutionStartedEventAttributes *started;

    assert_null(pd_fixture_complete(fixture, token, pd_fixture_cmd_continue(fixture)));
    pd_fixture_assert_history(fixture, pd_fixture_run_of(fixture, first_run_id),
                              DONE " WorkflowExecutionContinuedAsNew");
    /* Younger than a second: the next run waits. */
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture), "WorkflowExecutionStarted");
    started = pd_fixture_event(fixture, pd_fixture_current(fixture), 1)
                  ->workflow_execution_started_event_attributes;
    assert_string_equal(started->continued_execution_run_id, first_run_id);
    assert_string_equal(started->first_execution_run_id, first_run_id);
    assert_int_equal(pd_pb_duration_ns(started->first_workflow_task_backoff), S);
    assert_int_equal(started->prev_auto_reset_points->n_points, 1);
    assert_int_equal(started->prev_auto_reset_points->points[0]->first_workflow_task_completed_id,
                     4);
    pd_fixture_advance(fixture, 2 * S);
    assert_non_null(pd_fixture_poll(fixture, NULL));
}

static void workflow_retry(void **state)
{
    pd_fixture_t *fixture = *state;
    Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *request =
        pd_fixture_start_request(fixture);
    const Perdure__V1__TaskToken *token;

    request->retry_policy = PD_FIXTURE_NEW(fixture, Temporal__Api__Common__V1__RetryPolicy,
                                           temporal__api__common__v1__retry_policy);
    request->retry_policy->initial_interval = pd_pb_duration(&fixture->arena, 5 * S);
    request->retry_policy->maximum_attempts = 2;
    assert_null(pd_fixture_start(fixture, request));
    token = pd_fixture_poll(fixture, NULL);
    assert_null(pd_fixture_complete(fixture, token, pd_fixture_cmd_fail(fixture, "Boom")));
    assert_string_not_equal(pd_fixture_current(fixture)->row->run_id, token->run_id);
    assert_int_equal(pd_fixture_current(fixture)->row->attempt, 2);
    assert_null(pd_fixture_poll(fixture, NULL));
    pd_fixture_advance(fixture, 6 * S);
    token = pd_fixture_poll(fixture, NULL);
    assert_non_null(token);
    assert_null(pd_fixture_complete(fixture, token, pd_fixture_cmd_fail(fixture, "Boom")));
    assert_string_equal(pd_fixture_current(fixture)->row->run_id, token->run_id);
    assert_int_equal(pd_fixture_event(fixture, pd_fixture_current(fixture), 5)
                         ->workflow_execution_failed_event_attributes->retry_state,
                     TEMPORAL__API__ENUMS__V1__RETRY_STATE__RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED);
}

static void run_timeout(void **state)
{
    pd_fixture_t *fixture = *state;
    Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *request =
        pd_fixture_start_request(fixture);

    request->workflow_run_timeout = pd_pb_duration(&fixture->arena, 2 * S);
    assert_null(pd_fixture_start(fixture, request));
    assert_non_null(pd_fixture_poll(fixture, NULL));
    assert_null(pd_fixture_signal(fixture, "buffered", "b"));
    fixture->now_ns += S;
    pd_fixture_advance(fixture, 2 * S);
    assert_int_equal(pd_fixture_current(fixture)->row->status, STATUS(TIMED_OUT));
    /* Retention. */
    pd_fixture_advance(fixture, INT64_C(25) * 3600 * S);
    assert_null(pd_fixture_current(fixture));
}

static void cron(void **state)
{
    pd_fixture_t *fixture = *state;
    Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *request =
        pd_fixture_start_request(fixture);
    const Perdure__V1__TaskToken *token;

    request->cron_schedule = (char *)"@every 10s";
    assert_null(pd_fixture_start(fixture, request));
    assert_null(pd_fixture_poll(fixture, NULL));
    for (int i = 0; i < 3; i++) {
        pd_fixture_advance(fixture, 10 * S);
        token = pd_fixture_poll(fixture, NULL);
        assert_non_null(token);
        assert_null(pd_fixture_complete(fixture, token,
                                        i == 1 ? pd_fixture_cmd_fail(fixture, "Boom")
                                               : pd_fixture_cmd_complete(fixture)));
        assert_string_not_equal(pd_fixture_current(fixture)->row->run_id, token->run_id);
        assert_int_equal(pd_fixture_current(fixture)->row->status, STATUS(RUNNING));
    }
}

static void timers_fire_together(void **state)
{
    pd_fixture_t *fixture = *state;
    const Perdure__V1__TaskToken *token = begin(fixture);
    Temporal__Api__Command__V1__Command *commands[3];

    commands[0] = pd_fixture_cmd_timer(fixture, "late", 2 * S);
    commands[1] = pd_fixture_cmd_timer(fixture, "early", 1 * S);
    commands[2] = pd_fixture_cmd_timer(fixture, "never", INT64_MAX);
    assert_null(
        pd_fixture_complete_with(fixture, token, pd_fixture_completion(fixture, commands, 3)));
    fixture->now_ns += 3 * S;
    pd_fixture_advance(fixture, 0);
    pd_fixture_assert_history(fixture, pd_fixture_current(fixture),
                              DONE " TimerStarted TimerStarted TimerStarted TimerFired TimerFired "
                                   "WorkflowTaskScheduled");
    assert_string_equal(pd_fixture_event(fixture, pd_fixture_current(fixture), 8)
                            ->timer_fired_event_attributes->timer_id,
                        "early");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(start_and_complete),
        TEST(same_request),
        TEST(conflicts),
        TEST(attached_request),
        cmocka_unit_test(reuse),
        TEST(start_delay),
        TEST(eager_start),
        TEST(transient_task),
        TEST(event_makes_transient_task_real),
        TEST(sticky_timeout),
        TEST(sticky_failure),
        TEST(heartbeats),
        TEST(unhandled_command),
        TEST(full_buffer),
        TEST(bad_command),
        TEST(too_large),
        TEST(many_commands),
        TEST(too_many_commands),
        TEST(continue_as_new),
        TEST(workflow_retry),
        TEST(run_timeout),
        TEST(cron),
        TEST(timers_fire_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
