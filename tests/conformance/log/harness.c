#include "tests/conformance/log/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os_clock.h"

enum { DEADLINE_S = 120, KEY_SIZE = 24 };

static const log_fixture_ops_t *suite_ops;
static uint64_t suite_seed;

void harness_configure(const log_fixture_ops_t *ops, uint64_t seed)
{
    suite_ops = ops;
    suite_seed = seed;
}

int harness_setup(void **state)
{
    harness_t *harness = PD_NEW(harness_t);
    pd_loop_event_options_t options = {.name = "suite", .mailbox_count = 1024};

    harness->ops = suite_ops;
    harness->seed = suite_seed;
    pd_random_init(&harness->random, suite_seed);
    harness->loop_event = pd_loop_event_new(&options);
    harness->loop = pd_loop_event_loop(harness->loop_event);
    harness->fixture = suite_ops->setup(harness->loop, suite_seed);
    harness->log = suite_ops->open(harness->fixture);
    *state = harness;
    return 0;
}

int harness_teardown(void **state)
{
    harness_t *harness = *state;

    if (harness->open_count > 0) /* the test has failed: leave everything as it is */
        return 0;
    pd_log_close(harness->log);
    harness->ops->teardown(harness->fixture);
    pd_loop_event_free(harness->loop_event);
    pd_free(harness);
    return 0;
}

void harness_fail(harness_t *harness, const char *what, long long detail)
{
    if (!harness->failure[0])
        snprintf(harness->failure, sizeof(harness->failure), "%s (%lld)", what, detail);
    harness_progress(harness);
}

void harness_progress(harness_t *harness)
{
    if (pd_loop_is_current(harness->loop)) /* else a producer on a loop of its own */
        pd_loop_event_break(harness->loop_event);
}

typedef struct deadline {
    pd_timer_t timer; /* first: converts */
    harness_t *harness;
} deadline_t;

static void on_deadline(pd_timer_t *timer)
{
    harness_t *harness = ((deadline_t *)timer)->harness;

    harness->expired = true;
    harness_progress(harness);
}

static void check_failure(harness_t *harness)
{
    if (harness->failure[0])
        fail_msg("%s; PD_SEED=%llu", harness->failure, (unsigned long long)harness->seed);
}

void harness_wait(harness_t *harness, bool (*condition)(void *ctx), void *ctx)
{
    deadline_t deadline = {.timer.fire = on_deadline, .harness = harness};

    harness->expired = false;
    pd_loop_timer_start(harness->loop, &deadline.timer,
                        pd_os_wall_ns() + (int64_t)DEADLINE_S * 1000000000);
    while (!condition(ctx) && !harness->expired && !harness->failure[0])
        pd_loop_event_run(harness->loop_event);
    pd_loop_timer_stop(harness->loop, &deadline.timer);
    check_failure(harness);
    if (harness->expired)
        fail_msg("not within %d s; PD_SEED=%llu", DEADLINE_S, (unsigned long long)harness->seed);
}

typedef struct turn {
    pd_mail_t mail; /* first: converts */
    harness_t *harness;
    int left_count;
} turn_t;

static void on_turn(pd_mail_t *mail)
{
    turn_t *turn = (turn_t *)mail;

    if (turn->left_count-- > 0)
        pd_loop_post(turn->harness->loop, &turn->mail);
    else
        harness_progress(turn->harness);
}

static bool turn_is_over(void *ctx)
{
    return ((turn_t *)ctx)->left_count < 0;
}

void harness_turn(harness_t *harness)
{
    turn_t turn = {.mail.run = on_turn, .harness = harness, .left_count = 10};

    pd_loop_post(harness->loop, &turn.mail);
    harness_wait(harness, turn_is_over, &turn);
}

void harness_reopen(harness_t *harness)
{
    pd_log_close(harness->log);
    harness->log = harness->ops->open(harness->fixture);
}

/* Producers. */

