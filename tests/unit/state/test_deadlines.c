/* test_deadlines.c -- the rules of deadlines.c, one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/state/fixture.h"

enum { DEADLINES_MAX = 16 };

typedef struct list {
    pd_deadline_t deadlines[DEADLINES_MAX];
    size_t count;
} list_t;

static Perdure__V1__ExecutionRow row;
static Perdure__V1__WorkflowTaskRow task;
static Perdure__V1__ActivityRow activity, *activities[] = {&activity};
static Perdure__V1__TimerRow timer, *timers[] = {&timer};
static pd_execution_t exec = {.row = &row};

static int setup(void **state)
{
    perdure__v1__execution_row__init(&row);
    perdure__v1__workflow_task_row__init(&task);
    perdure__v1__activity_row__init(&activity);
    perdure__v1__timer_row__init(&timer);
    row.status = 1;
    activity.scheduled_event_id = 5;
    activity.scheduled_time_ns = activity.attempt_scheduled_time_ns = 100;
    timer.started_event_id = 6;
    timer.fire_time_ns = 900;
    return 0;
}

static bool collect(void *ctx, const pd_deadline_t *deadline)
{
    list_t *list = ctx;

    assert_true(list->count < DEADLINES_MAX);
    list->deadlines[list->count++] = *deadline;
    return true;
}

static void expect(const pd_deadline_t *expected, size_t count)
{
    list_t list = {.count = 0};

    pd_execution_deadlines(&exec, collect, &list);
    assert_int_equal(list.count, count);
    for (size_t i = 0; i < count; i++) {
        bool found = false;

        for (size_t k = 0; k < list.count; k++)
            found = found || (list.deadlines[k].kind == expected[i].kind &&
                              list.deadlines[k].at_ns == expected[i].at_ns &&
                              list.deadlines[k].event_id == expected[i].event_id);
        assert_true(found);
    }
}

#define EXPECT(...)                                                                                \
    expect((const pd_deadline_t[]){__VA_ARGS__},                                                   \
           sizeof((const pd_deadline_t[]){__VA_ARGS__}) / sizeof(pd_deadline_t))

static void test_run(void **state)
{
    expect(NULL, 0);
    row.run_deadline_ns = 50;
    row.execution_deadline_ns = 60;
    row.removal_time_ns = 70;
    EXPECT({PD_DEADLINE_RUN, 50, 0}, {PD_DEADLINE_EXECUTION, 60, 0});
    assert_true(pd_execution_next_deadline_ns(&exec, 55) == 50);
    row.status = 2;
    EXPECT({PD_DEADLINE_RETENTION, 70, 0});
    row.removal_time_ns = 0;
    expect(NULL, 0);
    assert_true(pd_execution_next_deadline_ns(&exec, 0) == INT64_MAX);
}

static void test_task(void **state)
{
    row.first_task_not_before_ns = 40;
    EXPECT({PD_DEADLINE_FIRST_TASK, 40, 0});
    row.workflow_task = &task;
    task.scheduled_event_id = 2;
    task.start_to_close_timeout_ns = 10;
    task.schedule_to_start_deadline_ns = 30;
    expect(NULL, 0);
    task.sticky = true;
    EXPECT({PD_DEADLINE_TASK_SCHEDULE_TO_START, 30, 2});
    task.started_event_id = 3;
    task.started_time_ns = 25;
    EXPECT({PD_DEADLINE_TASK_START_TO_CLOSE, 35, 2});
    task.start_to_close_timeout_ns = 0;
    expect(NULL, 0);
    row.workflow_task = NULL;
    row.any_workflow_task_completed = true;
    expect(NULL, 0);
}

static void test_activity(void **state)
{
    row.activities = activities;
    row.n_activities = 1;
    expect(NULL, 0);
    activity.schedule_to_close_timeout_ns = 1000;
    activity.schedule_to_start_timeout_ns = 200;
    activity.start_to_close_timeout_ns = 300;
    activity.heartbeat_timeout_ns = 20;
    EXPECT({PD_DEADLINE_ACTIVITY_SCHEDULE_TO_CLOSE, 1100, 5},
           {PD_DEADLINE_ACTIVITY_SCHEDULE_TO_START, 300, 5});
    activity.started_time_ns = 150;
    EXPECT({PD_DEADLINE_ACTIVITY_SCHEDULE_TO_CLOSE, 1100, 5},
           {PD_DEADLINE_ACTIVITY_START_TO_CLOSE, 450, 5}, {PD_DEADLINE_ACTIVITY_HEARTBEAT, 170, 5});
    activity.heartbeat_time_ns = 160;
    EXPECT({PD_DEADLINE_ACTIVITY_SCHEDULE_TO_CLOSE, 1100, 5},
           {PD_DEADLINE_ACTIVITY_START_TO_CLOSE, 450, 5}, {PD_DEADLINE_ACTIVITY_HEARTBEAT, 180, 5});
    /* A retry: an old heartbeat does not count for the next attempt. */
    activity.started_time_ns = 0;
    activity.attempt_scheduled_time_ns = 400;
    activity.attempt = 2;
    EXPECT({PD_DEADLINE_ACTIVITY_SCHEDULE_TO_CLOSE, 1100, 5}, {PD_DEADLINE_ACTIVITY_OFFER, 400, 5},
           {PD_DEADLINE_ACTIVITY_SCHEDULE_TO_START, 600, 5});
    assert_true(pd_execution_next_deadline_ns(&exec, 399) == 400);
    assert_true(pd_execution_next_deadline_ns(&exec, 400) == 600);
    activity.attempt_scheduled_time_ns = 90; /* the first was scheduled by a clock ahead */
    EXPECT({PD_DEADLINE_ACTIVITY_SCHEDULE_TO_CLOSE, 1100, 5}, {PD_DEADLINE_ACTIVITY_OFFER, 90, 5},
           {PD_DEADLINE_ACTIVITY_SCHEDULE_TO_START, 290, 5});
    activity.attempt_scheduled_time_ns = 400;
    activity.started_time_ns = 410;
    EXPECT({PD_DEADLINE_ACTIVITY_SCHEDULE_TO_CLOSE, 1100, 5},
           {PD_DEADLINE_ACTIVITY_START_TO_CLOSE, 710, 5}, {PD_DEADLINE_ACTIVITY_HEARTBEAT, 430, 5});
    activity.close_buffered = true;
    expect(NULL, 0);
}

