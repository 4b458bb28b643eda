/* test_store.c -- on disk: opening, locks, damage; reading history; large runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "state/store_private.h"
#include "tests/unit/state/fixture.h"

static fixture_t f;

static int setup(void **state)
{
    fixture_open(&f);
    return 0;
}

static int teardown(void **state)
{
    fixture_close(&f);
    return 0;
}

/* ---- history ---- */

static int64_t read_history(pd_execution_t *exec, int64_t first, int64_t count, size_t size,
                            int64_t *next)
{
    pdi_event_cursor_t cursor = {.event_id = first};
    pd_bytes_t framed, event;
    pd_error_t error = {.text = ""};
    pd_buf_t buf;

    pd_buf_init(&buf, SIZE_MAX);
    if (pd_store_history_read(f.store, exec, first, count, size, &buf, next, &error) != PD_OK)
        fail_msg("%s", error.text);
    cursor.rest = pd_buf_bytes(&buf);
    while (pdi_event_next(&cursor, &framed, &event)) {
        pd_history_event_t *one =
            temporal__api__history__v1__history_event__unpack(NULL, event.size, event.data);

        assert_non_null(one);
        assert_int_equal(one->event_id, cursor.event_id - 1);
        temporal__api__history__v1__history_event__free_unpacked(one, NULL);
    }
    assert_int_equal(cursor.rest.size, 0);
    assert_int_equal(cursor.event_id, *next);
    pd_buf_deinit(&buf);
    return cursor.event_id - first;
}

static void check_reads(pd_execution_t *exec, int64_t last)
{
    int64_t next;

    for (int64_t first = 1; first <= last; first += 1 + first / 7) {
        assert_int_equal(read_history(exec, first, INT64_MAX, SIZE_MAX, &next), last + 1 - first);
        assert_int_equal(read_history(exec, first, 5, SIZE_MAX, &next),
                         last + 1 - first < 5 ? last + 1 - first : 5);
        assert_int_equal(read_history(exec, first, INT64_MAX, 1, &next), 1);
        assert_true(read_history(exec, first, INT64_MAX, 500, &next) >= 1);
        assert_int_equal(read_history(exec, first, 0, SIZE_MAX, &next), 0);
    }
    assert_int_equal(read_history(exec, last + 1, 10, SIZE_MAX, &next), 0);
}

static void check_event(pd_execution_t *exec, int64_t event_id, bool there)
{
    pd_history_event_t *event;
    pd_arena_t arena;
    pd_error_t error = {.text = ""};

    pd_arena_init(&arena);
    assert_int_equal(pd_store_history_event(f.store, exec, event_id, &arena, &event, &error),
                     PD_OK);
    if (there)
        assert_int_equal(event->event_id, event_id);
    else
        assert_null(event);
    pd_arena_deinit(&arena);
}

static void signal_many(const char *workflow_id, const char *run_id, int count, int at_once)
{
    static int number;

    for (int i = 0; i < count; i += at_once) {
        fixture_begin(&f, workflow_id, run_id);
        for (int k = 0; k < at_once; k++) {
            char request_id[32];

            snprintf(request_id, sizeof(request_id), "signal-%d", number++);
            fixture_signaled(&f, request_id);
        }
        fixture_apply(&f);
    }
}

/* Few batches (their IDs are remembered), many (they are sought), in the tail, and beyond it. */
static void test_history(void **state)
{
    fixture_start(&f, "w", "run-1");
    check_reads(fixture_current(&f, "w"), 2);
    for (int flushes = 1; flushes <= 20; flushes++) {
        signal_many("w", "run-1", 30, 3);
        fixture_flush(&f);
        if (flushes % 5 == 0)
            check_reads(fixture_current(&f, "w"), 2 + 30 * flushes);
    }
    signal_many("w", "run-1", 30, 3);
    check_reads(fixture_current(&f, "w"), 632);
    check_event(fixture_current(&f, "w"), 1, true);
    check_event(fixture_current(&f, "w"), 632, true);
    check_event(fixture_current(&f, "w"), 633, false);
    check_event(fixture_current(&f, "w"), 0, false);
    fixture_flush(&f);
    fixture_reopen(&f);
    check_reads(fixture_current(&f, "w"), 632);
    check_event(fixture_current(&f, "w"), 300, true);
    assert_int_equal(fixture_current(&f, "w")->row->n_signal_request_ids, 630);
    assert_true(pd_execution_has_signal_request(
        fixture_current(&f, "w"), fixture_current(&f, "w")->row->signal_request_ids[9]));
    assert_false(pd_execution_has_signal_request(fixture_current(&f, "w"), "signal-x"));
}