static void on_append_done(pd_log_append_t *append)
{
    sent_t *sent = (sent_t *)append;
    producer_t *producer = sent->producer;
    harness_t *harness = producer->harness;

    if (sent->done)
        harness_fail(harness, "an append completed twice", (long long)sent->index);
    if (sent->index != producer->done_count)
        harness_fail(harness, "completions out of order", (long long)sent->index);
    if (producer->closed)
        harness_fail(harness, "a completion behind `closed`", (long long)sent->index);
    sent->done = true;
    producer->done_count++;
    if (append->status == PD_OK) {
        if (producer->broken != PD_OK)
            harness_fail(harness, "PD_OK behind a failure", (long long)sent->index);
        if (append->offset <= producer->last_offset)
            harness_fail(harness, "offsets do not increase", append->offset);
        producer->last_offset = append->offset;
        producer->ok_count++;
    } else {
        if (append->offset != -1)
            harness_fail(harness, "an offset without PD_OK", append->offset);
        if (producer->broken == PD_OK)
            producer->broken = append->status;
    }
    if (producer->on_done)
        producer->on_done(producer, sent);
    harness_progress(harness);
}

void producer_open(producer_t *producer, harness_t *harness, pd_loop_t *loop, pd_log_topic_t topic,
                   uint32_t partition)
{
    pd_log_handle_options_t options = {.loop = loop, .topic = topic, .partition = partition};
    pd_error_t error = {0};

    *producer = (producer_t){.harness = harness, .last_offset = -1};
    if (pd_log_open_writer(harness->log, &options, &producer->writer, &error) != PD_OK)
        fail_msg("cannot open a writer: %s", error.text);
    if (loop == harness->loop)
        harness->open_count++;
    assert_ptr_equal(producer->writer->loop, loop);
    assert_int_equal(producer->writer->partition, partition);
}

static pd_bytes_t copy(uint8_t *at, pd_bytes_t bytes)
{
    if (!bytes.data)
        return bytes;
    if (bytes.size)
        memcpy(at, bytes.data, bytes.size);
    return pd_bytes(at, bytes.size);
}

static sent_t *prepare(producer_t *producer, pd_bytes_t key, pd_bytes_t value)
{
    sent_t *sent = PD_NEW(sent_t);

    sent->producer = producer;
    sent->index = producer->sent_count;
    sent->bytes = pd_alloc(key.size + value.size + 1);
    sent->key = copy(sent->bytes, key);
    sent->value = copy(sent->bytes + key.size, value);
    sent->append.key = sent->key;
    sent->append.value = sent->value;
    sent->append.done = on_append_done;
    if (producer->sent_count == producer->capacity) {
        producer->capacity = producer->capacity ? producer->capacity * 2 : 64;
        producer->sent = pd_realloc(producer->sent, producer->capacity * sizeof(producer->sent[0]));
    }
    producer->sent[producer->sent_count++] = sent;
    return sent;
}

static sent_t *send(producer_t *producer, sent_t *sent)
{
    if (pd_log_append(producer->writer, &sent->append) != PD_OK)
        harness_fail(producer->harness, "an append was not taken", (long long)sent->index);
    return sent;
}

sent_t *producer_send(producer_t *producer, pd_bytes_t key, pd_bytes_t value)
{
    return send(producer, prepare(producer, key, value));
}

sent_t *producer_send_with_headers(producer_t *producer, pd_bytes_t value,
                                   const pd_log_header_t *headers, uint32_t header_count)
{
    sent_t *sent = prepare(producer, pd_bytes(NULL, 0), value);

    sent->append.headers = headers;
    sent->append.header_count = header_count;
    return send(producer, sent);
}

sent_t *producer_send_numbered(producer_t *producer, uint64_t number, size_t size)
{
    char key[KEY_SIZE];
    uint8_t *value = pd_alloc(size + 1);
    sent_t *sent;

    snprintf(key, sizeof(key), "k%llu", (unsigned long long)number);
    for (size_t i = 0; i < size; i++)
        value[i] = (uint8_t)(number * 31 + i * 7 + (i >> 8));
    sent = producer_send(producer, pd_bytes_str(key), pd_bytes(value, size));
    pd_free(value);
    return sent;
}

