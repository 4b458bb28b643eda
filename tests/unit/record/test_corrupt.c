/* Bytes that are no record: an error with a reason, never a crash, never a flood of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/pb/pb.h"
#include "base/assert.h"
#include "log/record/record.h"
#include "log/record/record_private.h"
#include "tests/unit/record/filler.h"
#include <perdure/v1/record.pb-c.h>
#include <shapes.pb-c.h>

static uint64_t seed;

typedef struct fixture {
    pd_record_codec_t *codec;
    pd_arena_t arena;
    pd_buf_t buf;
} fixture_t;

static void set_up(fixture_t *fixture, const ProtobufCMessageDescriptor *root)
{
    fixture->codec = pd_record_codec_new(root);
    pd_arena_init(&fixture->arena);
    pd_buf_init(&fixture->buf, 64 << 20);
}

static void tear_down(fixture_t *fixture)
{
    pd_buf_deinit(&fixture->buf);
    pd_arena_deinit(&fixture->arena);
    pd_record_codec_free(fixture->codec);
}

static void assert_corrupt(fixture_t *fixture, pd_bytes_t bytes, const char *reason)
{
    ProtobufCMessage *message = (ProtobufCMessage *)fixture;
    pd_error_t error = {.text = ""};

    assert_int_equal(pd_record_decode(fixture->codec, &fixture->arena, bytes, &message, &error),
                     PD_CORRUPT);
    assert_null(message);
    if (!strstr(error.text, reason))
        fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
}

/* Header and this body. */
static void assert_corrupt_body(fixture_t *fixture, const void *body, size_t size,
                                const char *reason)
{
    uint64_t fingerprint = pd_record_codec_fingerprint(fixture->codec);
    uint8_t *copy;

    pd_buf_clear(&fixture->buf);
    assert_int_equal(pd_buf_append(&fixture->buf, "\xC3\x01", 2), PD_OK);
    assert_int_equal(pd_buf_append(&fixture->buf, &fingerprint, 8), PD_OK);
    assert_int_equal(pd_buf_append(&fixture->buf, body, size), PD_OK);
    /* In memory of exactly this size, so that reading beyond it is seen. */
    copy = test_malloc(fixture->buf.size);
    memcpy(copy, fixture->buf.data, fixture->buf.size);
    assert_corrupt(fixture, pd_bytes(copy, fixture->buf.size), reason);
    test_free(copy);
}

#define ASSERT_CORRUPT_BODY(fixture, body, reason)                                                 \
    assert_corrupt_body((fixture), (body), sizeof(body) - 1, (reason))

static void test_header(void **state)
{
    fixture_t fixture;

    set_up(&fixture, &perdure__test__v1__inner__descriptor);
    assert_corrupt(&fixture, pd_bytes(NULL, 0), "not an Avro single object");
    assert_corrupt(&fixture, pd_bytes_str("\xC3\x01"), "not an Avro single object");
    assert_corrupt(&fixture, pd_bytes_str("\xC3\x02 12345678 "), "not an Avro single object");
    assert_corrupt(&fixture, pd_bytes_str("\xC3\x01 12345678 "), "not registered");
    tear_down(&fixture);
}