/* One flush with more than fits in a batch. */
static void test_large_flush(void **state)
{
    fixture_start(&f, "w", "run-1");
    signal_many("w", "run-1", 6000, 1000);
    fixture_flush(&f);
    assert_true(pdi_run(fixture_current(&f, "w"))->flushed.batch_count > 2);
    fixture_reopen(&f);
    check_event(fixture_current(&f, "w"), 6002, true);
    check_event(fixture_current(&f, "w"), 3000, true);
    check_event(fixture_current(&f, "w"), 1, true);
}

/* A removed run leaves nothing behind, whatever its history was stored in. */
static void test_removal_leaves_nothing(void **state)
{
    pd_error_t error = {.text = ""};
    pd_buf_t out;

    for (int flushes = 1; flushes < 12; flushes += 5) {
        fixture_start(&f, "w", "run-1");
        for (int i = 0; i < flushes; i++) {
            signal_many("w", "run-1", 3, 3);
            fixture_flush(&f);
        }
        fixture_begin(&f, "w", "run-1");
        fixture_terminated(&f);
        fixture_apply(&f);
        fixture_flush(&f);
        fixture_begin(&f, "w", "run-1");
        fixture_internal(&f, PERDURE__V1__EVENT__KIND_RUN_REMOVED,
                         &perdure__v1__run_removed__descriptor);
        fixture_apply(&f);
        fixture_flush(&f);
        pd_buf_init(&out, SIZE_MAX);
        assert_int_equal(pd_store_dump(f.store, &out, &error), PD_OK);
        assert_int_equal(out.size, 0);
        pd_buf_deinit(&out);
        for (int table = PDI_TABLE_EXECUTIONS; table < PDI_TABLE_COUNT; table++) {
            rocksdb_iterator_t *iter = rocksdb_create_iterator_cf(
                f.store->db.rocks, f.store->db.read_all, f.store->db.families[table]);

            rocksdb_iter_seek_to_first(iter);
            if (rocksdb_iter_valid(iter))
                fail_msg("a row is left in %s", pdi_table_name((pdi_table_t)table));
            rocksdb_iter_destroy(iter);
        }
    }
}

/* ---- many pending ---- */

static void test_many_pending(void **state)
{
    enum { COUNT = 600 };
    pd_execution_t *exec;
    char id[32];

    fixture_start(&f, "w", "run-1");
    fixture_begin(&f, "w", "run-1");
    fixture_task_started(&f, 2);
    fixture_task_completed(&f, 2, 3);
    for (int i = 0; i < COUNT; i++) {
        snprintf(id, sizeof(id), "a%d", i);
        fixture_activity_scheduled(&f, id, 10 * S);
        snprintf(id, sizeof(id), "t%d", i);
        fixture_timer_started(&f, id, (i + 1) * S);
    }
    fixture_apply(&f);
    exec = fixture_current(&f, "w");
    for (int round = 0; round < 2; round++) {
        for (int i = round; i < COUNT; i++) {
            snprintf(id, sizeof(id), "a%d", i);
            assert_int_equal(pd_execution_activity_by_id(exec, id)->scheduled_event_id, 5 + 2 * i);
            snprintf(id, sizeof(id), "t%d", i);
            assert_int_equal(pd_execution_timer(exec, id)->started_event_id, 6 + 2 * i);
        }
        if (round == 0) {
            fixture_begin(&f, "w", "run-1");
            fixture_activity_completed(&f, 5);
            fixture_timer_fired(&f, "t0", 6);
            fixture_apply(&f);
            assert_null(pd_execution_activity_by_id(exec, "a0"));
            assert_null(pd_execution_timer(exec, "t0"));
            assert_true(exec->deadline_hint_ns <= exec->row->timers[0]->fire_time_ns);
        }
    }
    fixture_flush(&f);
    fixture_reopen(&f);
    exec = fixture_current(&f, "w");
    assert_int_equal(exec->row->n_activities, COUNT - 1);
    assert_int_equal(pd_execution_activity_by_id(exec, "a77")->scheduled_event_id, 5 + 2 * 77);
}

