/* Signals and cancel requests to other workflows: answers, repeats, limits, whom they may mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/limits.h"
#include "tests/unit/decide/steps.h"

#define SIGNAL_CAUSE(NAME)                                                                         \
    TEMPORAL__API__ENUMS__V1__SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE__SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_##NAME

static pd_fixture_t *fixture;

/* "w" is the one who asks, "x" the other. */
static int set_up(void **state)
{
    fixture = steps_new();
    pd_fixture_look_at(fixture, "x");
    assert_null(pd_fixture_start(fixture, pd_fixture_start_request(fixture)));
    pd_fixture_look_at(fixture, "w");
    return 0;
}

static int tear_down(void **state)
{
    steps_free(fixture);
    return 0;
}

static command_t *signal(const char *workflow_id)
{
    return pd_fixture_cmd_signal_external(fixture, workflow_id, "s");
}

static command_t *cancel(const char *workflow_id)
{
    return pd_fixture_cmd_cancel_external(fixture, workflow_id);
}

static const char *other_types(void)
{
    const char *types;

    pd_fixture_look_at(fixture, "x");
    types = pd_fixture_types(fixture, pd_fixture_current(fixture));
    pd_fixture_look_at(fixture, "w");
    return types;
}

static void signal_and_cancel(void **state)
{
    assert_true(STEP(fixture, signal("x"), cancel("x")));
    assert_int_equal(steps_row(fixture)->n_external_signals, 1);
    assert_int_equal(steps_row(fixture)->n_external_cancels, 1);
    assert_int_equal(pd_fixture_deliver_all(fixture), 4);
    assert_string_equal(other_types(),
                        "WorkflowExecutionStarted WorkflowTaskScheduled WorkflowExecutionSignaled "
                        "WorkflowExecutionCancelRequested");
    assert_string_equal(steps_types(fixture, 7),
                        "ExternalWorkflowExecutionSignaled WorkflowTaskScheduled "
                        "ExternalWorkflowExecutionCancelRequested");
    assert_int_equal(steps_row(fixture)->n_external_signals, 0);
    assert_int_equal(steps_row(fixture)->n_external_cancels, 0);
}

static void repeats_change_nothing(void **state)
{
    Perdure__V1__Message *asked, *answered;

    assert_true(STEP(fixture, signal("x")));
    asked = pd_fixture_next_message(fixture);
    pd_fixture_deliver(fixture);
    pd_fixture_deliver_again(fixture, asked); /* the request ID is known */
    assert_string_equal(other_types(),
                        "WorkflowExecutionStarted WorkflowTaskScheduled WorkflowExecutionSignaled");
    answered = pd_fixture_next_message(fixture);
    assert_int_equal(pd_fixture_deliver_all(fixture), 2);
    pd_fixture_deliver_again(fixture, answered);
    assert_string_equal(steps_types(fixture, 6),
                        "ExternalWorkflowExecutionSignaled WorkflowTaskScheduled");
}

static void nobody_and_itself(void **state)
{
    assert_true(STEP(fixture, signal("nobody"), signal("w"), cancel("nobody"), cancel("w")));
    assert_int_equal(pd_fixture_deliver_all(fixture), 8);
    assert_string_equal(steps_types(fixture, 9),
                        "SignalExternalWorkflowExecutionFailed WorkflowTaskScheduled "
                        "SignalExternalWorkflowExecutionFailed "
                        "RequestCancelExternalWorkflowExecutionFailed "
                        "RequestCancelExternalWorkflowExecutionFailed");
}

static void not_its_child(void **state)
{
    command_t *to_signal = signal("x"), *to_cancel = cancel("x");

    to_signal->signal_external_workflow_execution_command_attributes->child_workflow_only = true;
    to_cancel->request_cancel_external_workflow_execution_command_attributes->child_workflow_only =
        true;
    assert_true(STEP(fixture, to_signal, to_cancel));
    pd_fixture_deliver_all(fixture);
    assert_string_equal(other_types(), "WorkflowExecutionStarted WorkflowTaskScheduled");
    assert_string_equal(steps_types(fixture, 7),
                        "SignalExternalWorkflowExecutionFailed WorkflowTaskScheduled "
                        "RequestCancelExternalWorkflowExecutionFailed");
}

static void signals_are_limited(void **state)
{
    for (int i = 0; i < PD_SIGNAL_COUNT_MAX; i++) {
        pd_fixture_look_at(fixture, "x");
        assert_null(pd_fixture_signal(fixture, "s", ""));
    }
    pd_fixture_look_at(fixture, "w");
    assert_true(STEP(fixture, signal("x")));
    assert_int_equal(pd_fixture_deliver_all(fixture), 2);
    assert_int_equal(
        steps_event(fixture, 6)->signal_external_workflow_execution_failed_event_attributes->cause,
        SIGNAL_CAUSE(SIGNAL_COUNT_LIMIT_EXCEEDED));
}

static void pending_ones_are_limited(void **state)
{
    enum { COUNT = PD_PENDING_EXTERNAL_COUNT_MAX };
    command_t **commands = pd_arena_calloc(&fixture->arena, COUNT + 1, sizeof(commands[0]));

    for (int i = 0; i <= COUNT; i++)
        commands[i] = i % 2 ? signal("x") : signal("nobody");
    steps_poll(fixture);
    assert_false(steps_complete(fixture, commands, COUNT + 1));
    assert_string_equal(fixture->error->message,
                        "PendingSignalsLimitExceeded: the number of pending signals to external "
                        "workflows, 2000, has reached the per-workflow limit of 2000");
    for (int i = 0; i <= COUNT; i++)
        commands[i] = cancel("nobody");
    steps_poll(fixture);
    assert_true(steps_complete(fixture, commands, COUNT));
    assert_int_equal(pd_fixture_deliver_all(fixture), 2 * COUNT);
    assert_int_equal(steps_row(fixture)->n_external_cancels, 0);
}

/* Nobody would try again: a run that is about to close takes the signal. */
static void closing_run_takes_it(void **state)
{
    pd_fixture_look_at(fixture, "x");
    steps_poll(fixture);
    steps_signal(fixture);
    assert_false(COMPLETE(fixture, pd_fixture_cmd_complete(fixture)));
    steps_poll(fixture);
    assert_non_null(pd_fixture_signal(fixture, "s", "refused"));
    pd_fixture_look_at(fixture, "w");
    assert_true(STEP(fixture, signal("x")));
    pd_fixture_deliver_all(fixture);
    assert_string_equal(steps_types(fixture, 6),
                        "ExternalWorkflowExecutionSignaled WorkflowTaskScheduled");
}

static void asked_in_other_namespaces(void **state)
{
    command_t *command = signal("x");

    command->signal_external_workflow_execution_command_attributes->namespace_ = TEXT("nowhere");
    assert_false(STEP(fixture, command));
    assert_string_equal(fixture->error->message, "Namespace nowhere is not found.");
    assert_false(fixture->recorded);
    command->signal_external_workflow_execution_command_attributes->namespace_ = TEXT("another");
    assert_false(COMPLETE(fixture, command));
    assert_string_equal(
        fixture->error->message,
        "BadSignalWorkflowExecutionAttributes: cross namespace commands are not allowed");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(signal_and_cancel),    TEST(repeats_change_nothing),    TEST(nobody_and_itself),
        TEST(not_its_child),        TEST(signals_are_limited),       TEST(pending_ones_are_limited),
        TEST(closing_run_takes_it), TEST(asked_in_other_namespaces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
