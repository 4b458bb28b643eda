/* test_matching.c -- tasks that wait are forgotten with the owner that offered them, and only they.
 * Nobody polls, so partitions are names only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "engine/matching/matching.h"
#include "tests/unit/log/manual_loop.h"

enum { PARTITION_COUNT = 4 };

typedef struct bed {
    manual_loop_t loop;
    pd_matching_t *matching;
    pd_namespace_t ns;
    int64_t newest_epochs[PARTITION_COUNT]; /* that this node knows of */
    int offered_count;
} bed_t;

static char here[PARTITION_COUNT];

static bool is_home(void *ctx, const pd_namespace_t *ns, const char *normal_task_queue)
{
    return true;
}

static bool is_member(void *ctx, const char *node)
{
    return true;
}

static bool is_void(void *ctx, uint32_t partition_index, int64_t epoch)
{
    return ((bed_t *)ctx)->newest_epochs[partition_index] > epoch;
}

static int make(void **state)
{
    bed_t *bed = PD_NEW(bed_t);
    pd_matching_options_t options = {
        .loop = &bed->loop.loop,
        .far = {.is_home = is_home, .is_member = is_member, .is_void = is_void, .ctx = bed},
    };

    manual_loop_init(&bed->loop);
    bed->ns.id = "0196a1b2-0000-7000-8000-000000000001";
    bed->matching = pd_matching_new(&options);
    *state = bed;
    return 0;
}

static int drop(void **state)
{
    bed_t *bed = *state;

    pd_matching_stop(bed->matching);
    pd_matching_free(bed->matching);
    manual_loop_deinit(&bed->loop);
    pd_free(bed);
    return 0;
}

static void offer(bed_t *bed, const char *queue, uint32_t partition, const char *far_node,
                  int64_t epoch)
{
    char id[16];
    pd_offer_t one = {
        .kind = PD_TASK_WORKFLOW,
        .partition = far_node ? NULL : (pd_partition_t *)&here[partition],
        .far_node = far_node,
        .partition_index = partition,
        .epoch = epoch,
        .ns = &bed->ns,
        .workflow_id = id,
        .run_id = "run",
        .time_ns = ++bed->offered_count,
        .task_queue = queue,
        .normal_task_queue = queue,
    };

    snprintf(id, sizeof(id), "w-%d", bed->offered_count);
    pd_matching_offer(bed->matching, &one);
}

static int backlog(bed_t *bed, const char *queue)
{
    pd_task_queue_view_t view;
    pd_arena_t arena;

    pd_arena_init(&arena);
    pd_matching_describe(bed->matching, &bed->ns, PD_TASK_WORKFLOW, queue, &arena, &view);
    pd_arena_deinit(&arena);
    return (int)view.backlog_count;
}

static void test_a_partition_is_forgotten_in_all_queues(void **state)
{
    bed_t *bed = *state;

    for (int i = 0; i < 3; i++) {
        for (uint32_t partition = 0; partition < PARTITION_COUNT; partition++) {
            offer(bed, "one", partition, NULL, 0);
            offer(bed, "two", partition, NULL, 0);
            offer(bed, "two", partition, "far", 0);
        }
    }
    pd_matching_forget_partition(bed->matching, (pd_partition_t *)&here[1]);
    assert_int_equal(backlog(bed, "one"), 9);
    assert_int_equal(backlog(bed, "two"), 9 + 12);
    pd_matching_forget_partition(bed->matching, (pd_partition_t *)&here[1]);
    assert_int_equal(backlog(bed, "one"), 9);
    offer(bed, "one", 1, NULL, 0); /* it comes back */
    assert_int_equal(backlog(bed, "one"), 10);
    for (uint32_t partition = 0; partition < PARTITION_COUNT; partition++)
        pd_matching_forget_partition(bed->matching, (pd_partition_t *)&here[partition]);
    assert_int_equal(backlog(bed, "one"), 0);
    assert_int_equal(backlog(bed, "two"), 12);
}

