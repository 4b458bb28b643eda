/* Activities, from the command that schedules them to every way in which they can end. Sequences
 * and texts are those that the reference was seen to give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/pb/time.h"
#include "engine/decide/activity_retry.h"
#include "engine/limits.h"
#include "tests/unit/decide/steps.h"

#define NEW(NAME) pd_pb_new(&temporal__api__##NAME##__descriptor, &fixture->arena)
#define NOT_FOUND                                                                                  \
    "invalid activityID or activity already timed out or invoking workflow is completed"
#define STATE(NAME) ((int)PD_RETRY_STATE(NAME))
#define ATTRIBUTES(command) ((command)->schedule_activity_task_command_attributes)

typedef Temporal__Api__Workflowservice__V1__RespondActivityTaskCompletedRequest completed_t;
typedef Temporal__Api__Workflowservice__V1__RespondActivityTaskFailedRequest failed_t;
typedef Temporal__Api__Workflowservice__V1__RespondActivityTaskCanceledRequest canceled_t;
typedef Temporal__Api__Workflowservice__V1__RecordActivityTaskHeartbeatRequest heartbeat_t;
typedef Temporal__Api__Workflowservice__V1__RecordActivityTaskHeartbeatResponse beaten_t;
typedef Temporal__Api__History__V1__ActivityTaskTimedOutEventAttributes timed_out_t;

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

/* ---- steps ---- */

static command_t *schedule(const char *activity_id)
{
    command_t *command = pd_fixture_cmd_activity(fixture, activity_id);
    ATTRIBUTES(command)->start_to_close_timeout = pd_pb_duration(&fixture->arena, 30 * S);
    return command;
}

static bool complete(const Perdure__V1__TaskToken *token)
{
    completed_t *request = NEW(workflowservice__v1__respond_activity_task_completed_request);
    request->identity = TEXT("completer");
    return steps_answer(fixture, &pd_command_complete_activity, request, token);
}

static pd_failure_t *failure_of(const char *message, bool non_retryable)
{
    pd_failure_t *failure = NEW(failure__v1__failure);
    failure->message = TEXT(message);
    failure->failure_info_case =
        TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
    failure->application_failure_info = NEW(failure__v1__application_failure_info);
    failure->application_failure_info->non_retryable = non_retryable;
    return failure;
}

static bool fail_with(const Perdure__V1__TaskToken *token, pd_failure_t *failure)
{
    failed_t *request = NEW(workflowservice__v1__respond_activity_task_failed_request);
    request->identity = TEXT("failer");
    request->failure = failure;
    return steps_answer(fixture, &pd_command_fail_activity, request, token);
}

static bool cancel(const Perdure__V1__TaskToken *token)
{
    canceled_t *request = NEW(workflowservice__v1__respond_activity_task_canceled_request);
    request->identity = TEXT("canceler");
    return steps_answer(fixture, &pd_command_cancel_activity, request, token);
}

static Temporal__Api__Common__V1__Payloads *payloads_of(size_t size)
{
    Temporal__Api__Common__V1__Payloads *payloads = NEW(common__v1__payloads);
    payloads->payloads = pd_arena_calloc(&fixture->arena, 1, sizeof(void *));
    payloads->n_payloads = 1;
    payloads->payloads[0] = NEW(common__v1__payload);
    payloads->payloads[0]->data.data = pd_arena_calloc(&fixture->arena, 1, size);
    payloads->payloads[0]->data.len = size;
    return payloads;
}

static bool heartbeat(const Perdure__V1__TaskToken *token, size_t size)
{
    heartbeat_t *request = NEW(workflowservice__v1__record_activity_task_heartbeat_request);
    request->identity = TEXT("worker");
    request->details = size ? payloads_of(size) : NULL;
    return steps_answer(fixture, &pd_command_heartbeat_activity, request, token);
}

static bool told_to_stop(void)
{
    return ((const beaten_t *)fixture->decision->response)->cancel_requested;
}

