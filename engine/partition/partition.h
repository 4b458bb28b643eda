/* partition.h -- one partition: its state, its log, its clock, and the order of things.
 *
 *     STARTING --open store, writer--> ACQUIRING --OwnerChanged acknowledged--> REPLAYING
 *        ^                                  |                                       |
 *        | backoff                          | failed                                | caught up
 *        +------------- LOST <--------------+<-- append failed, unknown, fenced -- OWNER
 *                                                                                   |
 *     FAILED <-- disk or state broken: needs an operator          STOPPED <-- stop -+
 *
 * Only an OWNER takes commands; else they are answered UNAVAILABLE, which SDKs retry.
 * Whoever loses the partition drops the store's memory and comes back from RocksDB and the log.
 *
 * Thread: the partition's loop, except where said. */
#ifndef PD_ENGINE_PARTITION_PARTITION_H
#define PD_ENGINE_PARTITION_PARTITION_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "engine/decide/decision.h"
#include "engine/matching/matching.h"
#include "log/log.h"
#include "log/record/record.h"

/* Where offers of ready tasks go: the home of the task queue. */
typedef struct pd_offer_sink {
    void (*offer)(void *ctx, const pd_offer_t *offer);
    void (*poll_returned)(void *ctx, pd_poll_t *poll);
    void *ctx;
} pd_offer_sink_t;

typedef struct pd_partition_options {
    uint32_t index;
    const char *node; /* name of this node, for OwnerChanged and diagnostics */
    pd_loop_t *loop;
    pd_log_t *log;
    const pd_record_codec_t *codec; /* of perdure.v1.Record */
    const char *store_path;
    pd_store_shared_t *store_shared;
    size_t store_cache_size_max;
    pd_namespaces_t *namespaces;
    pd_offer_sink_t sink;
    uint64_t random_seed;
    size_t flush_size;      /* dirty bytes that start a flush */
    int64_t flush_delay_ns; /* at most so long after the first dirty row */
} pd_partition_options_t;

typedef enum pd_partition_state {
    PD_PARTITION_STARTING,
    PD_PARTITION_ACQUIRING,
    PD_PARTITION_REPLAYING,
    PD_PARTITION_OWNER,
    PD_PARTITION_LOST,
    PD_PARTITION_FAILED,
    PD_PARTITION_STOPPED,
} pd_partition_state_t;

/* Strings are copied; everything else is borrowed until _free. @thread any */
pd_partition_t *pd_partition_new(const pd_partition_options_t *options);
/* The partition must be STOPPED, or never started. @thread any, after the loop has ended */
void pd_partition_free(pd_partition_t *partition);

/* `changed` is told of every change of state. */
void pd_partition_start(pd_partition_t *partition,
                        void (*changed)(void *ctx, pd_partition_state_t state), void *ctx);
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
/* Matching brought a direct query and a worker together. */
void pd_partition_hand_out_query(pd_partition_t *partition, pd_poll_t *poll, uint64_t query_id);

pd_loop_t *pd_partition_loop(pd_partition_t *partition);
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
