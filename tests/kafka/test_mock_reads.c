/* test_mock_reads.c -- reading, while something goes wrong at a broker. */
#include "tests/kafka/mock.h"

static void reads_fail_and_are_repeated(void **state)
{
    harness_t *harness = *state;
    producer_t producer;
    consumer_t consumer;
    const pd_log_read_t *read;

    mock_open_producer(harness, &producer);
    producer_send_numbered(&producer, 0, 10);
    producer_wait(&producer);
    consumer_open(&consumer, harness, PD_LOG_EVENTS, 0);
    rd_kafka_mock_push_request_errors(mock_cluster_of(harness), MOCK_FETCH, 2,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR);
    read = consumer_read(&consumer, PD_LOG_FIRST);
    assert_int_equal(read->count, 1);
    mock_forgive_times(&producer, read->records, 1);
    assert_is(&read->records[0], producer.sent[0]);
    mock_set_down(harness, true);
    consumer_begin(&consumer, PD_LOG_FIRST, 0, false);
    read = consumer_finish(&consumer);
    assert_int_equal(read->status, PD_UNAVAILABLE);
    mock_set_down(harness, false);
    read = consumer_read(&consumer, PD_LOG_FIRST);
    assert_int_equal(read->count, 1);
    consumer_close(&consumer);
    mock_end_producer(&producer);
}

/* What a stream holds since before a read says nothing of where the end is now. Each round: two
 * records of the first come to the reader, one of them is served; then another process appends. */
static void the_end_is_asked_for_by_each_read(void **state)
{
    enum { ROUNDS = 50 };
    harness_t *harness = *state;
    pd_log_t *here = harness->log, *there = mock_open(harness->fixture);
    producer_t first, other;
    consumer_t consumer;

    mock_open_producer(harness, &first);
    harness->log = there;
    mock_open_producer(harness, &other);
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
    mock_end_producer(&first);
    mock_end_producer(&other);
    pd_log_close(there);
}

/* What is acknowledged, and what the broker has that the readers are sent to. */
enum { COUNT = 10, HALF = 5 };

static void know_up_to(harness_t *harness, int64_t end)
{
    rd_kafka_mock_partition_set_follower_wmarks(mock_cluster_of(harness), "test.events", 0, 0, end);
}

static void begin_lagging(harness_t *harness, producer_t *producer)
{
    rd_kafka_mock_partition_set_leader(mock_cluster_of(harness), "test.events", 0, 1);
    mock_open_producer(harness, producer);
    for (uint64_t i = 0; i < COUNT; i++) {
        producer_send_numbered(producer, i, 10);
        producer_wait(producer); /* the mock cluster sends whole batches: here of one record */
    }
    rd_kafka_mock_partition_set_follower(mock_cluster_of(harness), "test.events", 0, 2);
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
    mock_end_producer(&producer);
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

/* For longer than it takes to let go of a consumer that nobody reads by. */
static void ask_for_topics(harness_t *harness)
{
    mock_set_rtt(harness, 10);
    for (int i = 0; i < 10; i++) {
        pd_log_topic_query_t asked;

        topic_ask(harness, "test.events", &asked);
        assert_int_equal(asked.status, PD_OK);
        assert_int_equal(asked.partition_count, LOG_SUITE_PARTITIONS);
    }
    mock_set_rtt(harness, 0);
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
    mock_end_producer(&producer);
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
    enum { LATE_MS = MOCK_READ_TIMEOUT_MS + 200, FETCH_ERRORS = 80, AT = 2 }; /* 20 ms each */
    harness_t *harness = *state;
    rd_kafka_resp_err_t errors[FETCH_ERRORS];
    producer_t producer;
    consumer_t consumer;
    const pd_log_read_t *read;

    begin_lagging(harness, &producer);
    rd_kafka_mock_partition_set_follower(mock_cluster_of(harness), "test.events", 0, -1);
    open_foreign(harness, &consumer);
    do { /* the first question may have to wait for its consumer's connection */
        consumer_begin(&consumer, PD_LOG_END, 0, false);
        read = consumer_finish(&consumer);
    } while (read->status == PD_UNAVAILABLE);
    assert_int_equal(read->status, PD_OK);
    rd_kafka_mock_broker_push_request_error_rtts(mock_cluster_of(harness), 1, MOCK_LIST_OFFSETS, 1,
                                                 RD_KAFKA_RESP_ERR_NO_ERROR, LATE_MS);
    consumer_begin(&consumer, PD_LOG_END, 0, false);
    read = consumer_finish(&consumer);
    assert_int_equal(read->status, PD_UNAVAILABLE);
    for (size_t i = 0; i < FETCH_ERRORS; i++)
        errors[i] = RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
    rd_kafka_mock_push_request_errors_array(mock_cluster_of(harness), MOCK_FETCH, FETCH_ERRORS,
                                            errors);
    consumer_begin(&consumer, AT, 0, true);
    read = consumer_finish(&consumer);
    assert_int_equal(read->status, PD_OK);
    assert_true(read->count > 0);
    assert_int_equal(read->records[0].offset, AT);
    consumer_close(&consumer);
    mock_end_producer(&producer);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(reads_fail_and_are_repeated),
        LOG_TEST(the_end_is_asked_for_by_each_read),
        LOG_TEST(a_broker_that_lags_does_not_hold_up_what_it_has),
        LOG_TEST(a_consumer_that_stays_behind_is_replaced),
        LOG_TEST(a_late_end_moves_nobody),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    harness_configure(&mock_ops, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
