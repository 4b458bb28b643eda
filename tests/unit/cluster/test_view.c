/* test_view.c -- where task queues are at home. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/cluster/view.h"

enum { QUEUE_COUNT = 200 };

static const pd_cluster_place_t places[2][1] = {{{.owner = 0, .epoch = 1}},
                                                {{.owner = 2, .epoch = 7}}};

static pd_cluster_view_t view_of(const pd_cluster_member_t *members, uint32_t count, int owned)
{
    return (pd_cluster_view_t){.member_count = count,
                               .members = members,
                               .partition_count = 1,
                               .partitions = places[owned]};
}

static uint32_t moved_count(const pd_cluster_view_t *a, const pd_cluster_view_t *b)
{
    uint32_t count = 0;

    for (int i = 0; i < QUEUE_COUNT; i++) {
        char queue[16];

        snprintf(queue, sizeof(queue), "queue-%d", i);
        count += a->members[pd_cluster_view_home(a, "ns", queue)].name !=
                 b->members[pd_cluster_view_home(b, "ns", queue)].name;
    }
    return count;
}

static void test_homes_move_with_members_only(void **state)
{
    const pd_cluster_member_t before[] = {
        {"a", "1", "h:1", false}, {"b", "1", "h:2", false}, {"c", "1", "h:3", false}};
    const pd_cluster_member_t leaving[] = {before[0], before[1], {"c", "1", "h:3", true}};
    const pd_cluster_member_t again[] = {before[0], {"b", "2", "h:2", false}, before[2]};
    pd_cluster_view_t was = view_of(before, 3, 0), owned = view_of(before, 3, 1);
    pd_cluster_view_t leaves = view_of(leaving, 3, 0), gone = view_of(before, 2, 0);
    pd_cluster_view_t restarted = view_of(again, 3, 0);

    assert_true(pd_cluster_view_same_homes(&was, &owned));
    assert_int_equal(moved_count(&was, &owned), 0);
    assert_false(pd_cluster_view_same_homes(&was, &leaves));
    assert_in_range(moved_count(&was, &leaves), QUEUE_COUNT / 6, QUEUE_COUNT / 2);
    assert_int_equal(moved_count(&leaves, &gone), 0);
    assert_false(pd_cluster_view_same_homes(&was, &gone));
    assert_false(pd_cluster_view_same_homes(&was, &restarted)); /* it has nothing in memory */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_homes_move_with_members_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
