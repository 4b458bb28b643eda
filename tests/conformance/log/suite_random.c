/* suite_random.c -- everything at once, from a seed; and on several threads. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/log/harness.h"

enum { WRITERS = 6, STEPS = 600, GENERATIONS_MAX = 400, THREADS = 3, THREAD_RECORDS = 3000 };

typedef struct world {
    harness_t *harness;
    producer_t *generations[GENERATIONS_MAX]; /* every producer that ever was */
    uint32_t generation_count;
    producer_t *living[WRITERS]; /* NULL: none */
    consumer_t tails[LOG_SUITE_PARTITIONS];
    int64_t bases[LOG_SUITE_PARTITIONS];
    int64_t tail_offsets[LOG_SUITE_PARTITIONS];
    records_t tail_records[LOG_SUITE_PARTITIONS];
    uint64_t number;
} world_t;

/* The key names the generation and the number, so that what is read can be found again. */
static void send_tagged(world_t *world, producer_t *producer, uint32_t generation)
{
    char key[48];
    uint8_t value[400];
    size_t size = pd_random_below(&world->harness->random, sizeof(value));

    snprintf(key, sizeof(key), "%u/%llu", generation, (unsigned long long)producer->sent_count);
    memset(value, (int)(world->number++ & 0xff), sizeof(value));
    producer_send(producer, pd_bytes_str(key), pd_bytes(value, size));
}

static uint32_t generation_of(const world_t *world, const producer_t *producer)
{
    uint32_t i = 0;

    while (world->generations[i] != producer)
        i++;
    return i;
}

static void open_one(world_t *world, uint32_t index)
{
    producer_t *producer;

    if (world->generation_count == GENERATIONS_MAX)
        return;
    producer = PD_NEW(producer_t);
    producer_open(producer, world->harness, world->harness->loop, PD_LOG_EVENTS,
                  index % LOG_SUITE_PARTITIONS);
    world->generations[world->generation_count++] = producer;
    world->living[index] = producer;
}

static void on_closed(pd_mail_t *mail)
{
    producer_t *producer = PD_CONTAINER_OF(mail, producer_t, closed_mail);

    if (producer->done_count != producer->sent_count)
        harness_fail(producer->harness, "closed before all completions", 0);
    producer->closed = true;
    harness_progress(producer->harness);
}

/* Does not wait: what it has in flight mixes with what its successors do. */
static void close_one(world_t *world, uint32_t index)
{
    producer_t *producer = world->living[index];

    world->living[index] = NULL;
    producer->closed_mail.run = on_closed;
    producer_begin_close(producer, &producer->closed_mail);
}

static void tail(world_t *world, uint32_t partition)
{
    consumer_t *consumer = &world->tails[partition];

    consumer_begin(consumer, world->tail_offsets[partition], 1000, true);
}

/* Takes what the tails have brought. */
static void collect(world_t *world)
{
    for (uint32_t i = 0; i < LOG_SUITE_PARTITIONS; i++) {
        consumer_t *consumer = &world->tails[i];

        if (!consumer->done)
            continue;
        consumer_finish(consumer);
        if (consumer->read.status == PD_OK) {
            for (uint32_t j = 0; j < consumer->read.count; j++)
                records_add(&world->tail_records[i], &consumer->read.records[j]);
            world->tail_offsets[i] = consumer->read.next_offset;
        } else {
            assert_int_equal(consumer->read.status, PD_UNAVAILABLE);
        }
        tail(world, i);
    }
}

static void step(world_t *world)
{
    pd_random_t *random = &world->harness->random;
    const log_fixture_ops_t *ops = world->harness->ops;
    uint32_t index = (uint32_t)pd_random_below(random, WRITERS);
    producer_t *producer = world->living[index];

    if (!producer) {
        open_one(world, index);
    } else if (producer->broken != PD_OK || pd_random_chance(random, 1, 30)) {
        close_one(world, index);
    } else if (pd_random_chance(random, 1, 20)) {
        producer_wait(producer);
    } else if (ops->heal && pd_random_chance(random, 1, 10)) {
        ops->heal(world->harness->fixture, world->harness->log);
    } else if (ops->inject_unknown && pd_random_chance(random, 1, 60)) {
        ops->inject_unknown(world->harness->fixture, world->harness->log,
                            !ops->unknown_lost || pd_random_chance(random, 1, 2));
    } else {
        for (uint64_t i = pd_random_below(random, 20); i > 0; i--)
            send_tagged(world, producer, generation_of(world, producer));
    }
    collect(world);
}

static bool all_closed(void *ctx)
{
    world_t *world = ctx;

    for (uint32_t i = 0; i < world->generation_count; i++) {
        if (!world->generations[i]->closed)
            return false;
    }
    return true;
}

/* One partition: every record is somebody's, once, each writer's in its order; every
 * acknowledgement is right; and the tail has seen the same. */
static void check_partition(world_t *world, uint32_t partition)
{
    int64_t next[GENERATIONS_MAX] = {0};
    uint64_t found[GENERATIONS_MAX] = {0}, ok_count = 0;
    records_t records, *tailed = &world->tail_records[partition];

    records_read(&records, world->harness, PD_LOG_EVENTS, partition, world->bases[partition], 0);
    for (uint64_t k = 0; k < records.count; k++) {
        const pd_log_record_t *record = &records.items[k];
        char key[48] = {0};
        unsigned generation;
        unsigned long long index;
        const sent_t *sent;

        assert_true(record->key.size < sizeof(key));
        memcpy(key, record->key.data, record->key.size);
        assert_int_equal(sscanf(key, "%u/%llu", &generation, &index), 2);
        assert_true(generation < world->generation_count);
        assert_true(index < world->generations[generation]->sent_count);
        sent = world->generations[generation]->sent[index];
        assert_true((int64_t)index >= next[generation]); /* in order, none twice */
        next[generation] = (int64_t)index + 1;
        assert_true(pd_bytes_equal(record->value, sent->value));
        assert_int_not_equal(sent->append.status, PD_UNAVAILABLE);
        assert_int_not_equal(sent->append.status, PD_CANCELED);
        if (sent->append.status == PD_OK) {
            assert_is(record, sent);
            found[generation]++;
        }
        if (k < tailed->count)
            assert_int_equal(tailed->items[k].offset, record->offset);
    }
    for (uint32_t i = 0; i < world->generation_count; i++) {
        if (found[i])
            assert_int_equal(found[i], world->generations[i]->ok_count);
        ok_count += found[i];
    }
    assert_true(ok_count > 0);
    assert_true(tailed->count <= records.count);
    records_free(&records);
}

