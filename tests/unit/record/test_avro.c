/* What is written is Avro: byte for byte as avro-c writes it; some of it pinned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/pb/pb.h"
#include "base/memory.h"
#include "log/record/record.h"
#include "log/record/record_private.h"
#include "tests/unit/record/filler.h"
#include "tests/unit/record/oracle.h"
#include <perdure/v1/record.pb-c.h>
#include <shapes.pb-c.h>

static uint64_t seed;

static void compare_with_avro(const ProtobufCMessageDescriptor *root, int count,
                              uint64_t present_chance, int depth_max)
{
    pd_record_codec_t *codec = pd_record_codec_new(root);
    avro_value_iface_t *generic = avro_generic_class_from_schema(codec->writers[0].schema);
    size_t size_total = 0;
    pd_random_t random;
    pd_arena_t arena;
    pd_buf_t buf;

    assert_non_null(generic);
    pd_random_init(&random, seed);
    pd_arena_init(&arena);
    pd_buf_init(&buf, 64 << 20);
    for (int i = 0; i < count; i++) {
        pd_filler_t filler = {&random, &arena, present_chance, depth_max};
        ProtobufCMessage *message = pd_filler_make(&filler, root);
        pd_bytes_t body;

        pd_buf_clear(&buf);
        assert_int_equal(pd_record_encode(codec, message, &buf), PD_OK);
        body = pd_bytes(buf.data + PD_RECORD_HEADER_SIZE, buf.size - PD_RECORD_HEADER_SIZE);
        assert_true(pd_bytes_equal(body, pd_oracle_encode(generic, message, &arena)));
        assert_true(pd_bytes_equal(body, pd_oracle_reencode(generic, body, &arena)));
        size_total += body.size;
        pd_arena_reset(&arena);
    }
    print_message("%s: %d messages, %zu bytes\n", root->name, count, size_total);
    pd_buf_deinit(&buf);
    pd_arena_deinit(&arena);
    avro_value_iface_decref(generic);
    pd_record_codec_free(codec);
}

static void test_as_avro_c_writes(void **state)
{
    compare_with_avro(&perdure__test__v1__shapes__descriptor, 300, 60, 4);
    compare_with_avro(&perdure__v1__record__descriptor, 300, 60, 7);
    compare_with_avro(&temporal__api__history__v1__history__descriptor, 100, 60, 6);
}

static void assert_encoding(const pd_record_codec_t *codec, const void *message, const char *hex)
{
    char text[4096] = "";
    pd_buf_t buf;

    pd_buf_init(&buf, 4096);
    assert_int_equal(pd_record_encode(codec, message, &buf), PD_OK);
    for (size_t i = 0; i < buf.size && 2 * i + 2 < sizeof(text); i++)
        snprintf(text + 2 * i, 3, "%02x", buf.data[i]);
    assert_string_equal(text, hex);
    pd_buf_deinit(&buf);
}

/* Worked out by hand from the Avro specification. */
static void test_golden_bytes(void **state)
{
    pd_record_codec_t *codec = pd_record_codec_new(&temporal__api__common__v1__payload__descriptor);
    Temporal__Api__Common__V1__Payload payload = TEMPORAL__API__COMMON__V1__PAYLOAD__INIT;
    Temporal__Api__Common__V1__Payload__MetadataEntry entry =
        TEMPORAL__API__COMMON__V1__PAYLOAD__METADATA_ENTRY__INIT;
    Temporal__Api__Common__V1__Payload__MetadataEntry *entries[] = {&entry};
    char key[] = "k";
    uint8_t data[] = {0xff, 0x00};
    char expected[64];

    /* Fields in the order of their numbers: metadata, data, external_payloads. */
    snprintf(expected, sizeof(expected),
             "c301%016llx00"
             "00"
             "00",
             (unsigned long long)__builtin_bswap64(pd_record_codec_fingerprint(codec)));
    assert_encoding(codec, &payload, expected);

    entry.key = key;
    entry.value = (ProtobufCBinaryData){1, data};
    payload.n_metadata = 1;
    payload.metadata = entries;
    payload.data = (ProtobufCBinaryData){2, data};
    snprintf(expected, sizeof(expected),
             "c301%016llx"
             "02"
             "026b"
             "02ff"
             "00"
             "04ff00"
             "00",
             (unsigned long long)__builtin_bswap64(pd_record_codec_fingerprint(codec)));
    assert_encoding(codec, &payload, expected);
    pd_record_codec_free(codec);
}

