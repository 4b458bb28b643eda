#include "engine/metrics.h"

#include <temporal/api/enums/v1/event_type.pb-c.h>

#include "api/pb/rpc_error.h"
#include "base/assert.h"

/* clang-format off */
const pd_metric_t pd_engine_metrics[PD_METRIC_ENGINE_COUNT] = {
    [PD_METRIC_PARTITION_OWNED] = {"perdure_partition_owned", PD_METRIC_GAUGE, {"partition"},
        .help = "1 where this node owns the partition, else 0."},
    [PD_METRIC_PARTITION_ACQUIRING] = {"perdure_partition_acquiring", PD_METRIC_GAUGE,
        {"partition"},
        .help = "1 while this node takes the partition over and does not own it yet, else 0."},
    [PD_METRIC_PARTITION_EPOCH] = {"perdure_partition_epoch", PD_METRIC_GAUGE, {"partition"},
        .help = "Offset of the newest OwnerChanged that this node knows of; -1: none."},
    [PD_METRIC_PARTITION_APPLIED_OFFSET] = {"perdure_partition_applied_offset", PD_METRIC_GAUGE,
        {"partition"},
        .help = "Offset of the last record that counts and is applied; an owner's: "
                "acknowledged. -1: none."},
    [PD_METRIC_PARTITION_END_OFFSET] = {"perdure_partition_end_offset", PD_METRIC_GAUGE,
        {"partition"}, .help = "End of the partition's log as far as this node knows; -1: "
                               "unknown."},
    [PD_METRIC_PARTITION_LAG] = {"perdure_partition_lag_records", PD_METRIC_GAUGE, {"partition"},
        .help = "Records between the last applied one and the end of the log."},
    [PD_METRIC_PARTITION_EPOCH_CHANGES] = {"perdure_partition_epoch_changes_total",
        PD_METRIC_COUNTER, {"partition"},
        .help = "Times that this node has become the owner, each a new epoch; of all nodes "
                "together: the changes of owner."},
    [PD_METRIC_PARTITION_PENDING] = {"perdure_partition_pending_records", PD_METRIC_GAUGE,
        {"partition"}, .help = "Records appended and not yet acknowledged."},
    [PD_METRIC_PARTITION_APPEND_SECONDS] = {"perdure_partition_append_seconds",
        PD_METRIC_HISTOGRAM, {"partition"}, .first_exponent = 6, .bucket_count = 18,
        .help = "From the append of a record to its acknowledgement."},
    [PD_METRIC_PARTITION_APPLY_SECONDS] = {"perdure_partition_apply_seconds",
        PD_METRIC_HISTOGRAM, {"partition"}, .first_exponent = 0, .bucket_count = 14,
        .help = "An owner's applying of a record to its state in memory; one record in 16 is "
                "measured."},
    [PD_METRIC_WORKFLOWS_CLOSED] = {"perdure_workflows_closed_total", PD_METRIC_COUNTER,
        {"outcome"},
        .help = "Runs closed by this node: completed, failed, timed_out, canceled, terminated, "
                "continued_as_new. Counted when the record is appended."},
    [PD_METRIC_ACTIVITIES_CLOSED] = {"perdure_activities_closed_total", PD_METRIC_COUNTER,
        {"outcome"},
        .help = "Activities closed by this node, after their retries: completed, failed, "
                "timed_out, canceled. Counted when the event reaches the history."},
    [PD_METRIC_TASK_BACKLOG] = {"perdure_task_backlog", PD_METRIC_GAUGE, {"kind"},
        .help = "Tasks (workflow, activity) that wait for a worker, of all task queues whose home "
                "is this node; also of workflows that ended meanwhile, until a worker polls."},
    [PD_METRIC_TASK_POLLERS] = {"perdure_task_pollers", PD_METRIC_GAUGE, {"kind"},
        .help = "Polls of workers that wait for a task, likewise."},
    [PD_METRIC_TASK_SCHEDULE_TO_START_SECONDS] = {"perdure_task_schedule_to_start_seconds",
        PD_METRIC_HISTOGRAM, {"kind"}, .first_exponent = 8, .bucket_count = 24,
        .help = "From the time a task could be done to its match with a worker's poll. Tasks "
                "that go out with an answer (eager ones) are not among them."},
    [PD_METRIC_GRPC_CALLS] = {"perdure_grpc_calls_total", PD_METRIC_COUNTER, {"method", "code"},
        .sparse = true, .help = "Calls answered, by method and gRPC code."},
    [PD_METRIC_GRPC_CALL_SECONDS] = {"perdure_grpc_call_seconds", PD_METRIC_HISTOGRAM, {"method"},
        .first_exponent = 6, .bucket_count = 21, .sparse = true,
        .help = "From a whole request to its answer. Long polls wait as long as they may."},
    [PD_METRIC_GRPC_CALLS_OPEN] = {"perdure_grpc_calls_open", PD_METRIC_GAUGE, {"method"},
        .sparse = true, .help = "Calls not answered yet."},
    [PD_METRIC_LOOP_MAILS] = {"perdure_loop_mails", PD_METRIC_GAUGE, {"loop"},
        .help = "Messages that wait in the mailbox of a thread."},
    [PD_METRIC_ROCKSDB_BYTES] = {"perdure_rocksdb_bytes", PD_METRIC_GAUGE, {"use"},
        .help = "Memory of RocksDB, of all partitions' states: block_cache; memtables and "
                "table_readers as of each partition's last flush."},
    [PD_METRIC_KAFKA_APPENDS] = {"perdure_kafka_appends_total", PD_METRIC_COUNTER, {"outcome"},
        .help = "Records sent to Kafka: acknowledged, unknown, unsent, refused."},
    [PD_METRIC_KAFKA_APPEND_BYTES] = {"perdure_kafka_append_bytes_total", PD_METRIC_COUNTER,
        .help = "Bytes of keys and values handed to the producer."},
    [PD_METRIC_KAFKA_APPEND_MICROSECONDS] = {"perdure_kafka_append_microseconds_total",
        PD_METRIC_COUNTER,
        .help = "Time of acknowledged appends together, as the producer sees it; divided by their "
                "number it is the mean."},
    [PD_METRIC_KAFKA_IN_FLIGHT] = {"perdure_kafka_in_flight_records", PD_METRIC_GAUGE,
        .help = "Records handed to the producer and not yet acknowledged."},
    [PD_METRIC_KAFKA_PRODUCERS_REPLACED] = {"perdure_kafka_producers_replaced_total",
        PD_METRIC_COUNTER,
        .help = "Producers given up after an unknown outcome, a refusal or a fatal error."},
    [PD_METRIC_KAFKA_CONSUMERS] = {"perdure_kafka_consumers_total", PD_METRIC_COUNTER,
        .help = "Consumers made: a few for all partitions, and one more whenever one had fallen "
                "silent or stayed behind."},
    [PD_METRIC_KAFKA_RECORDS_READ] = {"perdure_kafka_records_read_total", PD_METRIC_COUNTER,
        .help = "Records read."},
    [PD_METRIC_KAFKA_BYTES_READ] = {"perdure_kafka_bytes_read_total", PD_METRIC_COUNTER,
        .help = "Bytes of keys and values read."},
    [PD_METRIC_KAFKA_BROKER_ERRORS] = {"perdure_kafka_broker_errors_total", PD_METRIC_COUNTER,
        .help = "Errors of connections to brokers and the like."},
    [PD_METRIC_COMMANDS] = {"perdure_commands_total", PD_METRIC_COUNTER, {"outcome"},
        .help = "Commands and messages of other partitions that the topic of commands has brought: "
                "decided, repeated (they had been before), forwarded (to the partition of their "
                "workflow); rejected: also from mapped topics."},
    [PD_METRIC_COMMANDS_LAG] = {"perdure_commands_lag_records", PD_METRIC_GAUGE, {"partition"},
        .help = "Records of the topic of commands that the partition's owner has not taken yet."},
    [PD_METRIC_INGEST_LAG] = {"perdure_ingest_lag_records", PD_METRIC_GAUGE, {"mapping"},
        .help = "Records of a mapped topic that are not yet commands, of the partitions that this "
                "node reads."},
    [PD_METRIC_INGEST_RECORDS] = {"perdure_ingest_records_total", PD_METRIC_COUNTER,
        {"mapping", "outcome"},
        .help = "Records of a mapped topic: accepted, rejected. Counted when they are sent on for "
                "sure."},
};
/* clang-format on */

