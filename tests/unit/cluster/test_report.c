/* test_report.c -- what `perdure cluster status` shows of nodes and partitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "engine/program/cluster_report.h"

#define S INT64_C(1000000000)

enum { PARTITION_COUNT = 3 };

typedef struct bed {
    pd_cluster_report_t report;
    pd_assignment_t assignments[PARTITION_COUNT];
    int64_t end_offsets[PARTITION_COUNT];
    char *text;
} bed_t;

/* Partition 0 is the node's; 1 it follows; 2 it takes over if `acquires`, else follows. */
static void beat(bed_t *bed, const char *name, bool owns, bool acquires, int64_t epoch)
{
    Perdure__V1__Heartbeat heartbeat = PERDURE__V1__HEARTBEAT__INIT;
    Perdure__V1__PartitionStatus statuses[PARTITION_COUNT], *pointers[PARTITION_COUNT];

    for (int i = 0; i < PARTITION_COUNT; i++) {
        perdure__v1__partition_status__init(&statuses[i]);
        statuses[i].partition = i;
        statuses[i].role = owns && i == 0 ? PERDURE__V1__PARTITION_STATUS__ROLE__ROLE_OWNER
                                          : PERDURE__V1__PARTITION_STATUS__ROLE__ROLE_STANDBY;
        statuses[i].epoch = epoch;
        statuses[i].applied_offset = 90 + i;
        statuses[i].acquiring = acquires && i == 2;
        pointers[i] = &statuses[i];
    }
    heartbeat.node = (char *)name;
    heartbeat.incarnation = (char *)"1";
    heartbeat.address = (char *)"127.0.0.1:7233";
    heartbeat.version = (char *)"test";
    heartbeat.partitions = pointers;
    heartbeat.n_partitions = PARTITION_COUNT;
    assert_int_equal(pd_members_heartbeat(bed->report.members, &heartbeat, 10 * S), PD_OK);
}

static void judge(bed_t *bed)
{
    pd_cluster_report_t *report = &bed->report;
    const pd_member_t *const *all;

    report->alive_count = pd_members_all(report->members, &all);
    memcpy(report->alive, all, report->alive_count * sizeof(all[0]));
    pd_assignment_make(report->alive, report->alive_count, PARTITION_COUNT, bed->assignments);
}

static const char *printed(bed_t *bed, void (*print)(const pd_cluster_report_t *report, FILE *to))
{
    size_t size;
    FILE *to;

    free(bed->text);
    to = open_memstream(&bed->text, &size);
    assert_non_null(to);
    print(&bed->report, to);
    assert_int_equal(fclose(to), 0);
    return bed->text;
}

static int make(void **state)
{
    bed_t *bed = calloc(1, sizeof(*bed));

    bed->report = (pd_cluster_report_t){
        .members = pd_members_new(PARTITION_COUNT, S),
        .now_ns = 10 * S,
        .partition_count = PARTITION_COUNT,
        .assignments = bed->assignments,
        .end_offsets = bed->end_offsets,
    };
    for (int i = 0; i < PARTITION_COUNT; i++)
        bed->end_offsets[i] = 100;
    *state = bed;
    return 0;
}

static int drop(void **state)
{
    bed_t *bed = *state;

    pd_members_free(bed->report.members);
    free(bed->text);
    free(bed);
    return 0;
}

static void test_who_takes_a_partition_over_is_named(void **state)
{
    bed_t *bed = *state;
    json_t *root, *partitions;

    beat(bed, "a", true, false, 7);
    beat(bed, "b", false, true, 7);
    judge(bed);
    root = json_loads(printed(bed, pd_cluster_report_json), 0, NULL);
    partitions = json_object_get(root, "partitions");
    assert_int_equal(json_array_size(partitions), PARTITION_COUNT);
    for (size_t i = 0; i < PARTITION_COUNT; i++) {
        json_t *one = json_array_get(partitions, i);
        const char *owner = json_string_value(json_object_get(one, "owner"));
        json_t *acquiring = json_object_get(one, "acquiring");

        if (i == 0)
            assert_string_equal(owner, "a");
        else
            assert_null(owner);
        if (i == 2)
            assert_true(json_is_string(acquiring) &&
                        strcmp(json_string_value(acquiring), "b") == 0);
        else
            assert_true(json_is_null(acquiring));
    }
    json_decref(root);
    assert_non_null(strstr(printed(bed, pd_cluster_report_table), "ACQUIRING"));
    assert_non_null(strstr(bed->text, "\n        0 a                    -  "));
    assert_non_null(strstr(bed->text, "\n        1 -                    -  "));
    assert_non_null(strstr(bed->text, "\n        2 -                    b  "));
    assert_false(pd_cluster_report_all_owned(&bed->report));
}

/* Its attempt is of an epoch that is over. */
static void test_who_tried_before_the_newest_owner_is_not(void **state)
{
    bed_t *bed = *state;

    beat(bed, "a", true, false, 8);
    beat(bed, "b", false, true, 7);
    judge(bed);
    assert_null(strstr(printed(bed, pd_cluster_report_json), "\"acquiring\":\"b\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_takes_a_partition_over_is_named, make, drop),
        cmocka_unit_test_setup_teardown(test_who_tried_before_the_newest_owner_is_not, make, drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