static void assert_error(pd_rpc_code_t code, const char *message)
{
    assert_non_null(fixture->error);
    assert_string_equal(fixture->error->message, message);
    assert_int_equal(fixture->error->code, code);
}

/* One activity, event 5, as the command says; started. */
static const Perdure__V1__TaskToken *start_one(command_t *command)
{
    assert_true(STEP(fixture, command));
    const task_t *task = steps_start_activity(fixture, 5, 1, "r1");
    assert_non_null(task);
    return steps_token(fixture, task);
}

static const Perdure__V1__ActivityRow *only_row(void)
{
    assert_int_equal(steps_row(fixture)->n_activities, 1);
    return steps_row(fixture)->activities[0];
}

/* ---- the plain path ---- */

static void completes(void **state)
{
    assert_true(STEP(fixture, schedule("a")));
    const task_t *task = steps_start_activity(fixture, 5, 1, "r1");
    assert_string_equal(task->activity_id, "a");
    assert_string_equal(task->activity_type->name, "A");
    assert_string_equal(task->workflow_type->name, "W");
    assert_string_equal(task->workflow_namespace, "default");
    assert_string_equal(task->workflow_execution->workflow_id, "w");
    assert_int_equal(task->attempt, 1);
    assert_int_equal(pd_pb_duration_ns(task->start_to_close_timeout), 30 * S);
    assert_non_null(task->schedule_to_close_timeout);
    assert_non_null(task->heartbeat_timeout);
    assert_int_equal(pd_pb_duration_ns(task->retry_policy->maximum_interval), 100 * S);
    assert_int_equal(pd_pb_timestamp_ns(task->scheduled_time), fixture->now_ns);
    /* An attempt that runs is not in the history. */
    assert_int_equal(steps_row(fixture)->next_event_id, 6);
    fixture->now_ns += S;
    assert_true(complete(steps_token(fixture, task)));
    assert_string_equal(steps_types(fixture, 5), "ActivityTaskScheduled ActivityTaskStarted "
                                                 "ActivityTaskCompleted WorkflowTaskScheduled");
    const pd_history_event_t *started = steps_event(fixture, 6);
    assert_int_equal(pd_pb_timestamp_ns(started->event_time), fixture->now_ns - S);
    assert_string_equal(started->activity_task_started_event_attributes->identity, "worker");
    assert_string_equal(started->activity_task_started_event_attributes->request_id, "r1");
    assert_int_equal(
        steps_event(fixture, 7)->activity_task_completed_event_attributes->started_event_id, 6);
    assert_false(complete(steps_token(fixture, task)));
    assert_error(PD_RPC_NOT_FOUND, NOT_FOUND);
}

static void starting_is_idempotent(void **state)
{
    assert_true(STEP(fixture, schedule("a")));
    const task_t *task = steps_start_activity(fixture, 5, 1, "r1");
    size_t record_count = fixture->record_count;
    fixture->now_ns += S;
    assert_true(pd_pb_equal(task, steps_start_activity(fixture, 5, 1, "r1")));
    assert_int_equal(fixture->record_count, record_count);
    assert_null(steps_start_activity(fixture, 5, 1, "r2")); /* somebody else's */
    assert_null(steps_start_activity(fixture, 5, 2, "r1"));
    assert_null(steps_start_activity(fixture, 6, 1, "r1"));
}

/* ---- retries ---- */

