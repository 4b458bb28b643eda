/* test_memory.c -- what the log in memory promises beyond the contract: faults, crashes, zombies,
 * and the same course for the same seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/os_clock.h"
#include "base/random.h"
#include "log/memory/memory.h"
#include "tests/unit/log/manual_loop.h"

enum { COUNT = 200 };

static uint64_t seed;

typedef struct bed {
    manual_loop_t storage_loop;
    pd_log_memory_t *storage;
    pd_log_append_t appends[COUNT];
    char values[COUNT][16];
    uint32_t done_count;
    uint64_t trace; /* hash of all completions */
} bed_t;

static bed_t *bed; /* of the running test: callbacks have no other way */

static void make(const pd_log_memory_faults_t *faults, bool exclusive, uint64_t use_seed)
{
    pd_log_memory_options_t options = {.seed = use_seed,
                                       .partition_counts = {2, 1, 1, 1},
                                       .exclusive = exclusive,
                                       .faults = *faults};

    bed = PD_NEW(bed_t);
    manual_loop_init(&bed->storage_loop);
    options.loop = &bed->storage_loop.loop;
    bed->storage = pd_log_memory_new(&options);
}

static void drop(void)
{
    pd_log_memory_free(bed->storage);
    manual_loop_deinit(&bed->storage_loop);
    pd_free(bed);
}

static pd_log_writer_t *open_writer(pd_log_t *log)
{
    pd_log_handle_options_t options = {.loop = &bed->storage_loop.loop, .topic = PD_LOG_EVENTS};
    pd_log_writer_t *writer;
    pd_error_t error;

    assert_int_equal(pd_log_open_writer(log, &options, &writer, &error), PD_OK);
    return writer;
}

static void on_done(pd_log_append_t *append)
{
    bed->done_count++;
    bed->trace = bed->trace * 1099511628211u + (uint64_t)append->status * 31 +
                 (uint64_t)append->offset + (uint64_t)bed->storage_loop.now_ns;
}

static void send(pd_log_writer_t *writer, uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i < from + count; i++) {
        snprintf(bed->values[i], sizeof(bed->values[i]), "%u", i);
        bed->appends[i] = (pd_log_append_t){
            .key = pd_bytes_str("k"), .value = pd_bytes_str(bed->values[i]), .done = on_done};
        assert_int_equal(pd_log_append(writer, &bed->appends[i]), PD_OK);
    }
}

/* Index in the log of the append, -1 when it is not there; fails when it is there twice. */
static int64_t find(uint32_t number)
{
    uint64_t count = pd_log_memory_count(bed->storage, PD_LOG_EVENTS, 0);
    int64_t found = -1;

    for (uint64_t i = 0; i < count; i++) {
        pd_log_record_t record = pd_log_memory_record(bed->storage, PD_LOG_EVENTS, 0, i);

        if (pd_bytes_equal(record.value, pd_bytes_str(bed->values[number]))) {
            assert_int_equal(found, -1);
            found = (int64_t)i;
        }
    }
    return found;
}

static pd_log_memory_faults_t rough(void)
{
    return (pd_log_memory_faults_t){.fail_ppm = 3000,
                                    .unknown_landed_ppm = 3000,
                                    .unknown_lost_ppm = 3000,
                                    .unknown_late_ppm = 3000,
                                    .foreign_ppm = 100000,
                                    .gap_ppm = 50000,
                                    .land_max_ns = 1000000,
                                    .ack_max_ns = 3000000,
                                    .late_max_ns = 20000000};
}

static uint64_t run_course(uint64_t use_seed)
{
    pd_log_memory_faults_t faults = rough();
    pd_log_writer_t *writer;
    pd_log_t *log;
    uint64_t trace;

    make(&faults, false, use_seed);
    log = pd_log_memory_open(bed->storage);
    writer = open_writer(log);
    send(writer, 0, COUNT);
    manual_loop_run(&bed->storage_loop);
    assert_int_equal(bed->done_count, COUNT);
    pd_log_close_writer(writer, NULL);
    manual_loop_run(&bed->storage_loop);
    pd_log_close(log);
    trace = bed->trace * 31 + pd_log_memory_count(bed->storage, PD_LOG_EVENTS, 0);
    drop();
    return trace;
}

static void same_seed_same_course(void **state)
{
    uint64_t first = run_course(seed);

    assert_true(run_course(seed) == first);
    assert_true(run_course(seed + 1) != first);
}

/* Acknowledged stays; the rest lands once at most, in order; no callback runs any more. */
static void crash(bool exclusive)
{
    pd_log_memory_faults_t faults = rough();
    uint32_t done_count;
    int64_t previous = -1;
    pd_log_t *log;

    make(&faults, exclusive, seed++);
    log = pd_log_memory_open(bed->storage);
    send(open_writer(log), 0, COUNT);
    for (int i = 0; i < 20; i++)
        manual_loop_step(&bed->storage_loop);
    done_count = bed->done_count;
    pd_log_memory_crash(log);
    if (exclusive)
        assert_int_equal(pd_log_memory_in_flight_count(bed->storage), 0);
    manual_loop_run(&bed->storage_loop);
    assert_int_equal(bed->done_count, done_count);
    assert_int_equal(pd_log_memory_in_flight_count(bed->storage), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        int64_t index = find(i);

        if (i < done_count && bed->appends[i].status == PD_OK)
            assert_int_equal(
                pd_log_memory_record(bed->storage, PD_LOG_EVENTS, 0, (uint64_t)index).offset,
                bed->appends[i].offset);
        if (index >= 0) {
            assert_true(index > previous);
            previous = index;
        }
    }
    drop();
}

