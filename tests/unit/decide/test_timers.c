/* Timers: firing, canceling, also after they fired unseen; and very many of them at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/pb/time.h"
#include "tests/unit/decide/steps.h"

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

static command_t *start(const char *timer_id, int64_t ns)
{
    return pd_fixture_cmd_timer(fixture, timer_id, ns);
}

static command_t *cancel(const char *timer_id)
{
    return pd_fixture_cmd_cancel_timer(fixture, timer_id);
}

static int64_t fired_started_id(int64_t event_id)
{
    return steps_event(fixture, event_id)->timer_fired_event_attributes->started_event_id;
}

static void due_together_fire_in_order(void **state)
{
    assert_true(STEP(fixture, start("c", 3 * S), start("a", 1 * S), start("b", 2 * S),
                     start("never", 100 * S)));
    steps_pass(fixture, S - 1);
    assert_int_equal(steps_row(fixture)->next_event_id, 9);
    steps_pass(fixture, 3 * S);
    assert_string_equal(steps_types(fixture, 9),
                        "TimerFired TimerFired TimerFired WorkflowTaskScheduled");
    assert_string_equal(steps_event(fixture, 9)->timer_fired_event_attributes->timer_id, "a");
    assert_int_equal(fired_started_id(9), 6);
    assert_int_equal(fired_started_id(10), 7);
    assert_int_equal(fired_started_id(11), 5);
    assert_int_equal(steps_row(fixture)->n_timers, 1);
}

static void canceled_and_started_again(void **state)
{
    assert_true(STEP(fixture, start("t", S), cancel("t"), start("t", 2 * S)));
    assert_string_equal(steps_types(fixture, 5), "TimerStarted TimerCanceled TimerStarted");
    steps_pass(fixture, S);
    assert_int_equal(steps_row(fixture)->next_event_id, 8);
    steps_pass(fixture, S);
    assert_int_equal(fired_started_id(8), 7);
}

/* The workflow has not seen that it fired, so it never did; and the run may close. */
static void canceled_after_it_fired(void **state)
{
    assert_true(STEP(fixture, start("t", S), start("u", S)));
    steps_signal(fixture);
    steps_poll(fixture);
    steps_pass(fixture, S);
    assert_int_equal(steps_row(fixture)->n_buffered_events, 2);
    assert_true(COMPLETE(fixture, cancel("t"), start("t", S), cancel("u"),
                         pd_fixture_cmd_complete(fixture)));
    assert_string_equal(steps_types(fixture, 10),
                        "WorkflowTaskCompleted TimerCanceled TimerStarted TimerCanceled "
                        "WorkflowExecutionCompleted");
    assert_int_equal(steps_event(fixture, 11)->timer_canceled_event_attributes->started_event_id,
                     5);
    assert_int_equal(steps_row(fixture)->n_buffered_events, 0);
}

static void one_of_two_taken_back(void **state)
{
    assert_true(STEP(fixture, start("t", S), start("u", S)));
    steps_signal(fixture);
    steps_poll(fixture);
    steps_pass(fixture, S);
    assert_true(COMPLETE(fixture, cancel("t")));
    assert_string_equal(steps_types(fixture, 10), "WorkflowTaskCompleted TimerCanceled TimerFired "
                                                  "WorkflowTaskScheduled");
    assert_int_equal(fired_started_id(12), 6);
}

static void fired_in_the_buffer_blocks_the_close(void **state)
{
    assert_true(STEP(fixture, start("t", S)));
    steps_signal(fixture);
    steps_poll(fixture);
    steps_pass(fixture, S);
    assert_false(COMPLETE(fixture, pd_fixture_cmd_complete(fixture)));
    assert_string_equal(fixture->error->message, "UnhandledCommand");
    assert_string_equal(steps_types(fixture, 8),
                        "WorkflowTaskStarted WorkflowTaskFailed TimerFired "
                        "WorkflowTaskScheduled");
}