/* ---- cache ---- */

static void test_eviction(void **state)
{
    pd_store_options_t options = {
        .path = "/fixture/small", .shared = f.shared, .partition = 0, .cache_size_max = 50000};
    pd_store_t *large = f.store;
    pd_error_t error;
    pd_execution_t *exec, *pinned;
    char id[32];
    int mine;

    assert_int_equal(pd_store_open(&options, &f.store, &error), PD_OK);
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "w%d", i);
        fixture_start(&f, id, id);
    }
    pinned = fixture_current(&f, "w7");
    pinned->engine = &mine;
    pd_store_evict(f.store);
    assert_int_equal(f.store->workflow_count, 200); /* nothing is written yet */
    fixture_flush(&f);
    pd_store_evict(f.store);
    assert_true(f.store->workflow_count < 60);
    assert_true(f.store->clean_size <= 50000);
    assert_ptr_equal(fixture_current(&f, "w7"), pinned);
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "w%d", i);
        exec = fixture_current(&f, id);
        assert_string_equal(exec->row->run_id, id);
        assert_int_equal(exec->row->workflow_task->scheduled_event_id, 2);
    }
    assert_null(fixture_current(&f, "w200"));
    pinned->engine = NULL;
    pd_store_evict(f.store);
    pd_store_free(f.store);
    f.store = large;
}

/* ---- on disk ---- */

static void test_disk(void **state)
{
    pd_store_shared_options_t shared_options = {
        .block_cache_size = 8 << 20, .write_buffer_size = 8 << 20, .store_count = 1};
    char directory[] = "/tmp/perdure-test-state-XXXXXX", path[64], command[80];
    pd_store_options_t options = {
        .path = path, .shared = NULL, .partition = 0, .cache_size_max = 1 << 20};
    pd_store_t *store, *second;
    pd_store_position_t position = {.applied_offset = 41, .epoch = 7, .commands_through = 9};
    pd_error_t error = {.text = ""};

    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/a/b", directory);
    assert_int_equal(pd_store_shared_new(&shared_options, &options.shared, &error), PD_OK);
    if (pd_store_open(&options, &store, &error) != PD_OK)
        fail_msg("%s", error.text);
    assert_int_equal(pd_store_open(&options, &second, &error), PD_LOCKED);
    memset(position.running_hash, 0xab, 32);
    pd_store_flush_begin(store);
    assert_true(pd_store_flush_held(store));
    assert_int_equal(pd_store_flush_commit(store, &position, &error), PD_OK);
    assert_false(pd_store_flush_held(store));
    pd_store_free(store);
    assert_int_equal(pd_store_open(&options, &store, &error), PD_OK);
    memset(&position, 0, sizeof(position));
    pd_store_position(store, &position);
    assert_int_equal(position.applied_offset, 41);
    assert_int_equal(position.epoch, 7);
    assert_int_equal(position.commands_through, 9);
    assert_int_equal(position.running_hash[31], 0xab);
    pd_store_free(store);
    pd_store_shared_free(options.shared);
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    assert_int_equal(system(command), 0);
}

static void put_raw(pdi_table_t table, pd_bytes_t key, const char *value)
{
    char *text = NULL;

    rocksdb_put_cf(f.store->db.rocks, f.store->db.write, f.store->db.families[table],
                   (const char *)key.data, key.size, value, strlen(value), &text);
    assert_null(text);
}

