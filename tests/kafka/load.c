/* load.c -- appends to every partition without a pause while somebody kills brokers, until its
 * standard input ends; then reads everything and compares it with what it was told.
 *
 *   kafka_load HOST:PORT,… REPLICATION MIN_INSYNC
 *
 * Each byte on standard input asks for progress: "progress" is printed once every partition has had
 * an acknowledgement after it. A broken writer is closed and another one opened, as the engine
 * does. Each record has a number of its own and is appended once: it has to be there once where it
 * was acknowledged, and not at all when it was told never to come. Prints one line of JSON. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os_clock.h"
#include "log/kafka/kafka.h"
#include "tests/conformance/log/harness.h"

_Static_assert(LOG_SUITE_PARTITIONS == 3, "as many lanes are reported");

enum { WINDOW = 32, GENERATIONS_MAX = 2000, REOPEN_MS = 20, DELIVERY_TIMEOUT_MS = 3000 };

typedef struct lane {
    harness_t *harness;
    uint32_t partition;
    producer_t *generations[GENERATIONS_MAX];
    uint32_t generation_count;
    pd_timer_t timer;
    int64_t ok_ns; /* when the last append completed with PD_OK */
    int64_t longest_ns;
    bool awaited; /* its next PD_OK is */
} lane_t;

static char **arguments;
static bool stopping;
static pd_mail_t stop_mail;
static pd_mail_t ask_mail;
static lane_t lanes[LOG_SUITE_PARTITIONS];

static void *setup(pd_loop_t *loop, uint64_t seed)
{
    char *cluster = pd_alloc(64);

    snprintf(cluster, 64, "load-%016llx", (unsigned long long)pd_os_entropy());
    return cluster;
}

