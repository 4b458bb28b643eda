/* options.h -- what `perdure dev` and `perdure serve` can be told: one table, resolved into one
 * struct. The generic machinery is base/config.h; docs/configuration.md is printed from the table.
 * Thread: main. Ownership: pd_program_options_t lends from its pd_config_t, until _deinit. */
#ifndef PD_ENGINE_PROGRAM_OPTIONS_H
#define PD_ENGINE_PROGRAM_OPTIONS_H

#include "base/config.h"
#include "base/diag.h"
#include "engine/program/mappings.h"

/* Bits of pd_config_option_t.programs. */
enum { PD_PROGRAM_DEV = 1, PD_PROGRAM_SERVE = 2 };

typedef enum pd_program_log {
    PD_PROGRAM_LOG_EMBEDDED,
    PD_PROGRAM_LOG_KAFKA,
} pd_program_log_t;

enum { PD_PROGRAM_HOST_SIZE = 256 };

typedef struct pd_program_address {
    char host[PD_PROGRAM_HOST_SIZE]; /* "": none */
    uint16_t port;
} pd_program_address_t;

typedef struct pd_program_options {
    pd_config_t *config;

    const char *cluster; /* NULL: none (dev) */
    const char *node;
    const char *data_path;
    pd_program_log_t log;
    pd_program_address_t listen, advertise, metrics_listen;

    uint32_t partition_count;
    uint32_t replication_factor;
    uint32_t min_insync_replicas;
    int64_t commands_retention_ns;
    int64_t heartbeat_interval_ns, node_timeout_ns, standstill_timeout_ns;

    uint32_t engine_thread_count; /* 0: the thread of the connections is the engine's, too */
    size_t store_cache_size_max;  /* of each partition */
    size_t block_cache_size, write_buffer_size;
    size_t flush_size, dirty_size_max; /* of each partition */
    int64_t flush_delay_ns;

    const char *snapshot_path; /* NULL: none are made */
    int64_t snapshot_interval_ns;
    size_t snapshot_size;
    uint32_t snapshots_kept;
    int64_t command_id_keep_ns;

    const char *bootstrap_servers;       /* kafka.bootstrap.servers; NULL: none */
    const pd_config_pair_t *kafka_pairs; /* kafka.*, bootstrap.servers too */
    size_t kafka_pair_count;
    pd_mappings_t mappings; /* ingest.NAME.* */

    pd_diag_level_t log_level;
} pd_program_options_t;

/* Reads flags, environment and the file that either names, and resolves them. argv[0] is the last
 * word of the subcommand. False: leave the program with *exit_code; everything has been said and
 * nothing is left to release. */
bool pd_program_options_init(pd_program_options_t *options, uint32_t program, int argc, char **argv,
                             int *exit_code);
void pd_program_options_deinit(pd_program_options_t *options);

/* docs/configuration.md and perdure.conf.example. */
void pd_program_print_configuration_doc(FILE *out);
void pd_program_print_configuration_example(FILE *out);

#endif
