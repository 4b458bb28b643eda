/* test_handover.c -- partitions given away and taken over, and what the others are told of it. */
#include "tests/unit/cluster/nodes_bed.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* Whether the newest heartbeat of the member says that it takes some partition over. */
static bool says_it_acquires(const bed_t *bed, const char *name)
{
    uint64_t count = pd_log_memory_count(bed->storage, PD_LOG_MEMBERS, 0);
    bool acquires = false, found = false;
    pd_arena_t arena;

    pd_arena_init(&arena);
    while (count && !found) {
        pd_log_record_t record = pd_log_memory_record(bed->storage, PD_LOG_MEMBERS, 0, --count);
        const Perdure__V1__Member *member;
        ProtobufCMessage *message;

        if (!record.value.data)
            continue;
        assert_int_equal(pd_record_decode(nodes_member_codec, &arena, record.value, &message, NULL),
                         PD_OK);
        member = (const Perdure__V1__Member *)message;
        found = member->body_case == PERDURE__V1__MEMBER__BODY_HEARTBEAT &&
                strcmp(member->heartbeat->node, name) == 0;
        for (size_t i = 0; found && i < member->heartbeat->n_partitions; i++)
            acquires = acquires || member->heartbeat->partitions[i]->acquiring;
    }
    pd_arena_deinit(&arena);
    return acquires;
}

/* As long as a partition's OwnerChanged is on its way, the others are told that it is. */
static void test_who_takes_over_says_so(void **state)
{
    bed_t *bed = *state;
    pd_log_memory_faults_t slow = {.land_min_ns = 20 * MS, .land_max_ns = 20 * MS};

    nodes_three(bed);
    assert_false(says_it_acquires(bed, "a"));
    assert_false(says_it_acquires(bed, "c"));
    pd_log_memory_set_faults(bed->storage, &slow);
    nodes_crash(&bed->nodes[1]);
    UNTIL(bed, says_it_acquires(bed, "a") || says_it_acquires(bed, "c"));
    UNTIL(bed, nodes_are_settled(bed));
    nodes_run_for(bed, S);
    assert_false(says_it_acquires(bed, "a"));
    assert_false(says_it_acquires(bed, "c"));
}

static void test_a_clean_stop_gives_everything_away_first(void **state)
{
    bed_t *bed = *state;
    int64_t began_ns;

    nodes_three(bed);
    began_ns = bed->loop.now_ns;
    pd_node_leave(bed->nodes[2].node);
    UNTIL(bed, nodes_owned_by(&bed->nodes[0], "a") + nodes_owned_by(&bed->nodes[0], "b") ==
                   PARTITION_COUNT);
    assert_true(bed->loop.now_ns - began_ns < 3 * S); /* its patience would be ten */
    UNTIL(bed, bed->nodes[2].state == PD_NODE_LEFT);
    assert_int_equal(nodes_really_owned(&bed->nodes[2]), 0);
    nodes_stop(&bed->nodes[2]);
    UNTIL(bed, bed->nodes[0].view->member_count == 2);
    UNTIL(bed, nodes_are_settled(bed));
    nodes_stop(&bed->nodes[0]);
    UNTIL(bed, nodes_are_settled(bed));
    assert_int_equal(nodes_really_owned(&bed->nodes[1]), PARTITION_COUNT);
    nodes_stop(&bed->nodes[1]); /* the last one */
    /* And all of it again. */
    nodes_three(bed);
}

/* What it only follows, or has given away, can wait until nobody waits for it. */
static void test_who_leaves_lets_go_of_nothing_before(void **state)
{
    bed_t *bed = *state;
    one_node_t *self = &bed->nodes[2];
    bool open[PARTITION_COUNT];
    int followed_count = 0;

    nodes_three(bed);
    nodes_run_for(bed, 10 * S); /* the standbys are opened */
    for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
        pd_partition_state_t is = pd_partition_state(pd_node_partition(self->node, i));

        open[i] = is != PD_PARTITION_IDLE;
        followed_count += is == PD_PARTITION_FOLLOWING;
    }
    assert_in_range(followed_count, 1, PARTITION_COUNT - 1);
    pd_node_leave(self->node);
    while (self->state != PD_NODE_LEFT) {
        assert_true(manual_loop_step(&bed->loop));
        for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
            if (open[i])
                assert_int_not_equal(pd_partition_state(pd_node_partition(self->node, i)),
                                     PD_PARTITION_IDLE);
        }
    }
    nodes_stop(self);
    UNTIL(bed, nodes_are_settled(bed));
}

