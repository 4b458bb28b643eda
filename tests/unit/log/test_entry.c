/* test_entry.c -- entries of the embedded log: round trips; bytes from disk never harm. */
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
#include "log/embedded/entry.h"

static pd_random_t dice;

static void keys_sort_as_offsets_do(void **state)
{
    static const pdi_key_t keys[] = {
        {PD_LOG_EVENTS, 0, 0},       {PD_LOG_EVENTS, 0, 255},       {PD_LOG_EVENTS, 0, 256},
        {PD_LOG_EVENTS, 0, 1 << 30}, {PD_LOG_EVENTS, 0, INT64_MAX}, {PD_LOG_EVENTS, 1, 0},
        {PD_LOG_EVENTS, 256, 7},     {PD_LOG_COMMANDS, 0, 0},       {PD_LOG_REJECTED, 3, 9},
    };
    uint8_t previous[PDI_KEY_SIZE] = {0}, bytes[PDI_KEY_SIZE];

    for (size_t i = 0; i < PD_ARRAY_COUNT(keys); i++) {
        pdi_key_t key;

        pdi_key_encode(&keys[i], bytes);
        assert_true(memcmp(previous, bytes, sizeof(bytes)) < 0);
        assert_int_equal(pdi_key_decode(bytes, sizeof(bytes), &key), PD_OK);
        assert_int_equal(key.topic, keys[i].topic);
        assert_int_equal(key.partition, keys[i].partition);
        assert_int_equal(key.first_offset, keys[i].first_offset);
        memcpy(previous, bytes, sizeof(bytes));
    }
}

static void foreign_keys_are_refused(void **state)
{
    pdi_key_t key = {PD_LOG_EVENTS, 1, 2};
    uint8_t bytes[PDI_KEY_SIZE];

    pdi_key_encode(&key, bytes);
    assert_int_equal(pdi_key_decode(bytes, sizeof(bytes) - 1, &key), PD_CORRUPT);
    bytes[6] = 0x80; /* a negative offset */
    assert_int_equal(pdi_key_decode(bytes, sizeof(bytes), &key), PD_CORRUPT);
    bytes[6] = 0;
    bytes[1] = PD_LOG_TOPIC_COUNT;
    assert_int_equal(pdi_key_decode(bytes, sizeof(bytes), &key), PD_CORRUPT);
    assert_int_equal(pdi_key_decode("m", 1, &key), PD_CORRUPT);
}

/* The format is stored in other people's directories: these bytes must stay readable for ever. */
static void the_format_is_pinned(void **state)
{
    static const uint8_t expected[] = {1,   2,   0,   0,   0, /* head */
                                       4,   3,   2,   1,   0,   0,   0,   0,   2, 3,
                                       'k', 'v', 'w',                                 /* 1 */
                                       255, 255, 255, 255, 255, 255, 255, 255, 0, 1}; /* 2 */
    pdi_builder_t builder;
    pd_bytes_t entry;

    pdi_builder_init(&builder);
    pdi_builder_add(&builder, 0x01020304, pd_bytes_str("k"), pd_bytes_str("vw"));
    pdi_builder_add(&builder, -1, pd_bytes(NULL, 0), pd_bytes("", 0));
    entry = pdi_builder_take(&builder);
    assert_int_equal(entry.size, sizeof(expected));
    assert_memory_equal(entry.data, expected, sizeof(expected));
    pdi_builder_deinit(&builder);
}

static pd_bytes_t random_bytes(uint8_t *at, size_t size_max)
{
    size_t size = pd_random_below(&dice, size_max);

    if (pd_random_chance(&dice, 1, 10))
        return pd_bytes(NULL, 0);
    return pd_bytes(at, size);
}

/* An entry of some random records; returns how many. */
static uint32_t build(pdi_builder_t *builder, pd_log_record_t *records, uint8_t *source)
{
    uint32_t count = 1 + (uint32_t)pd_random_below(&dice, 40);

    for (uint32_t i = 0; i < count; i++) {
        records[i].time_ms = (int64_t)pd_random_u64(&dice);
        records[i].key = random_bytes(source, 200);
        records[i].value = random_bytes(source + 100, pd_random_chance(&dice, 1, 9) ? 40000 : 500);
        pdi_builder_add(builder, records[i].time_ms, records[i].key, records[i].value);
    }
    return count;
}

static void round_trips(void **state)
{
    uint8_t *source = pd_alloc(50000);
    pd_log_record_t records[40], record;
    pdi_builder_t builder;

    for (size_t i = 0; i < 50000; i++)
        source[i] = (uint8_t)pd_random_u64(&dice);
    pdi_builder_init(&builder);
    for (int round = 0; round < 300; round++) {
        uint32_t expected = build(&builder, records, source), count;
        pd_bytes_t entry = pdi_builder_take(&builder);
        pdi_decoder_t decoder;

        assert_int_equal(pdi_decoder_init(&decoder, entry.data, entry.size, &count), PD_OK);
        assert_int_equal(count, expected);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(pdi_decoder_next(&decoder, &record), PD_OK);
            assert_int_equal(record.time_ms, records[i].time_ms);
            assert_int_equal(record.key.data == NULL, records[i].key.data == NULL);
            assert_int_equal(record.value.data == NULL, records[i].value.data == NULL);
            assert_true(pd_bytes_equal(record.key, records[i].key));
            assert_true(pd_bytes_equal(record.value, records[i].value));
        }
    }
    pdi_builder_deinit(&builder);
    pd_free(source);
}

/* Decodes to the end; what comes out must lie within the bytes. False: refused. */
static bool decode_all(const uint8_t *data, size_t size)
{
    pdi_decoder_t decoder;
    pd_log_record_t record;
    uint32_t count;

    if (pdi_decoder_init(&decoder, data, size, &count) != PD_OK)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (pdi_decoder_next(&decoder, &record) != PD_OK)
            return false;
        if (record.key.size)
            assert_true(record.key.data >= data &&
                        record.key.data + record.key.size <= data + size);
        if (record.value.size)
            assert_true(record.value.data >= data &&
                        record.value.data + record.value.size <= data + size);
    }
    return true;
}

static void damaged_entries_are_refused_or_harmless(void **state)
{
    uint8_t *source = pd_calloc(1, 50000);
    pd_log_record_t records[40];
    pdi_builder_t builder;

    pdi_builder_init(&builder);
    for (int round = 0; round < 300; round++) {
        uint8_t *copy;
        pd_bytes_t entry;
        size_t size;

        build(&builder, records, source);
        entry = pdi_builder_take(&builder);
        size = pd_random_below(&dice, entry.size);
        copy = pd_memdup(entry.data, size ? size : 1); /* exact: a sanitizer sees the byte behind */
        assert_false(decode_all(copy, size));
        pd_free(copy);
        copy = pd_memdup(entry.data, entry.size);
        for (int i = 0; i < 5; i++)
            copy[pd_random_below(&dice, entry.size)] = (uint8_t)pd_random_u64(&dice);
        decode_all(copy, entry.size);
        pd_free(copy);
    }
    pdi_builder_deinit(&builder);
    pd_free(source);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_sort_as_offsets_do),
        cmocka_unit_test(foreign_keys_are_refused),
        cmocka_unit_test(the_format_is_pinned),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(damaged_entries_are_refused_or_harmless),
    };
    const char *text = argc > 2 && !strcmp(argv[1], "--seed") ? argv[2] : getenv("PD_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : pd_os_entropy() % 1000000000;

    printf("PD_SEED=%llu\n", (unsigned long long)seed);
    pd_random_init(&dice, seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
