/* test_apply.c -- what single events mean for the rows, what is refused, what is reported. */
#define PROTOBUF_C__NO_DEPRECATED
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/state/fixture.h"

static fixture_t f;

static int setup(void **state)
{
    fixture_open(&f);
    return 0;
}

static int teardown(void **state)
{
    fixture_close(&f);
    return 0;
}

static const pd_ready_task_t *only_ready(void)
{
    const pd_ready_task_t *tasks;

    assert_int_equal(pd_store_ready(f.store, &tasks), 1);
    return tasks;
}

static void test_start(void **state)
{
    pd_execution_t *const *touched;
    pd_execution_t *exec;

    fixture_start(&f, "w", "run-1");
    assert_int_equal(pd_store_touched(f.store, &touched), 1);
    exec = fixture_current(&f, "w");
    assert_ptr_equal(touched[0], exec);
    assert_string_equal(exec->row->run_id, "run-1");
    assert_string_equal(exec->row->first_run_id, "run-1");
    assert_string_equal(exec->row->workflow_type, "Order");
    assert_string_equal(exec->row->task_queue, "orders");
    assert_true(pd_execution_is_running(exec));
    assert_int_equal(exec->row->next_event_id, 3);
    assert_int_equal(exec->row->state_transition_count, 1);
    assert_true(exec->row->history_size_bytes > 0);
    assert_true(exec->row->start_time_ns == f.now_ns);
    assert_int_equal(exec->row->workflow_task->scheduled_event_id, 2);
    assert_int_equal(only_ready()->scheduled_event_id, 2);
    assert_false(only_ready()->is_activity);
}

/* Scheduled and started in one record (eagerly): nobody else may take it. */
static void test_eager_is_not_ready(void **state)
{
    const pd_ready_task_t *tasks;

    fixture_start(&f, "w", "run-1");
    fixture_begin(&f, "w", "run-1");
    fixture_task_started(&f, 2);
    fixture_apply(&f);
    fixture_begin(&f, "w", "run-1");
    fixture_task_completed(&f, 2, 3);
    fixture_activity_scheduled(&f, "a", 10 * S);
    fixture_attempt_started(&f, 5, 1);
    fixture_apply(&f);
    assert_int_equal(pd_store_ready(f.store, &tasks), 0);
    assert_non_null(pd_execution_activity(fixture_current(&f, "w"), 5));
}

static void test_workflow_task(void **state)
{
    const Perdure__V1__ExecutionRow *row;

    fixture_start(&f, "w", "run-1");
    fixture_begin(&f, "w", "run-1");
    fixture_task_started(&f, 2);
    fixture_apply(&f);
    row = fixture_current(&f, "w")->row;
    assert_int_equal(row->workflow_task->started_event_id, 3);
    assert_string_equal(row->workflow_task->identity, "worker");
    fixture_begin(&f, "w", "run-1");
    fixture_task_completed(&f, 2, 3);
    fixture_sticky(&f, "sticky", 5 * S);
    fixture_apply(&f);
    assert_null(row->workflow_task);
    assert_int_equal(row->last_workflow_task_started_event_id, 3);
    assert_int_equal(row->last_workflow_task_completed_event_id, 4);
    assert_true(row->any_workflow_task_completed);
    assert_string_equal(row->sticky_task_queue, "sticky");
    fixture_begin(&f, "w", "run-1");
    fixture_signaled(&f, "s1");
    fixture_task_scheduled(&f, "sticky", true, 1);
    fixture_apply(&f);
    assert_true(row->workflow_task->sticky);
    assert_true(row->workflow_task->schedule_to_start_deadline_ns == f.now_ns + 5 * S);
    assert_true(fixture_current(&f, "w")->deadline_hint_ns <= f.now_ns + 5 * S);
}

static void test_heartbeat_keeps_the_first_time(void **state)
{
    int64_t first_ns;

    fixture_start(&f, "w", "run-1");
    first_ns = f.now_ns;
    fixture_begin(&f, "w", "run-1");
    fixture_task_started(&f, 2);
    fixture_apply(&f);
    fixture_begin(&f, "w", "run-1");
    fixture_task_completed(&f, 2, 3);
    {
        Perdure__V1__WorkflowTaskHeartbeated *a =
            fixture_internal(&f, PERDURE__V1__EVENT__KIND_WORKFLOW_TASK_HEARTBEATED,
                             &perdure__v1__workflow_task_heartbeated__descriptor);

        a->original_scheduled_time_ns = first_ns;
    }
    fixture_task_scheduled(&f, "orders", false, 1);
    fixture_apply(&f);
    assert_true(fixture_current(&f, "w")->row->workflow_task->original_scheduled_time_ns ==
                first_ns);
    assert_true(fixture_current(&f, "w")->row->workflow_task->scheduled_time_ns > first_ns);
}

