/* suite_append.c -- writers: order, offsets, sizes, lifetimes. */
#include <string.h>

#include "tests/conformance/log/harness.h"

static void one_record_is_read_back(void **state)
{
    harness_t *harness = *state;
    int64_t base = end_offset(harness, PD_LOG_EVENTS, 0);
    producer_t producer;
    records_t records;

    producer_open(&producer, harness, harness->loop, PD_LOG_EVENTS, 0);
    producer_send(&producer, pd_bytes_str("key"), pd_bytes_str("value"));
    assert_int_equal(producer.done_count, 0); /* never from inside the append */
    producer_wait(&producer);
    assert_int_equal(producer.ok_count, 1);
    assert_true(producer.sent[0]->append.offset >= base);
    records_read(&records, harness, PD_LOG_EVENTS, 0, base, 0);
    assert_all(&records, &producer);
    records_free(&records);
    producer_close(&producer);
    producer_free(&producer);
}

/* Acknowledgements are checked for order by the producer. */
static void sole_writer_gets_contiguous_offsets(void **state)
{
    harness_t *harness = *state;
    int64_t base = end_offset(harness, PD_LOG_EVENTS, 0);
    producer_t producer;
    records_t records;

    producer_open(&producer, harness, harness->loop, PD_LOG_EVENTS, 0);
    for (uint64_t i = 0; i < 500; i++) {
        producer_send_numbered(&producer, i, pd_random_below(&harness->random, 2000));
        if (pd_random_chance(&harness->random, 1, 20))
            producer_wait(&producer);
    }
    producer_wait(&producer);
    assert_int_equal(producer.ok_count, producer.sent_count);
    for (uint64_t i = 1; i < producer.sent_count; i++)
        assert_int_equal(producer.sent[i]->append.offset, producer.sent[i - 1]->append.offset + 1);
    records_read(&records, harness, PD_LOG_EVENTS, 0, base, 0);
    assert_all(&records, &producer);
    records_free(&records);
    producer_close(&producer);
    producer_free(&producer);
}

static void thousands_in_flight(void **state)
{
    harness_t *harness = *state;
    int64_t base = end_offset(harness, PD_LOG_EVENTS, 1);
    producer_t producer;
    records_t records;

    producer_open(&producer, harness, harness->loop, PD_LOG_EVENTS, 1);
    for (uint64_t i = 0; i < 10000; i++)
        producer_send_numbered(&producer, i, 100 + i % 300);
    producer_wait(&producer);
    assert_int_equal(producer.ok_count, producer.sent_count);
    records_read(&records, harness, PD_LOG_EVENTS, 1, base, 0);
    assert_all(&records, &producer);
    records_free(&records);
    producer_close(&producer);
    producer_free(&producer);
}

static void absent_is_not_empty(void **state)
{
    harness_t *harness = *state;
    int64_t base = end_offset(harness, PD_LOG_REJECTED, 0);
    producer_t producer;
    records_t records;

    producer_open(&producer, harness, harness->loop, PD_LOG_REJECTED, 0);
    producer_send(&producer, pd_bytes("", 0), pd_bytes("", 0));
    producer_send(&producer, pd_bytes(NULL, 0), pd_bytes_str("value"));
    producer_send(&producer, pd_bytes_str("key"), pd_bytes(NULL, 0));
    producer_send(&producer, pd_bytes("\0\0", 2), pd_bytes("\0", 1));
    producer_wait(&producer);
    records_read(&records, harness, PD_LOG_REJECTED, 0, base, 0);
    assert_all(&records, &producer);
    records_free(&records);
    producer_close(&producer);
    producer_free(&producer);
}