static void test_scalars(void **state)
{
    fixture_t fixture;

    set_up(&fixture, &perdure__test__v1__inner__descriptor); /* string, int */
    ASSERT_CORRUPT_BODY(&fixture, "", "ends within a number");
    ASSERT_CORRUPT_BODY(&fixture, "\x02", "beyond the end");
    ASSERT_CORRUPT_BODY(&fixture, "\x01", "beyond the end"); /* length -1 */
    ASSERT_CORRUPT_BODY(&fixture,
                        "\x02"
                        "a",
                        "ends within a number");
    ASSERT_CORRUPT_BODY(&fixture,
                        "\x02"
                        "a\x80",
                        "ends within a number");
    ASSERT_CORRUPT_BODY(&fixture,
                        "\x02"
                        "a\x02\x00",
                        "follow its end");
    ASSERT_CORRUPT_BODY(&fixture, "\x02\xff\x02", "UTF-8");
    ASSERT_CORRUPT_BODY(&fixture, "\x06\xed\xa0\x80\x02", "UTF-8"); /* a surrogate */
    ASSERT_CORRUPT_BODY(&fixture, "\x04\xc0\x80\x02", "UTF-8");     /* overlong */
    ASSERT_CORRUPT_BODY(&fixture, "\x08\xf4\x90\x80\x80\x02", "UTF-8");
    ASSERT_CORRUPT_BODY(&fixture,
                        "\x14"
                        "abcdefgh\0j\x02",
                        "NUL");
    ASSERT_CORRUPT_BODY(&fixture,
                        "\x14"
                        "abc\0efghij\x02",
                        "NUL");
    ASSERT_CORRUPT_BODY(&fixture, "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "64 bits");
    ASSERT_CORRUPT_BODY(&fixture, "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "64 bits");
    ASSERT_CORRUPT_BODY(&fixture, "\x00\x80\x80\x80\x80\x10", "32 bits"); /* 2^31 */
    tear_down(&fixture);
}

static void test_unions_and_blocks(void **state)
{
    fixture_t fixture;

    set_up(&fixture, &temporal__api__common__v1__payloads__descriptor); /* array of Payload */
    ASSERT_CORRUPT_BODY(&fixture, "\x02", "more items than bytes");
    ASSERT_CORRUPT_BODY(&fixture, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "more items");
    ASSERT_CORRUPT_BODY(&fixture, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", "impossible");
    ASSERT_CORRUPT_BODY(&fixture, "\x01\x7e\x00\x00\x00", "beyond the end");
    tear_down(&fixture);
    set_up(&fixture, &perdure__test__v1__moved2__descriptor); /* [null, wrapping record] */
    ASSERT_CORRUPT_BODY(&fixture, "\x04", "no such branch");
    ASSERT_CORRUPT_BODY(&fixture, "\x01", "no such branch");
    tear_down(&fixture);
    set_up(&fixture, &temporal__api__common__v1__memo__descriptor); /* map of Payload */
    ASSERT_CORRUPT_BODY(&fixture,
                        "\x02\x02"
                        "k",
                        "more items than bytes");
    ASSERT_CORRUPT_BODY(&fixture,
                        "\x02\x02"
                        "\0\0\0\0\0",
                        "NUL");
    tear_down(&fixture);
    set_up(&fixture, &perdure__test__v1__empty_items__descriptor);
    ASSERT_CORRUPT_BODY(&fixture, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "without content");
    tear_down(&fixture);
}

static Temporal__Api__Failure__V1__Failure *chain_of_causes(pd_arena_t *arena, int length)
{
    Temporal__Api__Failure__V1__Failure *failure = NULL;

    for (int i = 0; i < length; i++) {
        Temporal__Api__Failure__V1__Failure *outer = PD_PB_NEW(
            arena, Temporal__Api__Failure__V1__Failure, temporal__api__failure__v1__failure);

        outer->cause = failure;
        failure = outer;
    }
    return failure;
}

static void test_depth(void **state)
{
    fixture_t fixture;
    ProtobufCMessage *message;
    size_t one_size;
    size_t size;

    set_up(&fixture, &temporal__api__failure__v1__failure__descriptor);
    message = &chain_of_causes(&fixture.arena, PD_RECORD_DEPTH_MAX)->base;
    assert_int_equal(pd_record_encode(fixture.codec, message, &fixture.buf), PD_OK);
    assert_int_equal(
        pd_record_decode(fixture.codec, &fixture.arena, pd_buf_bytes(&fixture.buf), &message, NULL),
        PD_OK);

    size = fixture.buf.size;
    message = &chain_of_causes(&fixture.arena, PD_RECORD_DEPTH_MAX + 1)->base;
    assert_int_equal(pd_record_encode(fixture.codec, message, &fixture.buf), PD_LIMIT);
    assert_int_equal(fixture.buf.size, size);

    /* Deeper bytes, which nobody could have written: the opening of a failure, again and again. */
    {
        char body[4096];

        one_size = 4; /* message, source, stack_trace: empty; cause: here */
        memset(body, 0, sizeof(body));
        for (size_t i = one_size - 1; i < sizeof(body); i += one_size)
            body[i] = 2;
        assert_corrupt_body(&fixture, body, sizeof(body), "too deeply");
    }
    tear_down(&fixture);
}

static void test_size_limit(void **state)
{
    fixture_t fixture;
    ProtobufCMessage *message;
    pd_random_t random;
    pd_buf_t small;
    size_t size;

    set_up(&fixture, &perdure__v1__record__descriptor);
    pd_random_init(&random, seed);
    for (int i = 0; i < 50; i++) {
        pd_filler_t filler = {&random, &fixture.arena, 60, 8};

        message = pd_filler_make(&filler, &perdure__v1__record__descriptor);
        pd_buf_clear(&fixture.buf);
        assert_int_equal(pd_record_encode(fixture.codec, message, &fixture.buf), PD_OK);
        size = pd_random_below(&random, fixture.buf.size);
        pd_buf_init(&small, size);
        assert_int_equal(pd_record_encode(fixture.codec, message, &small), PD_LIMIT);
        assert_int_equal(small.size, 0);
        pd_buf_deinit(&small);
        pd_arena_reset(&fixture.arena);
    }
    tear_down(&fixture);
}

/* Every cut of a record is refused; every changed byte gives an error or some other message. */
static void mutate(fixture_t *fixture, pd_random_t *random, const ProtobufCMessage *message)
{
    pd_arena_t scratch;
    ProtobufCMessage *out;
    size_t size;

    pd_arena_init(&scratch);
    pd_buf_clear(&fixture->buf);
    assert_int_equal(pd_record_encode(fixture->codec, message, &fixture->buf), PD_OK);
    size = fixture->buf.size;
    for (int i = 0; i < 60; i++) {
        size_t cut = pd_random_below(random, size);
        uint8_t *copy = test_malloc(size);
        pd_error_t error = {.text = ""};

        memcpy(copy, fixture->buf.data, size);
        assert_int_equal(
            pd_record_decode(fixture->codec, &scratch, pd_bytes(copy, cut), &out, &error),
            PD_CORRUPT);
        pd_arena_reset(&scratch);
        for (uint64_t n = pd_random_below(random, 3) + 1; n > 0; n--)
            copy[PD_RECORD_HEADER_SIZE + pd_random_below(random, size - PD_RECORD_HEADER_SIZE)] =
                (uint8_t)pd_random_u64(random);
        if (pd_record_decode(fixture->codec, &scratch, pd_bytes(copy, size), &out, &error) == PD_OK)
            assert_true(protobuf_c_message_check(out));
        assert_true(scratch.used_size < 4096 * size + (1 << 20));
        pd_arena_reset(&scratch);
        test_free(copy);
    }
    pd_arena_deinit(&scratch);
}

static void test_mutations(void **state)
{
    static const ProtobufCMessageDescriptor *const roots[] = {
        &perdure__v1__record__descriptor,
        &perdure__test__v1__shapes__descriptor,
        &temporal__api__history__v1__history_event__descriptor,
    };
    pd_random_t random;

    pd_random_init(&random, seed);
    for (size_t i = 0; i < PD_ARRAY_COUNT(roots); i++) {
        fixture_t fixture;

        set_up(&fixture, roots[i]);
        for (int n = 0; n < 150; n++) {
            pd_filler_t filler = {&random, &fixture.arena, 50, 6};

            mutate(&fixture, &random, pd_filler_make(&filler, roots[i]));
            pd_arena_reset(&fixture.arena);
        }
        tear_down(&fixture);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_unions_and_blocks),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_mutations),
    };

    seed = pd_filler_seed(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
