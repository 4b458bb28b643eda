/* test_mock.c -- appending, while something goes wrong at a broker; and opening the log. */
#include <string.h>

#include "base/os_clock.h"
#include "tests/kafka/mock.h"

/* A new writer can append, and reads see what it appended. */
static void assert_works(harness_t *harness)
{
    producer_t producer;
    records_t records;

    mock_open_producer(harness, &producer);
    producer_send_numbered(&producer, 1000, 10);
    producer_send_numbered(&producer, 1001, 10);
    producer_wait(&producer);
    assert_int_equal(producer.ok_count, 2);
    records_read(&records, harness, PD_LOG_EVENTS, 0, producer.sent[0]->append.offset, 0);
    mock_forgive_times(&producer, records.items, records.count);
    assert_all(&records, &producer);
    records_free(&records);
    mock_end_producer(&producer);
}

/* The next produce request is answered with this code. One append is broken by it, with `status`,
 * and the writer says why. */
static void assert_breaks(harness_t *harness, rd_kafka_resp_err_t code, pd_status_t status)
{
    producer_t producer;
    pd_error_t error;

    mock_open_producer(harness, &producer);
    producer_send_numbered(&producer, 0, 10);
    producer_wait(&producer);
    assert_int_equal(producer.ok_count, 1);
    rd_kafka_mock_push_request_errors(mock_cluster_of(harness), MOCK_PRODUCE, 1, code);
    producer_send_numbered(&producer, 1, 10);
    producer_wait(&producer);
    assert_int_equal(producer.sent[1]->append.status, status);
    pd_log_writer_error(producer.writer, &error);
    assert_int_equal(error.status, status);
    assert_non_null(strstr(error.text, "test.events[0]"));
    producer_send_numbered(&producer, 2, 10); /* it stays broken */
    producer_wait(&producer);
    assert_int_equal(producer.sent[2]->append.status, PD_CANCELED);
    mock_end_producer(&producer);
}

static void records_are_written_and_read(void **state)
{
    assert_works(*state);
}

