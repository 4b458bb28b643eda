/* test_message.c -- packing backwards gives what protobuf-c gives; copies are deep and equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <perdure/v1/record.pb-c.h>
#include <perdure/v1/state.pb-c.h>

#include "state/message.h"
#include "tests/unit/record/filler.h"

enum { MESSAGE_COUNT = 2000 };

static uint64_t seed;

static void check(pdi_packer_t *packer, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *expected = malloc(size + 1);
    pd_bytes_t bytes;
    ProtobufCMessage *copy, *unpacked;
    pd_buf_t text, text_of_copy;

    assert_int_equal(protobuf_c_message_pack(message, expected), size);
    bytes = pdi_pack(packer, message);
    assert_int_equal(bytes.size, size);
    assert_memory_equal(bytes.data, expected, size);

    copy = pdi_message_copy(message);
    bytes = pdi_pack(packer, copy);
    assert_int_equal(bytes.size, size);
    assert_memory_equal(bytes.data, expected, size);
    unpacked = protobuf_c_message_unpack(message->descriptor, NULL, size, expected);
    assert_non_null(unpacked);
    pd_buf_init(&text, SIZE_MAX);
    pd_buf_init(&text_of_copy, SIZE_MAX);
    pdi_message_text(copy, &text);
    pdi_message_text(unpacked, &text_of_copy);
    assert_int_equal(text.size, text_of_copy.size);
    assert_memory_equal(text.data, text_of_copy.data, text.size);
    pd_buf_deinit(&text);
    pd_buf_deinit(&text_of_copy);
    pdi_message_free(copy);
    copy = pdi_message_copy(unpacked);
    pdi_message_free(unpacked);
    pdi_message_free(copy);
    free(expected);
}

static void test_random_messages(void **state)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &perdure__v1__record__descriptor, &perdure__v1__execution_row__descriptor,
        &perdure__v1__namespace_row__descriptor,
        &temporal__api__history__v1__history_event__descriptor};
    pd_random_t random;
    pd_arena_t arena;
    pdi_packer_t packer;
    pd_filler_t filler = {&random, &arena, 50, 8};

    pd_random_init(&random, seed);
    pd_arena_init(&arena);
    pdi_packer_init(&packer);
    for (int i = 0; i < MESSAGE_COUNT; i++) {
        filler.present_chance = pd_random_below(&random, 100);
        filler.depth_max = 3 + (int)pd_random_below(&random, 4);
        check(&packer, pd_filler_make(&filler, types[i % 4]));
        pd_arena_reset(&arena);
    }
    pdi_packer_deinit(&packer);
    pd_arena_deinit(&arena);
}

static void test_unknown_fields(void **state)
{
    static uint8_t data[] = {0x03, 'a', 'b', 'c'};
    ProtobufCMessageUnknownField unknown[2] = {
        {.tag = 900, .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, .len = 4, .data = data},
        {.tag = 901, .wire_type = PROTOBUF_C_WIRE_TYPE_VARINT, .len = 1, .data = data}};
    Perdure__V1__TimerRow row = PERDURE__V1__TIMER_ROW__INIT;
    pdi_packer_t packer;

    pdi_packer_init(&packer);
    row.timer_id = (char *)"t";
    row.base.n_unknown_fields = 2;
    row.base.unknown_fields = unknown;
    check(&packer, &row.base);
    pdi_packer_deinit(&packer);
}

static void test_arrays(void **state)
{
    char **array = NULL;
    size_t count = 0;

    for (size_t i = 0; i < 100; i++)
        pdi_array_append(&array, &count, (void *)i);
    for (size_t i = 99; i < 100; i -= 2)
        pdi_array_remove(&array, &count, i);
    assert_int_equal(count, 50);
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(array[i], (void *)(2 * i));
    pdi_array_append(&array, &count, (void *)7);
    assert_ptr_equal(array[50], (void *)7);
    free(array);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_messages),
        cmocka_unit_test(test_unknown_fields),
        cmocka_unit_test(test_arrays),
    };

    seed = pd_filler_seed(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
