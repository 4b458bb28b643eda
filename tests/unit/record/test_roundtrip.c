/* Every message comes back as it was, byte for byte in protobuf's own encoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/pb/pb.h"
#include "log/record/record.h"
#include "log/record/record_private.h"
#include "tests/unit/record/filler.h"
#include <perdure/v1/record.pb-c.h>
#include <shapes.pb-c.h>

static uint64_t seed;

static void round_trip(const pd_record_codec_t *codec, pd_arena_t *arena,
                       const ProtobufCMessage *message, pd_buf_t *buf)
{
    ProtobufCMessage *copy = NULL;
    pd_error_t error = {.text = ""};
    pd_bytes_t a;
    pd_bytes_t b;

    pd_buf_clear(buf);
    assert_int_equal(pd_record_encode(codec, message, buf), PD_OK);
    if (pd_record_decode(codec, arena, pd_buf_bytes(buf), &copy, &error) != PD_OK)
        fail_msg("%s: %s", message->descriptor->name, error.text);
    a = pd_pb_pack_arena(message, arena);
    b = pd_pb_pack_arena(copy, arena);
    if (!pd_bytes_equal(a, b))
        fail_msg("%s: %zu bytes became %zu", message->descriptor->name, a.size, b.size);
    /* And the second writing is the first. */
    {
        pd_buf_t again;

        pd_buf_init(&again, 64 << 20);
        assert_int_equal(pd_record_encode(codec, copy, &again), PD_OK);
        assert_true(pd_bytes_equal(pd_buf_bytes(buf), pd_buf_bytes(&again)));
        pd_buf_deinit(&again);
    }
}

static void many(const ProtobufCMessageDescriptor *root, int count, uint64_t present_chance,
                 int depth_max)
{
    pd_record_codec_t *codec = pd_record_codec_new(root);
    pd_random_t random;
    pd_arena_t arena;
    pd_buf_t buf;

    pd_random_init(&random, seed);
    pd_arena_init(&arena);
    pd_buf_init(&buf, 64 << 20);
    for (int i = 0; i < count; i++) {
        pd_filler_t filler = {&random, &arena, present_chance, depth_max};

        round_trip(codec, &arena, pd_filler_make(&filler, root), &buf);
        pd_arena_reset(&arena);
    }
    pd_buf_deinit(&buf);
    pd_arena_deinit(&arena);
    pd_record_codec_free(codec);
}

static void test_records(void **state)
{
    many(&perdure__v1__record__descriptor, 300, 60, 7);
    many(&perdure__v1__record__descriptor, 300, 25, 12);
}

static void test_shapes(void **state)
{
    many(&perdure__test__v1__shapes__descriptor, 500, 60, 5);
    many(&perdure__test__v1__optionals__descriptor, 500, 50, 2);
    many(&perdure__test__v1__choices__descriptor, 500, 50, 4);
    many(&perdure__test__v1__empty_items__descriptor, 50, 70, 4);
}

static void test_histories(void **state)
{
    many(&temporal__api__history__v1__history__descriptor, 100, 40, 8);
}

/* Each type that a record can hold, as a root of its own. */
static void test_every_reachable_type(void **state)
{
    pd_record_codec_t *codec = pd_record_codec_new(&perdure__v1__record__descriptor);

    assert_true(codec->type_count > 100);
    for (uint32_t i = 0; i < codec->type_count; i++)
        many(codec->types[i]->proto, 20, 70, 4);
    pd_record_codec_free(codec);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_histories),
        cmocka_unit_test(test_every_reachable_type),
    };

    seed = pd_filler_seed(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