static void retried_until_exhausted(void **state)
{
    command_t *command = schedule("a");
    ATTRIBUTES(command)->retry_policy = NEW(common__v1__retry_policy);
    ATTRIBUTES(command)->retry_policy->maximum_attempts = 2;
    const Perdure__V1__TaskToken *first = start_one(command);
    assert_true(fail_with(first, failure_of("one", false)));
    assert_int_equal(steps_row(fixture)->next_event_id, 6);
    assert_int_equal(only_row()->attempt, 2);
    assert_int_equal(only_row()->attempt_scheduled_time_ns, fixture->now_ns + S);
    assert_string_equal(only_row()->last_failure->message, "one");
    assert_int_equal(only_row()->last_attempt_complete_time_ns, fixture->now_ns);
    fixture->now_ns += S;
    const task_t *second = steps_start_activity(fixture, 5, 2, "r2");
    assert_non_null(second);
    assert_int_equal(pd_pb_timestamp_ns(second->current_attempt_scheduled_time), fixture->now_ns);
    assert_false(complete(first));
    assert_error(PD_RPC_NOT_FOUND, NOT_FOUND);
    assert_true(fail_with(steps_token(fixture, second), failure_of("two", false)));
    assert_string_equal(steps_types(fixture, 6),
                        "ActivityTaskStarted ActivityTaskFailed WorkflowTaskScheduled");
    const Temporal__Api__History__V1__ActivityTaskStartedEventAttributes *started =
        steps_event(fixture, 6)->activity_task_started_event_attributes;
    assert_int_equal(started->attempt, 2);
    assert_string_equal(started->last_failure->message, "one");
    const Temporal__Api__History__V1__ActivityTaskFailedEventAttributes *failed =
        steps_event(fixture, 7)->activity_task_failed_event_attributes;
    assert_int_equal(failed->retry_state, STATE(MAXIMUM_ATTEMPTS_REACHED));
    assert_string_equal(failed->failure->message, "two");
    assert_string_equal(failed->identity, "failer");
}

static int failed_state(int64_t event_id)
{
    return (int)steps_event(fixture, event_id)->activity_task_failed_event_attributes->retry_state;
}

static void failures_that_end_it(void **state)
{
    const Perdure__V1__TaskToken *token = start_one(schedule("a"));
    assert_true(fail_with(token, failure_of("x", true)));
    assert_int_equal(failed_state(7), STATE(NON_RETRYABLE_FAILURE));
}

static const char *failed_message(int64_t event_id)
{
    return steps_event(fixture, event_id)->activity_task_failed_event_attributes->failure->message;
}

static void too_large(void **state)
{
    const Perdure__V1__TaskToken *token = start_one(schedule("a"));
    completed_t *request = NEW(workflowservice__v1__respond_activity_task_completed_request);
    request->result = payloads_of(PD_BLOB_SIZE_MAX + 1);
    assert_true(steps_answer(fixture, &pd_command_complete_activity, request, token));
    assert_string_equal(failed_message(7), "Complete result exceeds size limit.");

    assert_true(STEP(fixture, schedule("b")));
    token = steps_token(fixture, steps_start_activity(fixture, 11, 1, "r2"));
    assert_true(heartbeat(token, PD_BLOB_SIZE_MAX + 1));
    assert_true(told_to_stop());
    assert_string_equal(failed_message(13), "Heartbeat details exceed size limit.");
}

/* ---- heartbeats ---- */

static void heartbeats(void **state)
{
    command_t *command = schedule("a");
    ATTRIBUTES(command)->heartbeat_timeout = pd_pb_duration(&fixture->arena, 2 * S);
    const Perdure__V1__TaskToken *token = start_one(command);
    for (int i = 0; i < 5; i++) {
        steps_pass(fixture, 1500 * MS);
        assert_true(heartbeat(token, 3));
        assert_false(told_to_stop());
    }
    steps_pass(fixture, 2 * S - 1);
    assert_int_equal(only_row()->attempt, 1);
    steps_pass(fixture, 1);
    /* The attempt timed out; the next one gets the details. */
    assert_int_equal(only_row()->attempt, 2);
    assert_int_equal(only_row()->last_attempt_complete_time_ns, 0); /* nobody answered */
    assert_string_equal(only_row()->last_failure->message, "activity Heartbeat timeout");
    assert_false(heartbeat(token, 3));
    assert_error(PD_RPC_NOT_FOUND, NOT_FOUND);
    fixture->now_ns += S;
    const task_t *task = steps_start_activity(fixture, 5, 2, "r2");
    assert_int_equal(task->heartbeat_details->payloads[0]->data.len, 3);
    /* A heartbeat without details clears them. */
    assert_true(heartbeat(steps_token(fixture, task), 0));
    assert_null(only_row()->heartbeat_details);
}

