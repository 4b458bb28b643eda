/* A node that does not hear the members log goes by a neighbour's view. Node 0 is the one that does
 * not hear: what it was told last is that it owns two partitions and is at home to some queues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/cluster/members.h"
#include "tests/unit/forward/steps.h"

enum { OF_NODE_0 = 1 }; /* a partition */

static int setup(void **state)
{
    rig_t *rig = rig_new();

    rig->stale[0] = true;
    rig_tell_view_to(rig, 0);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

/* Node 1, which hears, has everything. Node 0 is not told. */
static void replace_node_0(rig_t *rig, bool others_take_it_for_dead)
{
    rig->gone[0] = others_take_it_for_dead;
    rig->leaving[0] = !others_take_it_for_dead;
    for (int i = 0; i < RIG_PARTITION_COUNT; i++) {
        rig->owners[i] = 1;
        rig->epochs[i]++;
    }
    rig_tell_view_to(rig, 1);
}

/* … and hears of it: a worker's poll there ends, as its queue is at home elsewhere. */
static void replace_node_0_and_wait(rig_t *rig, bool others_take_it_for_dead, const char *queue)
{
    rig_call_t poll;

    steps_send_poll(rig, 0, queue, &poll);
    assert_true(steps_until_open_calls(rig, 0, 1));
    replace_node_0(rig, others_take_it_for_dead);
    assert_int_equal(steps_task_of(rig, &poll)->task_token.len, 0);
}

typedef struct wanted {
    rig_t *rig;
    uint64_t call_count;
} wanted_t;

static bool node_1_was_asked(void *ctx)
{
    const wanted_t *wanted = ctx;

    return wanted->rig->nodes[1].call_count > wanted->call_count;
}

static bool until_node_1_is_asked_again(rig_t *rig)
{
    wanted_t wanted = {rig, rig->nodes[1].call_count};

    return rig_until(rig, node_1_was_asked, &wanted);
}

/* Node 0 itself would have taken the call: each node of the rig can serve every partition. */
static bool starts_at_node_1(rig_t *rig, int nth, const char *queue)
{
    const char *id = rig_workflow_id(rig, OF_NODE_0, nth);

    assert_int_equal(steps_start(rig, 0, id, queue), 0);
    return steps_is_running(rig, 1, id);
}

static void clients_and_workers_go_on(void **state)
{
    rig_t *rig = *state;
    const char *queue = rig_task_queue(rig, 0, 0);
    rig_call_t poll;

    replace_node_0_and_wait(rig, true, queue);
    steps_send_poll(rig, 0, queue, &poll);
    assert_true(starts_at_node_1(rig, 0, queue));
    assert_true(steps_task_of(rig, &poll)->task_token.len > 0);
}

static void whom_the_others_still_see_goes_by_what_they_see(void **state)
{
    rig_t *rig = *state;
    const char *queue = rig_task_queue(rig, 0, 0);

    replace_node_0_and_wait(rig, false, queue);
    assert_true(starts_at_node_1(rig, 0, queue));
}

static void nobody_hears_and_nothing_changes(void **state)
{
    rig_t *rig = *state;

    rig->stale[1] = true;
    replace_node_0(rig, true);
    for (int i = 0; i < 3; i++)
        assert_true(until_node_1_is_asked_again(rig));
    assert_false(starts_at_node_1(rig, 0, rig_task_queue(rig, 0, 0)));
}

static void a_node_that_hears_again_goes_by_its_own_view(void **state)
{
    rig_t *rig = *state;
    const char *queue = rig_task_queue(rig, 0, 0);

    replace_node_0_and_wait(rig, true, queue);
    assert_true(starts_at_node_1(rig, 0, queue));
    /* It reads on: that is not hearing yet, and the neighbour knows better. */
    rig->owners[OF_NODE_0] = 0;
    rig_tell_view_to(rig, 0);
    assert_true(starts_at_node_1(rig, 1, queue));
    rig->stale[0] = false;
    rig_tell_view_to(rig, 0);
    assert_false(starts_at_node_1(rig, 2, queue));
}

typedef Perdure__V1__GetViewResponse told_t;
typedef Perdure__V1__GetViewResponse__Member told_member_t;
typedef Perdure__V1__GetViewResponse__Place told_place_t;

/* Node 1 has everything, and node 0 is gone. */
static told_t *sound(pd_arena_t *arena)
{
    told_t *told = PD_PB_NEW(arena, told_t, perdure__v1__get_view_response);

    told->members = pd_arena_calloc(arena, 3, sizeof(told->members[0]));
    for (size_t i = 0; i < 3; i++) {
        told->members[i] = PD_PB_NEW(arena, told_member_t, perdure__v1__get_view_response__member);
        told->members[i]->name = (char *)(i == 0 ? "b" : i == 1 ? "c" : "d");
        told->members[i]->incarnation = (char *)"1";
    }
    told->n_members = 1;
    told->partitions = pd_arena_calloc(arena, RIG_PARTITION_COUNT + 1, sizeof(told->partitions[0]));
    for (size_t i = 0; i <= RIG_PARTITION_COUNT; i++) {
        told->partitions[i] = PD_PB_NEW(arena, told_place_t, perdure__v1__get_view_response__place);
        told->partitions[i]->standby = -1;
    }
    told->n_partitions = RIG_PARTITION_COUNT;
    return told;
}

static void nobody(told_t *told)
{
    told->n_members = 0;
}
static void too_few_partitions(told_t *told)
{
    told->n_partitions--;
}
static void too_many_partitions(told_t *told)
{
    told->n_partitions++;
}
static void an_owner_that_is_not_there(told_t *told)
{
    told->partitions[2]->owner = 1;
}
static void an_owner_below_nobody(told_t *told)
{
    told->partitions[2]->owner = -2;
}
static void a_standby_that_is_not_there(told_t *told)
{
    told->partitions[0]->standby = INT32_MAX;
}
static void a_preferred_one_that_is_not_there(told_t *told)
{
    told->partitions[3]->preferred = 7;
}
static void a_member_without_a_name(told_t *told)
{
    told->members[0]->name = (char *)"";
}
static void a_member_without_a_life(told_t *told)
{
    told->members[0]->incarnation = (char *)"";
}

static void one_name_twice(told_t *told)
{
    told->n_members = 2;
    told->members[1]->name = told->members[0]->name;
}

static void names_in_disorder(told_t *told)
{
    told->n_members = 3;
    told->members[2]->name = (char *)"bb";
}

static void a_name_that_is_too_long(told_t *told)
{
    static char name[PD_MEMBER_NAME_SIZE_MAX + 2];

    memset(name, 'x', sizeof(name) - 1);
    told->members[0]->name = name;
}

static void another_life_of_the_node_that_asks(told_t *told)
{
    told->members[0]->name = (char *)"a";
    told->members[0]->incarnation = (char *)"2";
}

static void what_makes_no_sense_is_not_believed(void **state)
{
    static void (*const spoil[])(told_t * told) = {
        nobody,
        too_few_partitions,
        too_many_partitions,
        an_owner_that_is_not_there,
        an_owner_below_nobody,
        a_standby_that_is_not_there,
        a_preferred_one_that_is_not_there,
        a_member_without_a_name,
        a_member_without_a_life,
        one_name_twice,
        names_in_disorder,
        a_name_that_is_too_long,
        another_life_of_the_node_that_asks,
    };
    rig_t *rig = *state;
    const char *queue = rig_task_queue(rig, 0, 0);

    rig->nodes[1].told_instead = sound(&rig->arena);
    nobody((told_t *)rig->nodes[1].told_instead);
    replace_node_0(rig, true);
    for (size_t i = 0; i < PD_ARRAY_COUNT(spoil); i++) {
        told_t *told = sound(&rig->arena);

        spoil[i](told);
        rig->nodes[1].told_instead = told;
        for (int asked = 0; asked < 2; asked++) /* the second shows what came of the first */
            assert_true(until_node_1_is_asked_again(rig));
        assert_false(starts_at_node_1(rig, (int)i, queue));
    }
    rig->nodes[1].told_instead = sound(&rig->arena);
    for (int asked = 0; asked < 2; asked++)
        assert_true(until_node_1_is_asked_again(rig));
    /* Where it is sent to, there is nobody: a sound view without an address. */
    assert_int_equal(steps_start(rig, 0, rig_workflow_id(rig, OF_NODE_0, 100), queue),
                     PD_RPC_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(clients_and_workers_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(whom_the_others_still_see_goes_by_what_they_see, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nobody_hears_and_nothing_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(what_makes_no_sense_is_not_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_node_that_hears_again_goes_by_its_own_view, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
