/* test_assignment.c -- who should have which partition: shares, stability, takeover, moving. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "engine/cluster/assignment.h"

enum { MEMBER_MAX = 12, PARTITION_MAX = 64 };

typedef struct world {
    pd_member_t members[MEMBER_MAX];
    pd_member_partition_t said[MEMBER_MAX][PARTITION_MAX];
    char names[MEMBER_MAX][16];
    bool dead[MEMBER_MAX];
    uint32_t member_count, partition_count;
    pd_assignment_t out[PARTITION_MAX]; /* indices are those of `members` */
} world_t;

static world_t world;

static void make(uint32_t member_count, uint32_t partition_count)
{
    memset(&world, 0, sizeof(world));
    world.member_count = member_count;
    world.partition_count = partition_count;
    for (uint32_t i = 0; i < member_count; i++) {
        snprintf(world.names[i], sizeof(world.names[i]), "node-%02u", i);
        world.members[i].name = world.names[i];
        world.members[i].partitions = world.said[i];
        for (uint32_t p = 0; p < partition_count; p++)
            world.said[i][p] = (pd_member_partition_t){PD_MEMBER_NONE, -1, -1, -1, false};
    }
}

static void assign(void)
{
    const pd_member_t *alive[MEMBER_MAX];
    int32_t index_of[MEMBER_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < world.member_count; i++) {
        if (world.dead[i])
            continue;
        index_of[count] = (int32_t)i;
        alive[count++] = &world.members[i];
    }
    pd_assignment_make(alive, count, world.partition_count, world.out);
    for (uint32_t p = 0; p < world.partition_count; p++) {
        int32_t *indices[] = {&world.out[p].owner, &world.out[p].preferred, &world.out[p].standby,
                              &world.out[p].taker};

        for (size_t k = 0; k < PD_ARRAY_COUNT(indices); k++)
            *indices[k] = *indices[k] < 0 ? -1 : index_of[*indices[k]];
    }
}

/* The preferred one owns, the standby one follows, everywhere. */
static void settle(void)
{
    assign();
    for (uint32_t p = 0; p < world.partition_count; p++) {
        for (uint32_t i = 0; i < world.member_count; i++)
            world.said[i][p] = (pd_member_partition_t){PD_MEMBER_NONE, 10, 99, 100, false};
        world.said[world.out[p].preferred][p].role = PD_MEMBER_OWNER;
        if (world.out[p].standby >= 0)
            world.said[world.out[p].standby][p].role = PD_MEMBER_STANDBY;
    }
    assign();
}

static void test_shares_are_bounded(void **state)
{
    for (uint32_t members = 1; members <= MEMBER_MAX; members++) {
        for (uint32_t partitions = 1; partitions <= PARTITION_MAX; partitions++) {
            uint32_t preferred[MEMBER_MAX] = {0}, standby[MEMBER_MAX] = {0};
            uint32_t share = (partitions + members - 1) / members;

            make(members, partitions);
            assign();
            for (uint32_t p = 0; p < partitions; p++) {
                assert_true(world.out[p].preferred >= 0);
                assert_int_equal(world.out[p].standby < 0, members == 1);
                assert_int_not_equal(world.out[p].preferred, world.out[p].standby);
                assert_int_equal(world.out[p].taker, world.out[p].preferred);
                assert_true(world.out[p].vacant);
                assert_int_equal(world.out[p].owner, -1);
                assert_true(++preferred[world.out[p].preferred] <= share);
                if (members > 2) /* of two, the other one */
                    assert_true(++standby[world.out[p].standby] <= 2 * share + 1);
            }
        }
    }
}

/* A member that goes takes little of the others' assignment along. */
static void test_a_death_moves_little(void **state)
{
    uint32_t moved = 0, kept = 0;

    for (uint32_t members = 2; members <= MEMBER_MAX; members++) {
        for (uint32_t gone = 0; gone < members; gone++) {
            pd_assignment_t before[PARTITION_MAX];

            make(members, PARTITION_MAX);
            assign();
            memcpy(before, world.out, sizeof(before));
            world.dead[gone] = true;
            assign();
            for (uint32_t p = 0; p < PARTITION_MAX; p++) {
                assert_int_not_equal(world.out[p].preferred, (int32_t)gone);
                if (before[p].preferred == (int32_t)gone)
                    continue;
                moved += world.out[p].preferred != before[p].preferred;
                kept += world.out[p].preferred == before[p].preferred;
            }
        }
    }
    assert_true(moved * 4 < kept);
}

