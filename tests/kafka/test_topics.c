/* test_topics.c -- topics on the real brokers in PD_KAFKA_BOOTSTRAP: creation, checks, retention,
 * removal, and those of others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os_clock.h"
#include "log/kafka/kafka.h"
#include "tests/conformance/log/harness.h"
#include "tests/conformance/log/kafka_admin.h"

enum { READ_TIMEOUT_MS = 3000, DELIVERY_TIMEOUT_MS = 3000 };

static const char *bootstrap;
static kafka_admin_t *admin;

typedef struct fixture {
    char cluster[64];
    char topic[80]; /* of somebody else */
} fixture_t;

static void *setup(pd_loop_t *loop, uint64_t seed)
{
    fixture_t *fixture = PD_NEW(fixture_t);
    unsigned long long id = pd_os_entropy();

    snprintf(fixture->cluster, sizeof(fixture->cluster), "topics-%016llx", id);
    snprintf(fixture->topic, sizeof(fixture->topic), "foreign-%016llx", id);
    return fixture;
}

static pd_log_kafka_options_t options_of(const fixture_t *fixture)
{
    return (pd_log_kafka_options_t){.cluster = fixture->cluster,
                                    .bootstrap_servers = bootstrap,
                                    .read_timeout_ms = READ_TIMEOUT_MS,
                                    .delivery_timeout_ms = DELIVERY_TIMEOUT_MS,
                                    .partition_count = LOG_SUITE_PARTITIONS,
                                    .replication_factor = 1,
                                    .min_insync_replicas = 1};
}

