#include "engine/program/option_table.h"

#include "base/assert.h"
#include "engine/program/options.h"

#define MS ((int64_t)1000 * 1000)
#define SECOND (1000 * MS)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define KIB ((int64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define DEV PD_PROGRAM_DEV
#define SERVE PD_PROGRAM_SERVE
#define BOTH (DEV | SERVE)

#define GENERAL "General"
#define ADDRESSES "Addresses"
#define CLUSTER "Cluster"
#define ENGINE "Threads and memory"
#define SNAPSHOTS "Snapshots"
#define V1 "0.1"
#define V2 "0.2"

/* clang-format off */
static const pd_config_option_t options[PDI_OPTION_COUNT] = {
    [PDI_OPTION_CONFIG] = {.name = "config", .type = PD_CONFIG_STRING, .programs = BOTH,
        .not_in_file = true, .since = V2, .section = GENERAL, .value_name = "FILE",
        .help = "A file with options, one `name = value` a line."},
    [PDI_OPTION_DATA] = {.name = "data", .type = PD_CONFIG_STRING, .programs = BOTH, .since = V1,
        .section = GENERAL, .value_name = "DIR",
        .help = "Where everything of this node is kept. `dev` has a default: perdure in "
                "$XDG_DATA_HOME, else in ~/.local/share."},
    [PDI_OPTION_LOG] = {.name = "log", .type = PD_CONFIG_CHOICE, .choices = "embedded|kafka",
        .programs = SERVE, .default_text = "kafka", .hidden = true, .since = V2,
        .section = GENERAL,
        .help = "The event log: `embedded` needs no broker and makes a single node."},
    [PDI_OPTION_LOG_LEVEL] = {.name = "log-level", .type = PD_CONFIG_CHOICE,
        .choices = "debug|info|warn|error", .programs = BOTH, .default_text = "info", .since = V2,
        .section = GENERAL, .help = "Diagnostics below this are not written."},
    [PDI_OPTION_VERBOSE] = {.name = "verbose", .type = PD_CONFIG_BOOL, .programs = BOTH,
        .default_text = "false", .since = V1, .section = GENERAL,
        .help = "More diagnostics: the same as log-level = debug."},

    [PDI_OPTION_IP] = {.name = "ip", .type = PD_CONFIG_STRING, .programs = DEV,
        .default_text = "127.0.0.1", .since = V1, .section = ADDRESSES, .value_name = "ADDRESS",
        .help = "Address to listen on."},
    [PDI_OPTION_PORT] = {.name = "port", .type = PD_CONFIG_INT, .min = 0, .max = 65535,
        .programs = DEV, .default_text = "7233", .since = V1, .section = ADDRESSES,
        .help = "Port to listen on; 0 for any free one."},
    [PDI_OPTION_LISTEN] = {.name = "listen", .type = PD_CONFIG_ADDRESS, .programs = SERVE,
        .since = V2, .section = ADDRESSES,
        .help = "Where clients, workers and other nodes connect: a numeric address and a port, "
                "0 for any free one. Required."},
    [PDI_OPTION_ADVERTISE] = {.name = "advertise", .type = PD_CONFIG_ADDRESS, .programs = SERVE,
        .since = V2, .section = ADDRESSES,
        .help = "How other nodes reach this one, if not by the address of `listen`."},
    [PDI_OPTION_METRICS_LISTEN] = {.name = "metrics-listen", .type = PD_CONFIG_ADDRESS,
        .programs = BOTH, .since = V2, .section = ADDRESSES,
        .help = "Serve /metrics (Prometheus text) and /healthz over HTTP here. Without it there "
                "is no such port."},

    [PDI_OPTION_CLUSTER] = {.name = "cluster", .type = PD_CONFIG_STRING, .programs = SERVE,
        .since = V2, .section = CLUSTER, .value_name = "NAME",
        .help = "The cluster to be part of: its topics are NAME.events and so on. Letters, "
                "digits, '.', '_', '-'. Required."},
    [PDI_OPTION_NODE] = {.name = "node", .type = PD_CONFIG_STRING, .programs = SERVE, .since = V2,
        .section = CLUSTER, .value_name = "ID",
        .help = "This node's name, its own in the cluster and the same after a restart. Required."},
    [PDI_OPTION_PARTITIONS] = {.name = "partitions", .type = PD_CONFIG_INT, .min = 1, .max = 4096,
        .programs = SERVE, .default_text = "16", .since = V2, .section = CLUSTER,
        .help = "Partitions of the cluster, fixed when its topics are made."},
    [PDI_OPTION_REPLICATION_FACTOR] = {.name = "replication-factor", .type = PD_CONFIG_INT,
        .min = 1, .max = 15, .programs = SERVE, .default_text = "3", .since = V2,
        .section = CLUSTER, .help = "Copies of each topic that this server makes."},
    [PDI_OPTION_MIN_INSYNC_REPLICAS] = {.name = "min-insync-replicas", .type = PD_CONFIG_INT,
        .min = 1, .max = 15, .programs = SERVE, .default_text = "2", .since = V2,
        .section = CLUSTER,
        .help = "Copies that must have a record before it counts, of each topic that this server "
                "makes. At most `replication-factor`."},
    [PDI_OPTION_COMMANDS_RETENTION] = {.name = "commands-retention", .type = PD_CONFIG_DURATION,
        .min = 60 * SECOND, .max = 3650 * DAY, .programs = SERVE, .default_text = "7d",
        .since = V2, .section = CLUSTER,
        .help = "How long the topic of commands keeps what has been done. Longer than the "
                "longest time that the cluster may be away."},
    [PDI_OPTION_COMMAND_ID_TIME] = {.name = "command-id-time", .type = PD_CONFIG_DURATION,
        .min = 60 * SECOND, .max = 365 * DAY, .programs = SERVE, .default_text = "24h",
        .since = V2, .section = CLUSTER,
        .help = "A command ID that a producer repeats is known for so long."},
    [PDI_OPTION_HEARTBEAT_INTERVAL] = {.name = "heartbeat-interval", .type = PD_CONFIG_DURATION,
        .min = 20 * MS, .max = 60 * SECOND, .programs = SERVE, .default_text = "200ms",
        .since = V2, .section = CLUSTER, .help = "How often a node says that it lives."},
    [PDI_OPTION_NODE_TIMEOUT] = {.name = "node-timeout", .type = PD_CONFIG_DURATION,
        .min = 100 * MS, .max = 600 * SECOND, .programs = SERVE, .default_text = "1s",
        .since = V2, .section = CLUSTER,
        .help = "A node not heard of for so long is taken for dead, and others take its "
                "partitions. At least twice the heartbeat interval."},
    [PDI_OPTION_STANDSTILL_TIMEOUT] = {.name = "standstill-timeout", .type = PD_CONFIG_DURATION,
        .min = 100 * MS, .max = 600 * SECOND, .programs = SERVE, .default_text = "2s",
        .since = V2, .section = CLUSTER,
        .help = "A node gives a partition up that has not moved for so long while its log grew."},

    [PDI_OPTION_ENGINE_THREADS] = {.name = "engine-threads", .type = PD_CONFIG_INT, .min = 0,
        .max = 16, .programs = BOTH, .default_text = "0", .since = V1, .section = ENGINE,
        .help = "Threads of their own for the partitions; at most one a partition (`dev` has 4). "
                "0: the thread of the connections does it, which is best where there are few "
                "cores, or few callers."},
    [PDI_OPTION_PARTITION_CACHE_SIZE] = {.name = "partition-cache-size", .type = PD_CONFIG_SIZE,
        .min = MIB, .max = 64 * GIB, .programs = BOTH, .default_text = "64MiB", .since = V2,
        .section = ENGINE, .help = "Workflows kept in memory, of each partition."},
    [PDI_OPTION_BLOCK_CACHE_SIZE] = {.name = "block-cache-size", .type = PD_CONFIG_SIZE,
        .min = MIB, .max = 1024 * GIB, .programs = BOTH, .default_text = "64MiB", .since = V2,
        .section = ENGINE, .help = "RocksDB's cache of blocks, of all partitions together."},
    [PDI_OPTION_WRITE_BUFFER_SIZE] = {.name = "write-buffer-size", .type = PD_CONFIG_SIZE,
        .min = 8 * MIB, .max = 64 * GIB, .programs = BOTH, .default_text = "128MiB", .since = V2,
        .section = ENGINE, .help = "RocksDB's write buffers, of all partitions together."},
    [PDI_OPTION_FLUSH_SIZE] = {.name = "flush-size", .type = PD_CONFIG_SIZE, .min = 64 * KIB,
        .max = 4 * GIB, .programs = BOTH, .default_text = "4MiB", .since = V2,
        .section = ENGINE,
        .help = "Changed rows that make a partition write them to RocksDB, in bytes."},
    [PDI_OPTION_DIRTY_SIZE_MAX] = {.name = "dirty-size-max", .type = PD_CONFIG_SIZE,
        .min = 64 * KIB, .max = 4 * GIB, .programs = BOTH, .default_text = "64MiB", .since = V2,
        .section = ENGINE,
        .help = "The most that may change while a slow disk still writes the rows before, of each "
                "partition; then it waits for the disk. `flush-size` if that is more."},
    [PDI_OPTION_FLUSH_DELAY] = {.name = "flush-delay", .type = PD_CONFIG_DURATION, .min = MS,
        .max = HOUR, .programs = BOTH, .default_text = "1s", .since = V2, .section = ENGINE,
        .help = "The longest that a changed row waits for that. Longer: less is written, more is "
                "replayed after a crash."},

    [PDI_OPTION_SNAPSHOT_DIRECTORY] = {.name = "snapshot-directory", .type = PD_CONFIG_STRING,
        .programs = SERVE, .since = V2, .section = SNAPSHOTS, .value_name = "DIR",
        .help = "Where snapshots of the state go, shared between nodes or not. Without it none "
                "are made."},
    [PDI_OPTION_SNAPSHOT_INTERVAL] = {.name = "snapshot-interval", .type = PD_CONFIG_DURATION,
        .min = SECOND, .max = 30 * DAY, .programs = SERVE, .default_text = "10m", .since = V2,
        .section = SNAPSHOTS, .help = "The longest time between two snapshots of a partition."},
    [PDI_OPTION_SNAPSHOT_BYTES] = {.name = "snapshot-bytes", .type = PD_CONFIG_SIZE, .min = MIB,
        .max = 1024 * GIB, .programs = SERVE, .default_text = "1GiB", .since = V2,
        .section = SNAPSHOTS,
        .help = "Log of a partition that asks for a snapshot before the interval has passed."},
    [PDI_OPTION_SNAPSHOTS_KEPT] = {.name = "snapshots-kept", .type = PD_CONFIG_INT, .min = 1,
        .max = 1000, .programs = SERVE, .default_text = "3", .since = V2, .section = SNAPSHOTS,
        .help = "The newest snapshots of a partition that stay; older ones are removed."},
};

