/* test_states.c -- a node's state is told with no lock held, and never an older one after a newer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/node/node_private.h"

enum { TOLD_MAX = 8 };

/* A node of one partition, whose loop others pose as. */
typedef struct bed {
    pd_node_t node;
    pd_partition_state_t states[1];
    pd_node_state_t told[TOLD_MAX];
    int told_count, depth;
    pd_partition_state_t meanwhile[TOLD_MAX]; /* what is reported while the n-th is being told */
    int meanwhile_count;
} bed_t;

/* As if from some thread. */
static void report(bed_t *bed, pd_partition_state_t state)
{
    assert_int_equal(pthread_mutex_trylock(&bed->node.mutex), 0);
    bed->states[0] = state;
    pdi_node_unlock_and_tell(&bed->node);
    assert_int_equal(pthread_mutex_trylock(&bed->node.mutex), 0);
    pthread_mutex_unlock(&bed->node.mutex);
}

static void on_changed(void *ctx, pd_node_state_t state)
{
    bed_t *bed = ctx;
    int index = bed->told_count++;

    assert_int_equal(bed->depth++, 0);
    assert_true(index < TOLD_MAX);
    if (index < bed->meanwhile_count)
        report(bed, bed->meanwhile[index]);
    bed->told[index] = state;
    bed->depth--;
}

static int make(void **state)
{
    bed_t *bed = PD_NEW(bed_t);

    bed->node.options.partition_count = 1;
    bed->node.states = bed->states;
    bed->node.changed = on_changed;
    bed->node.changed_ctx = bed;
    bed->node.state = bed->node.told_state = PD_NODE_STARTING;
    assert_int_equal(pthread_mutex_init(&bed->node.mutex, NULL), 0);
    *state = bed;
    return 0;
}

static int drop(void **state)
{
    bed_t *bed = *state;

    pthread_mutex_destroy(&bed->node.mutex);
    pd_free(bed);
    return 0;
}

static void test_each_change_is_told_once(void **state)
{
    bed_t *bed = *state;

    report(bed, PD_PARTITION_FOLLOWING); /* still starting */
    assert_int_equal(bed->told_count, 0);
    report(bed, PD_PARTITION_OWNER);
    report(bed, PD_PARTITION_OWNER);
    report(bed, PD_PARTITION_FAILED);
    assert_int_equal(bed->told_count, 2);
    assert_int_equal(bed->told[0], PD_NODE_READY);
    assert_int_equal(bed->told[1], PD_NODE_FAILED);
}

static void test_a_newer_state_waits_for_the_older(void **state)
{
    bed_t *bed = *state;

    bed->meanwhile[bed->meanwhile_count++] = PD_PARTITION_FAILED;
    bed->meanwhile[bed->meanwhile_count++] = PD_PARTITION_STOPPED;
    report(bed, PD_PARTITION_OWNER);
    assert_int_equal(bed->told_count, 3);
    assert_int_equal(bed->told[0], PD_NODE_READY);
    assert_int_equal(bed->told[1], PD_NODE_FAILED);
    assert_int_equal(bed->told[2], PD_NODE_STOPPED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_change_is_told_once, make, drop),
        cmocka_unit_test_setup_teardown(test_a_newer_state_waits_for_the_older, make, drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
