/* Messages out of byte runs cut anywhere; gzip with its limits; the output queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/grpc/framing.h"
#include "api/grpc/gzip.h"
#include "api/grpc/output.h"
#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"

/* Three messages, one of them empty, cut into pieces of every size. */
static void messages_are_found_however_the_bytes_are_cut(void **state)
{
    static const char *const texts[] = {"hello", "", "a longer message than the others"};
    uint8_t wire[128];
    size_t size = 0;

    for (size_t i = 0; i < 3; i++) {
        pd_grpc_prefix_write(wire + size, i == 1, (uint32_t)strlen(texts[i]));
        memcpy(wire + size + 5, texts[i], strlen(texts[i]));
        size += 5 + strlen(texts[i]);
    }
    for (size_t step = 1; step <= size; step++) {
        pd_grpc_decoder_t decoder;
        size_t found = 0;

        pd_grpc_decoder_init(&decoder, 100);
        for (size_t at = 0; at < size; at += step) {
            pd_bytes_t input = pd_bytes(wire + at, size - at < step ? size - at : step);

            while (input.size) {
                pd_grpc_frame_t frame;

                assert_int_equal(pd_grpc_decoder_next(&decoder, &input, &frame), PD_OK);
                if (!frame.complete)
                    continue;
                assert_true(pd_bytes_equal(frame.data, pd_bytes_str(texts[found])));
                assert_int_equal(frame.compressed, found == 1);
                found++;
            }
        }
        assert_int_equal(found, 3);
        assert_true(pd_grpc_decoder_at_boundary(&decoder));
        pd_grpc_decoder_deinit(&decoder);
    }
}

static void a_message_over_the_limit_is_refused_by_its_prefix(void **state)
{
    const uint8_t wire[] = {0, 0, 0, 0, 11, 'x'};
    const uint8_t huge[] = {0, 255, 255, 255, 255};
    pd_bytes_t input = pd_bytes(wire, sizeof(wire));
    pd_grpc_decoder_t decoder;
    pd_grpc_frame_t frame;

    pd_grpc_decoder_init(&decoder, 10);
    assert_int_equal(pd_grpc_decoder_next(&decoder, &input, &frame), PD_LIMIT);
    assert_int_equal(decoder.message_size, 11);
    pd_grpc_decoder_deinit(&decoder);
    pd_grpc_decoder_init(&decoder, 10);
    input = pd_bytes(huge, sizeof(huge));
    assert_int_equal(pd_grpc_decoder_next(&decoder, &input, &frame), PD_LIMIT);
    assert_int_equal(decoder.message_size, UINT32_MAX);
    pd_grpc_decoder_deinit(&decoder);
}

static void an_unknown_flag_is_refused(void **state)
{
    const uint8_t wire[] = {2, 0, 0, 0, 0};
    pd_bytes_t input = pd_bytes(wire, sizeof(wire));
    pd_grpc_decoder_t decoder;
    pd_grpc_frame_t frame;

    pd_grpc_decoder_init(&decoder, 10);
    assert_int_equal(pd_grpc_decoder_next(&decoder, &input, &frame), PD_INVALID);
    pd_grpc_decoder_deinit(&decoder);
}

static void an_announced_message_takes_no_memory_before_it_comes(void **state)
{
    const uint8_t wire[] = {0, 0, 64, 0, 0, 'x'};
    pd_bytes_t input = pd_bytes(wire, sizeof(wire));
    pd_grpc_decoder_t decoder;
    pd_grpc_frame_t frame;

    pd_grpc_decoder_init(&decoder, 4 << 20);
    assert_int_equal(pd_grpc_decoder_next(&decoder, &input, &frame), PD_OK);
    assert_false(frame.complete);
    assert_true(decoder.collected.capacity <= 64 * 1024);
    pd_grpc_decoder_deinit(&decoder);
}