static const pd_config_option_t ingest_keys[] = {
    {.name = "topic", .type = PD_CONFIG_STRING, .required = true,
        .help = "The topic to read."},
    {.name = "format", .type = PD_CONFIG_CHOICE, .choices = "json|avro|raw", .required = true,
        .help = "What a record's value is. avro: Avro's single-object encoding."},
    {.name = "schema", .type = PD_CONFIG_STRING,
        .help = "avro: the file with the schema (.avsc) that records are written with."},
    {.name = "namespace", .type = PD_CONFIG_STRING, .default_text = "default",
        .help = "The workflows' namespace."},
    {.name = "workflow_id", .type = PD_CONFIG_STRING, .required = true,
        .help = "An expression: which workflow."},
    {.name = "workflow_type", .type = PD_CONFIG_STRING, .required = true,
        .help = "An expression: the type of a workflow that is started."},
    {.name = "task_queue", .type = PD_CONFIG_STRING, .required = true,
        .help = "An expression: its task queue."},
    {.name = "signal_name", .type = PD_CONFIG_STRING, .required = true,
        .help = "An expression: the signal."},
    {.name = "signal_input", .type = PD_CONFIG_STRING, .default_text = "$",
        .help = "An expression: the signal's payload."},
    {.name = "start_input", .type = PD_CONFIG_STRING,
        .help = "An expression: the input of a workflow that is started. Without it there is "
                "none."},
};