static void test_owners_stay_whatever_is_preferred(void **state)
{
    make(3, 16);
    settle();
    for (uint32_t p = 0; p < 16; p++) {
        assert_int_equal(world.out[p].owner, world.out[p].preferred);
        assert_int_equal(world.out[p].taker, -1);
        assert_false(world.out[p].release);
    }
    /* One more joins and follows nothing yet: nothing moves to it. */
    world.member_count = 4;
    snprintf(world.names[3], sizeof(world.names[3]), "node-03");
    world.members[3].name = world.names[3];
    world.members[3].partitions = world.said[3];
    for (uint32_t p = 0; p < 16; p++)
        world.said[3][p] = (pd_member_partition_t){PD_MEMBER_NONE, -1, -1, -1, false};
    assign();
    for (uint32_t p = 0; p < 16; p++) {
        assert_true(!world.out[p].release || world.out[p].preferred != 3);
        assert_in_range(world.out[p].owner, 0, 2);
    }
}

static uint32_t release_count(int32_t *which)
{
    uint32_t count = 0;

    for (uint32_t p = 0; p < world.partition_count; p++) {
        if (world.out[p].release) {
            *which = (int32_t)p;
            count++;
        }
    }
    return count;
}

/* Everything is with one; two more have come and follow what is to be theirs. One partition moves
 * at a time, until each has what is preferred. */
static void test_one_partition_moves_at_a_time(void **state)
{
    int32_t last = -1, which = -1;
    uint32_t moves = 0;

    make(3, 16);
    assign();
    for (uint32_t p = 0; p < 16; p++) {
        for (uint32_t i = 0; i < 3; i++)
            world.said[i][p] = (pd_member_partition_t){PD_MEMBER_STANDBY, 10, 99, 100, false};
        world.said[0][p].role = PD_MEMBER_OWNER;
    }
    for (assign(); release_count(&which) == 1; assign(), moves++) {
        assert_true(which > last);
        last = which;
        assert_true(moves < 16);
        world.said[0][which].role = PD_MEMBER_RELEASED;
        assign();
        assert_int_equal(release_count(&which), 0); /* it is on its way */
        assert_int_equal(world.out[which].taker, world.out[which].preferred);
        assert_true(world.out[which].vacant);
        world.said[world.out[which].taker][which].role = PD_MEMBER_OWNER;
        world.said[world.out[which].taker][which].epoch = 20;
    }
    assert_true(moves > 8);
    for (uint32_t p = 0; p < 16; p++)
        assert_int_equal(world.out[p].owner, world.out[p].preferred);
}

static void test_no_move_to_who_lags(void **state)
{
    int32_t which;

    make(2, 16);
    assign();
    for (uint32_t p = 0; p < 16; p++) {
        int32_t other = world.out[p].preferred == 0 ? 1 : 0;

        world.said[world.out[p].preferred][p] =
            (pd_member_partition_t){PD_MEMBER_STANDBY, 10, 100000, 200000, false};
        world.said[other][p] = (pd_member_partition_t){PD_MEMBER_OWNER, 10, 199999, 200000, false};
    }
    assign();
    assert_int_equal(release_count(&which), 0);
    for (uint32_t p = 0; p < 16; p++)
        world.said[world.out[p].preferred][p].applied_offset = 199999 - PD_ASSIGNMENT_LAG_MAX;
    assign();
    assert_int_equal(release_count(&which), 0); /* it would do, were the owner dead */
    for (uint32_t p = 0; p < 16; p++)
        world.said[world.out[p].preferred][p].applied_offset = 199999 - PD_ASSIGNMENT_CAUGHT_UP_MAX;
    assign();
    assert_int_equal(release_count(&which), 1);
    assert_int_equal(which, 0);
}

/* What counts is how far the follower is behind the end that it has heard of itself: the owner's
 * heartbeat may be newer. Before it has heard of any, how far it is behind the owner. */