static bool see_none(void *ctx, const char *namespace_id, const char *workflow_id,
                     const char *run_id, int64_t at_ns)
{
    fail_msg("a deadline of %s was told", workflow_id);
    return true;
}

static void test_damage(void **state)
{
    pd_store_options_t options = {
        .path = "/fixture/state", .shared = f.shared, .partition = 0, .cache_size_max = 1 << 20};
    pd_error_t error = {.text = ""};
    pd_execution_t *exec;
    pd_buf_t out;

    fixture_start(&f, "w", "run-1");
    fixture_flush(&f);
    pdi_run_key(pdi_run(fixture_current(&f, "w")), &f.store->key);
    put_raw(PDI_TABLE_EXECUTIONS, pdi_key_bytes(&f.store->key), "rubbish");
    fixture_reopen(&f);
    assert_int_equal(pd_store_current(f.store, FIXTURE_NAMESPACE, "w", &exec, &error), PD_CORRUPT);
    assert_non_null(strstr(error.text, "executions"));
    assert_non_null(strstr(error.text, "run-1"));
    pd_buf_init(&out, SIZE_MAX);
    assert_int_equal(pd_store_dump(f.store, &out, &error), PD_CORRUPT);
    pd_buf_deinit(&out);
    put_raw(PDI_TABLE_CURRENT_RUNS, pd_bytes("\x02x", 3), "\x07");
    put_raw(PDI_TABLE_TIMERS, pd_bytes("short", 5), "");
    {
        pd_store_walk_to_t to = {.deadline = see_none};
        pd_store_walk_t *walk = pd_store_walk_open(f.store, &to, pd_bytes("", 0));
        pd_store_walk_state_t ignored;

        assert_int_equal(pd_store_walk_step(walk, 10, &ignored, &error), PD_CORRUPT);
        assert_non_null(strstr(error.text, "timers"));
        pd_store_walk_close(walk);
    }
    put_raw(PDI_TABLE_NAMESPACES, pd_bytes("n", 1), "\x07");
    pd_store_free(f.store);
    assert_int_equal(pd_store_open(&options, &f.store, &error), PD_CORRUPT);
    assert_non_null(strstr(error.text, "namespaces"));
    f.store = NULL;
}

static void test_format(void **state)
{
    Perdure__V1__MetaRow row = PERDURE__V1__META_ROW__INIT;
    pd_store_options_t options = {
        .path = "/fixture/state", .shared = f.shared, .partition = 0, .cache_size_max = 1 << 20};
    uint8_t hash[32] = {0}, bytes[128];
    pd_error_t error = {.text = ""};
    char *text = NULL;
    pdi_key_t key;

    row.format = 77;
    row.running_hash.data = hash;
    row.running_hash.len = sizeof(hash);
    pdi_key_init(&key);
    pdi_key_put_id(&key, "meta");
    rocksdb_put_cf(f.store->db.rocks, f.store->db.write, f.store->db.families[PDI_TABLE_META],
                   (const char *)key.data, key.size, (const char *)bytes,
                   perdure__v1__meta_row__pack(&row, bytes), &text);
    assert_null(text);
    pdi_key_deinit(&key);
    pd_store_free(f.store);
    assert_int_equal(pd_store_open(&options, &f.store, &error), PD_CORRUPT);
    assert_non_null(strstr(error.text, "format 77"));
    f.store = NULL;
}

/* The names are on disk: never changed, only added to. */
static void test_tables(void **state)
{
    static const char *const names[] = {"meta",    "executions", "current_runs", "history",
                                        "signals", "timers",     "ready",        "namespaces",
                                        "outbox",  "inbox",      "command_ids",  "command_id_times",
                                        "ingest"};

    assert_int_equal(PDI_TABLE_COUNT, 13);
    for (int i = 0; i < PDI_TABLE_COUNT; i++)
        assert_string_equal(pdi_table_name((pdi_table_t)i), names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_history, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_flush, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removal_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_pending, setup, teardown),
        cmocka_unit_test_setup_teardown(test_eviction, setup, teardown),
        cmocka_unit_test(test_disk),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_format, setup, teardown),
        cmocka_unit_test(test_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