static void headers_are_kept(void **state)
{
    static const pd_log_header_t headers[] = {{"id", {(const uint8_t *)"\0\1", 2}},
                                              {"empty", {(const uint8_t *)"", 0}},
                                              {"absent", {NULL, 0}},
                                              {"id", {(const uint8_t *)"again", 5}}};
    harness_t *harness = *state;
    int64_t base = end_offset(harness, PD_LOG_COMMANDS, 0);
    producer_t producer;
    consumer_t consumer;
    const pd_log_read_t *read;

    producer_open(&producer, harness, harness->loop, PD_LOG_COMMANDS, 0);
    for (uint32_t count = 0; count <= PD_ARRAY_COUNT(headers); count++)
        producer_send_with_headers(&producer, pd_bytes_str("value"), headers, count);
    producer_wait(&producer);
    assert_int_equal(producer.ok_count, producer.sent_count);
    consumer_open(&consumer, harness, PD_LOG_COMMANDS, 0);
    for (uint64_t i = 0; i < producer.sent_count; i++) {
        read = consumer_read(&consumer, i == 0 ? base : producer.sent[i - 1]->append.offset + 1);
        assert_true(read->count > 0);
        assert_is(&read->records[0], producer.sent[i]);
        assert_int_equal(read->records[0].header_count, harness->log->info.headers ? i : 0);
        for (uint32_t k = 0; k < read->records[0].header_count; k++) {
            const pd_log_header_t *header = &read->records[0].headers[k];

            assert_string_equal(header->name, headers[k].name);
            assert_int_equal(header->value.data == NULL, headers[k].value.data == NULL);
            assert_true(pd_bytes_equal(header->value, headers[k].value));
        }
    }
    consumer_close(&consumer);
    producer_close(&producer);
    producer_free(&producer);
}

/* Reads the partition once more and compares it with what two producers know. */
static void assert_union(harness_t *harness, int64_t base, const producer_t *a, const producer_t *b)
{
    records_t records;
    uint64_t i = 0, j = 0;

    records_read(&records, harness, PD_LOG_EVENTS, 0, base, 0);
    assert_int_equal(records.count, a->sent_count + b->sent_count);
    for (uint64_t k = 0; k < records.count; k++) {
        const pd_log_record_t *record = &records.items[k];

        if (i < a->sent_count && a->sent[i]->append.offset == record->offset)
            assert_is(record, a->sent[i++]);
        else if (j < b->sent_count)
            assert_is(record, b->sent[j++]);
        else
            fail_msg("nobody wrote offset %lld", (long long)record->offset);
    }
    records_free(&records);
}

static void two_writers_see_gaps(void **state)
{
    harness_t *harness = *state;
    int64_t base = end_offset(harness, PD_LOG_EVENTS, 0);
    producer_t a, b;
    uint64_t gap_count = 0;

    producer_open(&a, harness, harness->loop, PD_LOG_EVENTS, 0);
    producer_open(&b, harness, harness->loop, PD_LOG_EVENTS, 0);
    for (uint64_t i = 0; i < 400; i++) {
        producer_send_numbered(pd_random_chance(&harness->random, 1, 2) ? &a : &b, i, i % 97);
        if (i % 50 == 0) { /* make sure that there is one */
            producer_wait(&a);
            producer_wait(&b);
        }
    }
    producer_wait(&a);
    producer_wait(&b);
    for (uint64_t i = 1; i < a.sent_count; i++)
        gap_count += a.sent[i]->append.offset != a.sent[i - 1]->append.offset + 1;
    assert_true(gap_count > 0);
    assert_union(harness, base, &a, &b);
    producer_close(&a);
    producer_close(&b);
    producer_free(&a);
    producer_free(&b);
}

static void large_records(void **state)
{
    harness_t *harness = *state;
    uint32_t size_max = harness->log->info.record_size_max;
    uint32_t size = harness->ops->large_size ? harness->ops->large_size : size_max;
    int64_t base = end_offset(harness, PD_LOG_EVENTS, 0);
    uint8_t *bytes = pd_calloc(1, (size_t)size_max + 1);
    pd_log_append_t too_large = {.key = pd_bytes_str("k"), .value = pd_bytes(bytes, size_max)};
    producer_t producer;
    records_t records;

    for (uint32_t i = 0; i < size_max; i++)
        bytes[i] = (uint8_t)(i ^ i >> 11);
    producer_open(&producer, harness, harness->loop, PD_LOG_EVENTS, 0);
    producer_send_numbered(&producer, 1, 10);
    producer_send(&producer, pd_bytes_str("k"), pd_bytes(bytes, size - 1));
    too_large.done = producer.sent[0]->append.done;
    assert_int_equal(pd_log_append(producer.writer, &too_large), PD_LIMIT);
    producer_send(&producer, pd_bytes(bytes, size / 2), pd_bytes(bytes, size / 2));
    producer_send_numbered(&producer, 2, 10);
    producer_wait(&producer);
    assert_int_equal(producer.ok_count, 4); /* the refused one changed nothing */
    records_read(&records, harness, PD_LOG_EVENTS, 0, base, 0);
    assert_all(&records, &producer);
    records_free(&records);
    producer_close(&producer);
    producer_free(&producer);
    pd_free(bytes);
}

