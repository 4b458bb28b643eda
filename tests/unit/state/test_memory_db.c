/* test_memory_db.c -- rows in sorted arrays: what was written is found, in order; what a crash
 * takes is taken batch by batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "state/tables/memory_db.h"

enum { TABLES = 2, KEYS = 40, BATCHES = 200, REMEMBERED = 8 };

/* What the database should hold: numbers by key, 0 for none. */
typedef struct model {
    uint32_t values[TABLES][KEYS];
} model_t;

static pd_bytes_t key_of(uint32_t number, char text[16])
{
    /* "k1" sorts before "k10", and both before "k2" */
    snprintf(text, 16, "k%u", number);
    return pd_bytes_str(text);
}

static pdi_memory_db_t *open_db(pdi_memory_disk_t *disk, const char *path)
{
    pdi_memory_db_t *db;
    pd_error_t error;

    assert_int_equal(pdi_memory_db_open(disk, path, TABLES, &db, &error), PD_OK);
    return db;
}

static void write_batch(pdi_memory_db_t *db, pd_random_t *random, model_t *model)
{
    for (uint64_t left = pd_random_below(random, 12); left; left--) {
        uint32_t table = (uint32_t)pd_random_below(random, TABLES);
        uint32_t number = (uint32_t)pd_random_below(random, KEYS);
        uint32_t value = (uint32_t)pd_random_below(random, 4) ? 1 + (uint32_t)left : 0;
        char text[16];

        if (value)
            pdi_memory_db_put(db, table, key_of(number, text), pd_bytes(&value, sizeof(value)));
        else
            pdi_memory_db_delete(db, table, key_of(number, text));
        model->values[table][number] = value;
    }
    pdi_memory_db_write(db);
}

static void check(const pdi_memory_db_t *db, const model_t *model)
{
    for (uint32_t table = 0; table < TABLES; table++) {
        size_t expected = 0, rows = 0;
        pd_bytes_t key, value, before = pd_bytes(NULL, 0);

        for (uint32_t number = 0; number < KEYS; number++) {
            uint32_t wanted = model->values[table][number];
            char text[16];
            bool found = pdi_memory_db_get(db, table, key_of(number, text), &value);

            assert_int_equal(found, wanted != 0);
            if (found)
                assert_memory_equal(value.data, &wanted, sizeof(wanted));
            expected += wanted != 0;
        }
        for (; pdi_memory_db_row(db, table, pd_bytes("", 0), rows, &key, &value); rows++) {
            size_t size = key.size < before.size ? key.size : before.size;
            int order = size ? memcmp(before.data, key.data, size) : 0;

            assert_true(rows == 0 || order < 0 || (order == 0 && before.size < key.size));
            before = key;
        }
        assert_int_equal(rows, expected);
    }
}

static size_t lose(void *ctx, size_t batch_count)
{
    size_t wanted = *(size_t *)ctx;

    *(size_t *)ctx = batch_count;
    return wanted < batch_count ? wanted : batch_count;
}

static void test_batches_and_losses(void **state)
{
    pdi_memory_disk_t *disk = pdi_memory_disk_new();
    static model_t models[BATCHES + 1];
    pdi_memory_db_t *db, *other;
    pd_random_t random;
    pd_error_t error;
    size_t at = 0;

    pd_random_init(&random, 1);
    for (int round = 0; round < BATCHES; round++) {
        size_t loss;

        db = open_db(disk, "/a/1");
        check(db, &models[at]);
        for (uint64_t left = 1 + pd_random_below(&random, 3); left && at < BATCHES; left--, at++) {
            models[at + 1] = models[at];
            write_batch(db, &random, &models[at + 1]);
            check(db, &models[at + 1]);
        }
        pdi_memory_db_put(db, 0, pd_bytes("never", 5), pd_bytes("written", 7));
        pdi_memory_db_close(db);
        loss = (size_t)pd_random_below(&random, 3);
        if (round % 4 == 0 && loss < at) {
            size_t known = loss;

            pdi_memory_disk_lose(disk, "/a/", lose, &known);
            assert_true(known <= REMEMBERED);
            at -= loss < known ? loss : known;
        }
    }
    db = open_db(disk, "/a/1");
    check(db, &models[at]);
    assert_int_equal(pdi_memory_db_open(disk, "/a/1", TABLES, &other, &error), PD_LOCKED);
    pdi_memory_db_close(db);
    pdi_memory_disk_free(disk);
}

static void test_losses_keep_to_their_path(void **state)
{
    pdi_memory_disk_t *disk = pdi_memory_disk_new();
    pdi_memory_db_t *one = open_db(disk, "/disk-1/p"), *ten = open_db(disk, "/disk-10/p");
    pd_bytes_t value;
    size_t loss = 5;

    pdi_memory_db_put(one, 0, pd_bytes("k", 1), pd_bytes("1", 1));
    pdi_memory_db_write(one);
    pdi_memory_db_put(ten, 0, pd_bytes("k", 1), pd_bytes("10", 2));
    pdi_memory_db_write(ten);
    pdi_memory_db_close(one);
    pdi_memory_db_close(ten);
    pdi_memory_disk_lose(disk, "/disk-1/", lose, &loss);
    assert_int_equal(loss, 1);
    one = open_db(disk, "/disk-1/p");
    ten = open_db(disk, "/disk-10/p");
    assert_false(pdi_memory_db_get(one, 0, pd_bytes("k", 1), &value));
    assert_true(pdi_memory_db_get(ten, 0, pd_bytes("k", 1), &value));
    pdi_memory_db_close(one);
    pdi_memory_db_close(ten);
    pdi_memory_disk_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_and_losses),
        cmocka_unit_test(test_losses_keep_to_their_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