static void test_timer(void **state)
{
    row.timers = timers;
    row.n_timers = 1;
    EXPECT({PD_DEADLINE_TIMER, 900, 6});
    timer.fire_buffered = true;
    expect(NULL, 0);
}

/* A thousand years and more: never, not at once. */
static void test_saturation(void **state)
{
    row.activities = activities;
    row.n_activities = 1;
    activity.schedule_to_close_timeout_ns = INT64_MAX;
    EXPECT({PD_DEADLINE_ACTIVITY_SCHEDULE_TO_CLOSE, INT64_MAX, 5});
    assert_true(pd_execution_next_deadline_ns(&exec, 0) == INT64_MAX);
}

static bool stop(void *ctx, const pd_deadline_t *deadline)
{
    ++*(int *)ctx;
    return false;
}

static void test_stopping(void **state)
{
    int calls = 0;

    row.timers = timers;
    row.n_timers = 1;
    row.run_deadline_ns = row.execution_deadline_ns = 50;
    pd_execution_deadlines(&exec, stop, &calls);
    assert_int_equal(calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_run, setup),
        cmocka_unit_test_setup(test_task, setup),
        cmocka_unit_test_setup(test_activity, setup),
        cmocka_unit_test_setup(test_timer, setup),
        cmocka_unit_test_setup(test_saturation, setup),
        cmocka_unit_test_setup(test_stopping, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