static const Perdure__V1__Heartbeat *heartbeat_at(bed_t *bed, uint64_t index, pd_arena_t *arena)
{
    pd_log_record_t stored = pd_log_memory_record(bed->storage, PD_LOG_MEMBERS, 0, index);
    const Perdure__V1__Member *member;
    ProtobufCMessage *message;

    if (!stored.value.data)
        return NULL;
    assert_int_equal(pd_record_decode(nodes_member_codec, arena, stored.value, &message, NULL),
                     PD_OK);
    member = (const Perdure__V1__Member *)message;
    return member->body_case == PERDURE__V1__MEMBER__BODY_HEARTBEAT ? member->heartbeat : NULL;
}

static bool says_the_same(const Perdure__V1__Heartbeat *a, const Perdure__V1__Heartbeat *b)
{
    for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
        if (a->partitions[i]->role != b->partitions[i]->role ||
            a->partitions[i]->epoch != b->partitions[i]->epoch)
            return false;
    }
    return a->leaving == b->leaving;
}

/* How many of the node's heartbeats since then say nothing new. */
static int repetitions_of(bed_t *bed, const char *name, uint64_t since)
{
    const Perdure__V1__Heartbeat *before = NULL;
    pd_arena_t arena;
    int count = 0;

    pd_arena_init(&arena);
    for (uint64_t i = 0; i < pd_log_memory_count(bed->storage, PD_LOG_MEMBERS, 0); i++) {
        const Perdure__V1__Heartbeat *heartbeat = heartbeat_at(bed, i, &arena);

        if (!heartbeat || strcmp(heartbeat->node, name) != 0)
            continue;
        count += i >= since && before && says_the_same(before, heartbeat);
        before = heartbeat;
    }
    pd_arena_deinit(&arena);
    return count;
}

/* One that says nothing new, on its way, would hold up the one that does. */
static void test_only_news_are_told_at_once(void **state)
{
    bed_t *bed = *state;
    uint64_t since;
    int64_t began_ns;

    nodes_three(bed);
    nodes_run_for(bed, 10 * S);
    since = pd_log_memory_count(bed->storage, PD_LOG_MEMBERS, 0);
    began_ns = bed->loop.now_ns;
    pd_node_leave(bed->nodes[2].node);
    UNTIL(bed, nodes_owned_by(&bed->nodes[0], "a") + nodes_owned_by(&bed->nodes[0], "b") ==
                   PARTITION_COUNT);
    for (int i = 0; i < 3; i++)
        assert_in_range(repetitions_of(bed, bed->nodes[i].name, since), 0,
                        (bed->loop.now_ns - began_ns) / (200 * MS) + 1);
}

/* Calls that come to it until it ends are sent on to them. */
static void test_who_has_left_knows_the_new_owners(void **state)
{
    bed_t *bed = *state;

    nodes_three(bed);
    for (int round = 0; round < 12; round++) {
        one_node_t *self = &bed->nodes[round % 3];
        const char *name = self->name;

        pd_node_leave(self->node);
        UNTIL(bed, self->state == PD_NODE_LEFT);
        assert_int_not_equal(nodes_owned_by(self, name), -1);
        assert_int_equal(nodes_owned_by(self, name), 0);
        nodes_stop(self);
        nodes_start(bed, (uint32_t)(round % 3), name);
        UNTIL(bed, nodes_are_settled(bed));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_takes_over_says_so, nodes_make, nodes_drop),
        cmocka_unit_test_setup_teardown(test_a_clean_stop_gives_everything_away_first, nodes_make,
                                        nodes_drop),
        cmocka_unit_test_setup_teardown(test_who_leaves_lets_go_of_nothing_before, nodes_make,
                                        nodes_drop),
        cmocka_unit_test_setup_teardown(test_only_news_are_told_at_once, nodes_make, nodes_drop),
        cmocka_unit_test_setup_teardown(test_who_has_left_knows_the_new_owners, nodes_make,
                                        nodes_drop),
    };

    return cmocka_run_group_tests(tests, nodes_make_group, nodes_drop_group);
}