static void partitions_and_topics_are_independent(void **state)
{
    static const struct {
        pd_log_topic_t topic;
        uint32_t partition;
    } places[] = {{PD_LOG_EVENTS, 0},   {PD_LOG_EVENTS, 2},  {PD_LOG_COMMANDS, 0},
                  {PD_LOG_COMMANDS, 1}, {PD_LOG_MEMBERS, 0}, {PD_LOG_REJECTED, 2}};
    enum { COUNT = PD_ARRAY_COUNT(places) };
    harness_t *harness = *state;
    producer_t producers[COUNT];
    int64_t bases[COUNT], untouched = end_offset(harness, PD_LOG_EVENTS, 1);
    records_t records;

    for (int i = 0; i < COUNT; i++) {
        bases[i] = end_offset(harness, places[i].topic, places[i].partition);
        producer_open(&producers[i], harness, harness->loop, places[i].topic, places[i].partition);
    }
    for (uint64_t i = 0; i < 600; i++)
        producer_send_numbered(&producers[pd_random_below(&harness->random, COUNT)], i, i % 211);
    for (int i = 0; i < COUNT; i++) {
        producer_wait(&producers[i]);
        records_read(&records, harness, places[i].topic, places[i].partition, bases[i], 0);
        assert_all(&records, &producers[i]);
        records_free(&records);
        producer_close(&producers[i]);
        producer_free(&producers[i]);
    }
    assert_int_equal(end_offset(harness, PD_LOG_EVENTS, 1), untouched);
}

static void missing_partition_is_not_found(void **state)
{
    harness_t *harness = *state;
    pd_log_handle_options_t options = {.loop = harness->loop, .topic = PD_LOG_EVENTS};
    pd_log_writer_t *writer;
    pd_log_reader_t *reader;
    pd_error_t error = {0};

    assert_int_equal(harness->log->info.partition_counts[PD_LOG_EVENTS], LOG_SUITE_PARTITIONS);
    assert_int_equal(harness->log->info.partition_counts[PD_LOG_MEMBERS], 1);
    options.partition = LOG_SUITE_PARTITIONS;
    assert_int_equal(pd_log_open_writer(harness->log, &options, &writer, &error), PD_NOT_FOUND);
    assert_true(error.status == PD_NOT_FOUND && error.text[0]);
    assert_int_equal(pd_log_open_reader(harness->log, &options, &reader, &error), PD_NOT_FOUND);
    options.topic = PD_LOG_MEMBERS;
    options.partition = 1;
    assert_int_equal(pd_log_open_writer(harness->log, &options, &writer, &error), PD_NOT_FOUND);
}

/* The producer checks: each exactly once, in order, none behind `closed`. What was told PD_OK must
 * be there; what was not may be there. */
static void close_with_appends_in_flight(void **state)
{
    harness_t *harness = *state;

    for (int round = 0; round < 20; round++) {
        int64_t base = end_offset(harness, PD_LOG_EVENTS, 0);
        uint64_t count = pd_random_below(&harness->random, 300);
        producer_t producer;
        records_t records;

        producer_open(&producer, harness, harness->loop, PD_LOG_EVENTS, 0);
        for (uint64_t i = 0; i < count; i++)
            producer_send_numbered(&producer, i, 50);
        if (pd_random_chance(&harness->random, 1, 3))
            harness_turn(harness);
        producer_close(&producer);
        assert_int_equal(producer.done_count, count);
        assert_true(producer.broken == PD_OK || producer.broken == PD_UNKNOWN_OUTCOME ||
                    producer.broken == PD_CANCELED);
        records_read(&records, harness, PD_LOG_EVENTS, 0, base, 0);
        for (uint64_t i = 0, k = 0; i < producer.ok_count; i++, k++) {
            while (k < records.count && records.items[k].offset < producer.sent[i]->append.offset)
                k++; /* a late one of the round before */
            assert_true(k < records.count);
            assert_is(&records.items[k], producer.sent[i]);
        }
        records_free(&records);
        producer_free(&producer);
    }
}