static bool all_done(void *ctx)
{
    producer_t *producer = ctx;

    return producer->done_count == producer->sent_count;
}

void producer_wait(producer_t *producer)
{
    harness_wait(producer->harness, all_done, producer);
}

static void on_producer_closed(pd_mail_t *mail)
{
    producer_t *producer = PD_CONTAINER_OF(mail, producer_t, closed_mail);

    if (producer->closed)
        harness_fail(producer->harness, "closed twice", 0);
    if (producer->done_count != producer->sent_count)
        harness_fail(producer->harness, "closed before all completions",
                     (long long)producer->done_count);
    producer->closed = true;
    harness_progress(producer->harness);
}

static bool producer_is_closed(void *ctx)
{
    return ((producer_t *)ctx)->closed;
}

void producer_begin_close(producer_t *producer, pd_mail_t *closed)
{
    pd_log_writer_t *writer = producer->writer;

    if (writer->loop == producer->harness->loop)
        producer->harness->open_count--;
    producer->writer = NULL;
    pd_log_close_writer(writer, closed);
}

void producer_close(producer_t *producer)
{
    if (producer->writer) {
        producer->closed_mail.run = on_producer_closed;
        producer_begin_close(producer, &producer->closed_mail);
        harness_wait(producer->harness, producer_is_closed, producer);
    }
}

void producer_free(producer_t *producer)
{
    for (uint64_t i = 0; i < producer->sent_count; i++) {
        pd_free(producer->sent[i]->bytes);
        pd_free(producer->sent[i]);
    }
    pd_free(producer->sent);
}

/* Consumers. */

static void on_read_done(pd_log_read_t *read)
{
    consumer_t *consumer = PD_CONTAINER_OF(read, consumer_t, read);

    if (consumer->done)
        harness_fail(consumer->harness, "a read completed twice", 0);
    if (consumer->closed)
        harness_fail(consumer->harness, "a read completed behind `closed`", 0);
    consumer->done = true;
    consumer->done_count++;
    harness_progress(consumer->harness);
}

void consumer_open(consumer_t *consumer, harness_t *harness, pd_log_topic_t topic,
                   uint32_t partition)
{
    pd_log_handle_options_t options = {
        .loop = harness->loop, .topic = topic, .partition = partition};
    pd_error_t error = {0};

    *consumer = (consumer_t){.harness = harness};
    if (pd_log_open_reader(harness->log, &options, &consumer->reader, &error) != PD_OK)
        fail_msg("cannot open a reader: %s", error.text);
    harness->open_count++;
}

void consumer_begin(consumer_t *consumer, int64_t from_offset, uint32_t size_max, bool wait)
{
    consumer->done = false;
    consumer->read = (pd_log_read_t){
        .from_offset = from_offset, .size_max = size_max, .wait = wait, .done = on_read_done};
    pd_log_read(consumer->reader, &consumer->read);
}

static bool read_is_done(void *ctx)
{
    return ((consumer_t *)ctx)->done;
}

const pd_log_read_t *consumer_finish(consumer_t *consumer)
{
    const pd_log_read_t *read = &consumer->read;
    int64_t last_offset = -1;

    harness_wait(consumer->harness, read_is_done, consumer);
    if (read->status != PD_OK)
        return read;
    for (uint32_t i = 0; i < read->count; i++) {
        assert_true(read->records[i].offset > last_offset);
        assert_true(read->records[i].offset >= read->from_offset);
        last_offset = read->records[i].offset;
    }
    assert_true(read->next_offset > last_offset);
    assert_true(read->start_offset >= 0 && read->start_offset <= read->end_offset);
    if (read->count > 0)
        assert_true(read->next_offset <= read->end_offset);
    return read;
}

const pd_log_read_t *consumer_read(consumer_t *consumer, int64_t from_offset)
{
    const pd_log_read_t *read;

    consumer_begin(consumer, from_offset, 0, false);
    read = consumer_finish(consumer);
    assert_int_equal(read->status, PD_OK);
    return read;
}