/* ---- timeouts ---- */

static const timed_out_t *assert_timed_out(int64_t event_id, int type, int retry_state,
                                           const char *message)
{
    const timed_out_t *attributes =
        steps_event(fixture, event_id)->activity_task_timed_out_event_attributes;
    assert_non_null(attributes);
    assert_string_equal(attributes->failure->message, message);
    assert_int_equal(attributes->failure->timeout_failure_info->timeout_type, type);
    assert_int_equal(attributes->retry_state, retry_state);
    assert_string_equal(attributes->failure->source, "Server");
    return attributes;
}

static void schedule_to_start(void **state)
{
    command_t *command = schedule("a");
    ATTRIBUTES(command)->schedule_to_start_timeout = pd_pb_duration(&fixture->arena, S);
    assert_true(STEP(fixture, command));
    steps_pass(fixture, S - 1);
    assert_int_equal(steps_row(fixture)->next_event_id, 6);
    steps_pass(fixture, 1);
    assert_string_equal(steps_types(fixture, 6), "ActivityTaskTimedOut WorkflowTaskScheduled");
    const timed_out_t *attributes =
        assert_timed_out(6, 2, STATE(TIMEOUT), "activity ScheduleToStart timeout");
    assert_int_equal(attributes->started_event_id, 0);
}

static void retries_until_there_is_no_time(void **state)
{
    command_t *command = schedule("a");
    ATTRIBUTES(command)->start_to_close_timeout = pd_pb_duration(&fixture->arena, S);
    ATTRIBUTES(command)->schedule_to_close_timeout = pd_pb_duration(&fixture->arena, 4 * S);
    assert_true(fail_with(start_one(command), failure_of("first", false)));
    fixture->now_ns += S;
    assert_non_null(steps_start_activity(fixture, 5, 2, "r2"));
    steps_pass(fixture, S); /* at 2 s: the next attempt could begin at 4 s, just in time */
    assert_int_equal(only_row()->attempt, 3);
    steps_pass(fixture, 2 * S - 1);
    assert_int_equal(only_row()->attempt, 3);
    steps_pass(fixture, 1);
    const timed_out_t *attributes =
        assert_timed_out(6, 3, STATE(TIMEOUT),
                         "Not enough time to schedule next retry before activity ScheduleToClose "
                         "timeout, giving up retrying");
    assert_string_equal(attributes->failure->cause->message, "activity StartToClose timeout");
    assert_int_equal(attributes->started_event_id, 0);
}

/* The server was away: both timeouts of the attempt are due, one of them ends it. */
static void several_timeouts_at_once(void **state)
{
    command_t *command = schedule("a");
    ATTRIBUTES(command)->heartbeat_timeout = pd_pb_duration(&fixture->arena, 5 * S);
    (void)start_one(command);
    steps_pass(fixture, 100 * S);
    assert_int_equal(only_row()->attempt, 2);
    assert_string_equal(only_row()->last_failure->message, "activity Heartbeat timeout");
    assert_int_equal(steps_row(fixture)->next_event_id, 6);
}

/* ---- cancellation ---- */

/* Scheduled, canceled, scheduled again under the same ID and canceled twice, all at once. */
static void canceled_before_start(void **state)
{
    assert_true(STEP(fixture, schedule("a"), steps_request_cancel(fixture, 5), schedule("a"),
                     steps_request_cancel(fixture, 5)));
    assert_string_equal(steps_types(fixture, 5),
                        "ActivityTaskScheduled ActivityTaskCancelRequested ActivityTaskScheduled "
                        "ActivityTaskCancelRequested ActivityTaskCanceled WorkflowTaskScheduled");
    const Temporal__Api__History__V1__ActivityTaskCanceledEventAttributes *canceled =
        steps_event(fixture, 9)->activity_task_canceled_event_attributes;
    assert_int_equal(canceled->latest_cancel_requested_event_id, 6);
    assert_int_equal(canceled->scheduled_event_id, 5);
    assert_int_equal(canceled->started_event_id, 0);
    assert_memory_equal(canceled->details->payloads[0]->data.data, "\"ACTIVITY_ID_NOT_STARTED\"",
                        25);
    assert_int_equal(only_row()->scheduled_event_id, 7);
    assert_non_null(steps_start_activity(fixture, 7, 1, "r1"));
    assert_true(complete(steps_token_by_id(fixture, "a")));
}

