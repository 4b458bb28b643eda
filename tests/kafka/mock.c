#include "tests/kafka/mock.h"

#include <stdio.h>
#include <stdlib.h>

static void *setup(pd_loop_t *loop, uint64_t seed)
{
    static const char *const topics[] = {"test.events", "test.commands", "test.rejected"};
    mock_t *fixture = PD_NEW(mock_t);
    char text[256];

    fixture->rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof(text));
    PD_ASSERT(fixture->rk);
    fixture->cluster = rd_kafka_mock_cluster_new(fixture->rk, MOCK_BROKERS);
    PD_ASSERT(fixture->cluster);
    for (size_t i = 0; i < PD_ARRAY_COUNT(topics); i++)
        rd_kafka_mock_topic_create(fixture->cluster, topics[i], LOG_SUITE_PARTITIONS, 1);
    rd_kafka_mock_topic_create(fixture->cluster, "test.members", 1, 1);
    return fixture;
}

pd_status_t mock_try_open(mock_t *fixture, const pd_log_kafka_property_t *property,
                          bool (*stopped)(void *ctx), pd_log_t **log, pd_error_t *error)
{
    pd_log_kafka_options_t options = {
        .cluster = "test",
        .bootstrap_servers = rd_kafka_mock_cluster_bootstraps(fixture->cluster),
        .properties = property,
        .property_count = property ? 1 : 0,
        .topics_unmanaged = true, /* the mock cluster knows no requests for it */
        .record_size_max = 100000,
        .delivery_timeout_ms = MOCK_DELIVERY_TIMEOUT_MS,
        .read_timeout_ms = MOCK_READ_TIMEOUT_MS,
        .stopped = stopped};

    return pd_log_kafka_open(&options, log, error);
}

pd_log_t *mock_open(void *ctx)
{
    pd_error_t error = {0};
    pd_log_t *log;

    if (mock_try_open(ctx, NULL, NULL, &log, &error) != PD_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    return log;
}

static void teardown(void *ctx)
{
    mock_t *fixture = ctx;

    rd_kafka_mock_cluster_destroy(fixture->cluster);
    rd_kafka_destroy(fixture->rk);
    pd_free(fixture);
}

const log_fixture_ops_t mock_ops = {
    .name = "kafka mock", .setup = setup, .open = mock_open, .teardown = teardown};

rd_kafka_mock_cluster_t *mock_cluster_of(harness_t *harness)
{
    return ((mock_t *)harness->fixture)->cluster;
}

uint64_t mock_replaced_count(harness_t *harness)
{
    pd_log_kafka_stats_t stats;

    pd_log_kafka_stats(harness->log, &stats);
    return stats.replaced_count;
}

void mock_open_producer(harness_t *harness, producer_t *producer)
{
    producer_open(producer, harness, harness->loop, PD_LOG_EVENTS, 0);
}

void mock_end_producer(producer_t *producer)
{
    producer_close(producer);
    producer_free(producer);
}

void mock_forgive_times(producer_t *producer, const pd_log_record_t *records, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        producer->sent[i]->append.time_ms = records[i].time_ms;
}

void mock_set_rtt(harness_t *harness, int rtt_ms)
{
    for (int i = 1; i <= MOCK_BROKERS; i++)
        rd_kafka_mock_broker_set_rtt(mock_cluster_of(harness), i, rtt_ms);
}

void mock_set_down(harness_t *harness, bool down)
{
    for (int i = 1; i <= MOCK_BROKERS; i++) {
        if (down)
            rd_kafka_mock_broker_set_down(mock_cluster_of(harness), i);
        else
            rd_kafka_mock_broker_set_up(mock_cluster_of(harness), i);
    }
}
