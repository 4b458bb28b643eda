/* test_mock.c -- what goes wrong at a broker, injected with librdkafka's mock cluster. No Java; the
 * real brokers' part is in test_topics.c and in faults.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include <librdkafka/rdkafka_mock.h>

#include "base/os_clock.h"
#include "log/kafka/kafka.h"
#include "tests/conformance/log/harness.h"

enum {
    BROKERS = 2,
    DELIVERY_TIMEOUT_MS = 1500,
    READ_TIMEOUT_MS = 1500,
    /* Kafka's numbers of requests. */
    API_PRODUCE = 0,
    API_FETCH = 1,
    API_LIST_OFFSETS = 2,
};

typedef struct fixture {
    rd_kafka_t *rk; /* owns the cluster */
    rd_kafka_mock_cluster_t *cluster;
} fixture_t;

static void *setup(pd_loop_t *loop, uint64_t seed)
{
    static const char *const topics[] = {"test.events", "test.commands", "test.rejected"};
    fixture_t *fixture = PD_NEW(fixture_t);
    char text[256];

    fixture->rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof(text));
    PD_ASSERT(fixture->rk);
    fixture->cluster = rd_kafka_mock_cluster_new(fixture->rk, BROKERS);
    PD_ASSERT(fixture->cluster);
    for (size_t i = 0; i < PD_ARRAY_COUNT(topics); i++)
        rd_kafka_mock_topic_create(fixture->cluster, topics[i], LOG_SUITE_PARTITIONS, 1);
    rd_kafka_mock_topic_create(fixture->cluster, "test.members", 1, 1);
    return fixture;
}

static pd_status_t try_open(fixture_t *fixture, const pd_log_kafka_property_t *property,
                            bool (*stopped)(void *ctx), pd_log_t **log, pd_error_t *error)
{
    pd_log_kafka_options_t options = {
        .cluster = "test",
        .bootstrap_servers = rd_kafka_mock_cluster_bootstraps(fixture->cluster),
        .properties = property,
        .property_count = property ? 1 : 0,
        .topics_unmanaged = true, /* the mock cluster knows no requests for it */
        .record_size_max = 100000,
        .delivery_timeout_ms = DELIVERY_TIMEOUT_MS,
        .read_timeout_ms = READ_TIMEOUT_MS,
        .stopped = stopped};

    return pd_log_kafka_open(&options, log, error);
}

