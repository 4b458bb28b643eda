/* suite_faults.c -- what a writer is told, and may rely on, when something goes wrong. */
#include "tests/conformance/log/harness.h"

/* How often a record with this key and value is in the log. */
static uint64_t occurrences(const records_t *records, const sent_t *sent)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < records->count; i++)
        count += pd_bytes_equal(records->items[i].key, sent->key) &&
                 pd_bytes_equal(records->items[i].value, sent->value);
    return count;
}

/* What was acknowledged is there, exactly where it was said to be; the rest is there once at most.
 */
static void assert_kept(const records_t *records, const producer_t *producer)
{
    uint64_t k = 0;

    for (uint64_t i = 0; i < producer->sent_count; i++) {
        const sent_t *sent = producer->sent[i];
        uint64_t count = occurrences(records, sent);

        if (sent->append.status != PD_OK) {
            assert_true(count <= 1);
            if (sent->append.status == PD_UNAVAILABLE || sent->append.status == PD_CANCELED)
                assert_int_equal(count, 0);
            continue;
        }
        assert_int_equal(count, 1);
        while (k < records->count && records->items[k].offset < sent->append.offset)
            k++;
        assert_true(k < records->count);
        assert_is(&records->items[k], sent);
    }
}

static void send_some(harness_t *harness, producer_t *producer, uint64_t *number)
{
    uint64_t count = 1 + pd_random_below(&harness->random, 30);

    for (uint64_t i = 0; i < count; i++)
        producer_send_numbered(producer, (*number)++, 40);
}

static void one_unknown_outcome(harness_t *harness, bool landed, uint64_t *number)
{
    int64_t base = end_offset(harness, PD_LOG_EVENTS, 0);
    producer_t broken, fresh;
    pd_error_t error = {0};
    records_t records;

    producer_open(&broken, harness, harness->loop, PD_LOG_EVENTS, 0);
    send_some(harness, &broken, number);
    if (pd_random_chance(&harness->random, 1, 2))
        producer_wait(&broken);
    pd_log_writer_error(broken.writer, &error);
    assert_int_equal(error.status, broken.broken);
    harness->ops->inject_unknown(harness->fixture, harness->log, landed);
    send_some(harness, &broken, number);
    producer_wait(&broken);
    assert_int_equal(broken.broken, PD_UNKNOWN_OUTCOME);
    pd_log_writer_error(broken.writer, &error);
    assert_int_equal(error.status, PD_UNKNOWN_OUTCOME);
    assert_true(error.text[0]);
    harness->ops->heal(harness->fixture, harness->log);
    /* It stays broken. The producer checks that none of these is PD_OK. */
    send_some(harness, &broken, number);
    producer_open(&fresh, harness, harness->loop, PD_LOG_EVENTS, 0);
    send_some(harness, &fresh, number);
    producer_wait(&broken);
    producer_wait(&fresh);
    assert_int_equal(fresh.ok_count, fresh.sent_count);
    records_read(&records, harness, PD_LOG_EVENTS, 0, base, 0);
    assert_kept(&records, &broken);
    assert_kept(&records, &fresh);
    records_free(&records);
    producer_close(&broken);
    producer_close(&fresh);
    producer_free(&broken);
    producer_free(&fresh);
}

static void unknown_outcome_breaks_the_writer_only(void **state)
{
    harness_t *harness = *state;
    uint64_t number = 0;

    if (!harness->ops->inject_unknown)
        skip();
    for (int round = 0; round < 20; round++)
        one_unknown_outcome(harness, !harness->ops->unknown_lost || round % 2, &number);
}

static void failure_loses_nothing_acknowledged(void **state)
{
    harness_t *harness = *state;
    int64_t base = end_offset(harness, PD_LOG_EVENTS, 0);
    uint64_t number = 0;
    pd_log_handle_options_t options = {.loop = harness->loop, .topic = PD_LOG_EVENTS};
    pd_log_writer_t *refused;
    pd_error_t error = {0};
    producer_t a, b, fresh;
    records_t records;

    if (!harness->ops->inject_failure)
        skip();
    producer_open(&a, harness, harness->loop, PD_LOG_EVENTS, 0);
    producer_open(&b, harness, harness->loop, PD_LOG_EVENTS, 1);
    send_some(harness, &a, &number);
    producer_wait(&a);
    harness->ops->inject_failure(harness->fixture, harness->log);
    send_some(harness, &a, &number);
    send_some(harness, &b, &number);
    producer_wait(&a);
    producer_wait(&b);
    assert_int_equal(a.broken, PD_IO);
    assert_int_equal(b.broken, PD_IO);
    pd_log_writer_error(a.writer, &error);
    assert_int_equal(error.status, PD_IO);
    assert_true(error.text[0]);
    /* It is the whole log, until it is opened again; reading goes on. */
    assert_int_equal(pd_log_open_writer(harness->log, &options, &refused, &error), PD_IO);
    records_read(&records, harness, PD_LOG_EVENTS, 0, base, 0);
    assert_kept(&records, &a);
    records_free(&records);
    producer_close(&a);
    producer_close(&b);
    harness->ops->heal(harness->fixture, harness->log);
    harness_reopen(harness);
    producer_open(&fresh, harness, harness->loop, PD_LOG_EVENTS, 0);
    send_some(harness, &fresh, &number);
    producer_wait(&fresh);
    assert_int_equal(fresh.ok_count, fresh.sent_count);
    records_read(&records, harness, PD_LOG_EVENTS, 0, base, 0);
    assert_kept(&records, &a);
    assert_kept(&records, &fresh);
    records_free(&records);
    producer_close(&fresh);
    producer_free(&fresh);
    producer_free(&a);
    producer_free(&b);
}

const struct CMUnitTest log_suite_faults[] = {
    LOG_TEST(unknown_outcome_breaks_the_writer_only),
    LOG_TEST(failure_loses_nothing_acknowledged),
    {0},
};
