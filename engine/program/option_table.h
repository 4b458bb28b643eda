/* option_table.h -- the one table of options of `perdure dev` and `perdure serve`, and the indexes
 * into it. A new option: its row here and in option_table.c, its field in options.h.
 * Thread: any, it is constant. */
#ifndef PD_ENGINE_PROGRAM_OPTION_TABLE_H
#define PD_ENGINE_PROGRAM_OPTION_TABLE_H

#include "base/config.h"

typedef enum pdi_option {
    PDI_OPTION_CONFIG,
    PDI_OPTION_DATA,
    PDI_OPTION_LOG,
    PDI_OPTION_LOG_LEVEL,
    PDI_OPTION_VERBOSE,
    PDI_OPTION_IP,
    PDI_OPTION_PORT,
    PDI_OPTION_LISTEN,
    PDI_OPTION_ADVERTISE,
    PDI_OPTION_METRICS_LISTEN,
    PDI_OPTION_CLUSTER,
    PDI_OPTION_NODE,
    PDI_OPTION_PARTITIONS,
    PDI_OPTION_REPLICATION_FACTOR,
    PDI_OPTION_MIN_INSYNC_REPLICAS,
    PDI_OPTION_COMMANDS_RETENTION,
    PDI_OPTION_COMMAND_ID_TIME,
    PDI_OPTION_HEARTBEAT_INTERVAL,
    PDI_OPTION_NODE_TIMEOUT,
    PDI_OPTION_STANDSTILL_TIMEOUT,
    PDI_OPTION_ENGINE_THREADS,
    PDI_OPTION_PARTITION_CACHE_SIZE,
    PDI_OPTION_BLOCK_CACHE_SIZE,
    PDI_OPTION_WRITE_BUFFER_SIZE,
    PDI_OPTION_FLUSH_SIZE,
    PDI_OPTION_DIRTY_SIZE_MAX,
    PDI_OPTION_FLUSH_DELAY,
    PDI_OPTION_SNAPSHOT_DIRECTORY,
    PDI_OPTION_SNAPSHOT_INTERVAL,
    PDI_OPTION_SNAPSHOT_BYTES,
    PDI_OPTION_SNAPSHOTS_KEPT,
    PDI_OPTION_COUNT,
} pdi_option_t;

typedef enum pdi_option_prefix {
    PDI_PREFIX_KAFKA,
    PDI_PREFIX_INGEST,
    PDI_PREFIX_COUNT,
} pdi_option_prefix_t;

extern const pd_config_table_t pdi_option_table;

#endif