static pd_log_t *open_log(void *ctx)
{
    pd_error_t error = {0};
    pd_log_t *log;

    if (try_open(ctx, NULL, NULL, &log, &error) != PD_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    return log;
}

static void teardown(void *ctx)
{
    fixture_t *fixture = ctx;

    rd_kafka_mock_cluster_destroy(fixture->cluster);
    rd_kafka_destroy(fixture->rk);
    pd_free(fixture);
}

static const log_fixture_ops_t ops = {
    .name = "kafka mock", .setup = setup, .open = open_log, .teardown = teardown};

static rd_kafka_mock_cluster_t *cluster_of(harness_t *harness)
{
    return ((fixture_t *)harness->fixture)->cluster;
}

static uint64_t replaced_count(harness_t *harness)
{
    pd_log_kafka_stats_t stats;

    pd_log_kafka_stats(harness->log, &stats);
    return stats.replaced_count;
}

static void open_producer(harness_t *harness, producer_t *producer)
{
    producer_open(producer, harness, harness->loop, PD_LOG_EVENTS, 0);
}

static void end_producer(producer_t *producer)
{
    producer_close(producer);
    producer_free(producer);
}

/* The mock cluster tells a time of its own in its acknowledgements. */
static void forgive_times(producer_t *producer, const pd_log_record_t *records, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        producer->sent[i]->append.time_ms = records[i].time_ms;
}

/* A new writer can append, and reads see what it appended. */
static void assert_works(harness_t *harness)
{
    producer_t producer;
    records_t records;

    open_producer(harness, &producer);
    producer_send_numbered(&producer, 1000, 10);
    producer_send_numbered(&producer, 1001, 10);
    producer_wait(&producer);
    assert_int_equal(producer.ok_count, 2);
    records_read(&records, harness, PD_LOG_EVENTS, 0, producer.sent[0]->append.offset, 0);
    forgive_times(&producer, records.items, records.count);
    assert_all(&records, &producer);
    records_free(&records);
    end_producer(&producer);
}

/* The next produce request is answered with this code. One append is broken by it, with `status`,
 * and the writer says why. */
static void assert_breaks(harness_t *harness, rd_kafka_resp_err_t code, pd_status_t status)
{
    producer_t producer;
    pd_error_t error;

    open_producer(harness, &producer);
    producer_send_numbered(&producer, 0, 10);
    producer_wait(&producer);
    assert_int_equal(producer.ok_count, 1);
    rd_kafka_mock_push_request_errors(cluster_of(harness), API_PRODUCE, 1, code);
    producer_send_numbered(&producer, 1, 10);
    producer_wait(&producer);
    assert_int_equal(producer.sent[1]->append.status, status);
    pd_log_writer_error(producer.writer, &error);
    assert_int_equal(error.status, status);
    assert_non_null(strstr(error.text, "test.events[0]"));
    producer_send_numbered(&producer, 2, 10); /* it stays broken */
    producer_wait(&producer);
    assert_int_equal(producer.sent[2]->append.status, PD_CANCELED);
    end_producer(&producer);
}

static void records_are_written_and_read(void **state)
{
    assert_works(*state);
}

static void a_new_leader_is_found_without_a_failure(void **state)
{
    harness_t *harness = *state;
    producer_t producer;

    open_producer(harness, &producer);
    for (uint64_t i = 0; i < 20; i++) {
        if (i % 5 == 0)
            rd_kafka_mock_push_request_errors(cluster_of(harness), API_PRODUCE, 2,
                                              RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                              RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
        producer_send_numbered(&producer, i, 10);
        producer_wait(&producer);
    }
    assert_int_equal(producer.ok_count, 20);
    assert_int_equal(replaced_count(harness), 0);
    end_producer(&producer);
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
    assert_int_equal(replaced_count(harness), 1);
}

/* What is in flight when the producer breaks for good does not land twice, and the next writer has
 * another producer. */
static void a_fatal_error_replaces_the_producer(void **state)
{
    harness_t *harness = *state;
    producer_t producer;

    open_producer(harness, &producer);
    producer_send_numbered(&producer, 0, 10);
    producer_wait(&producer);
    rd_kafka_mock_push_request_errors(cluster_of(harness), API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    for (uint64_t i = 1; i < 10; i++)
        producer_send_numbered(&producer, i, 10);
    producer_wait(&producer);
    assert_int_not_equal(producer.broken, PD_OK);
    assert_works(harness);
    assert_int_equal(replaced_count(harness), 1);
    end_producer(&producer);
    assert_works(harness);
}

static void set_rtt(harness_t *harness, int rtt_ms)
{
    for (int i = 1; i <= BROKERS; i++)
        rd_kafka_mock_broker_set_rtt(cluster_of(harness), i, rtt_ms);
}

static void a_silent_broker_leaves_outcomes_unknown(void **state)
{
    harness_t *harness = *state;
    producer_t producer;
    pd_error_t error;

    open_producer(harness, &producer);
    producer_send_numbered(&producer, 0, 10);
    producer_wait(&producer);
    set_rtt(harness, DELIVERY_TIMEOUT_MS * 10);
    for (uint64_t i = 1; i < 50; i++)
        producer_send_numbered(&producer, i, 10);
    producer_wait(&producer);
    assert_int_equal(producer.ok_count, 1);
    assert_int_equal(producer.broken, PD_UNKNOWN_OUTCOME);
    pd_log_writer_error(producer.writer, &error);
    assert_int_equal(error.status, PD_UNKNOWN_OUTCOME);
    set_rtt(harness, 0);
    assert_works(harness); /* while the broken one is still open */
    assert_int_equal(replaced_count(harness), 1);
    end_producer(&producer);
}

static void set_down(harness_t *harness, bool down)
{
    for (int i = 1; i <= BROKERS; i++) {
        if (down)
            rd_kafka_mock_broker_set_down(cluster_of(harness), i);
        else
            rd_kafka_mock_broker_set_up(cluster_of(harness), i);
    }
}

static void what_was_never_sent_is_unavailable(void **state)
{
    harness_t *harness = *state;
    producer_t producer;

    assert_works(harness);
    set_down(harness, true);
    for (int round = 0; round < 2; round++) {
        open_producer(harness, &producer);
        producer_send_numbered(&producer, 1, 10);
        producer_wait(&producer);
        if (round > 0) /* the first may meet a connection that still seems to be there */
            assert_int_equal(producer.broken, PD_UNAVAILABLE);
        end_producer(&producer);
    }
    set_down(harness, false);
    assert_works(harness);
}

/* With nobody else on the producer there is no reason to wait for the brokers. */
static void closing_gives_up_what_is_in_flight(void **state)
{
    harness_t *harness = *state;
    producer_t producers[2];

    for (int i = 0; i < 2; i++)
        open_producer(harness, &producers[i]);
    set_rtt(harness, DELIVERY_TIMEOUT_MS * 10);
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
    set_rtt(harness, 0);
    assert_works(harness);
}

static void reads_fail_and_are_repeated(void **state)
{
    harness_t *harness = *state;
    producer_t producer;
    consumer_t consumer;
    const pd_log_read_t *read;

    open_producer(harness, &producer);
    producer_send_numbered(&producer, 0, 10);
    producer_wait(&producer);
    consumer_open(&consumer, harness, PD_LOG_EVENTS, 0);
    rd_kafka_mock_push_request_errors(cluster_of(harness), API_FETCH, 2,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR);
    read = consumer_read(&consumer, PD_LOG_FIRST);
    assert_int_equal(read->count, 1);
    forgive_times(&producer, read->records, 1);
    assert_is(&read->records[0], producer.sent[0]);
    set_down(harness, true);
    consumer_begin(&consumer, PD_LOG_FIRST, 0, false);
    read = consumer_finish(&consumer);
    assert_int_equal(read->status, PD_UNAVAILABLE);
    set_down(harness, false);
    read = consumer_read(&consumer, PD_LOG_FIRST);
    assert_int_equal(read->count, 1);
    consumer_close(&consumer);
    end_producer(&producer);
}

/* What a stream holds since before a read says nothing of where the end is now. Each round: two
 * records of the first come to the reader, one of them is served; then another process appends. */
static void the_end_is_asked_for_by_each_read(void **state)
{
    enum { ROUNDS = 50 };
    harness_t *harness = *state;
    pd_log_t *here = harness->log, *there = open_log(harness->fixture);
    producer_t first, other;
    consumer_t consumer;

    open_producer(harness, &first);
    harness->log = there;
    open_producer(harness, &other);
    harness->log = here;
    consumer_open(&consumer, harness, PD_LOG_EVENTS, 0);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        int64_t offset = (int64_t)(3 * i);
        const pd_log_read_t *read;

        producer_send_numbered(&first, 2 * i, 10);
        producer_send_numbered(&first, 2 * i + 1, 10);
        producer_wait(&first);
        consumer_begin(&consumer, offset, 1, false);
        read = consumer_finish(&consumer);
        assert_int_equal(read->next_offset, offset + 1);
        producer_send_numbered(&other, i, 10);
        producer_wait(&other);
        consumer_begin(&consumer, offset + 1, 0, false);
        read = consumer_finish(&consumer);
        assert_int_equal(read->status, PD_OK);
        assert_int_equal(read->end_offset, offset + 3);
    }
    consumer_close(&consumer);
    end_producer(&first);
    end_producer(&other);
    pd_log_close(there);
}

/* What is acknowledged, and what the broker has that the readers are sent to. */
enum { COUNT = 10, HALF = 5 };

static void know_up_to(harness_t *harness, int64_t end)
{
    rd_kafka_mock_partition_set_follower_wmarks(cluster_of(harness), "test.events", 0, 0, end);
}

static void begin_lagging(harness_t *harness, producer_t *producer)
{
    rd_kafka_mock_partition_set_leader(cluster_of(harness), "test.events", 0, 1);
    open_producer(harness, producer);
    for (uint64_t i = 0; i < COUNT; i++) {
        producer_send_numbered(producer, i, 10);
        producer_wait(producer); /* the mock cluster sends whole batches: here of one record */
    }
    rd_kafka_mock_partition_set_follower(cluster_of(harness), "test.events", 0, 2);
    know_up_to(harness, HALF);
}

/* The reader is sent to a broker that has only half of what was acknowledged: it serves that half,
 * says that there is more, and goes on when there is. */
static void a_broker_that_lags_does_not_hold_up_what_it_has(void **state)
{
    harness_t *harness = *state;
    producer_t producer;
    consumer_t consumer;
    const pd_log_read_t *read;

    begin_lagging(harness, &producer);
    consumer_open(&consumer, harness, PD_LOG_EVENTS, 0);
    for (int64_t next = 0; next < HALF; next = read->next_offset) {
        consumer_begin(&consumer, next, 0, false);
        read = consumer_finish(&consumer);
        assert_int_equal(read->status, PD_OK);
        assert_true(read->next_offset > next && read->next_offset <= HALF);
        assert_int_equal(read->end_offset, COUNT);
    }
    consumer_begin(&consumer, HALF, 0, false);
    know_up_to(harness, COUNT);
    read = consumer_finish(&consumer);
    assert_int_equal(read->status, PD_OK);
    assert_true(read->next_offset > HALF);
    consumer_close(&consumer);
    end_producer(&producer);
}

static uint64_t consumer_count(harness_t *harness)
{
    pd_log_kafka_stats_t stats;

    pd_log_kafka_stats(harness->log, &stats);
    return stats.consumer_count;
}

/* Looks again and again, since nobody tells. */
typedef struct counting {
    harness_t *harness;
    pd_timer_t timer;
    uint64_t before;
} counting_t;

static void on_count_again(pd_timer_t *timer)
{
    counting_t *self = PD_CONTAINER_OF(timer, counting_t, timer);

    harness_progress(self->harness);
    pd_loop_timer_start(self->harness->loop, timer,
                        pd_loop_now_ns(self->harness->loop) + 50 * 1000000);
}

static bool has_more_consumers(void *ctx)
{
    const counting_t *self = ctx;

    return consumer_count(self->harness) > self->before;
}

typedef struct asked {
    pd_log_topic_query_t query; /* first: converts */
    harness_t *harness;
    bool done;
} asked_t;

static void on_asked(pd_log_topic_query_t *query)
{
    asked_t *asked = (asked_t *)query;

    asked->done = true;
    harness_progress(asked->harness);
}

static bool is_asked(void *ctx)
{
    return ((asked_t *)ctx)->done;
}

/* For longer than it takes to let go of a consumer that nobody reads by. */
static void ask_for_topics(harness_t *harness)
{
    set_rtt(harness, 10);
    for (int i = 0; i < 10; i++) {
        asked_t asked = {
            .query = {.loop = harness->loop, .topic_name = "test.events", .done = on_asked},
            .harness = harness};

        assert_int_equal(pd_log_query_topic(harness->log, &asked.query), PD_OK);
        harness_wait(harness, is_asked, &asked);
        assert_int_equal(asked.query.status, PD_OK);
        assert_int_equal(asked.query.partition_count, LOG_SUITE_PARTITIONS);
    }
    set_rtt(harness, 0);
}

/* A broker that goes on saying that it ends in front of what was acknowledged to us is most likely
 * one that leads no more: another consumer is asked. */
static void a_consumer_that_stays_behind_is_replaced(void **state)
{
    harness_t *harness = *state;
    producer_t producer;
    counting_t counting = {.harness = harness, .timer.fire = on_count_again};
    consumer_t consumer;
    const pd_log_read_t *read;

    begin_lagging(harness, &producer);
    consumer_open(&consumer, harness, PD_LOG_EVENTS, 0);
    consumer_begin(&consumer, HALF, 0, true);
    harness_turn(harness);
    counting.before = consumer_count(harness);
    on_count_again(&counting.timer);
    harness_wait(harness, has_more_consumers, &counting);
    pd_loop_timer_stop(harness->loop, &counting.timer);
    know_up_to(harness, COUNT);
    read = consumer_finish(&consumer);
    assert_int_equal(read->status, PD_OK);
    assert_true(read->next_offset > HALF);
    consumer_close(&consumer);
    ask_for_topics(harness);
    end_producer(&producer);
}

static void open_foreign(harness_t *harness, consumer_t *consumer)
{
    pd_log_foreign_options_t options = {.loop = harness->loop, .topic_name = "test.events"};
    pd_error_t error;

    *consumer = (consumer_t){.harness = harness};
    assert_int_equal(pd_log_open_foreign_reader(harness->log, &options, &consumer->reader, &error),
                     PD_OK);
    harness->open_count++;
}

/* The answer where the log ends comes when the read that asked has failed, and the reader stands at
 * an offset and has got nothing yet: it must not be moved to the end. */
static void a_late_end_moves_nobody(void **state)
{
    enum { LATE_MS = READ_TIMEOUT_MS + 200, FETCH_ERRORS = 80, AT = 2 }; /* 20 ms each */
    harness_t *harness = *state;
    rd_kafka_resp_err_t errors[FETCH_ERRORS];
    producer_t producer;
    consumer_t consumer;
    const pd_log_read_t *read;

    begin_lagging(harness, &producer);
    rd_kafka_mock_partition_set_follower(cluster_of(harness), "test.events", 0, -1);
    open_foreign(harness, &consumer);
    (void)consumer_read(&consumer, PD_LOG_END);
    rd_kafka_mock_broker_push_request_error_rtts(cluster_of(harness), 1, API_LIST_OFFSETS, 1,
                                                 RD_KAFKA_RESP_ERR_NO_ERROR, LATE_MS);
    consumer_begin(&consumer, PD_LOG_END, 0, false);
    read = consumer_finish(&consumer);
    assert_int_equal(read->status, PD_UNAVAILABLE);
    for (size_t i = 0; i < FETCH_ERRORS; i++)
        errors[i] = RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
    rd_kafka_mock_push_request_errors_array(cluster_of(harness), API_FETCH, FETCH_ERRORS, errors);
    consumer_begin(&consumer, AT, 0, true);
    read = consumer_finish(&consumer);
    assert_int_equal(read->status, PD_OK);
    assert_true(read->count > 0);
    assert_int_equal(read->records[0].offset, AT);
    consumer_close(&consumer);
    end_producer(&producer);
}

static void too_large_is_not_taken(void **state)
{
    harness_t *harness = *state;
    uint8_t *value = pd_calloc(1, 100001);
    pd_log_append_t append = {.value = pd_bytes(value, 100001)};
    producer_t producer;

    open_producer(harness, &producer);
    append.done = producer_send_numbered(&producer, 0, 10)->append.done;
    assert_int_equal(pd_log_append(producer.writer, &append), PD_LIMIT);
    producer_send(&producer, pd_bytes(NULL, 0), pd_bytes(value, 100000));
    producer_wait(&producer);
    assert_int_equal(producer.ok_count, 2);
    end_producer(&producer);
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
    fixture_t *fixture = harness->fixture;
    pd_error_t error;
    pd_log_t *log;

    assert_int_equal(try_open(fixture, &fixed, NULL, &log, &error), PD_INVALID);
    assert_non_null(strstr(error.text, "kafka.acks cannot be set: it is all"));
    assert_int_equal(try_open(fixture, &unknown, NULL, &log, &error), PD_INVALID);
    assert_non_null(strstr(error.text, "no.such"));
    assert_int_equal(try_open(fixture, &range, NULL, &log, &error), PD_INVALID);
    assert_non_null(strstr(error.text, "linger.ms"));
    set_down(harness, true);
    assert_int_equal(try_open(fixture, NULL, at_once, &log, &error), PD_CANCELED);
    assert_non_null(strstr(error.text, "waiting for the Kafka brokers"));
    set_down(harness, false);
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
        LOG_TEST(reads_fail_and_are_repeated),
        LOG_TEST(the_end_is_asked_for_by_each_read),
        LOG_TEST(a_broker_that_lags_does_not_hold_up_what_it_has),
        LOG_TEST(a_consumer_that_stays_behind_is_replaced),
        LOG_TEST(a_late_end_moves_nobody),
        LOG_TEST(too_large_is_not_taken),
        LOG_TEST(opening_tells_what_is_wrong),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    harness_configure(&ops, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
