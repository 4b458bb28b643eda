/* test_members.c -- the table of members: lives of one name, who is alive, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/cluster/members.h"

#define S INT64_C(1000000000)

static int make(void **state)
{
    *state = pd_members_new(2, S);
    return 0;
}

static int drop(void **state)
{
    pd_members_free(*state);
    return 0;
}

static pd_status_t beat(pd_members_t *members, const char *name, const char *incarnation,
                        int64_t now_ns)
{
    Perdure__V1__Heartbeat heartbeat = PERDURE__V1__HEARTBEAT__INIT;
    Perdure__V1__PartitionStatus statuses[3], *pointers[3];

    for (int i = 0; i < 3; i++) { /* the last is beyond the cluster's partitions */
        perdure__v1__partition_status__init(&statuses[i]);
        statuses[i].partition = i == 2 ? 77 : i;
        statuses[i].role = i == 1 ? 99 : PERDURE__V1__PARTITION_STATUS__ROLE__ROLE_OWNER;
        statuses[i].epoch = 5;
        statuses[i].acquiring = i == 1;
        pointers[i] = &statuses[i];
    }
    heartbeat.node = (char *)name;
    heartbeat.incarnation = (char *)incarnation;
    heartbeat.address = (char *)"127.0.0.1:7233";
    heartbeat.partitions = pointers;
    heartbeat.n_partitions = 3;
    return pd_members_heartbeat(members, &heartbeat, now_ns);
}

static bool is_alive(pd_members_t *members, const char *name, int64_t at_ns)
{
    const pd_member_t *member = pd_members_find(members, name);

    return member && pd_members_is_alive(members, member, at_ns);
}

static void test_alive_while_it_beats(void **state)
{
    pd_members_t *members = *state;

    assert_int_equal(beat(members, "a", "1-x", 10 * S), PD_OK);
    assert_true(is_alive(members, "a", 10 * S));
    assert_true(is_alive(members, "a", 11 * S - 1));
    assert_false(is_alive(members, "a", 11 * S));
    assert_int_equal(beat(members, "a", "1-x", 12 * S), PD_OK);
    assert_true(is_alive(members, "a", 12 * S));
    assert_false(is_alive(members, "b", 12 * S));
}

static void test_what_it_says(void **state)
{
    pd_members_t *members = *state;
    const pd_member_t *a;

    assert_int_equal(beat(members, "a", "1-x", 10 * S), PD_OK);
    a = pd_members_find(members, "a");
    assert_string_equal(a->address, "127.0.0.1:7233");
    assert_int_equal(a->partitions[0].role, PD_MEMBER_OWNER);
    assert_int_equal(a->partitions[0].epoch, 5);
    assert_false(a->partitions[0].acquiring);
    assert_int_equal(a->partitions[1].role, PD_MEMBER_NONE); /* a role from the future */
    assert_true(a->partitions[1].acquiring);
}

static void test_the_later_life_counts(void **state)
{
    pd_members_t *members = *state;

    assert_int_equal(beat(members, "a", "0000000002-b", 10 * S), PD_OK);
    assert_int_equal(beat(members, "a", "0000000001-z", 11 * S), PD_FENCED);
    assert_false(is_alive(members, "a", 11 * S));
    assert_int_equal(beat(members, "a", "0000000010-a", 11 * S), PD_OK);
    assert_string_equal(pd_members_find(members, "a")->incarnation, "0000000010-a");
    assert_int_equal(beat(members, "a", "0000000002-b", 12 * S), PD_FENCED);
}

static void test_this_nodes_pause_counts_against_nobody(void **state)
{
    pd_members_t *members = *state;

    assert_int_equal(beat(members, "a", "1", 10 * S), PD_OK);
    assert_int_equal(beat(members, "b", "1", 30 * S),
                     PD_OK); /* read before the pause was noticed */
    pd_members_excuse(members, 20 * S, 30 * S + S / 4);
    assert_true(is_alive(members, "a", 30 * S + S / 2));
    assert_false(is_alive(members, "a", 31 * S));
    assert_true(is_alive(members, "b", 31 * S));
    assert_false(is_alive(members, "b", 32 * S));
}

static void test_nonsense_is_refused(void **state)
{
    pd_members_t *members = *state;
    const pd_member_t *const *all;
    char long_name[PD_MEMBER_NAME_SIZE_MAX + 2];

    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(beat(members, "", "1", S), PD_INVALID);
    assert_int_equal(beat(members, "a", "", S), PD_INVALID);
    assert_int_equal(beat(members, long_name, "1", S), PD_INVALID);
    assert_int_equal(beat(members, "a", long_name, S), PD_INVALID);
    assert_int_equal(pd_members_all(members, &all), 0);
}

static void test_the_table_is_bounded(void **state)
{
    pd_members_t *members = *state;
    const pd_member_t *const *all;
    char name[16];

    for (int i = 0; i < PD_MEMBER_COUNT_MAX; i++) {
        snprintf(name, sizeof(name), "node-%03d", (i * 37) % PD_MEMBER_COUNT_MAX);
        assert_int_equal(beat(members, name, "1", 10 * S + i), PD_OK);
    }
    assert_int_equal(beat(members, "one-more", "1", 10 * S + 100), PD_LIMIT);
    /* Once somebody is dead, it is let go of: whoever was heard of least lately. */
    assert_int_equal(beat(members, "one-more", "1", 11 * S + 1), PD_OK);
    assert_null(pd_members_find(members, "node-000"));
    assert_int_equal(pd_members_all(members, &all), PD_MEMBER_COUNT_MAX);
    for (int i = 1; i < PD_MEMBER_COUNT_MAX; i++)
        assert_true(strcmp(all[i - 1]->name, all[i]->name) < 0);
    pd_members_left(members, "one-more");
    pd_members_left(members, "nobody");
    assert_int_equal(pd_members_all(members, &all), PD_MEMBER_COUNT_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_alive_while_it_beats, make, drop),
        cmocka_unit_test_setup_teardown(test_what_it_says, make, drop),
        cmocka_unit_test_setup_teardown(test_the_later_life_counts, make, drop),
        cmocka_unit_test_setup_teardown(test_this_nodes_pause_counts_against_nobody, make, drop),
        cmocka_unit_test_setup_teardown(test_nonsense_is_refused, make, drop),
        cmocka_unit_test_setup_teardown(test_the_table_is_bounded, make, drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
