/* node.h -- one node: its partitions and matchings, spread over engine loops, and the router that
 * leads calls to them.
 *
 * Where things live is arithmetic, the same on every thread: a workflow in the partition that
 * Kafka's default partitioner gives its ID, a partition on loop (index mod loops), a task queue's
 * home on loop (hash mod loops).
 *
 * Thread: _new, _free: main, while no loop runs or all have ended. _start, _stop: any. The router's
 * functions: a frontend's loop. Ownership: borrows loops, log, codec, namespaces until _free. */
#ifndef PD_ENGINE_NODE_NODE_H
#define PD_ENGINE_NODE_NODE_H

#include "engine/frontend/router.h"
#include "engine/partition/partition.h"
#include "engine/partitioner.h"

typedef struct pd_node pd_node_t;

typedef struct pd_node_options {
    const char *name;
    const char *data_path; /* partitions' stores go into data_path/state/N */
    uint32_t partition_count;
    pd_loop_t *const *loops;
    uint32_t loop_count;
    pd_log_t *log;
    const pd_record_codec_t *codec;
    const pd_record_codec_t *command_codec, *rejected_codec;
    pd_store_shared_t *store_shared;
    size_t store_cache_size_max; /* bytes, of each partition */
    size_t flush_size;           /* bytes of dirty rows, of each partition */
    int64_t flush_delay_ns;
    pd_namespaces_t *namespaces;
    pd_partition_snapshots_t snapshots;
    const char *default_namespace; /* registered when missing; NULL: none */
    uint64_t seed;
    pd_metrics_t *metrics;       /* NULL: nobody is told */
    int64_t (*precise_ns)(void); /* see pd_partition_options_t */
} pd_node_options_t;

typedef enum pd_node_state {
    PD_NODE_STARTING,
    PD_NODE_READY,   /* every partition is owned */
    PD_NODE_FAILED,  /* some partition needs an operator */
    PD_NODE_STOPPED, /* every partition is stopped */
} pd_node_state_t;

pd_node_t *pd_node_new(const pd_node_options_t *options);
void pd_node_free(pd_node_t *node);

/* `changed` runs on some engine loop, one at a time. */
void pd_node_start(pd_node_t *node, void (*changed)(void *ctx, pd_node_state_t state), void *ctx);
/* Answers every waiting poll empty, of histories too, now and from now on: the first step of a
 * shutdown. */
void pd_node_release_polls(pd_node_t *node);
/* Drains, flushes, closes; then STOPPED is told. */
void pd_node_stop(pd_node_t *node);
/* As if the process had died. For the simulator, whose loop runs on the calling thread. */
void pd_node_crash(pd_node_t *node);

pd_router_t pd_node_router(pd_node_t *node);
/* Sets the gauges of all partitions. One caller at a time. @thread any */
void pd_node_collect_metrics(pd_node_t *node);
/* For tests, dumps and the simulator. */
pd_partition_t *pd_node_partition(pd_node_t *node, uint32_t index);

#endif