/* ---- of a partition ---- */

static const char *const workflow_outcomes[] = {
    "completed", "failed", "timed_out", "canceled", "terminated", "continued_as_new",
};
static const char *const activity_outcomes[] = {"completed", "failed", "timed_out", "canceled"};
static const char *const command_outcomes[PD_COMMAND_OUTCOME_COUNT] = {
    [PD_COMMAND_DECIDED] = "decided",
    [PD_COMMAND_REPEATED] = "repeated",
    [PD_COMMAND_REJECTED] = "rejected",
    [PD_COMMAND_FORWARDED] = "forwarded",
};
_Static_assert(PD_ARRAY_COUNT(workflow_outcomes) == PD_WORKFLOW_OUTCOME_COUNT, "");
_Static_assert(PD_ARRAY_COUNT(activity_outcomes) == PD_ACTIVITY_OUTCOME_COUNT, "");

void pd_partition_metrics_register(pd_partition_metrics_t *self, pd_metrics_t *metrics,
                                   uint32_t partition)
{
    char label[16];

    snprintf(label, sizeof(label), "%u", partition);
    pd_metrics_add_gauge(metrics, PD_METRIC_PARTITION_OWNED, &self->owned, label, NULL);
    pd_metrics_add_gauge(metrics, PD_METRIC_PARTITION_ACQUIRING, &self->acquiring, label, NULL);
    pd_metrics_add_gauge(metrics, PD_METRIC_PARTITION_EPOCH, &self->epoch, label, NULL);
    pd_metrics_add_gauge(metrics, PD_METRIC_PARTITION_APPLIED_OFFSET, &self->applied_offset, label,
                         NULL);
    pd_metrics_add_gauge(metrics, PD_METRIC_PARTITION_END_OFFSET, &self->end_offset, label, NULL);
    pd_metrics_add_gauge(metrics, PD_METRIC_PARTITION_LAG, &self->lag, label, NULL);
    pd_metrics_add_counter(metrics, PD_METRIC_PARTITION_EPOCH_CHANGES, &self->epoch_changes, label,
                           NULL);
    pd_metrics_add_gauge(metrics, PD_METRIC_PARTITION_PENDING, &self->pending_count, label, NULL);
    pd_metrics_add_histogram(metrics, PD_METRIC_PARTITION_APPEND_SECONDS, &self->append, label,
                             NULL);
    pd_metrics_add_histogram(metrics, PD_METRIC_PARTITION_APPLY_SECONDS, &self->apply, label, NULL);
    pd_metrics_add_gauge(metrics, PD_METRIC_ROCKSDB_BYTES, &self->memtable_size, "memtables", NULL);
    pd_metrics_add_gauge(metrics, PD_METRIC_ROCKSDB_BYTES, &self->table_reader_size,
                         "table_readers", NULL);
    for (size_t i = 0; i < PD_WORKFLOW_OUTCOME_COUNT; i++)
        pd_metrics_add_counter(metrics, PD_METRIC_WORKFLOWS_CLOSED, &self->workflows[i],
                               workflow_outcomes[i], NULL);
    for (size_t i = 0; i < PD_ACTIVITY_OUTCOME_COUNT; i++)
        pd_metrics_add_counter(metrics, PD_METRIC_ACTIVITIES_CLOSED, &self->activities[i],
                               activity_outcomes[i], NULL);
    for (size_t i = 0; i < PD_COMMAND_OUTCOME_COUNT; i++)
        pd_metrics_add_counter(metrics, PD_METRIC_COMMANDS, &self->commands[i], command_outcomes[i],
                               NULL);
    pd_metrics_add_gauge(metrics, PD_METRIC_COMMANDS_LAG, &self->commands_lag, label, NULL);
}