/* The firing of the first timer and the second timer of the same ID do not get mixed up. */
static void id_used_again_while_fired(void **state)
{
    assert_true(STEP(fixture, start("t", S)));
    steps_signal(fixture);
    steps_poll(fixture);
    steps_pass(fixture, S);
    assert_true(COMPLETE(fixture, start("t", 100 * S)));
    assert_string_equal(steps_types(fixture, 9), "WorkflowTaskCompleted TimerStarted TimerFired "
                                                 "WorkflowTaskScheduled");
    assert_int_equal(steps_row(fixture)->n_timers, 1);
    assert_int_equal(steps_row(fixture)->timers[0]->started_event_id, 10);
}

/* Each on the attempt that the one before left: attempts after the first are refused without a
 * trace. */
static void refused(void **state)
{
    const struct {
        const char *id;
        int64_t ns; /* 0: cancel */
        const char *message;
    } cases[] = {
        {"", S, "BadStartTimerAttributes: TimerId is not set on StartTimerCommand."},
        {"t", -1,
         "BadStartTimerAttributes: An invalid StartToFireTimeout is set on StartTimerCommand: "
         "negative duration. TimerId=t"},
        {"", 0, "BadCancelTimerAttributes: TimerId is not set on CancelTimerCommand."},
        {"nobody", 0,
         "BadCancelTimerAttributes: invalid history builder state for action: "
         "add-timer-canceled-event, TimerID: nobody"},
    };
    steps_poll(fixture);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (i == 1)
            steps_poll(fixture);
        assert_false(
            COMPLETE(fixture, cases[i].ns ? start(cases[i].id, cases[i].ns) : cancel(cases[i].id)));
        assert_string_equal(fixture->error->message, cases[i].message);
    }
    assert_false(COMPLETE(fixture, start("t", S), start("t", S)));
    assert_string_equal(fixture->error->message,
                        "StartTimerDuplicateId: invalid history builder state for action: "
                        "add-timer-started-event, TimerID: t");
    assert_int_equal(steps_row(fixture)->n_timers, 0);
}

/* Nearly as many as a history may have events. Quadratic behaviour, in deciding or applying, would
 * take minutes. */
static void very_many(void **state)
{
    enum { COUNT = 50000 };
    command_t **commands = pd_arena_calloc(&fixture->arena, COUNT, sizeof(*commands));
    for (int i = 0; i < COUNT; i++)
        commands[i] = start(pd_arena_printf(&fixture->arena, "%d", i), i % 100 ? 1000 * S : S);
    steps_poll(fixture);
    assert_true(steps_complete(fixture, commands, COUNT));
    assert_int_equal(steps_row(fixture)->n_timers, COUNT);
    steps_pass(fixture, S);
    assert_int_equal(steps_row(fixture)->n_timers, COUNT - COUNT / 100);
}

/* The execution's deadline is kept in whole milliseconds, its only run's is not: they are due
 * together nevertheless. */
static void execution_timeout_is_rounded_up(void **state)
{
    Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *request;

    pd_fixture_look_at(fixture, "another");
    request = pd_fixture_start_request(fixture);
    fixture->now_ns = fixture->now_ns / 1000000 * 1000000 + 600000;
    request->workflow_execution_timeout = pd_pb_duration(&fixture->arena, S);
    assert_null(pd_fixture_start(fixture, request));
    pd_fixture_advance(fixture, 2 * S);
    assert_int_equal(pd_fixture_event(fixture, pd_fixture_current(fixture), 3)
                         ->workflow_execution_timed_out_event_attributes->retry_state,
                     TEMPORAL__API__ENUMS__V1__RETRY_STATE__RETRY_STATE_TIMEOUT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(due_together_fire_in_order),
        TEST(canceled_and_started_again),
        TEST(canceled_after_it_fired),
        TEST(one_of_two_taken_back),
        TEST(fired_in_the_buffer_blocks_the_close),
        TEST(id_used_again_while_fired),
        TEST(refused),
        TEST(very_many),
        TEST(execution_timeout_is_rounded_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