static const pd_config_prefix_t prefixes[PDI_PREFIX_COUNT] = {
    [PDI_PREFIX_KAFKA] = {.name = "kafka", .programs = SERVE, .since = V2,
        .help = "Any setting of librdkafka, passed on as it is, so TLS and SASL to the brokers "
                "work. `kafka.bootstrap.servers` is required. Those on which durability stands "
                "(acks, idempotence and the like) are refused.",
        .example = "kafka.bootstrap.servers = broker-1:9092,broker-2:9092,broker-3:9092\n"
                   "kafka.security.protocol = sasl_ssl\n"
                   "kafka.sasl.mechanisms = SCRAM-SHA-512\n"
                   "kafka.sasl.username = perdure\n"},
    [PDI_PREFIX_INGEST] = {.name = "ingest", .programs = SERVE, .since = V2, .keys = ingest_keys,
        .key_count = PD_ARRAY_COUNT(ingest_keys),
        .help = "Records of a topic of yours become signal-with-start commands. NAME is your "
                "name for the mapping. An expression is `key` (the record's key), `header:x` (a "
                "header), `$` (the value), `$.customer.id` or `$.lines[0]` (a field of it), or "
                "a text in quotes, 'order-${$.order.id}', in which expressions are replaced.",
        .example = "[ingest.orders]\n"
                   "topic = shop.orders\n"
                   "format = json\n"
                   "workflow_id = $.order.id\n"
                   "workflow_type = 'order'\n"
                   "task_queue = 'orders'\n"
                   "signal_name = header:event\n"
                   "signal_input = $\n"},
};
/* clang-format on */

const pd_config_table_t pdi_option_table = {
    .environment_prefix = "PERDURE_",
    .options = options,
    .option_count = PDI_OPTION_COUNT,
    .prefixes = prefixes,
    .prefix_count = PDI_PREFIX_COUNT,
};