static void test_lag_is_by_the_followers_own_account(void **state)
{
    pd_member_partition_t *follower;
    int32_t which;

    make(2, 1);
    assign();
    follower = &world.said[world.out[0].preferred][0];
    *follower = (pd_member_partition_t){PD_MEMBER_STANDBY, 10, 194999, 195000, false};
    world.said[!world.out[0].preferred][0] =
        (pd_member_partition_t){PD_MEMBER_OWNER, 10, 199999, 200000, false};
    assign();
    assert_int_equal(release_count(&which), 1);
    follower->end_offset = 200000;
    assign();
    assert_int_equal(release_count(&which), 0);
    follower->end_offset = -1;
    assign();
    assert_int_equal(release_count(&which), 0);
    follower->applied_offset = 199999;
    assign();
    assert_int_equal(release_count(&which), 1);
}

/* Also who leaves waits for that; from the dead the best there is takes over. */
static void test_lagging_followers_are_for_emergencies(void **state)
{
    int32_t which, owner, standby;

    make(3, 1);
    settle();
    owner = world.out[0].owner;
    standby = world.out[0].standby;
    world.said[owner][0].applied_offset = 100000;
    world.said[owner][0].end_offset = 100001;
    world.said[standby][0] = (pd_member_partition_t){PD_MEMBER_STANDBY, 10, 95000, 100001, false};
    world.members[owner].leaving = true;
    assign();
    assert_int_equal(release_count(&which), 0);
    world.dead[owner] = true;
    assign();
    assert_int_equal(world.out[0].taker, standby);
    for (int32_t i = 0; i < 3; i++) { /* and somebody better, if there is */
        if (i != owner && i != standby)
            world.said[i][0] =
                (pd_member_partition_t){PD_MEMBER_STANDBY, 10, 100000, 100001, false};
    }
    assign();
    assert_int_not_equal(world.out[0].taker, standby);
}

static void test_a_dead_owners_partition_goes_to_its_standby(void **state)
{
    make(3, 16);
    settle();
    world.dead[1] = true;
    for (uint32_t p = 0; p < 16; p++) {
        int32_t owner = world.out[p].owner, standby = world.out[p].standby;

        assign();
        if (owner == 1) {
            assert_int_equal(world.out[p].owner, -1);
            assert_false(world.out[p].vacant);
            assert_int_equal(world.out[p].taker, standby);
        } else {
            assert_int_equal(world.out[p].owner, owner);
        }
        world.dead[1] = false;
        assign();
        world.dead[1] = true;
    }
}

static void test_the_caught_up_follower_takes_it(void **state)
{
    make(3, 1);
    for (uint32_t behind = 0; behind < 3; behind++) {
        for (uint32_t i = 0; i < 3; i++)
            world.said[i][0] =
                (pd_member_partition_t){PD_MEMBER_STANDBY, 10, 500000, 500001, false};
        world.said[behind][0].applied_offset = 0;
        assign();
        assert_int_not_equal(world.out[0].taker, (int32_t)behind);
    }
}

/* A follower has read of a newer owner than the one who still says that it owns. */
static void test_an_older_claim_is_void(void **state)
{
    make(3, 1);
    world.said[0][0] = (pd_member_partition_t){PD_MEMBER_OWNER, 10, 50, 51, false};
    world.said[1][0] = (pd_member_partition_t){PD_MEMBER_STANDBY, 60, 60, 61, false};
    assign();
    assert_int_equal(world.out[0].owner, -1);
    assert_int_equal(world.out[0].epoch, 60);
    assert_false(world.out[0].vacant);
    world.said[2][0] = (pd_member_partition_t){PD_MEMBER_OWNER, 60, 60, 61, false};
    assign();
    assert_int_equal(world.out[0].owner, 2);
}

static void test_who_leaves_gives_all_away(void **state)
{
    int32_t which;
    uint32_t moves = 0;

    make(3, 16);
    settle();
    world.members[2].leaving = true;
    for (assign(); release_count(&which) == 1; assign(), moves++) {
        assert_int_equal(world.out[which].owner, 2);
        assert_int_not_equal(world.out[which].preferred, 2);
        assert_true(moves < 16);
        world.said[2][which].role = PD_MEMBER_RELEASED;
        assign();
        assert_int_not_equal(world.out[which].taker, 2);
        assert_int_equal(world.said[world.out[which].taker][which].role, PD_MEMBER_STANDBY);
        world.said[world.out[which].taker][which] =
            (pd_member_partition_t){PD_MEMBER_OWNER, 20, 99, 100, false};
    }
    for (uint32_t p = 0; p < 16; p++)
        assert_int_not_equal(world.out[p].owner, 2);
}