/* Effects of buffered events hold at once, and are not counted again when the buffer is emptied. */
static void test_buffered_events(void **state)
{
    const Perdure__V1__ExecutionRow *row;
    pd_execution_t *exec;

    fixture_start(&f, "w", "run-1");
    fixture_begin(&f, "w", "run-1");
    fixture_task_started(&f, 2);
    fixture_apply(&f);
    fixture_begin(&f, "w", "run-1");
    fixture_task_completed(&f, 2, 3);
    fixture_activity_scheduled(&f, "a", 10 * S);
    fixture_timer_started(&f, "t", 7 * S);
    fixture_task_scheduled(&f, "orders", false, 1);
    fixture_task_started(&f, 7);
    fixture_attempt_started(&f, 5, 1);
    fixture_apply(&f);
    exec = fixture_current(&f, "w");
    row = exec->row;
    fixture_begin(&f, "w", "run-1");
    fixture_buffer(&f);
    fixture_signaled(&f, "s1");
    fixture_activity_completed(&f, 5);
    fixture_timer_fired(&f, "t", 6);
    fixture_apply(&f);
    assert_int_equal(row->next_event_id, 9);
    assert_int_equal(row->n_buffered_events, 3);
    assert_true(row->buffered_size_bytes > 0);
    assert_int_equal(row->signal_count, 1);
    assert_true(pd_execution_has_signal_request(exec, "s1"));
    assert_true(pd_execution_activity(exec, 5)->close_buffered);
    assert_true(pd_execution_timer(exec, "t")->fire_buffered);
    fixture_begin(&f, "w", "run-1");
    fixture_task_completed(&f, 7, 8);
    fixture_internal(&f, PERDURE__V1__EVENT__KIND_BUFFERED_EVENTS_FLUSHED,
                     &perdure__v1__buffered_events_flushed__descriptor);
    fixture_signaled(&f, "s1");
    fixture_timer_fired(&f, "t", 6);
    fixture_activity_completed(&f, 5);
    fixture_signaled(&f, "s2"); /* a new one */
    fixture_apply(&f);
    assert_int_equal(row->n_buffered_events, 0);
    assert_int_equal(row->buffered_size_bytes, 0);
    assert_int_equal(row->signal_count, 2);
    assert_int_equal(row->n_signal_request_ids, 2);
    assert_null(pd_execution_activity(exec, 5));
    assert_null(pd_execution_timer(exec, "t"));
}

static void test_activity_retry(void **state)
{
    const Perdure__V1__ActivityRow *activity;
    pd_execution_t *exec;

    fixture_start(&f, "w", "run-1");
    fixture_begin(&f, "w", "run-1");
    fixture_task_started(&f, 2);
    fixture_task_completed(&f, 2, 3);
    fixture_activity_scheduled(&f, "a", 10 * S);
    fixture_apply(&f);
    assert_true(only_ready()->is_activity);
    exec = fixture_current(&f, "w");
    activity = pd_execution_activity_by_id(exec, "a");
    assert_int_equal(activity->attempt, 1);
    fixture_begin(&f, "w", "run-1");
    fixture_attempt_started(&f, 5, 1);
    fixture_apply(&f);
    assert_true(pd_execution_next_deadline_ns(exec, f.now_ns) == f.now_ns + 10 * S);
    fixture_begin(&f, "w", "run-1");
    {
        Perdure__V1__ActivityRetryScheduled *a =
            fixture_internal(&f, PERDURE__V1__EVENT__KIND_ACTIVITY_RETRY_SCHEDULED,
                             &perdure__v1__activity_retry_scheduled__descriptor);

        a->scheduled_event_id = 5;
        a->attempt = 2;
        a->not_before_ns = f.now_ns + 3 * S;
        a->last_worker_identity = (char *)"worker";
    }
    fixture_apply(&f);
    assert_int_equal(activity->attempt, 2);
    assert_int_equal(activity->started_time_ns, 0);
    assert_true(only_ready()->not_before_ns == activity->attempt_scheduled_time_ns);
    /* To be offered again; once that is due, it does not count. */
    assert_true(pd_execution_next_deadline_ns(exec, f.now_ns) ==
                activity->attempt_scheduled_time_ns);
    assert_true(pd_execution_next_deadline_ns(exec, activity->attempt_scheduled_time_ns) ==
                INT64_MAX);
    assert_true(exec->deadline_hint_ns <= activity->attempt_scheduled_time_ns);
}

