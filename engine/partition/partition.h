/* partition.h -- one partition: its state, its log, its clock, and the order of things.
 *
 *     STOPPED --start--> IDLE --role STANDBY or OWNER--> FOLLOWING --role OWNER--> ACQUIRING
 *                         ^                               ^  |  ^     (OwnerChanged appended)
 *                         |        role NONE, flushed     |  |  |                   |
 *                         +-------------------------------|--+  |                   | read up to it
 *                         |                               |     |                   v
 *                    LOST: memory dropped -- backoff -----+  RELEASING <--------- OWNER
 *                         ^                              (in flight ends,  role not OWNER
 *                         |                               flushed)
 *                         +-- append failed, unknown, fenced, stuck: from any of them
 *
 *     FAILED: disk or state broken: needs an operator, or another node (failed_retry_ns)
 *     STOPPED: from any of them, by _stop
 *
 * What a partition should be is its *role*; which node gets which role is somebody else's matter
 * (engine/cluster). One that follows applies the log as it grows, without effects, so that it owns
 * the partition as soon as its OwnerChanged has landed.
 * Only an OWNER takes commands; else they are answered UNAVAILABLE, which SDKs retry.
 * Whoever loses the partition drops the store's memory and comes back from RocksDB and the log.
 *
 * Thread: the partition's loop, except where said. */
#ifndef PD_ENGINE_PARTITION_PARTITION_H
#define PD_ENGINE_PARTITION_PARTITION_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "engine/decide/decision.h"
#include "engine/ingest/mapping.h"
#include "engine/matching/matching.h"
#include "engine/metrics.h"
#include "engine/transport/sender.h"
#include "log/log.h"
#include "log/record/record.h"

/* Where offers of ready tasks go: the home of the task queue. */
typedef struct pd_offer_sink {
    void (*offer)(void *ctx, const pd_offer_t *offer);
    void (*poll_returned)(void *ctx, pd_poll_t *poll);
    /* The partition is ours no more: what it offered so far is void. */
    void (*forget)(void *ctx, const pd_partition_t *partition);
    void *ctx;
} pd_offer_sink_t;

/* Snapshots of the state: where, and how often. */
typedef struct pd_partition_snapshots {
    const char *directory; /* NULL: none are made or restored */
    const char *cluster;
    int64_t interval_ns; /* the longest time between two */
    uint64_t log_size;   /* bytes of log that ask for one earlier */
    uint32_t keep;       /* the newest so many; 0: 1 */
    bool prefer_standby; /* an owner waits half as long again */
} pd_partition_snapshots_t;

/* Who tells the other nodes of namespaces. `announce`: the namespace's record counts; `call` (NULL:
 * none) is answered once all nodes will hear of it. The row is lent for the call. */
typedef struct pd_namespace_sink {
    void (*announce)(void *ctx, const Perdure__V1__NamespaceRow *row, pd_call_t *call);
    void *ctx;
} pd_namespace_sink_t;

typedef struct pd_partition_options {
    uint32_t index;
    const char *node; /* name of this node, for OwnerChanged and diagnostics */
    pd_loop_t *loop;
    pd_log_t *log;
    uint32_t partition_count;
    const pd_record_codec_t *codec; /* of perdure.v1.Record */
    const pd_record_codec_t *command_codec, *rejected_codec;
    pd_senders_t *senders; /* of the loop */
    const pd_command_checker_t *checker;
    /* Topics to be ingested; borrowed. */
    const pd_mapping_t *const *mappings;
    size_t mapping_count;
    /* What messages become; NULL: pd_message_kind. */
    const pd_command_kind_t *(*message_kind)(const Perdure__V1__Message *message);
    const char *store_path;
    pd_store_shared_t *store_shared;
    size_t store_cache_size_max;
    pd_namespaces_t *namespaces;
    pd_namespace_sink_t namespace_sink; /* none: this is the only node */
    pd_offer_sink_t sink;
    uint64_t random_seed;
    size_t flush_size;       /* dirty bytes that start a flush */
    size_t dirty_size_max;   /* while one is being written, so many more make the loop wait for the
                                disk; at least flush_size; 0: 64 MiB */
    int64_t flush_delay_ns;  /* at most so long after the first dirty row */
    int64_t standstill_ns;   /* an owner of whom nothing is acknowledged for so long, while the log
                                grows, gives up; 0: 2 s */
    int64_t failed_retry_ns; /* FAILED: try again after this, then after twice as long, and so on;
                                0: never */
    int64_t progress_delay_ns;  /* sent marks and the like are recorded so long after; 0: 5 s */
    int64_t command_id_keep_ns; /* a producer's command ID is known for so long; 0: 24 h */
    pd_metrics_t *metrics;      /* NULL: counted, but told nobody */
    /* A clock that is finer than the loop's turns, for latencies; NULL: those are not measured. */
    int64_t (*precise_ns)(void);
    pd_partition_snapshots_t snapshots;
    bool disk_on_thread; /* see disk.c; false: all on the loop, for the simulator */
} pd_partition_options_t;

typedef enum pd_partition_state {
    PD_PARTITION_IDLE,
    PD_PARTITION_FOLLOWING,
    PD_PARTITION_ACQUIRING,
    PD_PARTITION_OWNER,
    PD_PARTITION_RELEASING,
    PD_PARTITION_LOST,
    PD_PARTITION_FAILED,
    PD_PARTITION_STOPPED,
} pd_partition_state_t;

/* What a partition should be on this node. */
typedef enum pd_partition_role {
    PD_PARTITION_NONE,    /* nothing is open */
    PD_PARTITION_STANDBY, /* reads the log and applies it */
    PD_PARTITION_TO_OWN,
} pd_partition_role_t;

