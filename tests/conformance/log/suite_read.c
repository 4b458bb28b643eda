/* suite_read.c -- readers: positions, batches, the tail. */
#include "tests/conformance/log/harness.h"

enum { COUNT = 300 };

/* COUNT records in one partition; returns where the log was before. */
static int64_t prepare(harness_t *harness, producer_t *producer)
{
    int64_t base = end_offset(harness, PD_LOG_EVENTS, 0);

    producer_open(producer, harness, harness->loop, PD_LOG_EVENTS, 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        producer_send_numbered(producer, i, pd_random_below(&harness->random, 300));
        if (i % 37 == 0) /* several commits */
            producer_wait(producer);
    }
    producer_wait(producer);
    return base;
}

static void finish(producer_t *producer)
{
    producer_close(producer);
    producer_free(producer);
}

static void from_the_middle(void **state)
{
    harness_t *harness = *state;
    producer_t producer;
    consumer_t consumer;

    prepare(harness, &producer);
    consumer_open(&consumer, harness, PD_LOG_EVENTS, 0);
    for (int round = 0; round < 100; round++) {
        uint64_t index = pd_random_below(&harness->random, COUNT);
        const pd_log_read_t *read = consumer_read(&consumer, producer.sent[index]->append.offset);

        assert_true(read->count > 0);
        for (uint32_t i = 0; i < read->count; i++)
            assert_is(&read->records[i], producer.sent[index + i]);
    }
    consumer_close(&consumer);
    finish(&producer);
}

static void at_the_end_and_beyond(void **state)
{
    harness_t *harness = *state;
    producer_t producer;
    consumer_t consumer;
    const pd_log_read_t *read;
    int64_t end;

    prepare(harness, &producer);
    end = producer.last_offset + 1;
    consumer_open(&consumer, harness, PD_LOG_EVENTS, 0);
    read = consumer_read(&consumer, end);
    assert_int_equal(read->count, 0);
    assert_int_equal(read->next_offset, end);
    assert_int_equal(read->end_offset, end);
    read = consumer_read(&consumer, end + 1000);
    assert_int_equal(read->count, 0);
    assert_int_equal(read->next_offset, end + 1000);
    assert_int_equal(read->end_offset, end);
    read = consumer_read(&consumer, PD_LOG_END);
    assert_int_equal(read->count, 0);
    assert_int_equal(read->next_offset, end);
    read = consumer_read(&consumer, end - 1);
    assert_int_equal(read->count, 1);
    assert_is(&read->records[0], producer.sent[COUNT - 1]);
    consumer_close(&consumer);
    finish(&producer);
}

/* More than a reader takes at a time, whatever it has to look at to answer. */
static void beyond_the_end_of_a_long_log(void **state)
{
    enum { LONG_COUNT = 5000 };
    harness_t *harness = *state;
    producer_t producer;
    consumer_t consumer;
    const pd_log_read_t *read;
    int64_t end;

    producer_open(&producer, harness, harness->loop, PD_LOG_EVENTS, 0);
    for (uint64_t i = 0; i < LONG_COUNT; i++)
        producer_send_numbered(&producer, i, 20);
    producer_wait(&producer);
    end = producer.last_offset + 1;
    consumer_open(&consumer, harness, PD_LOG_EVENTS, 0);
    read = consumer_read(&consumer, end + 10);
    assert_int_equal(read->status, PD_OK);
    assert_int_equal(read->count, 0);
    assert_int_equal(read->next_offset, end + 10);
    assert_int_equal(read->end_offset, end);
    assert_true(read->start_offset <= producer.sent[0]->append.offset);
    consumer_close(&consumer);
    finish(&producer);
}

