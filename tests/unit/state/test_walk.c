/* test_walk.c -- what is due and what is ready, in steps, while the store changes; on RocksDB and
 * on the simulator's rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "state/store.h"
#include "tests/unit/state/fixture.h"

enum { RUN_COUNT = 50 };

static fixture_t f;

static int setup(void **state)
{
    fixture_open(&f);
    return 0;
}

static int setup_simulated(void **state)
{
    fixture_open_simulated(&f);
    return 0;
}

static int teardown(void **state)
{
    fixture_close(&f);
    return 0;
}

/* ---- what was told ---- */

typedef struct seen {
    int deadline_count, ready_count;
    int of_run[RUN_COUNT];
    const char *refused; /* "not now" */
} seen_t;

static int number_of(const char *workflow_id)
{
    int number = atoi(workflow_id + 1);

    assert_in_range(number, 0, RUN_COUNT - 1);
    return number;
}

static bool see(seen_t *seen, const char *namespace_id, const char *workflow_id, const char *run_id)
{
    assert_string_equal(namespace_id, FIXTURE_NAMESPACE);
    assert_string_equal(workflow_id, run_id);
    if (seen->refused && strcmp(workflow_id, seen->refused) == 0)
        return false;
    seen->of_run[number_of(workflow_id)]++;
    return true;
}

static bool see_deadline(void *ctx, const char *namespace_id, const char *workflow_id,
                         const char *run_id, int64_t at_ns)
{
    seen_t *seen = ctx;

    assert_true(at_ns >= f.now_ns - 1000 * S);
    if (!see(seen, namespace_id, workflow_id, run_id))
        return false;
    seen->deadline_count++;
    return true;
}

static bool see_ready(void *ctx, pd_bytes_t position, const char *namespace_id,
                      const char *workflow_id, const char *run_id,
                      const Perdure__V1__ReadyTask *task)
{
    seen_t *seen = ctx;

    assert_string_equal(task->task_queue, "orders");
    if (!see(seen, namespace_id, workflow_id, run_id))
        return false;
    seen->ready_count++;
    return true;
}

static pd_store_walk_t *begin_ready(seen_t *seen)
{
    pd_store_walk_to_t to = {.ready = see_ready, .ctx = seen};
    pd_store_walk_t *walk;

    *seen = (seen_t){0};
    walk = pd_store_walk_open(f.store, &to, pd_bytes("", 0));
    assert_non_null(walk);
    return walk;
}

static pd_store_walk_state_t step(pd_store_walk_t *walk, size_t row_count)
{
    pd_store_walk_state_t state;
    pd_error_t error = {.text = ""};

    if (pd_store_walk_step(walk, row_count, &state, &error) != PD_OK)
        fail_msg("%s", error.text);
    return state;
}

static void end(pd_store_walk_t *walk)
{
    assert_int_equal(step(walk, SIZE_MAX), PD_STORE_WALK_END);
    pd_store_walk_close(walk);
}

static seen_t all_of(pd_store_walk_to_t to)
{
    seen_t seen = {0};
    pd_store_walk_t *walk;

    to.ctx = &seen;
    walk = pd_store_walk_open(f.store, &to, pd_bytes("", 0));
    assert_non_null(walk);
    end(walk);
    return seen;
}

static seen_t deadlines(void)
{
    return all_of((pd_store_walk_to_t){.deadline = see_deadline});
}

static seen_t ready(void)
{
    return all_of((pd_store_walk_to_t){.ready = see_ready});
}

/* ---- runs, whose tasks are ready ---- */

static const char *id_of(int number)
{
    static char id[16];

    snprintf(id, sizeof(id), "w%02d", number);
    return id;
}

static void start(int number)
{
    fixture_start(&f, id_of(number), id_of(number));
}

/* Its task is not ready any more, but has a deadline. */
static void take(int number)
{
    fixture_begin(&f, id_of(number), id_of(number));
    fixture_task_started(&f, 2);
    fixture_apply(&f);
}

static void terminate(int number)
{
    fixture_begin(&f, id_of(number), id_of(number));
    fixture_terminated(&f);
    fixture_apply(&f);
}

/* ---- all at once ---- */

static void test_all(void **state)
{
    for (int i = 0; i < RUN_COUNT; i++) {
        start(i);
        if (i == 20)
            fixture_flush(&f);
        if (i % 2)
            take(i);
        if (i == 40)
            pd_store_flush_begin(f.store);
    }
    assert_int_equal(ready().ready_count, 25);
    assert_int_equal(deadlines().deadline_count, 25);
    f.offset++;
    {
        pd_store_position_t position = {.applied_offset = f.offset};
        pd_error_t error;

        assert_int_equal(pd_store_flush_commit(f.store, &position, &error), PD_OK);
    }
    fixture_flush(&f);
    fixture_reopen(&f);
    assert_int_equal(ready().ready_count, 25);
    assert_int_equal(deadlines().deadline_count, 25);
    terminate(1);
    assert_int_equal(deadlines().deadline_count, 25); /* its removal */
    take(0);
    assert_int_equal(ready().ready_count, 24);
    assert_int_equal(deadlines().deadline_count, 26);
}