static void test_golden_oneof(void **state)
{
    pd_record_codec_t *codec = pd_record_codec_new(&perdure__test__v1__choices__descriptor);
    Perdure__Test__V1__Choices choices = PERDURE__TEST__V1__CHOICES__INIT;
    Perdure__Test__V1__Inner inner = PERDURE__TEST__V1__INNER__INIT;
    char name[] = "ab";
    char expected[64];

    inner.name = name;
    inner.number = -1;
    choices.first_case = PERDURE__TEST__V1__CHOICES__FIRST_SAME_TYPE_AGAIN;
    choices.same_type_again = &inner;
    choices.before = 64;
    /* before, first: branch 8 (of number, text, data, truth, real, color, inner, this), "ab", -1,
     * between, second: null */
    snprintf(expected, sizeof(expected),
             "c301%016llx"
             "8001"
             "10"
             "046162"
             "01"
             "00"
             "00",
             (unsigned long long)__builtin_bswap64(pd_record_codec_fingerprint(codec)));
    assert_encoding(codec, &choices, expected);
    pd_record_codec_free(codec);
}

/* CRC-64-AVRO of the Parsing Canonical Form: values that other implementations give too. */
static void test_canonical_form(void **state)
{
    static const char text[] =
        "{\"fields\":[{\"default\":0,\"type\":{\"type\":\"int\",\"x\":1},\"name\":\"a\",\"doc\":"
        "\"d\"},"
        "{\"name\":\"next\",\"type\":[\"null\",\"n.s.R\"],\"default\":null},"
        "{\"name\":\"m\",\"type\":{\"values\":\"bytes\",\"type\":\"map\"}},"
        "{\"name\":\"l\",\"type\":{\"items\":\"string\",\"type\":\"array\"}}],"
        "\"namespace\":\"n.s\",\"name\":\"R\",\"type\":\"record\"}";
    avro_schema_t schema;
    char *canonical;

    assert_int_equal(avro_schema_from_json_length(text, strlen(text), &schema), 0);
    canonical = pdi_schema_canonical(schema);
    assert_string_equal(
        canonical,
        "{\"name\":\"n.s.R\",\"type\":\"record\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},"
        "{\"name\":\"next\",\"type\":[\"null\",\"n.s.R\"]},"
        "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"bytes\"}},"
        "{\"name\":\"l\",\"type\":{\"type\":\"array\",\"items\":\"string\"}}]}");
    pd_free(canonical);
    avro_schema_decref(schema);

    /* The specification's implementations give 7275d51a3f395c8f for "int". */
    assert_int_equal(avro_schema_from_json_literal("\"int\"", &schema), 0);
    assert_int_equal(pdi_schema_fingerprint(schema), UINT64_C(0x7275d51a3f395c8f));
    avro_schema_decref(schema);
}

static void assert_json(const pd_record_codec_t *codec, const void *message, const char *expected)
{
    pd_error_t error = {.text = ""};
    pd_buf_t buf;
    char *json;

    pd_buf_init(&buf, 1 << 20);
    assert_int_equal(pd_record_encode(codec, message, &buf), PD_OK);
    json = pd_record_to_json(codec, pd_buf_bytes(&buf), &error);
    assert_string_equal(error.text, "");
    assert_string_equal(json, expected);
    pd_free(json);
    buf.data[buf.size - 1] ^= 0x80;
    assert_null(pd_record_to_json(codec, pd_buf_bytes(&buf), &error));
    assert_int_equal(error.status, PD_CORRUPT);
    pd_buf_deinit(&buf);
}

