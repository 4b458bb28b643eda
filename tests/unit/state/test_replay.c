/* test_replay.c -- the state is a pure fold: the same records give the same tables, whatever was
 * flushed, evicted, dropped or reopened in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/unit/state/generator.h"

enum { RECORD_COUNT = 3000, WORKFLOW_COUNT = 25, ROUNDS = 4 };

static uint64_t seed = 1;

typedef struct records {
    pd_bytes_t *records;
    size_t count;
} records_t;

static pd_store_shared_t *shared_new(void)
{
    pd_store_shared_options_t options = {.block_cache_size = 8 << 20,
                                         .write_buffer_size = 8 << 20,
                                         .in_memory = true,
                                         .store_count = 1};
    pd_store_shared_t *shared;
    pd_error_t error;

    assert_int_equal(pd_store_shared_new(&options, &shared, &error), PD_OK);
    return shared;
}

static pd_store_t *open_store(pd_store_shared_t *shared, const char *path, size_t cache_size_max)
{
    pd_store_options_t options = {.path = path,
                                  .shared = shared,
                                  .partition = GENERATOR_PARTITION,
                                  .cache_size_max = cache_size_max};
    pd_store_t *store = NULL;
    pd_error_t error = {.text = ""};
    pd_status_t status = pd_store_open(&options, &store, &error);

    if (status != PD_OK)
        fail_msg("%s", error.text);
    return store;
}

static void apply(pd_store_t *store, const Perdure__V1__Record *record)
{
    pd_error_t error = {.text = ""};

    if (pd_store_apply(store, record, &error) != PD_OK)
        fail_msg("%s", error.text);
}

static void apply_bytes(pd_store_t *store, pd_bytes_t bytes)
{
    Perdure__V1__Record *record = perdure__v1__record__unpack(NULL, bytes.size, bytes.data);

    assert_non_null(record);
    apply(store, record);
    perdure__v1__record__free_unpacked(record, NULL);
}

static void dump(pd_store_t *store, pd_buf_t *out)
{
    pd_error_t error = {.text = ""};

    pd_buf_clear(out);
    if (pd_store_dump(store, out, &error) != PD_OK)
        fail_msg("%s", error.text);
}

static void commit(pd_store_t *store, int64_t offset)
{
    pd_store_position_t position = {.applied_offset = offset, .epoch = 7, .commands_through = -1};
    pd_error_t error = {.text = ""};

    if (pd_store_flush_commit(store, &position, &error) != PD_OK)
        fail_msg("%s", error.text);
}

static void show_difference(const pd_buf_t *a, const pd_buf_t *b)
{
    size_t at = 0, from;

    while (at < a->size && at < b->size && a->data[at] == b->data[at])
        at++;
    for (from = at; from > 0 && a->data[from - 1] != '\n'; from--)
        continue;
    print_message(
        "at %zu:\n< %.*s\n> %.*s\n", at, (int)(a->size - from > 2000 ? 2000 : a->size - from),
        (const char *)a->data + from, (int)(b->size - from > 2000 ? 2000 : b->size - from),
        (const char *)b->data + from);
}

static void assert_same(const pd_buf_t *a, const pd_buf_t *b, const char *what)
{
    if (pd_bytes_equal(pd_buf_bytes(a), pd_buf_bytes(b)))
        return;
    show_difference(a, b);
    fail_msg("%s: the dumps differ (seed %llu)", what, (unsigned long long)seed);
}

static void make_records(records_t *records, pd_buf_t *expected, uint64_t round_seed)
{
    pd_store_shared_t *shared = shared_new();
    pd_store_t *store = open_store(shared, "/reference", SIZE_MAX);
    pd_generator_t generator;

    pd_generator_init(&generator, store, round_seed, WORKFLOW_COUNT);
    records->records = pd_calloc(RECORD_COUNT, sizeof(records->records[0]));
    for (records->count = 0; records->count < RECORD_COUNT; records->count++) {
        const Perdure__V1__Record *record = pd_generator_next(&generator);
        pd_bytes_t bytes = pd_generator_pack(&generator, record);

        records->records[records->count] = pd_bytes(pd_memdup(bytes.data, bytes.size), bytes.size);
        apply(store, record);
    }
    assert_true(generator.started_count > 50);
    assert_true(generator.removed_count > 10);
    assert_true(generator.message_count > 100);
    dump(store, expected);
    assert_true(expected->size > 1000);
    pd_generator_deinit(&generator);
    pd_store_free(store);
    pd_store_shared_free(shared);
}

static void free_records(records_t *records)
{
    for (size_t i = 0; i < records->count; i++)
        pd_free((void *)records->records[i].data);
    pd_free(records->records);
}

/* Flush, commit, evict, read and lose memory at random moments. */
static void replay_with_interruptions(const records_t *records, const pd_buf_t *expected,
                                      pd_random_t *random, pd_buf_t *out)
{
    pd_store_shared_t *shared = shared_new();
    size_t cache_size_max = pd_random_chance(random, 1, 2) ? 0 : 20000;
    pd_store_t *store = open_store(shared, "/interrupted", cache_size_max);
    size_t held_at = 0, reopened = 0;

    for (size_t i = 0; i < records->count; i++) {
        apply_bytes(store, records->records[i]);
        if (pd_random_chance(random, 1, 10) && !pd_store_flush_held(store)) {
            pd_store_flush_begin(store);
            held_at = i;
        }
        if (pd_random_chance(random, 1, 10) && pd_store_flush_held(store))
            commit(store, (int64_t)held_at);
        if (pd_random_chance(random, 1, 10))
            pd_store_evict(store);
        if (pd_random_chance(random, 1, 300)) {
            pd_store_position_t position;

            pd_store_free(store);
            store = open_store(shared, "/interrupted", cache_size_max);
            pd_store_position(store, &position);
            i = (size_t)position.applied_offset; /* the loop goes on behind it; -1 wraps to 0 */
            reopened++;
        }
        if (pd_random_chance(random, 1, 1000))
            dump(store, out);
    }
    dump(store, out);
    assert_same(expected, out, "with memory and RocksDB");
    if (pd_store_flush_held(store))
        commit(store, (int64_t)held_at);
    dump(store, out);
    assert_same(expected, out, "after a commit");
    pd_store_flush_begin(store);
    dump(store, out);
    assert_same(expected, out, "with a batch held");
    commit(store, (int64_t)records->count - 1);
    assert_int_equal(pd_store_dirty_size(store), 0);
    dump(store, out);
    assert_same(expected, out, "after the last commit");
    pd_store_evict(store);
    dump(store, out);
    assert_same(expected, out, "after eviction");
    pd_store_free(store);
    store = open_store(shared, "/interrupted", cache_size_max);
    dump(store, out);
    assert_same(expected, out, "after reopening");
    pd_store_free(store);
    pd_store_shared_free(shared);
    print_message("reopened %zu times\n", reopened);
}

static void test_replay(void **state)
{
    pd_random_t random;

    pd_random_init(&random, seed);
    for (int round = 0; round < ROUNDS; round++) {
        records_t records;
        pd_buf_t expected, out;

        pd_buf_init(&expected, SIZE_MAX);
        pd_buf_init(&out, SIZE_MAX);
        make_records(&records, &expected, pd_random_u64(&random));
        replay_with_interruptions(&records, &expected, &random, &out);
        free_records(&records);
        pd_buf_deinit(&expected);
        pd_buf_deinit(&out);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replay)};

    if (argc == 3 && strcmp(argv[1], "--seed") == 0)
        seed = strtoull(argv[2], NULL, 10);
    else if (getenv("PD_SEED"))
        seed = strtoull(getenv("PD_SEED"), NULL, 10);
    print_message("seed %llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