static void first_is_the_oldest(void **state)
{
    harness_t *harness = *state;
    producer_t producer;
    consumer_t consumer;
    const pd_log_read_t *read;

    prepare(harness, &producer); /* the fixture promises a log without records */
    consumer_open(&consumer, harness, PD_LOG_EVENTS, 0);
    read = consumer_read(&consumer, PD_LOG_FIRST);
    assert_true(read->count > 0);
    assert_is(&read->records[0], producer.sent[0]);
    assert_true(read->start_offset <= read->records[0].offset);
    consumer_close(&consumer);
    finish(&producer);
}

static void small_batches_cover_everything(void **state)
{
    harness_t *harness = *state;
    static const uint32_t sizes[] = {1, 100, 1000, 10000};
    producer_t producer;
    int64_t base = prepare(harness, &producer);

    for (size_t i = 0; i < PD_ARRAY_COUNT(sizes); i++) {
        records_t records;

        records_read(&records, harness, PD_LOG_EVENTS, 0, base, sizes[i]);
        assert_all(&records, &producer);
        records_free(&records);
    }
    finish(&producer);
}

static void two_readers_do_not_disturb_each_other(void **state)
{
    harness_t *harness = *state;
    producer_t producer;
    consumer_t a, b;
    const pd_log_read_t *read;

    prepare(harness, &producer);
    consumer_open(&a, harness, PD_LOG_EVENTS, 0);
    consumer_open(&b, harness, PD_LOG_EVENTS, 0);
    consumer_begin(&a, producer.sent[10]->append.offset, 0, false);
    consumer_begin(&b, producer.sent[200]->append.offset, 0, false);
    read = consumer_finish(&b);
    assert_is(&read->records[0], producer.sent[200]);
    read = consumer_finish(&a);
    assert_is(&read->records[0], producer.sent[10]);
    assert_is(&b.read.records[0], producer.sent[200]); /* still lent */
    consumer_close(&a);
    consumer_close(&b);
    finish(&producer);
}

/* Read your acknowledgements, each time. */
static void what_was_acknowledged_is_seen(void **state)
{
    harness_t *harness = *state;
    int64_t base = end_offset(harness, PD_LOG_EVENTS, 1);
    producer_t producer;
    consumer_t consumer;

    producer_open(&producer, harness, harness->loop, PD_LOG_EVENTS, 1);
    consumer_open(&consumer, harness, PD_LOG_EVENTS, 1);
    for (uint64_t i = 0; i < 100; i++) {
        const pd_log_read_t *read;

        producer_send_numbered(&producer, i, 20);
        producer_wait(&producer);
        read = consumer_read(&consumer, i == 0 ? base : producer.sent[i - 1]->append.offset + 1);
        assert_int_equal(read->count, 1);
        assert_is(&read->records[0], producer.sent[i]);
    }
    consumer_close(&consumer);
    finish(&producer);
}

static void the_tail_waits_for_what_comes(void **state)
{
    harness_t *harness = *state;
    int64_t at = end_offset(harness, PD_LOG_EVENTS, 0);
    uint64_t seen_count = 0;
    producer_t producer;
    consumer_t consumer;

    producer_open(&producer, harness, harness->loop, PD_LOG_EVENTS, 0);
    consumer_open(&consumer, harness, PD_LOG_EVENTS, 0);
    while (seen_count < 200) {
        const pd_log_read_t *read;

        consumer_begin(&consumer, at, 0, true);
        if (producer.sent_count == seen_count) { /* nothing there: it must wait */
            harness_turn(harness);
            assert_false(consumer.done);
            for (uint64_t i = 0; i <= pd_random_below(&harness->random, 5); i++)
                producer_send_numbered(&producer, producer.sent_count, 20);
        }
        read = consumer_finish(&consumer);
        assert_int_equal(read->status, PD_OK);
        assert_true(read->count > 0);
        producer_wait(&producer);
        for (uint32_t i = 0; i < read->count; i++)
            assert_is(&read->records[i], producer.sent[seen_count++]);
        at = read->next_offset;
    }
    consumer_close(&consumer);
    finish(&producer);
}