static void gzip_goes_round(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 5000, 300000};
    pd_grpc_gzip_t *gzip = pd_grpc_gzip_new();
    pd_random_t random;

    pd_random_init(&random, 3);
    for (size_t i = 0; i < PD_ARRAY_COUNT(sizes); i++) {
        uint8_t *data = pd_alloc(sizes[i]), *packed, *back;
        size_t packed_size, back_size;

        for (size_t at = 0; at < sizes[i]; at++)
            data[at] = (uint8_t)pd_random_below(&random, 1 + i * 60);
        pd_grpc_gzip_deflate(gzip, pd_bytes(data, sizes[i]), &packed, &packed_size);
        assert_int_equal(pd_grpc_gzip_inflate(gzip, pd_bytes(packed, packed_size), sizes[i], &back,
                                              &back_size, NULL),
                         PD_OK);
        assert_true(pd_bytes_equal(pd_bytes(data, sizes[i]), pd_bytes(back, back_size)));
        pd_free(back);
        if (sizes[i]) {
            /* One byte over the limit. */
            assert_int_equal(pd_grpc_gzip_inflate(gzip, pd_bytes(packed, packed_size), sizes[i] - 1,
                                                  &back, &back_size, NULL),
                             PD_LIMIT);
            assert_null(back);
        }
        pd_free(packed);
        pd_free(data);
    }
    pd_grpc_gzip_free(gzip);
}

static void gzip_bombs_do_not_go_off(void **state)
{
    enum { SIZE = 64 << 20 };
    pd_grpc_gzip_t *gzip = pd_grpc_gzip_new();
    uint8_t *zeros = pd_calloc(1, SIZE), *packed, *back;
    size_t packed_size, back_size;

    pd_grpc_gzip_deflate(gzip, pd_bytes(zeros, SIZE), &packed, &packed_size);
    pd_free(zeros);
    assert_int_equal(
        pd_grpc_gzip_inflate(gzip, pd_bytes(packed, packed_size), 4 << 20, &back, &back_size, NULL),
        PD_LIMIT);
    /* The trailer lies about the size, in both directions. */
    memset(packed + packed_size - 4, 0, 4);
    assert_int_equal(
        pd_grpc_gzip_inflate(gzip, pd_bytes(packed, packed_size), 4 << 20, &back, &back_size, NULL),
        PD_LIMIT);
    memset(packed + packed_size - 4, 255, 4);
    assert_int_equal(
        pd_grpc_gzip_inflate(gzip, pd_bytes(packed, packed_size), 4 << 20, &back, &back_size, NULL),
        PD_LIMIT);
    pd_free(packed);
    pd_grpc_gzip_free(gzip);
}

static void damaged_gzip_is_refused_and_harms_no_later_message(void **state)
{
    static const char text[] = "some text, some text, some text";
    pd_grpc_gzip_t *gzip = pd_grpc_gzip_new();
    uint8_t *packed, *back, *twice;
    size_t packed_size, back_size;
    pd_error_t error;

    pd_grpc_gzip_deflate(gzip, pd_bytes_str(text), &packed, &packed_size);
    for (size_t size = 0; size < packed_size; size++)
        assert_int_equal(
            pd_grpc_gzip_inflate(gzip, pd_bytes(packed, size), 1000, &back, &back_size, &error),
            PD_INVALID);
    for (size_t at = 0; at < packed_size; at++) {
        packed[at] ^= 0x55;
        /* The header's time stamp and the like may differ without harm. */
        if (pd_grpc_gzip_inflate(gzip, pd_bytes(packed, packed_size), 1000, &back, &back_size,
                                 &error) == PD_OK)
            pd_free(back);
        packed[at] ^= 0x55;
    }
    assert_int_equal(pd_grpc_gzip_inflate(gzip, pd_bytes_str("garbage garbage garbage"), 1000,
                                          &back, &back_size, &error),
                     PD_INVALID);
    assert_string_equal(error.text, "failed to decompress the message: gzip: invalid header");
    /* Several members are one message. */
    twice = pd_alloc(packed_size * 2);
    memcpy(twice, packed, packed_size);
    memcpy(twice + packed_size, packed, packed_size);
    assert_int_equal(pd_grpc_gzip_inflate(gzip, pd_bytes(twice, packed_size * 2), 1000, &back,
                                          &back_size, &error),
                     PD_OK);
    assert_int_equal(back_size, 2 * strlen(text));
    pd_free(back);
    assert_int_equal(pd_grpc_gzip_inflate(gzip, pd_bytes(twice, packed_size * 2 - 3), 1000, &back,
                                          &back_size, &error),
                     PD_INVALID);
    pd_free(twice);
    pd_free(packed);
    pd_grpc_gzip_free(gzip);
}

