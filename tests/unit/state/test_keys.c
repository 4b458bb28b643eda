/* test_keys.c -- keys: what is read back is what was written, and malformed ones are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "state/keys.h"

static const char *const ids[] = {
    "",
    "a",
    "order/17",
    "caf\xc3\xa9",
    "\x01\x02\xff\xfe",
    "0190b7a2-5f3c-7a11-8000-0123456789ab",
    "0190B7A2-5f3c-7a11-8000-0123456789ab",
    "0190b7a2-5f3c-7a11-8000-0123456789abc",
    "0190b7a2-5f3c-7a11-8000-0123456789a",
    "0190b7a25f3c-7a11-8000-0123456789ab-",
};

enum { ID_COUNT = sizeof(ids) / sizeof(ids[0]) };

static void test_run_keys(void **state)
{
    pdi_key_t key, text;

    pdi_key_init(&key);
    pdi_key_init(&text);
    for (int i = 0; i < ID_COUNT * ID_COUNT; i++) {
        const char *a = ids[i / ID_COUNT], *b = ids[i % ID_COUNT], *c = ids[(i * 7) % ID_COUNT];
        pdi_run_name_t name;

        pdi_key_clear(&key);
        pdi_key_put_id(&key, a);
        pdi_key_put_id(&key, b);
        pdi_key_put_id(&key, c);
        assert_true(pdi_key_get_run(pd_bytes(key.data, key.size), &text, &name));
        assert_string_equal(name.namespace_id, a);
        assert_string_equal(name.workflow_id, b);
        assert_string_equal(name.run_id, c);
        for (size_t size = 0; size < key.size; size++)
            assert_false(pdi_key_get_run(pd_bytes(key.data, size), &text, &name));
        pdi_key_put_bytes(&key, "x", 1);
        assert_false(pdi_key_get_run(pd_bytes(key.data, key.size), &text, &name));
    }
    pdi_key_deinit(&key);
    pdi_key_deinit(&text);
}

static void test_uuid_is_short(void **state)
{
    pdi_key_t key;

    pdi_key_init(&key);
    pdi_key_put_id(&key, "0190b7a2-5f3c-7a11-8000-0123456789ab");
    assert_int_equal(key.size, 17);
    pdi_key_deinit(&key);
}

static void test_no_key_is_a_prefix(void **state)
{
    pdi_key_t a, b;

    pdi_key_init(&a);
    pdi_key_init(&b);
    for (int i = 0; i < ID_COUNT * ID_COUNT; i++) {
        if (i / ID_COUNT == i % ID_COUNT)
            continue;
        pdi_key_clear(&a);
        pdi_key_clear(&b);
        pdi_key_put_id(&a, ids[i / ID_COUNT]);
        pdi_key_put_id(&b, ids[i % ID_COUNT]);
        assert_false(a.size <= b.size && memcmp(a.data, b.data, a.size) == 0);
    }
    pdi_key_deinit(&a);
    pdi_key_deinit(&b);
}

static void test_numbers_sort(void **state)
{
    static const int64_t numbers[] = {INT64_MIN, -5, -1, 0, 1, 255, 256, INT64_MAX - 1, INT64_MAX};
    pdi_key_t a, b;
    pd_bytes_t rest;
    uint64_t value;

    pdi_key_init(&a);
    pdi_key_init(&b);
    for (size_t i = 0; i + 1 < sizeof(numbers) / sizeof(numbers[0]); i++) {
        pdi_key_clear(&a);
        pdi_key_clear(&b);
        pdi_key_put_u64(&a, pdi_key_from_ns(numbers[i]));
        pdi_key_put_u64(&b, pdi_key_from_ns(numbers[i + 1]));
        assert_true(memcmp(a.data, b.data, 8) < 0);
        rest = pd_bytes(a.data, a.size);
        assert_true(pdi_key_get_u64(&rest, &value));
        assert_true(pdi_key_to_ns(value) == numbers[i]);
        rest = pd_bytes(a.data, 7);
        assert_false(pdi_key_get_u64(&rest, &value));
    }
    pdi_key_deinit(&a);
    pdi_key_deinit(&b);
}

/* Random bytes are refused or read; nothing else happens. */
static void test_garbage(void **state)
{
    pd_random_t random;
    pdi_key_t text;
    pdi_run_name_t name;
    uint8_t bytes[64];
    char printed[16];

    pd_random_init(&random, 1);
    pdi_key_init(&text);
    for (int i = 0; i < 20000; i++) {
        size_t size = pd_random_below(&random, sizeof(bytes));

        for (size_t k = 0; k < size; k++)
            bytes[k] = (uint8_t)pd_random_below(&random, pd_random_chance(&random, 1, 2) ? 3 : 256);
        if (pdi_key_get_run(pd_bytes(bytes, size), &text, &name))
            assert_true(strlen(name.run_id) < sizeof(bytes));
        pdi_key_text(pd_bytes(bytes, size), printed, sizeof(printed));
        assert_true(strlen(printed) < sizeof(printed));
    }
    pdi_key_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_keys),
        cmocka_unit_test(test_uuid_is_short),
        cmocka_unit_test(test_no_key_is_a_prefix),
        cmocka_unit_test(test_numbers_sort),
        cmocka_unit_test(test_garbage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
