/* nodes_bed.h -- whole nodes over one log in memory, under a clock that the test moves.
 *
 * Thread: one. Ownership: the bed owns its nodes. */
#ifndef PD_TESTS_UNIT_CLUSTER_NODES_BED_H
#define PD_TESTS_UNIT_CLUSTER_NODES_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/node/node.h"
#include "log/memory/memory.h"
#include "tests/unit/log/manual_loop.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)

enum { NODE_MAX = 4, PARTITION_COUNT = 8, STEP_MAX = 2000000 };

typedef struct one_node {
    struct bed *bed;
    const char *name;
    pd_loop_t *loops[1];
    pd_log_t *log;
    pd_store_shared_t *shared;
    pd_namespaces_t *namespaces;
    pd_node_t *node;
    pd_node_state_t state;
    pd_cluster_view_t *view; /* the newest that was posted */
} one_node_t;

typedef struct bed {
    manual_loop_t loop;
    pd_log_memory_t *storage;
    one_node_t nodes[NODE_MAX];
} bed_t;

#define UNTIL(bed, condition)                                                                      \
    for (int step_ = 0; !(condition); step_++)                                                     \
    assert_true(step_ < STEP_MAX && manual_loop_step(&(bed)->loop))

extern pd_record_codec_t *nodes_member_codec;

/* Of the group of tests: the codecs. */
int nodes_make_group(void **state);
int nodes_drop_group(void **state);
/* Of one test: its bed. */
int nodes_make(void **state);
int nodes_drop(void **state);

void nodes_run_for(bed_t *bed, int64_t ns);
one_node_t *nodes_start(bed_t *bed, uint32_t index, const char *name);
void nodes_stop(one_node_t *self);
void nodes_crash(one_node_t *self);
/* "a", "b", "c", settled. */
void nodes_three(bed_t *bed);

/* How many partitions the member owns, in the view of `self`; -1: some have no owner. */
int nodes_owned_by(const one_node_t *self, const char *name);
int nodes_really_owned(const one_node_t *self);
/* Every partition is owned by its preferred member, and the views of all agree with the facts. */
bool nodes_are_settled(bed_t *bed);
uint64_t nodes_owner_changes(const bed_t *bed);

#endif