/* How far a partition is, for others to see. */
typedef struct pd_partition_status {
    pd_partition_state_t state;
    bool released;          /* FOLLOWING: it gave the partition up, and nobody has it since */
    int64_t epoch;          /* of the newest owner it knows of; -1: none */
    int64_t applied_offset; /* of the last record that counts; acknowledged, when it owns; -1 */
    int64_t end_offset;     /* of the log, as far as it knows; -1 */
} pd_partition_status_t;

/* What an owner's topic of commands and its outbox are like. */
typedef struct pd_transport_stats {
    int64_t commands_through;    /* consumed, for sure; -1 */
    int64_t commands_end_offset; /* as of the last read; -1: none yet */
    int64_t outbox_waiting;      /* messages that are recorded and not delivered for sure */
    uint64_t received_count;     /* commands that were decided */
    uint64_t repeated_count;     /* … that had been before */
    uint64_t rejected_count, forwarded_count;
} pd_transport_stats_t;

/* Strings are copied; everything else is borrowed until _free. @thread any */
pd_partition_t *pd_partition_new(const pd_partition_options_t *options);
/* The partition must be STOPPED, or never started. @thread any, after the loop has ended */
void pd_partition_free(pd_partition_t *partition);

/* `changed` is told of every change of state. The role is NONE. */
void pd_partition_start(pd_partition_t *partition,
                        void (*changed)(void *ctx, pd_partition_state_t state), void *ctx);
/* What it should be from now on. TO_OWN: taken from owners up to this epoch only (INT64_MAX: from
 * anybody, again and again); when the log tells of a newer one, of another node, or when it is
 * lost, it goes on following until told anew: whoever decided did not know of that. An owner that
 * is told otherwise takes no commands any more, waits for what is in flight, and follows.
 */
void pd_partition_set_role(pd_partition_t *partition, pd_partition_role_t role,
                           int64_t deposes_epoch);
/* Sets the gauges that its status has. One caller at a time. @thread any */
void pd_partition_collect_metrics(pd_partition_t *partition);
/* @thread any */
void pd_partition_status(const pd_partition_t *partition, pd_partition_status_t *status);
/* Long polls of histories are answered as if their time were up, from now on at once. */
void pd_partition_release_waiters(pd_partition_t *partition);
/* Waits for what is in flight, flushes, closes; then STOPPED is told. */
void pd_partition_stop(pd_partition_t *partition);
/* As if the process had died: nothing is flushed or told. For the simulator. */
void pd_partition_crash(pd_partition_t *partition);

/* Takes the command; its call is answered in any case. */
void pd_partition_submit(pd_partition_t *partition, pd_command_t *command);
/* Partition 0 only: registers the namespace, or answers ALREADY_EXISTS. */
void pd_partition_register_namespace(pd_partition_t *partition, pd_call_t *call,
                                     const Perdure__V1__NamespaceRegistered *registered);
/* The client of a waiting call (long poll, query) is gone. */
void pd_partition_cancel(pd_partition_t *partition, pd_call_t *call);
/* A worker answered a direct query: `call` is the worker's. */
void pd_partition_answer_query(
    pd_partition_t *partition, pd_call_t *call, const Perdure__V1__TaskToken *token,
    const Temporal__Api__Workflowservice__V1__RespondQueryTaskCompletedRequest *request);
/* Which task queues are meant, by namespace and (normal) name. Embedded in its maker's object. */
typedef struct pd_offer_filter pd_offer_filter_t;
struct pd_offer_filter {
    bool (*wants)(const pd_offer_filter_t *filter, const char *namespace_id,
                  const char *normal_task_queue);
    void (*free)(pd_offer_filter_t *filter);
    /* Of the partition, while it goes through its tasks. */
    STAILQ_ENTRY(pd_offer_filter) link;
    uint32_t lap;   /* in which it was added, */
    pd_buf_t until; /* and where */
};
/* An owner offers its ready tasks and direct queries once more, those that the filter wants: tasks
 * bit by bit. Repeated offers do no harm. Takes the filter, and frees it. @thread loop */
void pd_partition_offer_again(pd_partition_t *partition, pd_offer_filter_t *filter);
/* Matching brought a direct query and a worker together. */
void pd_partition_hand_out_query(pd_partition_t *partition, pd_poll_t *poll, uint64_t query_id);

/* One partition of a mapped topic: its lag is end_offset - next_offset. */
typedef struct pd_ingest_stats {
    const char *source;  /* "topic/partition"; valid while the partition is owned */
    int64_t next_offset; /* everything before is in topics of commands; -1: nothing */
    int64_t end_offset;  /* as of the last read; -1 */
} pd_ingest_stats_t;

/* Those that this partition reads, 0, 1, … False: no more. @thread loop */
bool pd_partition_ingest_stats(const pd_partition_t *partition, size_t index,
                               pd_ingest_stats_t *stats);
/* Zeros and -1 while it does not own. @thread loop */
void pd_partition_transport_stats(const pd_partition_t *partition, pd_transport_stats_t *stats);
pd_loop_t *pd_partition_loop(const pd_partition_t *partition);
uint32_t pd_partition_index(const pd_partition_t *partition);
pd_partition_state_t pd_partition_state(const pd_partition_t *partition);
int64_t pd_partition_now_ns(pd_partition_t *partition);

/* ---- for the kinds' hooks ---- */

/* Answers the command's call with what its decision says: the default of `acknowledged`. */
void pd_partition_answer(pd_partition_t *partition, pd_command_t *command);
/* The `refused` of the START_* kinds: the poller goes back to matching. */
void pd_partition_return_poll(pd_partition_t *partition, pd_command_t *command,
                              const pd_rpc_error_t *error);

#endif