/* ---- in steps ---- */

static void test_steps(void **state)
{
    seen_t seen;
    pd_store_walk_t *walk;
    pd_bytes_t at;

    for (int i = 0; i < 10; i++)
        start(i);
    fixture_flush(&f);
    walk = begin_ready(&seen);
    assert_int_equal(seen.ready_count, 0);
    for (int i = 1; i <= 10; i++) {
        assert_true(pd_store_walk_position(walk, &at));
        assert_int_equal(step(walk, 1), PD_STORE_WALK_MORE);
        assert_int_equal(seen.ready_count, i);
    }
    assert_false(pd_store_walk_position(walk, &at));
    end(walk);
    for (int i = 0; i < 10; i++)
        assert_int_equal(seen.of_run[i], 1);
}

/* One that is opened where another one stood tells the rest. */
static void test_position(void **state)
{
    seen_t seen;
    pd_store_walk_to_t to = {.ready = see_ready, .ctx = &seen};
    pd_store_walk_t *walk;
    uint8_t copy[256];
    pd_bytes_t at;

    for (int i = 0; i < 10; i++)
        start(i);
    fixture_flush(&f);
    walk = begin_ready(&seen);
    assert_int_equal(step(walk, 4), PD_STORE_WALK_MORE);
    assert_true(pd_store_walk_position(walk, &at));
    assert_true(at.size <= sizeof(copy));
    memcpy(copy, at.data, at.size);
    pd_store_walk_close(walk);
    start(40);                       /* in memory, and behind */
    fixture_begin(&f, "w01", "w01"); /* before, where the first one has told it */
    fixture_signaled(&f, "request");
    fixture_apply(&f);
    walk = pd_store_walk_open(f.store, &to, pd_bytes(copy, at.size));
    assert_int_equal(seen.of_run[40], 1);
    end(walk);
    assert_int_equal(seen.ready_count, 11);
    for (int i = 0; i < 10; i++)
        assert_int_equal(seen.of_run[i], 1);
}

/* What lasts is told, whatever else changes, and whatever is flushed, between the steps. */
static void test_changes_meanwhile(void **state)
{
    seen_t seen;
    pd_store_walk_t *walk;

    for (int i = 0; i < 30; i++)
        start(i);
    fixture_flush(&f);
    for (int i = 30; i < 40; i++) /* memory speaks for these, and they are flushed in between */
        start(i);
    walk = begin_ready(&seen);
    assert_int_equal(seen.ready_count, 10);
    for (int i = 0; step(walk, 1) == PD_STORE_WALK_MORE; i++) {
        if (i < 10)
            take(i);
        if (i == 10) {
            fixture_begin(&f, "w20", "w20"); /* changes, and stays ready */
            fixture_signaled(&f, "request");
            fixture_apply(&f);
            fixture_flush(&f);
            terminate(29);
            start(45);
            fixture_flush(&f);
        }
    }
    pd_store_walk_close(walk);
    for (int i = 10; i < 40; i++) {
        if (i != 29)
            assert_int_equal(seen.of_run[i], 1);
    }
}

static void test_refused(void **state)
{
    seen_t seen = {.refused = "w03"};
    pd_store_walk_to_t to = {.ready = see_ready, .ctx = &seen};
    pd_store_walk_t *walk;

    for (int i = 0; i < 6; i++)
        start(i);
    assert_null(pd_store_walk_open(f.store, &to, pd_bytes("", 0))); /* it is in memory */
    fixture_flush(&f);
    seen = (seen_t){.refused = "w03"};
    walk = pd_store_walk_open(f.store, &to, pd_bytes("", 0));
    assert_int_equal(step(walk, SIZE_MAX), PD_STORE_WALK_REFUSED);
    assert_int_equal(seen.ready_count, 3);
    assert_int_equal(step(walk, SIZE_MAX), PD_STORE_WALK_REFUSED);
    seen.refused = NULL;
    end(walk);
    for (int i = 0; i < 6; i++)
        assert_int_equal(seen.of_run[i], 1);
}

#define ON_BOTH(test)                                                                              \
    {#test, test, setup, teardown, NULL},                                                          \
    {                                                                                              \
#test " (simulated)", test, setup_simulated, teardown, NULL                                \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_all),      ON_BOTH(test_steps),
        ON_BOTH(test_position), ON_BOTH(test_changes_meanwhile),
        ON_BOTH(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