static void a_new_leader_is_found_without_a_failure(void **state)
{
    harness_t *harness = *state;
    producer_t producer;

    mock_open_producer(harness, &producer);
    for (uint64_t i = 0; i < 20; i++) {
        if (i % 5 == 0)
            rd_kafka_mock_push_request_errors(mock_cluster_of(harness), MOCK_PRODUCE, 2,
                                              RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                              RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
        producer_send_numbered(&producer, i, 10);
        producer_wait(&producer);
    }
    assert_int_equal(producer.ok_count, 20);
    assert_int_equal(mock_replaced_count(harness), 0);
    mock_end_producer(&producer);
}

static void refusals_are_io(void **state)
{
    harness_t *harness = *state;

    assert_breaks(harness, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, PD_IO);
    assert_breaks(harness, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, PD_IO);
    assert_breaks(harness, RD_KAFKA_RESP_ERR_INVALID_RECORD, PD_IO);
    assert_works(harness);
}

/* librdkafka tells no offset then. */
static void an_acknowledgement_without_offset_is_unknown(void **state)
{
    harness_t *harness = *state;

    assert_breaks(harness, RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER, PD_UNKNOWN_OUTCOME);
    assert_works(harness);
    assert_int_equal(mock_replaced_count(harness), 1);
}

/* What is in flight when the producer breaks for good does not land twice, and the next writer has
 * another producer. */
static void a_fatal_error_replaces_the_producer(void **state)
{
    harness_t *harness = *state;
    producer_t producer;

    mock_open_producer(harness, &producer);
    producer_send_numbered(&producer, 0, 10);
    producer_wait(&producer);
    rd_kafka_mock_push_request_errors(mock_cluster_of(harness), MOCK_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    for (uint64_t i = 1; i < 10; i++)
        producer_send_numbered(&producer, i, 10);
    producer_wait(&producer);
    assert_int_not_equal(producer.broken, PD_OK);
    assert_works(harness);
    assert_int_equal(mock_replaced_count(harness), 1);
    mock_end_producer(&producer);
    assert_works(harness);
}

static void a_silent_broker_leaves_outcomes_unknown(void **state)
{
    harness_t *harness = *state;
    producer_t producer;
    pd_error_t error;

    mock_open_producer(harness, &producer);
    producer_send_numbered(&producer, 0, 10);
    producer_wait(&producer);
    mock_set_rtt(harness, MOCK_DELIVERY_TIMEOUT_MS * 10);
    for (uint64_t i = 1; i < 50; i++)
        producer_send_numbered(&producer, i, 10);
    producer_wait(&producer);
    assert_int_equal(producer.ok_count, 1);
    assert_int_equal(producer.broken, PD_UNKNOWN_OUTCOME);
    pd_log_writer_error(producer.writer, &error);
    assert_int_equal(error.status, PD_UNKNOWN_OUTCOME);
    mock_set_rtt(harness, 0);
    assert_works(harness); /* while the broken one is still open */
    assert_int_equal(mock_replaced_count(harness), 1);
    mock_end_producer(&producer);
}

static void what_was_never_sent_is_unavailable(void **state)
{
    harness_t *harness = *state;
    producer_t producer;

    assert_works(harness);
    mock_set_down(harness, true);
    for (int round = 0; round < 2; round++) {
        mock_open_producer(harness, &producer);
        producer_send_numbered(&producer, 1, 10);
        producer_wait(&producer);
        if (round > 0) /* the first may meet a connection that still seems to be there */
            assert_int_equal(producer.broken, PD_UNAVAILABLE);
        mock_end_producer(&producer);
    }
    mock_set_down(harness, false);
    assert_works(harness);
}

/* With nobody else on the producer there is no reason to wait for the brokers. */
static void closing_gives_up_what_is_in_flight(void **state)
{
    harness_t *harness = *state;
    producer_t producers[2];

    for (int i = 0; i < 2; i++)
        mock_open_producer(harness, &producers[i]);
    mock_set_rtt(harness, MOCK_DELIVERY_TIMEOUT_MS * 10);
    for (uint64_t i = 0; i < 100; i++)
        producer_send_numbered(&producers[i % 2], i, 10);
    for (int i = 0; i < 2; i++)
        producer_begin_close(&producers[i], NULL);
    for (int i = 0; i < 2; i++) {
        producer_wait(&producers[i]);
        assert_int_equal(producers[i].ok_count, 0);
        assert_int_equal(producers[i].done_count, 50);
        producer_free(&producers[i]);
    }
    mock_set_rtt(harness, 0);
    assert_works(harness);
}

static void too_large_is_not_taken(void **state)
{
    harness_t *harness = *state;
    uint8_t *value = pd_calloc(1, 100001);
    pd_log_append_t append = {.value = pd_bytes(value, 100001)};
    producer_t producer;

    mock_open_producer(harness, &producer);
    append.done = producer_send_numbered(&producer, 0, 10)->append.done;
    assert_int_equal(pd_log_append(producer.writer, &append), PD_LIMIT);
    producer_send(&producer, pd_bytes(NULL, 0), pd_bytes(value, 100000));
    producer_wait(&producer);
    assert_int_equal(producer.ok_count, 2);
    mock_end_producer(&producer);
    pd_free(value);
}

static bool at_once(void *ctx)
{
    return true;
}

static void opening_tells_what_is_wrong(void **state)
{
    static const pd_log_kafka_property_t fixed = {"acks", "1"}, unknown = {"no.such", "1"},
                                         range = {"linger.ms", "-7"};
    harness_t *harness = *state;
    mock_t *fixture = harness->fixture;
    pd_error_t error;
    pd_log_t *log;

    assert_int_equal(mock_try_open(fixture, &fixed, NULL, &log, &error), PD_INVALID);
    assert_non_null(strstr(error.text, "kafka.acks cannot be set: it is all"));
    assert_int_equal(mock_try_open(fixture, &unknown, NULL, &log, &error), PD_INVALID);
    assert_non_null(strstr(error.text, "no.such"));
    assert_int_equal(mock_try_open(fixture, &range, NULL, &log, &error), PD_INVALID);
    assert_non_null(strstr(error.text, "linger.ms"));
    mock_set_down(harness, true);
    assert_int_equal(mock_try_open(fixture, NULL, at_once, &log, &error), PD_CANCELED);
    assert_non_null(strstr(error.text, "waiting for the Kafka brokers"));
    mock_set_down(harness, false);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(records_are_written_and_read),
        LOG_TEST(a_new_leader_is_found_without_a_failure),
        LOG_TEST(refusals_are_io),
        LOG_TEST(an_acknowledgement_without_offset_is_unknown),
        LOG_TEST(a_fatal_error_replaces_the_producer),
        LOG_TEST(a_silent_broker_leaves_outcomes_unknown),
        LOG_TEST(what_was_never_sent_is_unavailable),
        LOG_TEST(closing_gives_up_what_is_in_flight),
        LOG_TEST(too_large_is_not_taken),
        LOG_TEST(opening_tells_what_is_wrong),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    harness_configure(&mock_ops, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
