/* mock.h -- librdkafka's mock cluster as the log's brokers: no Java, and whatever goes wrong at a
 * broker can be injected. The real brokers' part is in test_topics.c and in faults.py. */
#ifndef PD_TESTS_KAFKA_MOCK_H
#define PD_TESTS_KAFKA_MOCK_H

#include <librdkafka/rdkafka.h>

#include <librdkafka/rdkafka_mock.h>

#include "log/kafka/kafka.h"
#include "tests/conformance/log/harness.h"

enum {
    MOCK_BROKERS = 2,
    MOCK_DELIVERY_TIMEOUT_MS = 1500,
    MOCK_READ_TIMEOUT_MS = 1500,
    /* Kafka's numbers of requests. */
    MOCK_PRODUCE = 0,
    MOCK_FETCH = 1,
    MOCK_LIST_OFFSETS = 2,
};

typedef struct mock {
    rd_kafka_t *rk; /* owns the cluster */
    rd_kafka_mock_cluster_t *cluster;
} mock_t;

/* Topics test.events, …; for harness_configure(). */
extern const log_fixture_ops_t mock_ops;

pd_status_t mock_try_open(mock_t *fixture, const pd_log_kafka_property_t *property,
                          bool (*stopped)(void *ctx), pd_log_t **log, pd_error_t *error);
/* `ctx`: a mock_t. Aborts when the log cannot be opened. */
pd_log_t *mock_open(void *ctx);
rd_kafka_mock_cluster_t *mock_cluster_of(harness_t *harness);
/* Of all brokers. */
void mock_set_rtt(harness_t *harness, int rtt_ms);
void mock_set_down(harness_t *harness, bool down);

/* Producers that were replaced. */
uint64_t mock_replaced_count(harness_t *harness);
/* In partition 0 of the events. */
void mock_open_producer(harness_t *harness, producer_t *producer);
void mock_end_producer(producer_t *producer);
/* The mock cluster tells a time of its own in its acknowledgements. */
void mock_forgive_times(producer_t *producer, const pd_log_record_t *records, uint64_t count);

#endif