static void append_again(producer_t *producer, sent_t *sent)
{
    if (producer->sent_count < 200)
        producer_send_numbered(producer, producer->sent_count, 30);
}

static void append_from_inside_a_completion(void **state)
{
    harness_t *harness = *state;
    int64_t base = end_offset(harness, PD_LOG_COMMANDS, 1);
    producer_t producer;
    records_t records;

    producer_open(&producer, harness, harness->loop, PD_LOG_COMMANDS, 1);
    producer.on_done = append_again;
    for (uint64_t i = 0; i < 5; i++)
        producer_send_numbered(&producer, i, 30);
    producer_wait(&producer);
    assert_int_equal(producer.ok_count, 200);
    records_read(&records, harness, PD_LOG_COMMANDS, 1, base, 0);
    assert_all(&records, &producer);
    records_free(&records);
    producer_close(&producer);
    producer_free(&producer);
}

static void close_now(producer_t *producer, sent_t *sent)
{
    if (sent->index == *(uint64_t *)producer->ctx)
        producer_begin_close(producer, NULL);
}

static void close_from_inside_a_completion(void **state)
{
    harness_t *harness = *state;

    for (uint64_t at = 0; at < 8; at++) {
        producer_t producer;

        producer_open(&producer, harness, harness->loop, PD_LOG_EVENTS, 2);
        producer.on_done = close_now;
        producer.ctx = &at;
        for (uint64_t i = 0; i < 8; i++)
            producer_send_numbered(&producer, i, 30);
        producer_wait(&producer);
        assert_true(producer.ok_count >= at + 1);
        assert_null(producer.writer);
        harness_turn(harness);
        producer_free(&producer);
    }
}

static void idle_writers_close(void **state)
{
    harness_t *harness = *state;
    producer_t producer;

    for (int i = 0; i < 100; i++) {
        producer_open(&producer, harness, harness->loop, PD_LOG_EVENTS, (uint32_t)i % 3);
        producer_close(&producer);
        producer_free(&producer);
    }
}

static void records_survive_reopening(void **state)
{
    harness_t *harness = *state;
    int64_t base = end_offset(harness, PD_LOG_EVENTS, 0), last;
    producer_t before, after;
    records_t records;

    if (!harness->ops->durable)
        skip();
    producer_open(&before, harness, harness->loop, PD_LOG_EVENTS, 0);
    for (uint64_t i = 0; i < 1000; i++)
        producer_send_numbered(&before, i, i % 500);
    producer_wait(&before);
    producer_close(&before);
    for (int round = 0; round < 3; round++) {
        last = end_offset(harness, PD_LOG_EVENTS, 0);
        harness_reopen(harness);
        assert_int_equal(end_offset(harness, PD_LOG_EVENTS, 0), last);
        records_read(&records, harness, PD_LOG_EVENTS, 0, base, 0);
        assert_all(&records, &before);
        records_free(&records);
    }
    producer_open(&after, harness, harness->loop, PD_LOG_EVENTS, 0);
    producer_send_numbered(&after, 1, 10);
    producer_wait(&after);
    assert_true(after.sent[0]->append.offset >= last);
    records_read(&records, harness, PD_LOG_EVENTS, 0, last, 0);
    assert_all(&records, &after);
    records_free(&records);
    producer_close(&after);
    producer_free(&after);
    producer_free(&before);
}

const struct CMUnitTest log_suite_append[] = {
    LOG_TEST(one_record_is_read_back),
    LOG_TEST(sole_writer_gets_contiguous_offsets),
    LOG_TEST(thousands_in_flight),
    LOG_TEST(absent_is_not_empty),
    LOG_TEST(headers_are_kept),
    LOG_TEST(two_writers_see_gaps),
    LOG_TEST(large_records),
    LOG_TEST(partitions_and_topics_are_independent),
    LOG_TEST(missing_partition_is_not_found),
    LOG_TEST(close_with_appends_in_flight),
    LOG_TEST(append_from_inside_a_completion),
    LOG_TEST(close_from_inside_a_completion),
    LOG_TEST(idle_writers_close),
    LOG_TEST(records_survive_reopening),
    {0},
};
