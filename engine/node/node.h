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

#include "engine/cluster/cluster.h"
#include "engine/frontend/router.h"
#include "engine/partition/partition.h"
#include "engine/partitioner.h"

typedef struct pd_node pd_node_t;

/* How the node is one of several (engine/cluster/cluster.h says what the times mean). */
typedef struct pd_node_cluster_options {
    pd_loop_t *loop; /* not one that partitions keep busy, if heartbeats are to come in time */
    const char *address;
    const char *version;
    const pd_record_codec_t *member_codec; /* of perdure.v1.Member */
    int64_t heartbeat_interval_ns;
    int64_t dead_after_ns;
    int64_t leave_ns;
    int64_t settle_ns;
    int64_t failed_retry_ns; /* a partition whose disk failed here is tried again after this */
} pd_node_cluster_options_t;

/* The way to other nodes, for tasks (engine/forward). @thread engine loops */
typedef struct pd_node_far {
    /* A ready task whose queue is at home elsewhere; borrowed for the call. */
    void (*offer)(void *ctx, const pd_offer_t *offer);
    /* Takes the poll: a task of another node (task->far_node) is to be started for it. */
    void (*start)(void *ctx, pd_poll_t *poll, const pd_offer_t *task);
    void *ctx;
} pd_node_far_t;

typedef struct pd_node_options {
    const char *name;
    const char *data_path; /* partitions' stores go into data_path/state/N */
    uint32_t partition_count;
    pd_loop_t *const *loops;
    uint32_t loop_count;
    pd_log_t *log;
    const pd_record_codec_t *codec;
    const pd_record_codec_t *command_codec, *rejected_codec;
    const pd_mapping_t *const *mappings; /* topics to be ingested; borrowed */
    size_t mapping_count;
    pd_store_shared_t *store_shared;
    size_t store_cache_size_max; /* bytes, of each partition */
    size_t flush_size;           /* bytes of dirty rows, of each partition */
    size_t dirty_size_max;       /* see pd_partition_options_t */
    int64_t flush_delay_ns;
    int64_t standstill_ns; /* see pd_partition_options_t */
    pd_namespaces_t *namespaces;
    pd_partition_snapshots_t snapshots;
    bool disk_on_thread;                      /* partitions' stores */
    int64_t command_id_keep_ns;               /* 0: 24 h */
    const char *default_namespace;            /* registered when missing; NULL: none */
    const pd_node_cluster_options_t *cluster; /* NULL: alone, every partition is owned here */
    uint64_t seed;
    pd_metrics_t *metrics;       /* NULL: nobody is told */
    int64_t (*precise_ns)(void); /* see pd_partition_options_t */
    pd_node_far_t far;           /* NULL functions: there are no other nodes */
} pd_node_options_t;

typedef enum pd_node_state {
    PD_NODE_STARTING,
    PD_NODE_READY,   /* every partition is owned; in a cluster: it has joined */
    PD_NODE_DEAF,    /* in a cluster: the log has not brought its own heartbeats for long: others
                        have what it owned, and it does not know who */
    PD_NODE_FAILED,  /* some partition needs an operator; in a cluster: another process has joined
                        under this name, so this one must stop */
    PD_NODE_LEFT,    /* in a cluster: others have what it had; it may still answer who asks */
    PD_NODE_STOPPED, /* every partition is stopped */
} pd_node_state_t;

pd_node_t *pd_node_new(const pd_node_options_t *options);
void pd_node_free(pd_node_t *node);

/* `changed` runs on some engine loop, one at a time, with no lock held. The newest state is always
 * told; of those that follow one another quickly some may not be. */
void pd_node_start(pd_node_t *node, void (*changed)(void *ctx, pd_node_state_t state), void *ctx);
/* Answers every waiting poll empty, of histories too, now and from now on: the first step of a
 * shutdown. */
void pd_node_release_polls(pd_node_t *node);
/* In a cluster: gives its partitions away while it goes on serving; then LEFT is told. @thread any
 */
void pd_node_leave(pd_node_t *node);
/* Drains, flushes, closes; then STOPPED is told. In a cluster it leaves before, if it has not yet.
 */
void pd_node_stop(pd_node_t *node);
/* As if the process had died. For the simulator, whose loop runs on the calling thread. */
void pd_node_crash(pd_node_t *node);

/* NULL: alone. For its views. */
pd_cluster_t *pd_node_cluster(pd_node_t *node);
pd_router_t pd_node_router(pd_node_t *node);
/* Sets the gauges of all partitions. One caller at a time. @thread any */
void pd_node_collect_metrics(pd_node_t *node);

/* ---- one of several nodes: see far in the options ---- */

/* The cluster has changed: where task queues are at home. Takes a reference. Without a view all are
 * at home here. @thread any */
void pd_node_set_view(pd_node_t *node, pd_cluster_view_t *view);
/* Ready tasks that are at home elsewhere are offered once more. @thread any */
void pd_node_offer_again(pd_node_t *node);
/* Of another node, to the queue's home here. Copies. @thread any */
void pd_node_offer(pd_node_t *node, const pd_offer_t *offer);
/* Back to the front of its queue. @thread any */
void pd_node_return_poll(pd_node_t *node, pd_poll_t *poll);
/* Starts the task for a poll that waits on another node (poll->is_far): its call is answered with
 * the Poll…Response, or fails. Strings live as long as the call. @thread any */
void pd_node_start_task(pd_node_t *node, pd_poll_t *poll, const pd_offer_t *task);

/* For tests, dumps and the simulator. */
pd_partition_t *pd_node_partition(pd_node_t *node, uint32_t index);

#endif
