/* Timeouts, percent-encoding, base64. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "api/grpc/text.h"
#include "base/assert.h"
#include "base/random.h"

static void timeouts_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"1n", 1},
        {"5u", 5000},
        {"100m", 100000000},
        {"70S", 70000000000},
        {"2M", 120000000000},
        {"1H", 3600000000000},
        {"0S", 0},
        {"99999999H", INT64_MAX},
    };
    static const char *const bad[] = {"", "S", "1", "1x", "-1S", "1.5S", "123456789S", " 1S"};
    int64_t ns;

    for (size_t i = 0; i < PD_ARRAY_COUNT(good); i++) {
        assert_int_equal(pd_grpc_timeout_parse(pd_bytes_str(good[i].text), &ns, NULL), PD_OK);
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < PD_ARRAY_COUNT(bad); i++) {
        pd_error_t error;

        assert_int_equal(pd_grpc_timeout_parse(pd_bytes_str(bad[i]), &ns, &error), PD_INVALID);
        assert_true(error.text[0] != '\0');
    }
}

static void timeouts_are_written_short_and_never_too_early(void **state)
{
    pd_random_t random;
    char text[PD_GRPC_TIMEOUT_SIZE];

    pd_grpc_timeout_format(70000000000, text);
    assert_string_equal(text, "70S");
    pd_grpc_timeout_format(1500000000, text);
    assert_string_equal(text, "1500m");
    pd_grpc_timeout_format(0, text);
    assert_string_equal(text, "0n");
    pd_grpc_timeout_format(-5, text);
    assert_string_equal(text, "0n");
    pd_grpc_timeout_format(INT64_MAX, text);
    assert_true(strlen(text) <= 9);
    pd_random_init(&random, 1);
    for (int i = 0; i < 100000; i++) {
        int64_t ns = (int64_t)(pd_random_u64(&random) >> (1 + pd_random_below(&random, 63)));
        int64_t back;

        pd_grpc_timeout_format(ns, text);
        assert_true(strlen(text) <= 9);
        assert_int_equal(pd_grpc_timeout_parse(pd_bytes_str(text), &back, NULL), PD_OK);
        assert_true(back >= ns);
        assert_true(back - ns <= ns / 10000);
    }
}

static void messages_survive_percent_encoding(void **state)
{
    char encoded[64], decoded[64];
    size_t size = pd_grpc_percent_encode(pd_bytes_str("a%b\n\xc3\xa4~"), encoded, sizeof(encoded));

    assert_int_equal(size, 15);
    assert_memory_equal(encoded, "a%25b%0A%C3%A4~", 15);
    assert_int_equal(pd_grpc_percent_encode(pd_bytes_str("a%b\n\xc3\xa4~"), NULL, 0), 15);
    size = pd_grpc_percent_decode(pd_bytes(encoded, size), decoded);
    assert_int_equal(size, 7);
    assert_memory_equal(decoded, "a%b\n\xc3\xa4~", 7);
    /* Nothing is cut within an escape. */
    assert_int_equal(pd_grpc_percent_encode(pd_bytes_str("ab\n"), encoded, 4), 2);
    /* Invalid escapes stay. */
    size = pd_grpc_percent_decode(pd_bytes_str("%zz%4"), decoded);
    assert_int_equal(size, 5);
    assert_memory_equal(decoded, "%zz%4", 5);
    size = pd_grpc_percent_decode(pd_bytes_str("%4a%4A"), decoded);
    assert_memory_equal(decoded, "JJ", 2);
}

static void base64_is_read_padded_or_not(void **state)
{
    static const struct {
        const char *text;
        const char *data;
    } good[] = {{"", ""},       {"YQ", "a"},     {"YQ==", "a"},     {"YWI", "ab"},
                {"YWI=", "ab"}, {"YWJj", "abc"}, {"YWJjZA", "abcd"}};
    static const char *const bad[] = {"Y", "Y===", "YQ=", "Y!", "YWJjZ", "====", "YQ\n=", "-_"};
    uint8_t out[16];
    size_t size;

    for (size_t i = 0; i < PD_ARRAY_COUNT(good); i++) {
        assert_int_equal(pd_grpc_base64_decode(pd_bytes_str(good[i].text), out, &size), PD_OK);
        assert_int_equal(size, strlen(good[i].data));
        assert_memory_equal(out, good[i].data, size);
    }
    for (size_t i = 0; i < PD_ARRAY_COUNT(bad); i++)
        assert_int_equal(pd_grpc_base64_decode(pd_bytes_str(bad[i]), out, &size), PD_INVALID);
}

static void base64_goes_round(void **state)
{
    uint8_t data[64], back[72];
    char text[96];
    pd_random_t random;

    pd_random_init(&random, 7);
    for (size_t size = 0; size <= sizeof(data); size++) {
        size_t back_size;

        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)pd_random_u64(&random);
        pd_grpc_base64_encode(pd_bytes(data, size), text);
        assert_int_equal(
            pd_grpc_base64_decode(pd_bytes(text, pd_grpc_base64_size(size)), back, &back_size),
            PD_OK);
        assert_int_equal(back_size, size);
        assert_memory_equal(back, data, size);
    }
}

static void lists_are_split(void **state)
{
    pd_bytes_t list = pd_bytes_str("gzip, identity ,,x"), item;

    assert_true(pd_grpc_list_next(&list, &item));
    assert_true(pd_bytes_equal(item, pd_bytes_str("gzip")));
    assert_true(pd_grpc_list_next(&list, &item));
    assert_true(pd_bytes_equal(item, pd_bytes_str("identity")));
    assert_true(pd_grpc_list_next(&list, &item));
    assert_int_equal(item.size, 0);
    assert_true(pd_grpc_list_next(&list, &item));
    assert_true(pd_bytes_equal(item, pd_bytes_str("x")));
    assert_false(pd_grpc_list_next(&list, &item));
    list = pd_bytes(NULL, 0);
    assert_false(pd_grpc_list_next(&list, &item));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeouts_are_read),
        cmocka_unit_test(timeouts_are_written_short_and_never_too_early),
        cmocka_unit_test(messages_survive_percent_encoding),
        cmocka_unit_test(base64_is_read_padded_or_not),
        cmocka_unit_test(base64_goes_round),
        cmocka_unit_test(lists_are_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