void pd_ingest_metrics_register(pd_ingest_metrics_t *self, pd_metrics_t *metrics,
                                const char *mapping)
{
    pd_metrics_add_gauge(metrics, PD_METRIC_INGEST_LAG, &self->lag, mapping, NULL);
    pd_metrics_add_counter(metrics, PD_METRIC_INGEST_RECORDS, &self->accepted, mapping, "accepted");
    pd_metrics_add_counter(metrics, PD_METRIC_INGEST_RECORDS, &self->rejected, mapping, "rejected");
}

#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME

/* In the order of the outcomes' names. */
static const int workflow_closes[PD_WORKFLOW_OUTCOME_COUNT] = {
    TYPE(WORKFLOW_EXECUTION_COMPLETED),  TYPE(WORKFLOW_EXECUTION_FAILED),
    TYPE(WORKFLOW_EXECUTION_TIMED_OUT),  TYPE(WORKFLOW_EXECUTION_CANCELED),
    TYPE(WORKFLOW_EXECUTION_TERMINATED), TYPE(WORKFLOW_EXECUTION_CONTINUED_AS_NEW),
};
static const int activity_closes[PD_ACTIVITY_OUTCOME_COUNT] = {
    TYPE(ACTIVITY_TASK_COMPLETED),
    TYPE(ACTIVITY_TASK_FAILED),
    TYPE(ACTIVITY_TASK_TIMED_OUT),
    TYPE(ACTIVITY_TASK_CANCELED),
};