static void test_close_and_remove(void **state)
{
    pd_execution_t *exec, *const *touched;
    const pd_ready_task_t *tasks;

    fixture_start(&f, "w", "run-1");
    fixture_begin(&f, "w", "run-1");
    fixture_task_started(&f, 2);
    fixture_task_completed(&f, 2, 3);
    fixture_activity_scheduled(&f, "a", 10 * S);
    fixture_timer_started(&f, "t", S);
    fixture_workflow_completed(&f);
    fixture_apply(&f);
    exec = fixture_current(&f, "w");
    assert_false(pd_execution_is_running(exec));
    assert_int_equal(exec->row->n_activities, 1); /* as it was, for Describe */
    assert_int_equal(exec->row->n_timers, 0);
    assert_int_equal(pd_store_ready(f.store, &tasks), 0);
    assert_true(exec->row->removal_time_ns == f.now_ns + FIXTURE_RETENTION_NS);
    assert_true(pd_execution_next_deadline_ns(exec, 0) == exec->row->removal_time_ns);
    fixture_begin(&f, "w", "run-1");
    fixture_internal(&f, PERDURE__V1__EVENT__KIND_RUN_REMOVED,
                     &perdure__v1__run_removed__descriptor);
    fixture_apply(&f);
    assert_int_equal(pd_store_touched(f.store, &touched), 1);
    assert_true(touched[0]->removed);
    assert_string_equal(touched[0]->row->run_id, "run-1");
    assert_null(fixture_current(&f, "w"));
    fixture_flush(&f);
    assert_null(fixture_current(&f, "w"));
}

/* What the partition loop still holds is not freed under its feet. */
static void test_removed_run_is_pinned(void **state)
{
    pd_execution_t *exec;
    int mine;

    fixture_start(&f, "w", "run-1");
    fixture_begin(&f, "w", "run-1");
    fixture_terminated(&f);
    fixture_apply(&f);
    fixture_flush(&f);
    exec = fixture_current(&f, "w");
    exec->engine = &mine;
    fixture_begin(&f, "w", "run-1");
    fixture_internal(&f, PERDURE__V1__EVENT__KIND_RUN_REMOVED,
                     &perdure__v1__run_removed__descriptor);
    fixture_apply(&f);
    fixture_flush(&f);
    pd_store_evict(f.store);
    assert_true(exec->removed);
    assert_ptr_equal(exec->engine, &mine);
    assert_null(fixture_current(&f, "w"));
    exec->engine = NULL;
    pd_store_evict(f.store);
}

static void test_continue_as_new(void **state)
{
    pd_execution_t *exec, *old, *const *touched;
    pd_error_t error;

    fixture_start(&f, "w", "run-1");
    fixture_begin(&f, "w", "run-1");
    fixture_task_started(&f, 2);
    fixture_task_completed(&f, 2, 3);
    fixture_continued_as_new(&f, "run-2");
    fixture_run(&f, "run-2", 1);
    fixture_created(&f, "run-1");
    fixture_started(&f, "run-1");
    fixture_task_scheduled(&f, "orders", false, 1);
    fixture_apply(&f);
    assert_int_equal(pd_store_touched(f.store, &touched), 2);
    exec = fixture_current(&f, "w");
    assert_string_equal(exec->row->run_id, "run-2");
    assert_string_equal(exec->row->first_run_id, "run-1");
    assert_string_equal(exec->row->previous_run_id, "run-1");
    assert_int_equal(pd_store_execution(f.store, FIXTURE_NAMESPACE, "w", "run-1", &old, &error),
                     PD_OK);
    assert_string_equal(old->row->next_run_id, "run-2");
    /* Removing the old run leaves the current one alone. */
    fixture_begin(&f, "w", "run-1");
    fixture_internal(&f, PERDURE__V1__EVENT__KIND_RUN_REMOVED,
                     &perdure__v1__run_removed__descriptor);
    fixture_apply(&f);
    fixture_flush(&f);
    assert_ptr_equal(fixture_current(&f, "w"), exec);
}

