/* kafka.c -- opening, closing, statistics. */
#include "log/kafka/kafka.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "log/kafka/kafka_private.h"

static const char *const topic_suffixes[] = {
    [PD_LOG_EVENTS] = "events",
    [PD_LOG_COMMANDS] = "commands",
    [PD_LOG_MEMBERS] = "members",
    [PD_LOG_REJECTED] = "rejected",
};

_Static_assert(PD_ARRAY_COUNT(topic_suffixes) == PD_LOG_TOPIC_COUNT, "a name for each topic");

static uint32_t or_default(uint32_t value, uint32_t default_value)
{
    return value ? value : default_value;
}

static pd_status_t check_options(const pd_log_kafka_options_t *options, pd_error_t *error)
{
    if (!options->cluster || strlen(options->cluster) > PD_LOG_KAFKA_CLUSTER_NAME_MAX ||
        !pdi_kafka_is_topic_name(options->cluster))
        return pd_error_set(error, PD_INVALID,
                            "the cluster's name must be letters, digits, '.', '_', '-', at most "
                            "%d of them",
                            PD_LOG_KAFKA_CLUSTER_NAME_MAX);
    if (!options->bootstrap_servers || !options->bootstrap_servers[0])
        return pd_error_set(error, PD_INVALID, "no Kafka bootstrap servers are given");
    if (options->partition_count > PD_LOG_KAFKA_PARTITIONS_MAX)
        return pd_error_set(error, PD_INVALID, "%u partitions are more than %d",
                            options->partition_count, PD_LOG_KAFKA_PARTITIONS_MAX);
    if (options->replication_factor > INT16_MAX)
        return pd_error_set(error, PD_INVALID, "a replication factor of %u",
                            options->replication_factor);
    if (options->replication_factor && options->min_insync_replicas > options->replication_factor)
        return pd_error_set(error, PD_INVALID,
                            "min.insync.replicas %u is more than the %u replicas there are",
                            options->min_insync_replicas, options->replication_factor);
    if (options->record_size_max > PD_LOG_RECORD_SIZE_LIMIT)
        return pd_error_set(error, PD_INVALID, "records of %u bytes: at most %u",
                            options->record_size_max, PD_LOG_RECORD_SIZE_LIMIT);
    return PD_OK;
}

static void copy_options(pdi_kafka_t *log, const pd_log_kafka_options_t *options)
{
    log->cluster = pd_strdup(options->cluster);
    log->bootstrap_servers = pd_strdup(options->bootstrap_servers);
    log->properties = pd_calloc(options->property_count, sizeof(*log->properties));
    for (size_t i = 0; i < options->property_count; i++) {
        log->properties[i].name = pd_strdup(options->properties[i].name);
        log->properties[i].value = pd_strdup(options->properties[i].value);
    }
    log->property_count = options->property_count;
    log->delivery_timeout_ms =
        or_default(options->delivery_timeout_ms, PD_LOG_KAFKA_DELIVERY_TIMEOUT_MS_DEFAULT);
    log->read_timeout_ns =
        (int64_t)or_default(options->read_timeout_ms, PD_LOG_KAFKA_READ_TIMEOUT_MS_DEFAULT) *
        1000000;
    log->base.info.record_size_max =
        or_default(options->record_size_max, PD_LOG_KAFKA_RECORD_SIZE_DEFAULT);
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++)
        snprintf(log->topic_names[i], sizeof(log->topic_names[i]), "%s.%s", log->cluster,
                 topic_suffixes[i]);
}

static void free_log(pdi_kafka_t *log)
{
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++)
        pd_free(log->partitions[i]);
    for (size_t i = 0; i < log->property_count; i++) {
        pd_free((void *)log->properties[i].name);
        pd_free((void *)log->properties[i].value);
    }
    pd_free(log->properties);
    pd_free(log->bootstrap_servers);
    pd_free(log->cluster);
    pthread_mutex_destroy(&log->mutex);
    pd_free(log);
}

