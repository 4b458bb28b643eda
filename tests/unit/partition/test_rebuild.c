/* test_rebuild.c -- a new owner offers the tasks that it finds, once it knows their namespace;
 * until then it waits, and says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/diag/diag_capture.h"
#include "tests/unit/partition/one_partition.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)
#define EVENT "WARN tasks wait for a namespace that this node does not know"

enum { STEP_MAX = 1000000 };

typedef struct bed {
    one_partition_t one;
    int offer_count;
} bed_t;

#define UNTIL(bed, condition)                                                                      \
    for (int step_ = 0; !(condition); step_++)                                                     \
    assert_true(step_ < STEP_MAX && manual_loop_step(&(bed)->one.loop))

static void fire_nothing(pd_timer_t *timer)
{
}

static void run_for(bed_t *bed, int64_t ns)
{
    int64_t until_ns = bed->one.loop.now_ns + ns;
    pd_timer_t timer = {.fire = fire_nothing};

    pd_loop_timer_start(&bed->one.loop.loop, &timer, until_ns);
    UNTIL(bed, bed->one.loop.now_ns >= until_ns);
    pd_loop_timer_stop(&bed->one.loop.loop, &timer);
}

static void on_offer(void *ctx, const pd_offer_t *offer)
{
    ((bed_t *)ctx)->offer_count++;
}

static void begin(bed_t *bed)
{
    pd_partition_options_t options = one_partition_options(&bed->one);

    options.sink.offer = on_offer;
    options.sink.ctx = bed;
    one_partition_begin(&bed->one, &options);
    UNTIL(bed, pd_partition_state(bed->one.partition) == PD_PARTITION_OWNER);
}

static int make(void **state)
{
    bed_t *bed = PD_NEW(bed_t);

    one_partition_init(&bed->one);
    *state = bed;
    return 0;
}

static int drop(void **state)
{
    bed_t *bed = *state;

    diag_capture_end();
    one_partition_deinit(&bed->one);
    pd_free(bed);
    return 0;
}

/* Its first workflow task is ready then. */
static void start_workflow(bed_t *bed)
{
    Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *request;
    pd_command_t *command = pd_command_new(&pd_command_start_workflow);

    request =
        PD_PB_NEW(command->arena, Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest,
                  temporal__api__workflowservice__v1__start_workflow_execution_request);
    request->workflow_id = (char *)"w";
    request->workflow_type = PD_PB_NEW(command->arena, Temporal__Api__Common__V1__WorkflowType,
                                       temporal__api__common__v1__workflow_type);
    request->workflow_type->name = (char *)"W";
    request->task_queue = PD_PB_NEW(command->arena, Temporal__Api__Taskqueue__V1__TaskQueue,
                                    temporal__api__taskqueue__v1__task_queue);
    request->task_queue->name = (char *)"q";
    request->request_id = (char *)"start";
    command->request = request;
    command->ns = pd_namespaces_by_name(bed->one.namespaces, "default");
    command->workflow_id = "w";
    command->run_id = "";
    pd_partition_submit(bed->one.partition, command);
    UNTIL(bed, bed->offer_count == 1);
}

/* Partition 0, which tells the namespaces, has not come so far on this node. */
static void forget_namespaces(bed_t *bed)
{
    one_partition_end(&bed->one);
    pd_namespaces_free(bed->one.namespaces);
    bed->one.namespaces = pd_namespaces_new();
    bed->offer_count = 0;
}

static void test_tasks_wait_for_their_namespace_and_it_is_told(void **state)
{
    bed_t *bed = *state;

    one_partition_publish_namespace(&bed->one);
    begin(bed);
    start_workflow(bed);
    forget_namespaces(bed);
    diag_capture_begin();
    begin(bed);
    run_for(bed, 9 * S); /* a while is nothing out of the ordinary */
    assert_int_equal(diag_capture_count(EVENT), 0);
    run_for(bed, 2 * S);
    assert_int_equal(diag_capture_count(EVENT), 1);
    assert_non_null(
        strstr(diag_capture_line(EVENT), " partition=0 namespace_id=" ONE_NAMESPACE_ID));
    run_for(bed, 20 * S); /* not with every attempt */
    assert_int_equal(diag_capture_count(EVENT), 3);
    assert_int_equal(bed->offer_count, 0);
    one_partition_publish_namespace(&bed->one);
    UNTIL(bed, bed->offer_count == 1);
    run_for(bed, 60 * S);
    assert_int_equal(diag_capture_count(EVENT), 3);
}

static void test_tasks_of_a_known_namespace_are_offered_in_silence(void **state)
{
    bed_t *bed = *state;

    one_partition_publish_namespace(&bed->one);
    begin(bed);
    start_workflow(bed);
    forget_namespaces(bed);
    one_partition_publish_namespace(&bed->one);
    diag_capture_begin();
    begin(bed);
    UNTIL(bed, bed->offer_count == 1);
    run_for(bed, 60 * S);
    assert_int_equal(diag_capture_count(EVENT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tasks_wait_for_their_namespace_and_it_is_told, make,
                                        drop),
        cmocka_unit_test_setup_teardown(test_tasks_of_a_known_namespace_are_offered_in_silence,
                                        make, drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
