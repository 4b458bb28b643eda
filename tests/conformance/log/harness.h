/* harness.h -- what the tests of the suite are written with: producers that check the contract of
 * completions by themselves, reading everything, waiting for conditions.
 *
 * Checks made inside callbacks are noted and reported by the next wait, since a failed cmocka
 * assertion must not jump out of the loop. Thread: main, except producer_* on the loop of the
 * producer. */
#ifndef PD_TESTS_CONFORMANCE_LOG_HARNESS_H
#define PD_TESTS_CONFORMANCE_LOG_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/loop_event.h"
#include "base/memory.h"
#include "base/random.h"
#include "tests/conformance/log/suite.h"

typedef struct harness {
    const log_fixture_ops_t *ops;
    void *fixture;
    pd_loop_event_t *loop_event;
    pd_loop_t *loop;
    pd_log_t *log;
    pd_random_t random;
    uint64_t seed;
    bool expired;
    uint32_t open_count; /* writers and readers; some are left when a test fails */
    char failure[256];   /* the first broken promise, "" when none */
} harness_t;

typedef struct producer producer_t;

typedef struct sent {
    pd_log_append_t append; /* first: converts */
    producer_t *producer;
    uint64_t index;
    bool done;
    uint8_t *bytes; /* owns key and value */
    pd_bytes_t key; /* as sent */
    pd_bytes_t value;
} sent_t;

struct producer {
    harness_t *harness;
    pd_log_writer_t *writer;
    sent_t **sent;
    uint64_t sent_count;
    uint64_t capacity;
    uint64_t done_count;
    uint64_t ok_count;
    int64_t last_offset;
    pd_status_t broken; /* first status that was not PD_OK */
    bool closed;
    pd_mail_t closed_mail;
    void (*on_done)(producer_t *producer, sent_t *sent); /* may be NULL */
    void *ctx;
};

typedef struct consumer {
    harness_t *harness;
    pd_log_reader_t *reader;
    pd_log_read_t read;
    pd_mail_t closed_mail;
    bool done;
    bool closed;
    uint64_t done_count;
} consumer_t;

/* Copies of records. */
typedef struct records {
    pd_log_record_t *items;
    uint64_t count;
    uint64_t capacity;
} records_t;

/* cmocka's setup and teardown of each test; *state is the harness. */
int harness_setup(void **state);
int harness_teardown(void **state);
void harness_configure(const log_fixture_ops_t *ops, uint64_t seed);

/* Notes a broken promise. */
void harness_fail(harness_t *harness, const char *what, long long detail);
/* To be called by callbacks: the condition may hold now. */
void harness_progress(harness_t *harness);
/* Runs the loop until the condition holds; fails the test after two minutes. */
void harness_wait(harness_t *harness, bool (*condition)(void *ctx), void *ctx);
/* Lets the loop turn a few times. */
void harness_turn(harness_t *harness);
void harness_reopen(harness_t *harness);

void producer_open(producer_t *producer, harness_t *harness, pd_loop_t *loop, pd_log_topic_t topic,
                   uint32_t partition);
/* Copies; checks order, once-ness and offsets of the completion. */
sent_t *producer_send(producer_t *producer, pd_bytes_t key, pd_bytes_t value);
/* Without a key. The headers are borrowed until it is done. */
sent_t *producer_send_with_headers(producer_t *producer, pd_bytes_t value,
                                   const pd_log_header_t *headers, uint32_t header_count);
/* A record of its own kind: key and value are derived from a number, of about the given size. */
sent_t *producer_send_numbered(producer_t *producer, uint64_t number, size_t size);
void producer_wait(producer_t *producer);
/* Does not wait; `closed` may be NULL. */
void producer_begin_close(producer_t *producer, pd_mail_t *closed);
/* Waits for all completions and for `closed`. */
void producer_close(producer_t *producer);
void producer_free(producer_t *producer);

void consumer_open(consumer_t *consumer, harness_t *harness, pd_log_topic_t topic,
                   uint32_t partition);
void consumer_begin(consumer_t *consumer, int64_t from_offset, uint32_t size_max, bool wait);
/* Waits for the read that was begun; checks the shape of the batch. */
const pd_log_read_t *consumer_finish(consumer_t *consumer);
const pd_log_read_t *consumer_read(consumer_t *consumer, int64_t from_offset);
void consumer_close(consumer_t *consumer);

/* Everything from an offset to the end. */
void records_read(records_t *records, harness_t *harness, pd_log_topic_t topic, uint32_t partition,
                  int64_t from_offset, uint32_t size_max);
void records_add(records_t *records, const pd_log_record_t *record);
void records_free(records_t *records);
int64_t end_offset(harness_t *harness, pd_log_topic_t topic, uint32_t partition);
/* The record is exactly what was sent and acknowledged. */
void assert_is(const pd_log_record_t *record, const sent_t *sent);
/* The acknowledged records of one producer that wrote alone are these. */
void assert_all(const records_t *records, const producer_t *producer);

/* The tables of tests, ended by an entry without a name. */
extern const struct CMUnitTest log_suite_append[];
extern const struct CMUnitTest log_suite_read[];
extern const struct CMUnitTest log_suite_faults[];
extern const struct CMUnitTest log_suite_random[];

#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)

/* ---- foreign topics ---- */

/* Asks the log for a topic, and waits for the answer. */
void topic_ask(harness_t *harness, const char *topic_name, pd_log_topic_query_t *answer);

#endif
