/* metrics.h -- what the server measures: the one table of names (docs/metrics.md is printed from
 * it), and the groups of cells that partitions, task queues and the gRPC port carry.
 *
 * A group lives in what it measures and may stay unregistered (the simulator, unit tests).
 * Thread: cells: their owner's; registering: any, at start. */
#ifndef PD_ENGINE_METRICS_H
#define PD_ENGINE_METRICS_H

#include "base/metrics.h"

typedef enum pd_engine_metric {
    PD_METRIC_PARTITION_OWNED,
    PD_METRIC_PARTITION_ACQUIRING,
    PD_METRIC_PARTITION_EPOCH,
    PD_METRIC_PARTITION_APPLIED_OFFSET,
    PD_METRIC_PARTITION_END_OFFSET,
    PD_METRIC_PARTITION_LAG,
    PD_METRIC_PARTITION_EPOCH_CHANGES,
    PD_METRIC_PARTITION_PENDING,
    PD_METRIC_PARTITION_APPEND_SECONDS,
    PD_METRIC_PARTITION_APPLY_SECONDS,
    PD_METRIC_WORKFLOWS_CLOSED,
    PD_METRIC_ACTIVITIES_CLOSED,
    PD_METRIC_TASK_BACKLOG,
    PD_METRIC_TASK_POLLERS,
    PD_METRIC_TASK_SCHEDULE_TO_START_SECONDS,
    PD_METRIC_GRPC_CALLS,
    PD_METRIC_GRPC_CALL_SECONDS,
    PD_METRIC_GRPC_CALLS_OPEN,
    PD_METRIC_LOOP_MAILS,
    PD_METRIC_ROCKSDB_BYTES,
    PD_METRIC_KAFKA_APPENDS,
    PD_METRIC_KAFKA_APPEND_BYTES,
    PD_METRIC_KAFKA_APPEND_MICROSECONDS,
    PD_METRIC_KAFKA_IN_FLIGHT,
    PD_METRIC_KAFKA_PRODUCERS_REPLACED,
    PD_METRIC_KAFKA_CONSUMERS,
    PD_METRIC_KAFKA_RECORDS_READ,
    PD_METRIC_KAFKA_BYTES_READ,
    PD_METRIC_KAFKA_BROKER_ERRORS,
    PD_METRIC_COMMANDS,
    PD_METRIC_COMMANDS_LAG,
    PD_METRIC_INGEST_LAG,
    PD_METRIC_INGEST_RECORDS,
    PD_METRIC_ENGINE_COUNT,
} pd_engine_metric_t;

extern const pd_metric_t pd_engine_metrics[PD_METRIC_ENGINE_COUNT];

/* ---- of a partition ---- */

enum { PD_WORKFLOW_OUTCOME_COUNT = 6, PD_ACTIVITY_OUTCOME_COUNT = 4 };

/* What becomes of a record of the topic of commands. */
typedef enum pd_command_outcome {
    PD_COMMAND_DECIDED,
    PD_COMMAND_REPEATED,
    PD_COMMAND_REJECTED, /* and of mapped topics */
    PD_COMMAND_FORWARDED,
    PD_COMMAND_OUTCOME_COUNT,
} pd_command_outcome_t;

typedef struct pd_partition_metrics {
    pd_counter_t epoch_changes;
    pd_gauge_t pending_count;
    pd_histogram_t append, apply;
    pd_counter_t workflows[PD_WORKFLOW_OUTCOME_COUNT];
    pd_counter_t activities[PD_ACTIVITY_OUTCOME_COUNT];
    pd_counter_t commands[PD_COMMAND_OUTCOME_COUNT];
    pd_gauge_t commands_lag;
    pd_gauge_t memtable_size, table_reader_size; /* of the store, as of its last flush */
    /* Set by a collector. */
    pd_gauge_t owned, acquiring, epoch, applied_offset, end_offset, lag;
} pd_partition_metrics_t;

void pd_partition_metrics_register(pd_partition_metrics_t *self, pd_metrics_t *metrics,
                                   uint32_t partition);
/* Counts what an event of history closes, if it closes anything. `event_type`: temporal's. */
void pd_partition_metrics_count_event(pd_partition_metrics_t *self, int event_type);

/* ---- of a mapped topic, as one partition reads it ---- */

typedef struct pd_ingest_metrics {
    pd_gauge_t lag;
    pd_counter_t accepted, rejected;
} pd_ingest_metrics_t;

void pd_ingest_metrics_register(pd_ingest_metrics_t *self, pd_metrics_t *metrics,
                                const char *mapping);

/* ---- of task queues that share a loop; by pd_task_kind_t ---- */

typedef struct pd_matching_metrics {
    pd_gauge_t backlog_count[2], poller_count[2];
    pd_histogram_t schedule_to_start[2];
} pd_matching_metrics_t;

void pd_matching_metrics_register(pd_matching_metrics_t *self, pd_metrics_t *metrics);

/* ---- of one gRPC method ---- */

enum { PD_RPC_CODE_COUNT = 17 };

typedef struct pd_rpc_metrics {
    pd_counter_t calls[PD_RPC_CODE_COUNT]; /* by gRPC code */
    pd_histogram_t latency;
    pd_gauge_t open_count;
} pd_rpc_metrics_t;

void pd_rpc_metrics_register(pd_rpc_metrics_t *self, pd_metrics_t *metrics, const char *method);

#endif