static void test_nothing_else_moves_while_somebody_leaves(void **state)
{
    int32_t which, preferred;

    make(3, 1);
    settle();
    world.members[2].leaving = true;
    assign();
    preferred = world.out[0].preferred;
    world.said[preferred][0] = (pd_member_partition_t){PD_MEMBER_STANDBY, 10, 99, 100, false};
    world.said[1 - preferred][0] = (pd_member_partition_t){PD_MEMBER_OWNER, 10, 99, 100, false};
    world.said[2][0].role = PD_MEMBER_NONE;
    assign();
    assert_int_equal(world.out[0].owner, 1 - preferred);
    assert_int_equal(release_count(&which), 0);
    world.dead[2] = true;
    assign();
    assert_int_equal(release_count(&which), 1);
}

static void test_nobody_follows_who_leaves(void **state)
{
    int32_t which;

    make(2, 1);
    settle();
    world.said[0][0] = (pd_member_partition_t){PD_MEMBER_OWNER, 10, 99, 100, false};
    world.said[1][0] = (pd_member_partition_t){PD_MEMBER_NONE, 10, 0, 0, false};
    world.members[0].leaving = true;
    assign();
    assert_true(world.out[0].owner_leaves);
    assert_false(world.out[0].followed);
    assert_int_equal(release_count(&which), 0);
    assert_int_equal(world.out[0].preferred, 1);
    world.said[1][0].role = PD_MEMBER_STANDBY;
    world.said[0][0].applied_offset = world.said[1][0].applied_offset + PD_ASSIGNMENT_LAG_MAX + 1;
    assign();
    assert_true(world.out[0].followed);
    assert_int_equal(release_count(&which), 0);
    world.said[1][0].applied_offset += 1;
    assign();
    assert_int_equal(release_count(&which), 1);
}

static void test_the_last_one_keeps_all_until_it_is_gone(void **state)
{
    int32_t which;

    make(1, 4);
    settle();
    world.members[0].leaving = true;
    assign();
    assert_int_equal(release_count(&which), 0);
    assert_int_equal(world.out[0].owner, 0);
    assert_int_equal(world.out[0].preferred, -1);
    make(0, 4);
    assign();
    assert_int_equal(world.out[3].taker, -1);
}

static void test_a_failed_disk_gets_nothing(void **state)
{
    make(3, 16);
    settle();
    for (uint32_t p = 0; p < 16; p++)
        world.said[0][p].role = PD_MEMBER_FAILED;
    assign();
    for (uint32_t p = 0; p < 16; p++) {
        assert_int_not_equal(world.out[p].preferred, 0);
        assert_int_not_equal(world.out[p].standby, 0);
        assert_int_not_equal(world.out[p].owner, 0);
        assert_int_not_equal(world.out[p].taker, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares_are_bounded),
        cmocka_unit_test(test_a_death_moves_little),
        cmocka_unit_test(test_owners_stay_whatever_is_preferred),
        cmocka_unit_test(test_one_partition_moves_at_a_time),
        cmocka_unit_test(test_no_move_to_who_lags),
        cmocka_unit_test(test_lag_is_by_the_followers_own_account),
        cmocka_unit_test(test_lagging_followers_are_for_emergencies),
        cmocka_unit_test(test_a_dead_owners_partition_goes_to_its_standby),
        cmocka_unit_test(test_the_caught_up_follower_takes_it),
        cmocka_unit_test(test_an_older_claim_is_void),
        cmocka_unit_test(test_who_leaves_gives_all_away),
        cmocka_unit_test(test_nothing_else_moves_while_somebody_leaves),
        cmocka_unit_test(test_nobody_follows_who_leaves),
        cmocka_unit_test(test_the_last_one_keeps_all_until_it_is_gone),
        cmocka_unit_test(test_a_failed_disk_gets_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
