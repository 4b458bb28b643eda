/* `perdure serve`: a node on Kafka. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "engine/metrics.h"
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

/* ---- Kafka's metrics ---- */

enum { ACKNOWLEDGED, UNKNOWN, UNSENT, REFUSED, OUTCOME_COUNT };

typedef struct kafka_metrics {
    pd_log_t *log;
    pd_counter_t appends[OUTCOME_COUNT];
    pd_counter_t append_size, latency_us, replaced, consumers, records_read, size_read,
        broker_errors;
    pd_gauge_t in_flight;
} kafka_metrics_t;

static void collect_kafka(void *ctx)
{
    kafka_metrics_t *self = ctx;
    pd_log_kafka_stats_t stats;

    pd_log_kafka_stats(self->log, &stats);
    pd_counter_set(&self->appends[ACKNOWLEDGED], stats.acked_count);
    pd_counter_set(&self->appends[UNKNOWN], stats.unknown_count);
    pd_counter_set(&self->appends[UNSENT], stats.unsent_count);
    pd_counter_set(&self->appends[REFUSED], stats.refused_count);
    pd_counter_set(&self->append_size, stats.append_size);
    pd_counter_set(&self->latency_us, stats.latency_sum_us);
    pd_counter_set(&self->replaced, stats.replaced_count);
    pd_counter_set(&self->consumers, stats.consumer_count);
    pd_counter_set(&self->records_read, stats.read_count);
    pd_counter_set(&self->size_read, stats.read_size);
    pd_counter_set(&self->broker_errors, stats.broker_error_count);
    pd_gauge_set(&self->in_flight, (int64_t)stats.in_flight_count);
}

static void add_kafka_metrics(kafka_metrics_t *self, pd_log_t *log, pd_metrics_t *metrics)
{
    static const char *const outcomes[OUTCOME_COUNT] = {"acknowledged", "unknown", "unsent",
                                                        "refused"};
    const struct {
        pd_engine_metric_t metric;
        pd_counter_t *cell;
    } counters[] = {
        {PD_METRIC_KAFKA_APPEND_BYTES, &self->append_size},
        {PD_METRIC_KAFKA_APPEND_MICROSECONDS, &self->latency_us},
        {PD_METRIC_KAFKA_PRODUCERS_REPLACED, &self->replaced},
        {PD_METRIC_KAFKA_CONSUMERS, &self->consumers},
        {PD_METRIC_KAFKA_RECORDS_READ, &self->records_read},
        {PD_METRIC_KAFKA_BYTES_READ, &self->size_read},
        {PD_METRIC_KAFKA_BROKER_ERRORS, &self->broker_errors},
    };

    self->log = log;
    for (size_t i = 0; i < OUTCOME_COUNT; i++)
        pd_metrics_add_counter(metrics, PD_METRIC_KAFKA_APPENDS, &self->appends[i], outcomes[i],
                               NULL);
    for (size_t i = 0; i < PD_ARRAY_COUNT(counters); i++)
        pd_metrics_add_counter(metrics, counters[i].metric, counters[i].cell, NULL, NULL);
    pd_metrics_add_gauge(metrics, PD_METRIC_KAFKA_IN_FLIGHT, &self->in_flight, NULL, NULL);
    pd_metrics_add_collector(metrics, collect_kafka, self);
}

/* ---- the subcommand ---- */

static int run(const pd_program_options_t *options, pd_log_t *log)
{
    pd_metrics_t *metrics = pd_metrics_new(pd_engine_metrics, PD_METRIC_ENGINE_COUNT);
    kafka_metrics_t kafka = {0};
    int exit_code;

    if (options->log == PD_PROGRAM_LOG_KAFKA)
        add_kafka_metrics(&kafka, log, metrics);
    exit_code = pd_server_run(options, log, metrics);
    pd_metrics_free(metrics);
    return exit_code;
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
        exit_code = run(&options, log);
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
