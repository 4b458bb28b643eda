/* `perdure serve`: a node on Kafka. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "engine/program/program.h"
#include "engine/program/server.h"
#include "log/kafka/kafka.h"

#define NS_PER_MS ((int64_t)1000000)

/* What was said of kafka.*, without the brokers' addresses, which have a place of their own. */
static size_t copy_properties(const pd_program_options_t *options,
                              pd_log_kafka_property_t *properties)
{
    size_t count = 0;

    for (size_t i = 0; i < options->kafka_pair_count; i++) {
        const pd_config_pair_t *pair = &options->kafka_pairs[i];

        if (strcmp(pair->name, "bootstrap.servers") != 0)
            properties[count++] = (pd_log_kafka_property_t){pair->name, pair->value};
    }
    return count;
}

static pd_status_t open_kafka(const pd_program_options_t *options, pd_log_t **log,
                              pd_error_t *error)
{
    pd_log_kafka_property_t *properties =
        pd_calloc(options->kafka_pair_count + 1, sizeof(properties[0]));
    pd_log_kafka_options_t log_options = {
        .cluster = options->cluster,
        .bootstrap_servers = options->bootstrap_servers,
        .properties = properties,
        .property_count = copy_properties(options, properties),
        .partition_count = options->partition_count,
        .replication_factor = options->replication_factor,
        .min_insync_replicas = options->min_insync_replicas,
        .commands_retention_ms = options->commands_retention_ns / NS_PER_MS,
        .stopped = pd_server_is_signaled,
    };
    pd_status_t status = pd_server_make_directories(options, error);

    if (status == PD_OK)
        status = pd_log_kafka_open(&log_options, log, error);
    pd_free(properties);
    return status;
}

static pd_status_t open_log(const pd_program_options_t *options, pd_log_t **log, pd_error_t *error)
{
    switch (options->log) {
    case PD_PROGRAM_LOG_EMBEDDED:
        return pd_program_open_embedded(options, log, error);
    case PD_PROGRAM_LOG_KAFKA:
        return open_kafka(options, log, error);
    }
    PD_UNREACHABLE();
}

int pd_program_serve(int argc, char **argv)
{
    pd_program_options_t options;
    pd_log_t *log = NULL;
    pd_error_t error;
    pd_status_t status;
    int exit_code;

    if (!pd_program_options_init(&options, PD_PROGRAM_SERVE, argc, argv, &exit_code))
        return exit_code;
    pd_server_catch_signals();
    status = open_log(&options, &log, &error);
    if (status == PD_OK) {
        exit_code = pd_server_run(&options, log);
        pd_log_close(log);
    } else if (status == PD_CANCELED) { /* told to stop while the brokers were awaited */
        exit_code = 0;
    } else {
        fprintf(stderr, "perdure: %s\n", error.text);
        exit_code = 1;
    }
    pd_program_options_deinit(&options);
    return exit_code;
}
