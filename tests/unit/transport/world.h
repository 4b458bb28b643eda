/* world.h -- what the parts of test_messages.c share. */
#ifndef PD_TESTS_UNIT_TRANSPORT_WORLD_H
#define PD_TESTS_UNIT_TRANSPORT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/partition/partition_private.h"
#include "log/memory/memory.h"
#include "tests/sim/sim_loop.h"

#define MS INT64_C(1000000)
#define S INT64_C(1000000000)

enum {
    PARTITION_COUNT = 3,
    SERVER_COUNT = 2,
    WORKFLOW_COUNT = 12,
    FAULTY_ROUNDS = 60,
    CALM_STEP_MAX = 300000,
    LOOP_BROKER = 0,
    FOREIGN_COUNT = 4, /* partitions of the mapped topic */
    ORDER_COUNT_MAX = 4000,
};

typedef struct server {
    pd_log_t *log;
    pd_senders_t *senders;
    pd_partition_t *partitions[PARTITION_COUNT];
    pd_loop_t *loop;
} server_t;

typedef struct world {
    uint64_t seed;
    pd_random_t random;
    sim_loops_t loops;
    pd_log_memory_t *storage;
    pd_store_shared_t *store_shared;
    pd_namespaces_t *namespaces;
    pd_record_codec_t *codec, *command_codec, *rejected_codec;
    server_t servers[SERVER_COUNT];
    bool calm;
    pd_mapping_t *mapping;
    const pd_mapping_t *mappings[1];
    /* Records of the mapped topic; orders are numbered, in the order of production. */
    int order_count, garbage_count;
    int seen[ORDER_COUNT_MAX];
    int64_t produced[FOREIGN_COUNT]; /* end offsets */
    int last_order[FOREIGN_COUNT][WORKFLOW_COUNT];
} world_t;

/* What counts in the logs: everything said was received, once, by the one it was for; how many. */
size_t check_all_received(world_t *world);
/* After that: every order is in a history, once, and behind the earlier ones of its source. */
void check_orders(world_t *world);

#endif