static void canceled_and_closed(void **state)
{
    assert_true(STEP(fixture, schedule("a"), steps_request_cancel(fixture, 5),
                     pd_fixture_cmd_complete(fixture)));
    assert_string_equal(
        steps_types(fixture, 5),
        "ActivityTaskScheduled ActivityTaskCancelRequested WorkflowExecutionCompleted");
}

static void canceled_while_running(void **state)
{
    const Perdure__V1__TaskToken *token = start_one(schedule("a"));
    assert_false(cancel(token));
    assert_error(PD_RPC_INVALID_ARGUMENT, "unable to mark activity as canceled without activity "
                                          "being request canceled first");
    steps_signal(fixture);
    assert_true(STEP(fixture, steps_request_cancel(fixture, 5)));
    assert_true(heartbeat(token, 1));
    assert_true(told_to_stop());
    steps_signal(fixture);
    assert_false(STEP(fixture, steps_request_cancel(fixture, 5)));
    assert_error(PD_RPC_INVALID_ARGUMENT,
                 "BadRequestCancelActivityAttributes: invalid history builder state for action: "
                 "add-activitytask-cancel-requested-event, ScheduledEventID: 5");
    assert_true(cancel(token));
    assert_int_equal(steps_row(fixture)->n_activities, 0);
}

static void failed_after_cancel(void **state)
{
    const Perdure__V1__TaskToken *token = start_one(schedule("a"));
    steps_signal(fixture);
    assert_true(STEP(fixture, steps_request_cancel(fixture, 5)));
    assert_true(fail_with(token, failure_of("x", false)));
    assert_string_equal(steps_types(fixture, 10), "ActivityTaskCancelRequested ActivityTaskStarted "
                                                  "ActivityTaskFailed WorkflowTaskScheduled");
    assert_int_equal(failed_state(12), STATE(CANCEL_REQUESTED));
}

/* ---- while a workflow task runs ---- */

static void buffered(void **state)
{
    assert_true(STEP(fixture, schedule("a"), schedule("b")));
    const Perdure__V1__TaskToken *a =
        steps_token(fixture, steps_start_activity(fixture, 5, 1, "r1"));
    const Perdure__V1__TaskToken *b =
        steps_token(fixture, steps_start_activity(fixture, 6, 1, "r2"));
    steps_signal(fixture);
    steps_poll(fixture);
    assert_true(complete(b));
    steps_signal(fixture);
    assert_true(fail_with(a, failure_of("x", true)));
    assert_false(complete(b));
    assert_error(PD_RPC_NOT_FOUND, NOT_FOUND);
    assert_null(steps_start_activity(fixture, 6, 1, "r3"));
    assert_int_equal(steps_row(fixture)->next_event_id, 10);
    assert_true(COMPLETE(fixture, steps_request_cancel(fixture, 5), schedule("b")));
    assert_string_equal(steps_types(fixture, 10),
                        "WorkflowTaskCompleted ActivityTaskCancelRequested ActivityTaskScheduled "
                        "ActivityTaskStarted WorkflowExecutionSignaled ActivityTaskStarted "
                        "ActivityTaskCompleted ActivityTaskFailed WorkflowTaskScheduled");
    assert_int_equal(
        steps_event(fixture, 16)->activity_task_completed_event_attributes->started_event_id, 13);
    assert_int_equal(
        steps_event(fixture, 17)->activity_task_failed_event_attributes->started_event_id, 15);
    assert_int_equal(only_row()->scheduled_event_id, 12);
}