static pd_log_t *open_log(void *cluster)
{
    pd_log_kafka_options_t options = {
        .cluster = cluster,
        .bootstrap_servers = arguments[1],
        .partition_count = LOG_SUITE_PARTITIONS,
        .replication_factor = (uint32_t)strtoul(arguments[2], NULL, 10),
        .min_insync_replicas = (uint32_t)strtoul(arguments[3], NULL, 10),
        .delivery_timeout_ms = DELIVERY_TIMEOUT_MS,
    };
    pd_error_t error = {0};
    pd_log_t *log;

    if (pd_log_kafka_open(&options, &log, &error) != PD_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    printf("%s.events\n", (char *)cluster);
    fflush(stdout);
    return log;
}

static void teardown(void *cluster)
{
    pd_free(cluster);
}

static const log_fixture_ops_t ops = {
    .name = "kafka load", .setup = setup, .open = open_log, .teardown = teardown};

static void send_next(lane_t *lane, producer_t *producer)
{
    char key[64];

    snprintf(key, sizeof(key), "%u/%llu", lane->generation_count - 1,
             (unsigned long long)producer->sent_count);
    producer_send(producer, pd_bytes_str(key), pd_bytes_str("some value of some length, or other"));
}

static void note_progress(lane_t *lane)
{
    if (!lane->awaited)
        return;
    lane->awaited = false;
    for (int i = 0; i < LOG_SUITE_PARTITIONS; i++) {
        if (lanes[i].awaited)
            return;
    }
    printf("progress\n");
    fflush(stdout);
}

static void on_ask(pd_mail_t *mail)
{
    for (int i = 0; i < LOG_SUITE_PARTITIONS; i++)
        lanes[i].awaited = true;
}

static void on_done(producer_t *producer, sent_t *sent)
{
    lane_t *lane = producer->ctx;

    if (sent->append.status == PD_OK) {
        int64_t now_ns = pd_os_monotonic_ns();

        if (now_ns - lane->ok_ns > lane->longest_ns)
            lane->longest_ns = now_ns - lane->ok_ns;
        lane->ok_ns = now_ns;
        note_progress(lane);
    }
    if (producer->broken != PD_OK) {
        if (producer->done_count == producer->sent_count && producer->writer) {
            producer_begin_close(producer, NULL);
            pd_loop_timer_start(lane->harness->loop, &lane->timer,
                                pd_loop_now_ns(lane->harness->loop) + REOPEN_MS * 1000000);
        }
    } else if (!stopping) {
        send_next(lane, producer);
    }
}

static void open_next(pd_timer_t *timer)
{
    lane_t *lane = PD_CONTAINER_OF(timer, lane_t, timer);
    producer_t *producer;

    if (stopping)
        return;
    if (lane->generation_count == GENERATIONS_MAX) {
        harness_fail(lane->harness, "too many writers break", lane->partition);
        return;
    }
    producer = PD_NEW(producer_t);
    producer_open(producer, lane->harness, lane->harness->loop, PD_LOG_EVENTS, lane->partition);
    producer->on_done = on_done;
    producer->ctx = lane;
    lane->generations[lane->generation_count++] = producer;
    for (int i = 0; i < WINDOW; i++)
        send_next(lane, producer);
}

static void on_stop(pd_mail_t *mail)
{
    stopping = true;
    harness_progress(lanes[0].harness);
}

static void *wait_for_end(void *ctx)
{
    harness_t *harness = ctx;
    char byte;

    ask_mail.run = on_ask;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        pd_loop_post(harness->loop, &ask_mail);
    stop_mail.run = on_stop;
    pd_loop_post(harness->loop, &stop_mail);
    return NULL;
}

static bool is_over(void *ctx)
{
    if (!stopping)
        return false;
    for (int i = 0; i < LOG_SUITE_PARTITIONS; i++) {
        for (uint32_t k = 0; k < lanes[i].generation_count; k++) {
            if (lanes[i].generations[k]->done_count < lanes[i].generations[k]->sent_count)
                return false;
        }
    }
    return true;
}

/* Each record is somebody's, once, in the order of its writer, and every word given was kept. */
static void check(lane_t *lane, const records_t *records)
{
    uint64_t *next = pd_calloc(lane->generation_count + 1, sizeof(*next));
    uint64_t *found = pd_calloc(lane->generation_count + 1, sizeof(*found));

    for (uint64_t i = 0; i < records->count; i++) {
        const pd_log_record_t *record = &records->items[i];
        unsigned long long index;
        unsigned generation;
        char key[64] = {0};
        const sent_t *sent;

        memcpy(key, record->key.data, record->key.size);
        assert_int_equal(sscanf(key, "%u/%llu", &generation, &index), 2);
        assert_true(generation < lane->generation_count);
        assert_true(index >= next[generation]);
        next[generation] = index + 1;
        sent = lane->generations[generation]->sent[index];
        assert_int_not_equal(sent->append.status, PD_UNAVAILABLE);
        assert_int_not_equal(sent->append.status, PD_CANCELED);
        if (sent->append.status == PD_OK) {
            assert_is(record, sent);
            found[generation]++;
        }
    }
    for (uint32_t k = 0; k < lane->generation_count; k++)
        assert_int_equal(found[k], lane->generations[k]->ok_count);
    pd_free(next);
    pd_free(found);
}

static void close_lane(lane_t *lane)
{
    pd_loop_timer_stop(lane->harness->loop, &lane->timer);
    for (uint32_t k = 0; k < lane->generation_count; k++) {
        producer_close(lane->generations[k]);
        producer_free(lane->generations[k]);
        pd_free(lane->generations[k]);
    }
}

static void report(harness_t *harness)
{
    pd_log_kafka_stats_t stats;
    uint64_t writer_count = 0;

    pd_log_kafka_stats(harness->log, &stats);
    for (int i = 0; i < LOG_SUITE_PARTITIONS; i++)
        writer_count += lanes[i].generation_count;
    printf("{\"appends\": %llu, \"acked\": %llu, \"unknown\": %llu, \"unsent\": %llu, "
           "\"refused\": %llu, \"writers\": %llu, \"replaced\": %llu, \"longest_ms\": "
           "[%lld, %lld, %lld]}\n",
           (unsigned long long)stats.append_count, (unsigned long long)stats.acked_count,
           (unsigned long long)stats.unknown_count, (unsigned long long)stats.unsent_count,
           (unsigned long long)stats.refused_count, (unsigned long long)writer_count,
           (unsigned long long)stats.replaced_count, (long long)(lanes[0].longest_ns / 1000000),
           (long long)(lanes[1].longest_ns / 1000000), (long long)(lanes[2].longest_ns / 1000000));
}

static void nothing_acknowledged_is_lost(void **state)
{
    harness_t *harness = *state;
    pthread_t thread;

    for (uint32_t i = 0; i < LOG_SUITE_PARTITIONS; i++) {
        lanes[i].harness = harness;
        lanes[i].partition = i;
        lanes[i].timer.fire = open_next;
        lanes[i].ok_ns = pd_os_monotonic_ns();
        open_next(&lanes[i].timer);
    }
    PD_ASSERT(pthread_create(&thread, NULL, wait_for_end, harness) == 0);
    harness_wait(harness, is_over, NULL);
    pthread_join(thread, NULL);
    for (uint32_t i = 0; i < LOG_SUITE_PARTITIONS; i++) {
        records_t records;

        records_read(&records, harness, PD_LOG_EVENTS, i, 0, 0);
        check(&lanes[i], &records);
        records_free(&records);
        close_lane(&lanes[i]);
    }
    report(harness);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {LOG_TEST(nothing_acknowledged_is_lost)};

    if (argc != 4)
        return 2;
    arguments = argv;
    harness_configure(&ops, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