static void the_tail_from_the_end_skips_the_past(void **state)
{
    harness_t *harness = *state;
    producer_t producer;
    consumer_t consumer;
    const pd_log_read_t *read;

    prepare(harness, &producer);
    consumer_open(&consumer, harness, PD_LOG_EVENTS, 0);
    consumer_begin(&consumer, PD_LOG_END, 0, true);
    harness_turn(harness);
    assert_false(consumer.done);
    producer_send_numbered(&producer, 1, 10);
    read = consumer_finish(&consumer);
    producer_wait(&producer);
    assert_int_equal(read->count, 1);
    assert_is(&read->records[0], producer.sent[COUNT]);
    consumer_close(&consumer);
    finish(&producer);
}

static void other_partitions_do_not_wake_the_tail(void **state)
{
    harness_t *harness = *state;
    producer_t other, same;
    consumer_t consumer;
    const pd_log_read_t *read;

    producer_open(&other, harness, harness->loop, PD_LOG_EVENTS, 1);
    producer_open(&same, harness, harness->loop, PD_LOG_EVENTS, 0);
    consumer_open(&consumer, harness, PD_LOG_EVENTS, 0);
    consumer_begin(&consumer, PD_LOG_END, 0, true);
    harness_turn(harness);
    producer_send_numbered(&other, 1, 10);
    producer_wait(&other);
    harness_turn(harness);
    assert_false(consumer.done);
    producer_send_numbered(&same, 2, 10);
    read = consumer_finish(&consumer);
    producer_wait(&same);
    assert_int_equal(read->count, 1);
    assert_is(&read->records[0], same.sent[0]);
    consumer_close(&consumer);
    finish(&other);
    finish(&same);
}

static void closing_ends_a_waiting_read(void **state)
{
    harness_t *harness = *state;

    for (int round = 0; round < 50; round++) {
        consumer_t consumer;

        consumer_open(&consumer, harness, PD_LOG_EVENTS, 0);
        consumer_begin(&consumer, PD_LOG_END, 0, true);
        if (round % 2)
            harness_turn(harness);
        consumer_close(&consumer);
        assert_int_equal(consumer.done_count, 1);
        assert_int_equal(consumer.read.status, PD_CANCELED);
        assert_int_equal(consumer.read.count, 0);
    }
}

typedef struct tail_race {
    consumer_t consumer;
    producer_t producer;
} tail_race_t;

/* An append and the parking of a read that waits for it, at the same moment. */
static void no_wakeup_is_lost(void **state)
{
    harness_t *harness = *state;
    tail_race_t race;
    int64_t at = end_offset(harness, PD_LOG_EVENTS, 2);

    consumer_open(&race.consumer, harness, PD_LOG_EVENTS, 2);
    producer_open(&race.producer, harness, harness->loop, PD_LOG_EVENTS, 2);
    for (uint64_t i = 0; i < 300; i++) {
        if (i % 2)
            consumer_begin(&race.consumer, at, 0, true);
        producer_send_numbered(&race.producer, i, 10);
        if (i % 2 == 0)
            consumer_begin(&race.consumer, at, 0, true);
        at = consumer_finish(&race.consumer)->next_offset;
    }
    producer_wait(&race.producer);
    consumer_close(&race.consumer);
    finish(&race.producer);
}

const struct CMUnitTest log_suite_read[] = {
    LOG_TEST(from_the_middle),
    LOG_TEST(at_the_end_and_beyond),
    LOG_TEST(beyond_the_end_of_a_long_log),
    LOG_TEST(first_is_the_oldest),
    LOG_TEST(small_batches_cover_everything),
    LOG_TEST(two_readers_do_not_disturb_each_other),
    LOG_TEST(what_was_acknowledged_is_seen),
    LOG_TEST(the_tail_waits_for_what_comes),
    LOG_TEST(the_tail_from_the_end_skips_the_past),
    LOG_TEST(other_partitions_do_not_wake_the_tail),
    LOG_TEST(closing_ends_a_waiting_read),
    LOG_TEST(no_wakeup_is_lost),
    {0},
};