/* Random appends and partial writes: the bytes come out in order, and no blob is lost. */
static void output_keeps_order_under_partial_writes(void **state)
{
    pd_grpc_blob_pool_t pool = {0};
    pd_grpc_output_t output;
    pd_buf_t expected, written;
    pd_random_t random;

    pd_random_init(&random, 11);
    pd_grpc_output_init(&output, &pool);
    pd_buf_init(&expected, 64 << 20);
    pd_buf_init(&written, 64 << 20);
    for (int round = 0; round < 300; round++) {
        int count = (int)pd_random_below(&random, 6);

        for (int i = 0; i < count; i++) {
            size_t size = pd_random_below(&random, 9000);
            uint8_t *data = pd_alloc(size);

            for (size_t at = 0; at < size; at++)
                data[at] = (uint8_t)pd_random_u64(&random);
            if (pd_random_chance(&random, 1, 2)) {
                pd_grpc_output_append(&output, data, size);
                assert_int_equal(pd_buf_append(&expected, data, size), PD_OK);
                pd_free(data);
            } else {
                pd_grpc_blob_t *blob = pd_grpc_blob_new(&pool, false, data, size);
                size_t cut = pd_random_below(&random, size + 5);

                pd_grpc_output_append_blob(&output, blob, 0, cut);
                pd_grpc_output_append_blob(&output, blob, cut, size + 5 - cut);
                assert_int_equal(pd_buf_append(&expected, blob->prefix, 5), PD_OK);
                assert_int_equal(pd_buf_append(&expected, data, size), PD_OK);
                pd_grpc_blob_unref(&pool, blob);
            }
        }
        do { /* as the transport does: until nothing is left */
            struct iovec iov[3];
            int parts = pd_grpc_output_peek(&output, iov, 3);
            size_t take = 0;

            for (int i = 0; i < parts; i++) {
                size_t part = iov[i].iov_len;

                if (pd_random_chance(&random, 1, 3))
                    part = pd_random_below(&random, part + 1);
                assert_int_equal(pd_buf_append(&written, iov[i].iov_base, part), PD_OK);
                take += part;
                if (part < iov[i].iov_len)
                    break;
            }
            pd_grpc_output_consume(&output, take);
        } while (output.size);
    }
    assert_true(pd_bytes_equal(pd_buf_bytes(&expected), pd_buf_bytes(&written)));
    pd_grpc_output_deinit(&output);
    pd_grpc_blob_pool_deinit(&pool);
    pd_buf_deinit(&expected);
    pd_buf_deinit(&written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_found_however_the_bytes_are_cut),
        cmocka_unit_test(a_message_over_the_limit_is_refused_by_its_prefix),
        cmocka_unit_test(an_unknown_flag_is_refused),
        cmocka_unit_test(an_announced_message_takes_no_memory_before_it_comes),
        cmocka_unit_test(gzip_goes_round),
        cmocka_unit_test(gzip_bombs_do_not_go_off),
        cmocka_unit_test(damaged_gzip_is_refused_and_harms_no_later_message),
        cmocka_unit_test(output_keeps_order_under_partial_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