static void test_json(void **state)
{
    pd_record_codec_t *codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    Perdure__V1__Record record = PERDURE__V1__RECORD__INIT;
    Perdure__V1__Transition transition = PERDURE__V1__TRANSITION__INIT;
    uint8_t hash[] = {0, 1, 255};
    char id[] = "a \"b\"\n\xc3\xa9";

    record.epoch = 7;
    record.prev_hash = (ProtobufCBinaryData){3, hash};
    record.body_case = PERDURE__V1__RECORD__BODY_TRANSITION;
    record.transition = &transition;
    transition.cause = PERDURE__V1__CAUSE__CAUSE_SIGNAL_WORKFLOW;
    transition.workflow_id = id;
    transition.commands_through = -1;
    assert_json(codec, &record,
                "{\"epoch\":7,\"prev_hash\":{\"hex\":\"0001ff\"},\"body\":{\"transition\":{"
                "\"cause\":\"CAUSE_SIGNAL_WORKFLOW\",\"commands_through\":-1,"
                "\"workflow_id\":\"a \\\"b\\\"\\n\xc3\xa9\"}}}");
    pd_record_codec_free(codec);
}

static void test_json_shapes(void **state)
{
    pd_record_codec_t *codec = pd_record_codec_new(&perdure__test__v1__choices__descriptor);
    Perdure__Test__V1__Choices choices = PERDURE__TEST__V1__CHOICES__INIT;
    Perdure__Test__V1__Empty empty = PERDURE__TEST__V1__EMPTY__INIT;

    choices.first_case = PERDURE__TEST__V1__CHOICES__FIRST_COLOR;
    choices.color = PERDURE__TEST__V1__COLOR__COLOR_BELOW;
    assert_json(codec, &choices, "{\"oneof_2\":{\"color\":\"COLOR_BELOW\"}}");
    choices.color = (Perdure__Test__V1__Color)99;
    assert_json(codec, &choices, "{\"oneof_2\":{\"color\":99}}");
    choices.first_case = PERDURE__TEST__V1__CHOICES__FIRST_WIDE;
    choices.wide = UINT64_MAX;
    assert_json(codec, &choices, "{\"oneof_2\":{\"wide\":18446744073709551615}}");
    choices.first_case = PERDURE__TEST__V1__CHOICES__FIRST_EMPTY;
    choices.empty = &empty;
    assert_json(codec, &choices, "{\"oneof_2\":{\"empty\":{}}}");
    choices.first_case = PERDURE__TEST__V1__CHOICES__FIRST_NUMBER;
    choices.number = 0;
    assert_json(codec, &choices, "{\"oneof_2\":{\"number\":0}}");
    pd_record_codec_free(codec);
}

/* Every random record can be printed, and stays on one line. */
static void test_json_of_anything(void **state)
{
    pd_record_codec_t *codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    pd_random_t random;
    pd_arena_t arena;
    pd_buf_t buf;

    pd_random_init(&random, seed);
    pd_arena_init(&arena);
    pd_buf_init(&buf, 64 << 20);
    for (int i = 0; i < 200; i++) {
        pd_filler_t filler = {&random, &arena, 50, 8};
        char *json;

        pd_buf_clear(&buf);
        assert_int_equal(pd_record_encode(codec,
                                          pd_filler_make(&filler, &perdure__v1__record__descriptor),
                                          &buf),
                         PD_OK);
        json = pd_record_to_json(codec, pd_buf_bytes(&buf), NULL);
        assert_non_null(json);
        assert_null(strchr(json, '\n'));
        pd_free(json);
        pd_arena_reset(&arena);
    }
    pd_buf_deinit(&buf);
    pd_arena_deinit(&arena);
    pd_record_codec_free(codec);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_avro_c_writes),
        cmocka_unit_test(test_golden_bytes),
        cmocka_unit_test(test_golden_oneof),
        cmocka_unit_test(test_canonical_form),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_shapes),
        cmocka_unit_test(test_json_of_anything),
    };

    seed = pd_filler_seed(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