void pd_partition_metrics_count_event(pd_partition_metrics_t *self, int event_type)
{
    for (size_t i = 0; i < PD_WORKFLOW_OUTCOME_COUNT; i++) {
        if (event_type == workflow_closes[i])
            pd_counter_add(&self->workflows[i], 1);
    }
    for (size_t i = 0; i < PD_ACTIVITY_OUTCOME_COUNT; i++) {
        if (event_type == activity_closes[i])
            pd_counter_add(&self->activities[i], 1);
    }
}

/* ---- of task queues ---- */

void pd_matching_metrics_register(pd_matching_metrics_t *self, pd_metrics_t *metrics)
{
    static const char *const kinds[2] = {"workflow", "activity"};

    for (int i = 0; i < 2; i++) {
        pd_metrics_add_gauge(metrics, PD_METRIC_TASK_BACKLOG, &self->backlog_count[i], kinds[i],
                             NULL);
        pd_metrics_add_gauge(metrics, PD_METRIC_TASK_POLLERS, &self->poller_count[i], kinds[i],
                             NULL);
        pd_metrics_add_histogram(metrics, PD_METRIC_TASK_SCHEDULE_TO_START_SECONDS,
                                 &self->schedule_to_start[i], kinds[i], NULL);
    }
}

/* ---- of a method ---- */

void pd_rpc_metrics_register(pd_rpc_metrics_t *self, pd_metrics_t *metrics, const char *method)
{
    static const char *const codes[PD_RPC_CODE_COUNT] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    };

    for (size_t i = 0; i < PD_RPC_CODE_COUNT; i++)
        pd_metrics_add_counter(metrics, PD_METRIC_GRPC_CALLS, &self->calls[i], method, codes[i]);
    pd_metrics_add_histogram(metrics, PD_METRIC_GRPC_CALL_SECONDS, &self->latency, method, NULL);
    pd_metrics_add_gauge(metrics, PD_METRIC_GRPC_CALLS_OPEN, &self->open_count, method, NULL);
}