/* ---- by ID ---- */

static void by_id(void **state)
{
    const Perdure__V1__TaskToken *a = steps_token_by_id(fixture, "a");
    assert_true(STEP(fixture, schedule("a")));
    assert_false(complete(steps_token_by_id(fixture, "nobody")));
    assert_error(PD_RPC_NOT_FOUND, "cannot find pending activity with ActivityID nobody, check "
                                   "workflow execution history for more details");
    assert_false(fail_with(a, failure_of("x", true)));
    assert_error(PD_RPC_NOT_FOUND, NOT_FOUND);
    assert_false(heartbeat(a, 1));
    assert_error(PD_RPC_NOT_FOUND, NOT_FOUND);
    assert_false(cancel(a));
    assert_error(PD_RPC_NOT_FOUND, NOT_FOUND);
    /* Completing is possible before any worker took it. */
    assert_true(complete(a));
    const Temporal__Api__History__V1__ActivityTaskStartedEventAttributes *started =
        steps_event(fixture, 6)->activity_task_started_event_attributes;
    assert_string_equal(started->identity, "completer");
    assert_string_equal(started->request_id, "");
    assert_true(STEP(fixture, pd_fixture_cmd_complete(fixture)));
    assert_false(complete(a));
    assert_error(PD_RPC_NOT_FOUND, "workflow execution already completed");
}

/* ---- eager ---- */

static void eager(void **state)
{
    command_t *a = schedule("a"), *b = schedule("b"), *c = schedule("c");
    ATTRIBUTES(a)->request_eager_execution = true;
    ATTRIBUTES(c)->request_eager_execution = true;
    assert_true(STEP(fixture, a, b, c, steps_request_cancel(fixture, 7)));
    const Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedResponse *response =
        fixture->decision->response;
    assert_int_equal(response->n_activity_tasks, 1);
    assert_string_equal(response->activity_tasks[0]->activity_id, "a");
    assert_null(steps_start_activity(fixture, 5, 1, "r1"));
    assert_non_null(steps_start_activity(fixture, 6, 1, "r2"));
    assert_true(complete(steps_token(fixture, response->activity_tasks[0])));
}

/* ---- what is refused ---- */

static void duplicate_ids(void **state)
{
    assert_false(STEP(fixture, schedule("a"), schedule("a")));
    assert_error(PD_RPC_INVALID_ARGUMENT,
                 "ScheduleActivityDuplicateId: invalid history builder state for action: "
                 "add-activitytask-scheduled-event, ActivityID: a");
    assert_int_equal(steps_row(fixture)->n_activities, 0);
}

static void too_many(void **state)
{
    enum { COUNT = PD_PENDING_ACTIVITY_COUNT_MAX };
    command_t *commands[COUNT + 1];
    for (int i = 0; i <= COUNT; i++)
        commands[i] = schedule(pd_arena_printf(&fixture->arena, "%d", i));
    steps_poll(fixture);
    assert_false(steps_complete(fixture, commands, COUNT + 1));
    assert_error(PD_RPC_INVALID_ARGUMENT,
                 "PendingActivitiesLimitExceeded: the number of pending activities, 2000, has "
                 "reached the per-workflow limit of 2000");
    steps_poll(fixture);
    assert_true(steps_complete(fixture, commands, COUNT));
    assert_int_equal(steps_row(fixture)->n_activities, COUNT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(completes),
        TEST(starting_is_idempotent),
        TEST(retried_until_exhausted),
        TEST(failures_that_end_it),
        TEST(too_large),
        TEST(heartbeats),
        TEST(schedule_to_start),
        TEST(retries_until_there_is_no_time),
        TEST(several_timeouts_at_once),
        TEST(canceled_before_start),
        TEST(canceled_and_closed),
        TEST(canceled_while_running),
        TEST(failed_after_cancel),
        TEST(buffered),
        TEST(by_id),
        TEST(eager),
        TEST(duplicate_ids),
        TEST(too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