static void close_log(pd_log_t *base)
{
    pdi_kafka_t *log = pdi_kafka_of(base);

    PD_ASSERT(log->reader_count == 0);
    pdi_kafka_quiet_sessions(log);
    pd_loop_event_stop(log->chores_loop);
    pdi_kafka_free_sessions(log);
    pd_loop_event_free(log->chores_loop);
    pdi_kafka_free_handles(log);
    free_log(log);
}

static const pd_log_ops_t ops = {
    .name = "kafka",
    .open_writer = pdi_kafka_open_writer,
    .append = pdi_kafka_append,
    .writer_error = pdi_kafka_writer_error,
    .close_writer = pdi_kafka_close_writer,
    .open_reader = pdi_kafka_open_reader,
    .read = pdi_kafka_read,
    .close_reader = pdi_kafka_close_reader,
    .close = close_log,
    .open_foreign_reader = pdi_kafka_open_foreign_reader,
    .query_topic = pdi_kafka_query_topic,
};

static pdi_kafka_t *new_log(const pd_log_kafka_options_t *options)
{
    pdi_kafka_t *log = PD_NEW(pdi_kafka_t);

    log->base.ops = &ops;
    log->base.info.exclusive = false;
    log->base.info.durable = true;
    log->base.info.headers = true;
    PD_ASSERT(pthread_mutex_init(&log->mutex, NULL) == 0);
    copy_options(log, options);
    log->chores_mail.run = pdi_kafka_chores_run;
    log->sweep_timer.fire = pdi_kafka_chores_sweep;
    return log;
}

/* The first handles connect while the rest of the program starts. */
static pd_status_t warm_up(pdi_kafka_t *log, pd_error_t *error)
{
    PD_TRY(pdi_kafka_add_handle(log, PDI_KAFKA_TAIL, error));
    PD_TRY(pdi_kafka_add_handle(log, PDI_KAFKA_PLACE, error));
    for (int i = 0; i < PDI_KAFKA_SPARE_COUNT; i++)
        PD_TRY(pdi_kafka_session_add_spare(log, error));
    return PD_OK;
}

static void start_chores(pdi_kafka_t *log)
{
    pd_loop_event_options_t options = {.name = "log-chores", .mailbox_count = 1};

    log->chores_loop = pd_loop_event_new(&options);
    pd_loop_event_start(log->chores_loop);
    log->chores = pd_loop_event_loop(log->chores_loop);
}

pd_status_t pd_log_kafka_open(const pd_log_kafka_options_t *options, pd_log_t **out,
                              pd_error_t *error)
{
    pdi_kafka_t *log;
    pd_status_t status;

    *out = NULL;
    PD_TRY(check_options(options, error));
    log = new_log(options);
    status = pdi_kafka_add_handle(log, PDI_KAFKA_QUICK, error);
    if (status == PD_OK)
        status = pdi_kafka_prepare_topics(log, options, log->handles->rk, error);
    if (status != PD_OK) {
        pdi_kafka_free_handles(log);
        free_log(log);
        return status;
    }
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++)
        log->partitions[i] =
            pd_calloc(log->base.info.partition_counts[i], sizeof(*log->partitions[i]));
    start_chores(log);
    status = warm_up(log, error);
    if (status != PD_OK) {
        close_log(&log->base);
        return status;
    }
    *out = &log->base;
    return PD_OK;
}

static uint64_t get(_Atomic(uint64_t) *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void pd_log_kafka_stats(pd_log_t *base, pd_log_kafka_stats_t *stats)
{
    pdi_kafka_t *log = pdi_kafka_of(base);
    uint64_t completed_count = get(&log->completed_count); /* before what it is subtracted from */

    *stats = (pd_log_kafka_stats_t){
        .append_count = get(&log->append_count),
        .append_size = get(&log->append_size),
        .acked_count = get(&log->acked_count),
        .unknown_count = get(&log->unknown_count),
        .unsent_count = get(&log->unsent_count),
        .refused_count = get(&log->refused_count),
        .latency_sum_us = get(&log->latency_sum_us),
        .replaced_count = get(&log->replaced_count),
        .consumer_count = get(&log->consumer_count),
        .read_count = get(&log->read_count),
        .read_size = get(&log->read_size),
        .broker_error_count = get(&log->broker_error_count),
    };
    stats->in_flight_count = stats->append_count - completed_count;
}