static void crash_keeps_what_was_acknowledged(void **state)
{
    for (int round = 0; round < 100; round++) {
        crash(false);
        crash(true);
    }
}

/* The point of it all: a dead writer's record behind its successor's. */
static void zombies_land_behind_their_successors(void **state)
{
    pd_log_memory_faults_t faults = {.land_min_ns = 0, .land_max_ns = 1000000};
    uint64_t zombie_count = 0;

    for (int round = 0; round < 50; round++) {
        pd_log_t *dead, *alive;
        pd_log_writer_t *writer;

        make(&faults, false, seed++);
        dead = pd_log_memory_open(bed->storage);
        send(open_writer(dead), 0, 50);
        pd_log_memory_crash(dead);
        alive = pd_log_memory_open(bed->storage);
        writer = open_writer(alive);
        send(writer, 50, 1);
        manual_loop_run(&bed->storage_loop);
        for (uint32_t i = 0; i < 50; i++)
            zombie_count += find(i) > find(50);
        pd_log_close_writer(writer, NULL);
        manual_loop_run(&bed->storage_loop);
        pd_log_close(alive);
        drop();
    }
    assert_true(zombie_count > 0);
}

static void append_foreign_mark(void *ctx, pd_log_memory_t *storage, pd_log_topic_t topic,
                                uint32_t partition)
{
    ++*(uint32_t *)ctx;
    pd_log_memory_append_foreign(storage, topic, partition, pd_bytes_str("foreign"),
                                 pd_bytes_str("mark"));
}

static void foreign_records_and_gaps_lie_between_ours(void **state)
{
    uint32_t foreign_count = 0, gap_count = 0;
    pd_log_memory_options_t options = {.seed = seed++,
                                       .partition_counts = {1, 0, 0, 0},
                                       .faults = {.foreign_ppm = 200000, .gap_ppm = 100000},
                                       .first_offset = 77,
                                       .foreign = append_foreign_mark,
                                       .foreign_ctx = &foreign_count};
    pd_log_writer_t *writer;
    pd_log_t *log;

    bed = PD_NEW(bed_t);
    manual_loop_init(&bed->storage_loop);
    options.loop = &bed->storage_loop.loop;
    bed->storage = pd_log_memory_new(&options);
    log = pd_log_memory_open(bed->storage);
    writer = open_writer(log);
    send(writer, 0, COUNT);
    manual_loop_run(&bed->storage_loop);
    assert_true(foreign_count > 0);
    assert_int_equal(pd_log_memory_count(bed->storage, PD_LOG_EVENTS, 0), COUNT + foreign_count);
    for (uint32_t i = 1; i < COUNT; i++)
        gap_count += bed->appends[i].offset != bed->appends[i - 1].offset + 1;
    assert_true(gap_count > foreign_count / 2);
    assert_true(pd_log_memory_end_offset(bed->storage, PD_LOG_EVENTS, 0) > 77 + COUNT);
    pd_log_close_writer(writer, NULL);
    manual_loop_run(&bed->storage_loop);
    pd_log_close(log);
    drop();
}

static pd_log_read_t last_read;
static uint32_t read_count;

static void on_read(pd_log_read_t *read)
{
    last_read = *read;
    read_count++;
}

static void trimmed_records_are_not_found(void **state)
{
    pd_log_memory_faults_t faults = {0};
    pd_log_handle_options_t options = {.topic = PD_LOG_EVENTS};
    pd_log_writer_t *writer;
    pd_log_reader_t *reader;
    pd_log_read_t read = {.done = on_read};
    pd_log_t *log;
    pd_error_t error;

    make(&faults, true, seed++);
    log = pd_log_memory_open(bed->storage);
    writer = open_writer(log);
    send(writer, 0, 20);
    manual_loop_run(&bed->storage_loop);
    pd_log_memory_trim(bed->storage, PD_LOG_EVENTS, 0, 15);
    options.loop = &bed->storage_loop.loop;
    assert_int_equal(pd_log_open_reader(log, &options, &reader, &error), PD_OK);
    read.from_offset = 3;
    pd_log_read(reader, &read);
    manual_loop_run(&bed->storage_loop);
    assert_int_equal(last_read.status, PD_NOT_FOUND);
    assert_int_equal(last_read.start_offset, 15);
    read.from_offset = PD_LOG_FIRST;
    pd_log_read(reader, &read);
    manual_loop_run(&bed->storage_loop);
    assert_int_equal(last_read.status, PD_OK);
    assert_int_equal(last_read.count, 5);
    assert_int_equal(last_read.records[0].offset, 15);
    pd_log_close_reader(reader, NULL);
    pd_log_close_writer(writer, NULL);
    manual_loop_run(&bed->storage_loop);
    pd_log_close(log);
    drop();
}