static void on_consumer_closed(pd_mail_t *mail)
{
    consumer_t *consumer = PD_CONTAINER_OF(mail, consumer_t, closed_mail);

    consumer->closed = true;
    harness_progress(consumer->harness);
}

static bool consumer_is_closed(void *ctx)
{
    return ((consumer_t *)ctx)->closed;
}

void consumer_close(consumer_t *consumer)
{
    consumer->harness->open_count--;
    consumer->closed_mail.run = on_consumer_closed;
    pd_log_close_reader(consumer->reader, &consumer->closed_mail);
    harness_wait(consumer->harness, consumer_is_closed, consumer);
}

/* Records. */

void records_add(records_t *records, const pd_log_record_t *record)
{
    pd_log_record_t *item;

    if (records->count == records->capacity) {
        records->capacity = records->capacity ? records->capacity * 2 : 64;
        records->items = pd_realloc(records->items, records->capacity * sizeof(records->items[0]));
    }
    item = &records->items[records->count++];
    *item = *record;
    if (record->key.data)
        item->key.data = pd_memdup(record->key.data, record->key.size);
    if (record->value.data)
        item->value.data = pd_memdup(record->value.data, record->value.size);
}

void records_free(records_t *records)
{
    for (uint64_t i = 0; i < records->count; i++) {
        pd_free((void *)records->items[i].key.data);
        pd_free((void *)records->items[i].value.data);
    }
    pd_free(records->items);
    *records = (records_t){0};
}

void records_read(records_t *records, harness_t *harness, pd_log_topic_t topic, uint32_t partition,
                  int64_t from_offset, uint32_t size_max)
{
    consumer_t consumer;
    const pd_log_read_t *read;

    *records = (records_t){0};
    consumer_open(&consumer, harness, topic, partition);
    for (;;) {
        consumer_begin(&consumer, from_offset, size_max, false);
        read = consumer_finish(&consumer);
        if (read->status == PD_UNAVAILABLE)
            continue;
        assert_int_equal(read->status, PD_OK);
        for (uint32_t i = 0; i < read->count; i++)
            records_add(records, &read->records[i]);
        if (read->next_offset >= read->end_offset)
            break;
        assert_true(read->count > 0 || read->next_offset > from_offset);
        from_offset = read->next_offset;
    }
    consumer_close(&consumer);
}

int64_t end_offset(harness_t *harness, pd_log_topic_t topic, uint32_t partition)
{
    consumer_t consumer;
    const pd_log_read_t *read;
    int64_t end;

    consumer_open(&consumer, harness, topic, partition);
    read = consumer_read(&consumer, PD_LOG_END);
    /* Not necessarily empty: a late append of an earlier writer may land while the read runs. */
    end = read->end_offset;
    assert_int_equal(read->next_offset, end);
    consumer_close(&consumer);
    return end;
}

static void assert_same_bytes(pd_bytes_t a, pd_bytes_t b)
{
    assert_int_equal(a.data == NULL, b.data == NULL);
    assert_int_equal(a.size, b.size);
    if (a.size)
        assert_memory_equal(a.data, b.data, a.size);
}

void assert_is(const pd_log_record_t *record, const sent_t *sent)
{
    assert_int_equal(sent->append.status, PD_OK);
    assert_int_equal(record->offset, sent->append.offset);
    assert_int_equal(record->time_ms, sent->append.time_ms);
    assert_same_bytes(record->key, sent->key);
    assert_same_bytes(record->value, sent->value);
}

void assert_all(const records_t *records, const producer_t *producer)
{
    assert_int_equal(records->count, producer->sent_count);
    for (uint64_t i = 0; i < records->count; i++)
        assert_is(&records->items[i], producer->sent[i]);
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

void topic_ask(harness_t *harness, const char *topic_name, pd_log_topic_query_t *answer)
{
    asked_t asked = {.query = {.loop = harness->loop, .topic_name = topic_name, .done = on_asked},
                     .harness = harness};

    assert_int_equal(pd_log_query_topic(harness->log, &asked.query), PD_OK);
    assert_false(asked.done);
    harness_wait(harness, is_asked, &asked);
    *answer = asked.query;
}