static void test_what_an_older_owner_offered_is_void(void **state)
{
    bed_t *bed = *state;

    for (uint32_t partition = 0; partition < PARTITION_COUNT; partition++) {
        offer(bed, "q", partition, "a", 10);
        offer(bed, "q", partition, "a", 10);
        offer(bed, "q", partition, "b", 20);
        offer(bed, "q", partition, NULL, 0);
    }
    pd_matching_homes_changed(bed->matching);
    assert_int_equal(backlog(bed, "q"), 16);
    bed->newest_epochs[2] = 20;
    pd_matching_homes_changed(bed->matching);
    assert_int_equal(backlog(bed, "q"), 14);
    bed->newest_epochs[2] = bed->newest_epochs[3] = 30;
    pd_matching_homes_changed(bed->matching);
    assert_int_equal(backlog(bed, "q"), 10);
    offer(bed, "q", 3, "b", 29); /* was on its way */
    assert_int_equal(backlog(bed, "q"), 10);
    offer(bed, "q", 3, "b", 30);
    assert_int_equal(backlog(bed, "q"), 11);
}

static void test_a_sticky_queues_tasks_keep_their_owner(void **state)
{
    bed_t *bed = *state;

    offer(bed, "sticky", 0, NULL, 0);
    offer(bed, "sticky", 1, NULL, 0);
    offer(bed, "sticky", 1, "a", 10);
    pd_matching_shutdown_worker(bed->matching, &bed->ns, "", "sticky");
    assert_int_equal(backlog(bed, "sticky"), 3); /* whose normal queue it is itself */
    pd_matching_forget_partition(bed->matching, (pd_partition_t *)&here[0]);
    assert_int_equal(backlog(bed, "sticky"), 2);
    bed->newest_epochs[1] = 11;
    pd_matching_homes_changed(bed->matching);
    assert_int_equal(backlog(bed, "sticky"), 1);
}

typedef struct asked {
    pd_call_t call; /* first: converts */
    pd_poll_t poll;
    int answered_count;
} asked_t;

static void on_finish(pd_call_t *call)
{
    assert_null(call->error);
    assert_int_equal(call->size, 0);
    pd_free(call->data);
    ((asked_t *)call)->answered_count++;
}

static void run_mail(bed_t *bed)
{
    while (bed->loop.first)
        (void)manual_loop_step(&bed->loop);
}

static void poll_as(bed_t *bed, asked_t *asked, const char *worker_instance_key)
{
    *asked = (asked_t){
        .call = {.home = &bed->loop.loop, .finish = on_finish},
        .poll = {.call = &asked->call,
                 .kind = PD_TASK_WORKFLOW,
                 .ns = &bed->ns,
                 .task_queue = "q",
                 .identity = "somebody",
                 .worker_instance_key = worker_instance_key,
                 .until_ns = INT64_MAX},
    };
    pd_matching_poll(bed->matching, &asked->poll);
    run_mail(bed);
}

/* A poll that was on its way when its worker said goodbye is for nobody. */
static void test_a_worker_that_is_gone_gets_nothing(void **state)
{
    bed_t *bed = *state;
    asked_t waits, late, other, nameless;

    poll_as(bed, &waits, "w");
    poll_as(bed, &other, "v");
    poll_as(bed, &nameless, "");
    pd_matching_shutdown_worker(bed->matching, &bed->ns, "w", "");
    pd_matching_shutdown_worker(bed->matching, &bed->ns, "w", ""); /* repeated */
    pd_matching_shutdown_worker(bed->matching, &bed->ns, "", "");
    run_mail(bed);
    assert_int_equal(waits.answered_count, 1);
    poll_as(bed, &late, "w");
    assert_int_equal(late.answered_count, 1);
    assert_int_equal(other.answered_count + nameless.answered_count, 0);
    poll_as(bed, &late, "");
    assert_int_equal(late.answered_count, 0);
    pd_matching_stop(bed->matching);
    run_mail(bed);
    assert_int_equal(other.answered_count + nameless.answered_count + late.answered_count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_partition_is_forgotten_in_all_queues, make, drop),
        cmocka_unit_test_setup_teardown(test_what_an_older_owner_offered_is_void, make, drop),
        cmocka_unit_test_setup_teardown(test_a_sticky_queues_tasks_keep_their_owner, make, drop),
        cmocka_unit_test_setup_teardown(test_a_worker_that_is_gone_gets_nothing, make, drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