static void reads_fail_and_are_repeated(void **state)
{
    pd_log_memory_faults_t faults = {.read_fail_ppm = 1000000};
    pd_log_handle_options_t options = {.topic = PD_LOG_EVENTS};
    pd_log_reader_t *reader;
    pd_log_read_t read = {.done = on_read};
    pd_log_t *log;
    pd_error_t error;

    make(&faults, true, seed++);
    pd_log_memory_append_foreign(bed->storage, PD_LOG_EVENTS, 0, pd_bytes_str("k"),
                                 pd_bytes_str("v"));
    log = pd_log_memory_open(bed->storage);
    options.loop = &bed->storage_loop.loop;
    assert_int_equal(pd_log_open_reader(log, &options, &reader, &error), PD_OK);
    pd_log_read(reader, &read);
    manual_loop_run(&bed->storage_loop);
    assert_int_equal(last_read.status, PD_UNAVAILABLE);
    faults.read_fail_ppm = 0;
    pd_log_memory_set_faults(bed->storage, &faults);
    pd_log_read(reader, &read);
    manual_loop_run(&bed->storage_loop);
    assert_int_equal(last_read.status, PD_OK);
    assert_int_equal(last_read.count, 1);
    /* A crash in the middle of a wait: nothing more is heard. */
    read.from_offset = PD_LOG_END;
    read.wait = true;
    pd_log_read(reader, &read);
    manual_loop_run(&bed->storage_loop);
    read_count = 0;
    pd_log_memory_crash(log);
    pd_log_memory_append_foreign(bed->storage, PD_LOG_EVENTS, 0, pd_bytes_str("k"),
                                 pd_bytes_str("v"));
    manual_loop_run(&bed->storage_loop);
    assert_int_equal(read_count, 0);
    drop();
}

typedef struct asked {
    pd_log_topic_query_t query; /* first: converts */
    uint32_t done_count;
} asked_t;

static void on_asked(pd_log_topic_query_t *query)
{
    ((asked_t *)query)->done_count++;
}

static void foreign_topics_are_read_by_name(void **state)
{
    static const pd_log_header_t headers[] = {{"id", {(const uint8_t *)"7", 1}}};
    pd_log_memory_faults_t none = {0};
    pd_log_record_t sent = {.value = pd_bytes_str("v"), .headers = headers, .header_count = 1};
    pd_log_foreign_options_t options = {.topic_name = "orders", .partition = 1};
    pd_log_read_t read = {.from_offset = PD_LOG_FIRST, .done = on_read};
    asked_t there = {.query = {.topic_name = "orders", .done = on_asked}};
    asked_t missing = {.query = {.topic_name = "offers", .done = on_asked}};
    pd_log_reader_t *reader;
    pd_error_t error;
    pd_log_t *log;

    make(&none, false, seed);
    options.loop = there.query.loop = missing.query.loop = &bed->storage_loop.loop;
    log = pd_log_memory_open(bed->storage);
    pd_log_memory_add_topic(bed->storage, "orders", 2);
    pd_log_memory_append_to_topic(bed->storage, "orders", 1, &sent);
    assert_int_equal(pd_log_query_topic(log, &there.query), PD_OK);
    assert_int_equal(pd_log_query_topic(log, &missing.query), PD_OK);
    assert_int_equal(there.done_count, 0);
    assert_int_equal(pd_log_open_foreign_reader(log, &options, &reader, &error), PD_OK);
    read_count = 0;
    pd_log_read(reader, &read);
    manual_loop_run(&bed->storage_loop);
    assert_int_equal(there.done_count, 1);
    assert_int_equal(there.query.partition_count, 2);
    assert_int_equal(missing.query.status, PD_NOT_FOUND);
    assert_int_equal(read_count, 1);
    assert_int_equal(read.count, 1);
    assert_null(read.records[0].key.data);
    assert_int_equal(read.records[0].header_count, 1);
    assert_string_equal(read.records[0].headers[0].name, "id");
    pd_log_close_reader(reader, NULL);
    options.partition = 2;
    assert_int_equal(pd_log_open_foreign_reader(log, &options, &reader, &error), PD_NOT_FOUND);
    manual_loop_run(&bed->storage_loop);
    pd_log_close(log);
    drop();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_course),
        cmocka_unit_test(crash_keeps_what_was_acknowledged),
        cmocka_unit_test(zombies_land_behind_their_successors),
        cmocka_unit_test(foreign_records_and_gaps_lie_between_ours),
        cmocka_unit_test(trimmed_records_are_not_found),
        cmocka_unit_test(reads_fail_and_are_repeated),
        cmocka_unit_test(foreign_topics_are_read_by_name),
    };
    const char *text = argc > 2 && !strcmp(argv[1], "--seed") ? argv[2] : getenv("PD_SEED");

    seed = text ? strtoull(text, NULL, 0) : pd_os_entropy() % 1000000000;
    printf("PD_SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