static pd_log_t *open_log(void *ctx)
{
    pd_log_kafka_options_t options = options_of(ctx);
    pd_error_t error = {0};
    pd_log_t *log;

    if (pd_log_kafka_open(&options, &log, &error) != PD_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    return log;
}

static void teardown(void *ctx)
{
    fixture_t *fixture = ctx;

    kafka_admin_delete_cluster(admin, fixture->cluster);
    kafka_admin_delete(admin, fixture->topic);
    pd_free(fixture);
}

static const log_fixture_ops_t ops = {
    .name = "kafka topics", .setup = setup, .open = open_log, .teardown = teardown};

static void assert_refused(const pd_log_kafka_options_t *options, const char *why)
{
    pd_error_t error = {0};
    pd_log_t *log;

    assert_int_equal(pd_log_kafka_open(options, &log, &error), PD_INVALID);
    if (!strstr(error.text, why))
        fail_msg("\"%s\" does not say \"%s\"", error.text, why);
}

static void wrong_settings_are_told(void **state)
{
    static const char *const compacted[] = {"cleanup.policy", "compact", "retention.ms", "-1",
                                            NULL};
    static const char *const expiring[] = {"retention.ms", "3600000", NULL};
    harness_t *harness = *state;
    const fixture_t *fixture = harness->fixture;
    pd_log_kafka_options_t options = options_of(fixture);
    char topic[96], cluster[80];

    harness_reopen(harness); /* what it has created itself is right */
    options.partition_count = 5;
    assert_refused(&options, "has 3 partitions, wanted 5");
    options.partition_count = 0;
    options.min_insync_replicas = 0;
    options.replication_factor = 7;
    assert_refused(&options, "has 1 replicas of partition 0, wanted 7");
    options.replication_factor = 0;
    options.min_insync_replicas = 3;
    assert_refused(&options, "min.insync.replicas=1, wanted at least 3");
    options.min_insync_replicas = 0;
    options.record_size_max = PD_LOG_RECORD_SIZE_LIMIT;
    assert_refused(&options, "max.message.bytes=");
    options.record_size_max = 0;

    snprintf(cluster, sizeof(cluster), "%s-b", fixture->cluster);
    options.cluster = cluster;
    snprintf(topic, sizeof(topic), "%s.events", cluster);
    kafka_admin_create(admin, topic, 3, compacted);
    assert_refused(&options, "cleanup.policy=compact, wanted delete");
    kafka_admin_delete_cluster(admin, cluster);

    snprintf(cluster, sizeof(cluster), "%s-c", fixture->cluster);
    snprintf(topic, sizeof(topic), "%s.events", cluster);
    kafka_admin_create(admin, topic, 3, expiring);
    assert_refused(&options, "retention.ms=3600000, wanted -1");
    kafka_admin_delete_cluster(admin, cluster);
}

static void removed_records_are_not_found(void **state)
{
    harness_t *harness = *state;
    const fixture_t *fixture = harness->fixture;
    producer_t producer;
    consumer_t consumer;
    const pd_log_read_t *read;
    char topic[80];

    snprintf(topic, sizeof(topic), "%s.events", fixture->cluster);
    producer_open(&producer, harness, harness->loop, PD_LOG_EVENTS, 1);
    for (uint64_t i = 0; i < 100; i++)
        producer_send_numbered(&producer, i, 10);
    producer_wait(&producer);
    consumer_open(&consumer, harness, PD_LOG_EVENTS, 1);
    read = consumer_read(&consumer, 10);
    assert_int_equal(read->records[0].offset, 10);
    kafka_admin_trim(admin, topic, 1, 40);
    for (int wait = 0; wait < 2; wait++) {
        consumer_begin(&consumer, 10, 0, wait);
        read = consumer_finish(&consumer);
        assert_int_equal(read->status, PD_NOT_FOUND);
        assert_int_equal(read->start_offset, 40);
        assert_int_equal(read->end_offset, 100);
        assert_int_equal(read->count, 0);
    }
    read = consumer_read(&consumer, PD_LOG_FIRST);
    assert_int_equal(read->start_offset, 40);
    assert_int_equal(read->records[0].offset, 40);
    kafka_admin_trim(admin, topic, 1, 100); /* nothing is left */
    read = consumer_read(&consumer, PD_LOG_FIRST);
    assert_int_equal(read->count, 0);
    assert_int_equal(read->start_offset, 100);
    assert_int_equal(read->next_offset, 100);
    consumer_close(&consumer);
    producer_close(&producer);
    producer_free(&producer);
}

/* A waiting read beyond the end gets what comes there in the end. */
static void beyond_the_end_a_read_waits(void **state)
{
    harness_t *harness = *state;
    producer_t producer;
    consumer_t consumer;
    const pd_log_read_t *read;

    producer_open(&producer, harness, harness->loop, PD_LOG_EVENTS, 0);
    consumer_open(&consumer, harness, PD_LOG_EVENTS, 0);
    consumer_begin(&consumer, 7, 0, true);
    for (uint64_t i = 0; i < 10; i++) {
        producer_send_numbered(&producer, i, 10);
        producer_wait(&producer);
    }
    read = consumer_finish(&consumer);
    assert_int_equal(read->status, PD_OK);
    assert_is(&read->records[0], producer.sent[7]);
    consumer_close(&consumer);
    producer_close(&producer);
    producer_free(&producer);
}

static void foreign_topics_are_read_by_name(void **state)
{
    harness_t *harness = *state;
    const fixture_t *fixture = harness->fixture;
    pd_log_foreign_options_t options = {
        .loop = harness->loop, .topic_name = fixture->topic, .partition = 1};
    consumer_t consumer = {.harness = harness};
    const pd_log_read_t *read;
    pd_error_t error;
    pd_log_topic_query_t asked;

    topic_ask(harness, fixture->topic, &asked);
    assert_int_equal(asked.status, PD_NOT_FOUND);
    topic_ask(harness, "no topic's name", &asked);
    assert_int_equal(asked.status, PD_NOT_FOUND);
    kafka_admin_create(admin, fixture->topic, 2, NULL);
    do /* the broker that is asked may not know it yet */
        topic_ask(harness, fixture->topic, &asked);
    while (asked.status != PD_OK);
    assert_int_equal(asked.partition_count, 2);

    kafka_admin_produce(admin, fixture->topic, 1, "key", "one");
    kafka_admin_produce(admin, fixture->topic, 1, NULL, "two");
    options.topic_name = "a/b";
    assert_int_equal(pd_log_open_foreign_reader(harness->log, &options, &consumer.reader, &error),
                     PD_INVALID);
    options.topic_name = fixture->topic;
    assert_int_equal(pd_log_open_foreign_reader(harness->log, &options, &consumer.reader, &error),
                     PD_OK);
    harness->open_count++;
    assert_int_equal(consumer.reader->topic, PD_LOG_TOPIC_COUNT);
    read = consumer_read(&consumer, 0);
    assert_true(read->count > 0);
    assert_true(pd_bytes_equal(read->records[0].key, pd_bytes_str("key")));
    assert_true(pd_bytes_equal(read->records[0].value, pd_bytes_str("one")));
    assert_int_equal(read->records[0].header_count, 1);
    assert_string_equal(read->records[0].headers[0].name, "source");
    assert_true(read->records[0].time_ms > 0);
    read = consumer_read(&consumer, 1);
    assert_null(read->records[0].key.data);
    consumer_begin(&consumer, 2, 0, true);
    kafka_admin_produce(admin, fixture->topic, 1, "key", "three");
    read = consumer_finish(&consumer);
    assert_true(pd_bytes_equal(read->records[0].value, pd_bytes_str("three")));
    consumer_close(&consumer);
}

static void a_topic_that_is_gone_ends_appends_and_reads(void **state)
{
    harness_t *harness = *state;
    const fixture_t *fixture = harness->fixture;
    producer_t producer;
    consumer_t consumer;
    const pd_log_read_t *read;
    char topic[80];

    snprintf(topic, sizeof(topic), "%s.rejected", fixture->cluster);
    producer_open(&producer, harness, harness->loop, PD_LOG_REJECTED, 0);
    producer_send_numbered(&producer, 0, 10);
    producer_wait(&producer);
    assert_int_equal(producer.ok_count, 1);
    consumer_open(&consumer, harness, PD_LOG_REJECTED, 0);
    read = consumer_read(&consumer, 0);
    assert_int_equal(read->count, 1);
    kafka_admin_delete(admin, topic);
    while (producer.broken == PD_OK) { /* the broker may serve it for a moment */
        producer_send_numbered(&producer, producer.sent_count, 10);
        producer_wait(&producer);
    }
    do {
        consumer_begin(&consumer, 0, 0, false);
        read = consumer_finish(&consumer);
    } while (read->status == PD_OK);
    assert_true(read->status == PD_UNAVAILABLE || read->status == PD_IO);
    consumer_close(&consumer);
    producer_close(&producer);
    producer_free(&producer);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(wrong_settings_are_told),
        LOG_TEST(removed_records_are_not_found),
        LOG_TEST(beyond_the_end_a_read_waits),
        LOG_TEST(foreign_topics_are_read_by_name),
        LOG_TEST(a_topic_that_is_gone_ends_appends_and_reads),
    };
    int failed;

    bootstrap = getenv("PD_KAFKA_BOOTSTRAP");
    if (!bootstrap) {
        fprintf(stderr, "PD_KAFKA_BOOTSTRAP is not set: start brokers with scripts/kafka\n");
        return 77; /* ctest: skipped */
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    admin = kafka_admin_new(bootstrap);
    harness_configure(&ops, 1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    kafka_admin_free(admin);
    return failed;
}