static void everything_at_once(void **state)
{
    world_t *world = PD_NEW(world_t);
    harness_t *harness = *state;

    world->harness = harness;
    for (uint32_t i = 0; i < LOG_SUITE_PARTITIONS; i++) {
        world->bases[i] = world->tail_offsets[i] = end_offset(harness, PD_LOG_EVENTS, i);
        consumer_open(&world->tails[i], harness, PD_LOG_EVENTS, i);
        tail(world, i);
    }
    for (int i = 0; i < STEPS; i++)
        step(world);
    if (harness->ops->heal)
        harness->ops->heal(harness->fixture, harness->log);
    for (uint32_t i = 0; i < WRITERS; i++) {
        if (world->living[i]) {
            producer_wait(world->living[i]);
            close_one(world, i);
        }
    }
    harness_wait(harness, all_closed, world);
    for (uint32_t i = 0; i < LOG_SUITE_PARTITIONS; i++) {
        consumer_close(&world->tails[i]);
        check_partition(world, i);
        records_free(&world->tail_records[i]);
    }
    for (uint32_t i = 0; i < world->generation_count; i++) {
        producer_free(world->generations[i]);
        pd_free(world->generations[i]);
    }
    pd_free(world);
}

/* One loop of its own with one writer; the partitions are shared with the other threads. */
typedef struct client {
    harness_t *harness;
    pd_loop_event_t *loop_event;
    producer_t producer;
    uint32_t partition;
    uint32_t id;
    pd_mail_t begin_mail;
    pd_mail_t closed_mail;
    pd_mail_t report_mail; /* to the main loop */
    bool finished;
} client_t;

static void report(pd_mail_t *mail)
{
    client_t *client = PD_CONTAINER_OF(mail, client_t, report_mail);

    client->finished = true;
    harness_progress(client->harness);
}

static void on_client_closed(pd_mail_t *mail)
{
    client_t *client = PD_CONTAINER_OF(mail, client_t, closed_mail);

    pd_loop_post(client->harness->loop, &client->report_mail);
}

static void on_client_done(producer_t *producer, sent_t *sent)
{
    client_t *client = PD_CONTAINER_OF(producer, client_t, producer);

    if (producer->sent_count < THREAD_RECORDS)
        producer_send_numbered(producer, producer->sent_count * 10 + client->id, 50);
    else if (producer->done_count == producer->sent_count)
        producer_begin_close(producer, &client->closed_mail);
}

static void begin(pd_mail_t *mail)
{
    client_t *client = PD_CONTAINER_OF(mail, client_t, begin_mail);

    producer_open(&client->producer, client->harness, pd_loop_event_loop(client->loop_event),
                  PD_LOG_EVENTS, client->partition);
    client->producer.on_done = on_client_done;
    for (uint64_t i = 0; i < 64; i++)
        producer_send_numbered(&client->producer, i * 10 + client->id, 50);
}

static bool all_finished(void *ctx)
{
    client_t *clients = ctx;

    for (int i = 0; i < THREADS; i++) {
        if (!clients[i].finished)
            return false;
    }
    return true;
}

static void several_threads(void **state)
{
    static const pd_loop_event_options_t options = {.name = "client", .mailbox_count = 64};
    harness_t *harness = *state;
    client_t clients[THREADS] = {0};
    int64_t base = end_offset(harness, PD_LOG_EVENTS, 0);
    uint64_t cursors[THREADS] = {0};
    records_t records;

    if (!harness->ops->threads)
        skip();
    for (int i = 0; i < THREADS; i++) {
        clients[i].harness = harness;
        clients[i].id = (uint32_t)i;
        clients[i].begin_mail.run = begin;
        clients[i].closed_mail.run = on_client_closed;
        clients[i].report_mail.run = report;
        clients[i].loop_event = pd_loop_event_new(&options);
        pd_loop_event_start(clients[i].loop_event);
        pd_loop_post(pd_loop_event_loop(clients[i].loop_event), &clients[i].begin_mail);
    }
    harness_wait(harness, all_finished, clients);
    records_read(&records, harness, PD_LOG_EVENTS, 0, base, 0);
    assert_int_equal(records.count, THREADS * THREAD_RECORDS);
    for (uint64_t k = 0; k < records.count; k++) {
        int id = records.items[k].key.data[records.items[k].key.size - 1] - '0';

        assert_in_range(id, 0, THREADS - 1);
        assert_is(&records.items[k], clients[id].producer.sent[cursors[id]++]);
    }
    records_free(&records);
    for (int i = 0; i < THREADS; i++) {
        pd_loop_event_stop(clients[i].loop_event);
        pd_loop_event_free(clients[i].loop_event);
        producer_free(&clients[i].producer);
    }
}

const struct CMUnitTest log_suite_random[] = {
    LOG_TEST(everything_at_once),
    LOG_TEST(several_threads),
    {0},
};