/* ---- what does not fit ---- */

static void expect_corrupt(const char *part)
{
    pd_error_t error = {.text = ""};

    assert_int_equal(pd_store_apply(f.store, f.record, &error), PD_CORRUPT);
    if (!strstr(error.text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, error.text);
}

static void test_corrupt_records(void **state)
{
    fixture_start(&f, "w", "run-1");
    fixture_begin(&f, "w", "run-9");
    f.next_event_id = 1;
    fixture_signaled(&f, "s");
    expect_corrupt("does not exist");
    fixture_begin(&f, "w", "run-1");
    fixture_created(&f, "");
    expect_corrupt("second time");
    fixture_begin(&f, "w", "run-1");
    f.next_event_id = 9;
    fixture_signaled(&f, "s");
    expect_corrupt("event 9 where 3 is the next");
    fixture_begin(&f, "w", "run-1");
    fixture_task_started(&f, 1);
    expect_corrupt("workflow task 1 is not pending");
    fixture_begin(&f, "w", "run-1");
    f.next_event_id = 4;
    fixture_activity_completed(&f, 2);
    expect_corrupt("activity 2 is not pending");
    fixture_begin(&f, "w", "run-1");
    f.next_event_id = 5;
    fixture_timer_fired(&f, "t", 2);
    expect_corrupt("timer 2 is not pending");
    fixture_begin(&f, "w", "run-1");
    fixture_internal(&f, PERDURE__V1__EVENT__KIND_RUN_REMOVED,
                     &perdure__v1__run_removed__descriptor);
    expect_corrupt("not closed");
    fixture_begin(&f, "w", "run-1");
    f.next_event_id = 6;
    fixture_signaled(&f, "s");
    f.run->events[0]->history->event_type = 999;
    expect_corrupt("unknown type 999");
    f.run->events[0]->history->event_type = 17;
    expect_corrupt("attributes of another type");
    f.run->events[0]->history->event_type = -3;
    expect_corrupt("unknown type -3");
    f.run->events[0]->kind_case = 0;
    expect_corrupt("unknown kind 0");
    f.record->body_case = PERDURE__V1__RECORD__BODY__NOT_SET;
    expect_corrupt("without a body");
}

static void test_event_after_close(void **state)
{
    fixture_start(&f, "w", "run-1");
    fixture_begin(&f, "w", "run-1");
    fixture_terminated(&f);
    fixture_apply(&f);
    fixture_begin(&f, "w", "run-1");
    fixture_signaled(&f, "s");
    expect_corrupt("after the run was closed");
}

/* What was pending at the close stays in the row, and nothing waits for it. */
static void test_close_keeps_the_task(void **state)
{
    pd_execution_t *exec;
    const pd_ready_task_t *tasks;

    fixture_start(&f, "w", "run-1");
    fixture_begin(&f, "w", "run-1");
    fixture_terminated(&f);
    fixture_apply(&f);
    exec = fixture_current(&f, "w");
    assert_int_equal(exec->row->workflow_task->scheduled_event_id, 2);
    assert_null(pd_execution_workflow_task(exec));
    assert_int_equal(pd_store_ready(f.store, &tasks), 0);
    assert_true(pd_execution_next_deadline_ns(exec, 0) == exec->row->removal_time_ns);
    fixture_flush(&f);
    fixture_reopen(&f);
    exec = fixture_current(&f, "w");
    assert_int_equal(exec->row->workflow_task->scheduled_event_id, 2);
    assert_null(pd_execution_workflow_task(exec));
}

static void attach(const char *request_id, bool buffered)
{
    Temporal__Api__History__V1__WorkflowExecutionOptionsUpdatedEventAttributes *updated;
    Perdure__V1__RequestAttached *attached;

    if (buffered)
        fixture_buffer(&f);
    updated = fixture_history(
        &f, TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
        TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_EXECUTION_OPTIONS_UPDATED_EVENT_ATTRIBUTES,
        &temporal__api__history__v1__workflow_execution_options_updated_event_attributes__descriptor);
    updated->attached_request_id = (char *)request_id;
    attached = fixture_internal(&f, PERDURE__V1__EVENT__KIND_REQUEST_ATTACHED,
                                &perdure__v1__request_attached__descriptor);
    attached->request_id = (char *)request_id;
}

static void test_attached_requests(void **state)
{
    const Perdure__V1__ExecutionRow *row;

    fixture_start(&f, "w", "run-1");
    row = fixture_current(&f, "w")->row;
    assert_int_equal(row->create_request_event_id, 1);
    fixture_begin(&f, "w", "run-1");
    attach("second", false);
    fixture_apply(&f);
    assert_int_equal(row->n_attached_request_ids, 1);
    assert_int_equal(row->attached_request_event_ids[0], 3);
    fixture_begin(&f, "w", "run-1");
    fixture_task_started(&f, 2);
    attach("third", true);
    fixture_apply(&f);
    assert_int_equal(row->n_attached_request_ids, 2);
    assert_int_equal(row->n_attached_request_event_ids, 2);
    assert_string_equal(row->attached_request_ids[1], "third");
    assert_int_equal(row->attached_request_event_ids[1], 0);
}

static void complete_by(int64_t scheduled_event_id, const char *build_id, const char *checksum)
{
    Temporal__Api__Common__V1__WorkerVersionStamp stamp =
        TEMPORAL__API__COMMON__V1__WORKER_VERSION_STAMP__INIT;
    Temporal__Api__History__V1__WorkflowTaskCompletedEventAttributes *completed;
    Perdure__V1__RunEvents *run;

    fixture_begin(&f, "w", "run-1");
    if (scheduled_event_id > 2)
        fixture_task_scheduled(&f, "orders", false, 1);
    fixture_task_started(&f, scheduled_event_id);
    fixture_task_completed(&f, scheduled_event_id, scheduled_event_id + 1);
    run = f.run;
    completed = run->events[run->n_events - 1]->history->workflow_task_completed_event_attributes;
    stamp.build_id = (char *)build_id;
    completed->worker_version = &stamp;
    completed->binary_checksum = (char *)checksum;
    fixture_apply(&f);
}

static void test_builds(void **state)
{
    const Perdure__V1__ExecutionRow *row;

    fixture_start(&f, "w", "run-1");
    row = fixture_current(&f, "w")->row;
    complete_by(2, "one", "");
    complete_by(5, "one", "");
    complete_by(8, "two", "sum");
    complete_by(11, "one", "");
    assert_int_equal(row->reset_points->n_points, 2);
    assert_string_equal(row->reset_points->points[0]->run_id, "run-1");
    assert_int_equal(row->reset_points->points[0]->first_workflow_task_completed_id, 4);
    assert_int_equal(row->reset_points->points[1]->first_workflow_task_completed_id, 10);
    assert_null(row->reset_points->points[1]->expire_time);
    assert_int_equal(row->n_build_ids, 2);
    assert_string_equal(row->build_ids[1], "two");
    assert_int_equal(row->n_binary_checksums, 2);
    assert_string_equal(row->binary_checksums[1], "sum");
}

/* Builds beyond the limits push the oldest ones out. */
static void test_many_builds(void **state)
{
    const Perdure__V1__ExecutionRow *row;
    char build_id[200];

    fixture_start(&f, "w", "run-1");
    row = fixture_current(&f, "w")->row;
    for (int i = 0; i < 30; i++) {
        snprintf(build_id, sizeof(build_id), "%0150d", i);
        complete_by(2 + 3 * i, build_id, "");
    }
    assert_int_equal(row->reset_points->n_points, 20);
    assert_true(row->n_build_ids < 20);
    assert_string_equal(row->build_ids[row->n_build_ids - 1], build_id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_eager_is_not_ready, setup, teardown),
        cmocka_unit_test_setup_teardown(test_workflow_task, setup, teardown),
        cmocka_unit_test_setup_teardown(test_heartbeat_keeps_the_first_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_buffered_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_activity_retry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_and_remove, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removed_run_is_pinned, setup, teardown),
        cmocka_unit_test_setup_teardown(test_continue_as_new, setup, teardown),
        cmocka_unit_test_setup_teardown(test_corrupt_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event_after_close, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_keeps_the_task, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attached_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_builds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_builds, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
