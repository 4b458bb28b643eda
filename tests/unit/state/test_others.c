/* Rows about other workflows: children, external signals and cancel requests, the parent; from the
 * events, through the buffer, through RocksDB. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/state/fixture.h"

#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME
#define CASE(NAME) TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_##NAME##_EVENT_ATTRIBUTES
#define EVENT(NAME, name, Name)                                                                    \
    Temporal__Api__History__V1__##Name##EventAttributes *a =                                       \
        fixture_history(&f, TYPE(NAME), CASE(NAME),                                                \
                        &temporal__api__history__v1__##name##_event_attributes__descriptor)

static fixture_t f;

static int setup(void **state)
{
    fixture_open(&f);
    fixture_start(&f, "w", "run-1");
    return 0;
}

static int teardown(void **state)
{
    fixture_close(&f);
    return 0;
}

static const Perdure__V1__ExecutionRow *row(void)
{
    return fixture_current(&f, "w")->row;
}

static void initiated(char *workflow_id)
{
    EVENT(START_CHILD_WORKFLOW_EXECUTION_INITIATED, start_child_workflow_execution_initiated,
          StartChildWorkflowExecutionInitiated);
    a->workflow_id = workflow_id;
}

static void started(int64_t initiated_event_id, char *run_id)
{
    EVENT(CHILD_WORKFLOW_EXECUTION_STARTED, child_workflow_execution_started,
          ChildWorkflowExecutionStarted);
    a->initiated_event_id = initiated_event_id;
    a->workflow_execution =
        pd_pb_new(&temporal__api__common__v1__workflow_execution__descriptor, &f.arena);
    a->workflow_execution->run_id = run_id;
}

static void completed(int64_t initiated_event_id)
{
    EVENT(CHILD_WORKFLOW_EXECUTION_COMPLETED, child_workflow_execution_completed,
          ChildWorkflowExecutionCompleted);
    a->initiated_event_id = initiated_event_id;
}

static void signaled(int64_t initiated_event_id)
{
    EVENT(EXTERNAL_WORKFLOW_EXECUTION_SIGNALED, external_workflow_execution_signaled,
          ExternalWorkflowExecutionSignaled);
    a->initiated_event_id = initiated_event_id;
}

static void children_come_and_go(void **state)
{
    fixture_begin(&f, "w", "run-1");
    initiated((char *)"a");
    initiated((char *)"b");
    fixture_apply(&f);
    fixture_begin(&f, "w", "run-1");
    started(4, (char *)"run-b");
    fixture_apply(&f);
    fixture_flush(&f);
    fixture_reopen(&f);
    assert_int_equal(row()->n_children, 2);
    assert_string_equal(pd_execution_child(fixture_current(&f, "w"), 4)->run_id, "run-b");
    assert_int_equal(pd_execution_child(fixture_current(&f, "w"), 3)->started_event_id, 0);
    fixture_begin(&f, "w", "run-1");
    completed(4);
    fixture_apply(&f);
    assert_int_equal(row()->n_children, 1);
    assert_null(pd_execution_child(fixture_current(&f, "w"), 4));
}

static void buffered_events_hold_at_once(void **state)
{
    fixture_begin(&f, "w", "run-1");
    initiated((char *)"a");
    fixture_task_started(&f, 2);
    fixture_apply(&f);
    fixture_begin(&f, "w", "run-1");
    fixture_buffer(&f);
    started(3, (char *)"run-a");
    completed(3);
    fixture_apply(&f);
    assert_int_equal(row()->children[0]->started_event_id, 0);
    assert_true(row()->children[0]->start_buffered);
    assert_true(row()->children[0]->close_buffered);
    assert_string_equal(row()->children[0]->run_id, "run-a");
}

static void expect_corrupt(const char *text)
{
    pd_error_t error = {.text = ""};

    assert_int_equal(pd_store_apply(f.store, f.record, &error), PD_CORRUPT);
    assert_non_null(strstr(error.text, text));
}

static void what_nobody_asked_for_is_corrupt(void **state)
{
    fixture_begin(&f, "w", "run-1");
    started(17, (char *)"run-a");
    expect_corrupt("child 17 is not pending");
    fixture_begin(&f, "w", "run-1");
    completed(17);
    expect_corrupt("child 17 is not pending");
    fixture_begin(&f, "w", "run-1");
    signaled(17);
    expect_corrupt("external request 17 is not pending");
}

static void external_requests_until_answered(void **state)
{
    fixture_begin(&f, "w", "run-1");
    fixture_history(
        &f, TYPE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED),
        CASE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED),
        &temporal__api__history__v1__signal_external_workflow_execution_initiated_event_attributes__descriptor);
    fixture_apply(&f);
    assert_non_null(pd_execution_external_signal(fixture_current(&f, "w"), 3));
    assert_null(pd_execution_external_cancel(fixture_current(&f, "w"), 3));
    fixture_begin(&f, "w", "run-1");
    signaled(3);
    fixture_apply(&f);
    assert_int_equal(row()->n_external_signals, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(children_come_and_go),
        TEST(buffered_events_hold_at_once),
        TEST(what_nobody_asked_for_is_corrupt),
        TEST(external_requests_until_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
