/* UTF-8, JSON values and search attributes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "api/pb/validate.h"
#include "base/assert.h"
#include "engine/json_value.h"
#include "engine/search_attributes.h"

static void test_utf8(void **state)
{
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain ASCII, longer than a word", true},
        {"\xc3\xa4", true},
        {"12345678\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true},
        {"\xc0\xaf", false},         /* too long a form */
        {"\xe0\x80\xaf", false},     /* too long a form */
        {"\xed\xa0\x80", false},     /* a surrogate */
        {"\xf4\x90\x80\x80", false}, /* beyond U+10FFFF */
        {"\xe2\x82", false},         /* cut */
        {"1234567\xff", false},
        {"\x80", false},
    };

    for (size_t i = 0; i < PD_ARRAY_COUNT(cases); i++)
        assert_int_equal(pd_utf8_is_valid(pd_bytes_str(cases[i].text)), cases[i].valid);
}

static void test_json(void **state)
{
    static const char *const cases[][2] = {
        {"null", "<nil>"},
        {" true ", "true"},
        {"1.50", "1.5"},
        {"1e30", "1e+30"},
        {"123456789012", "1.23456789012e+11"},
        {"100000", "100000"},
        {"-0.5", "-0.5"},
        {"[true,\"a\",1]", "[true a 1]"},
        {"{\"a\":1}", "map[a:1]"},
        {"{}", "map[]"},
        {"\"\\u00e4\\n\\ud83d\\ude00\"", "\xc3\xa4\n\xf0\x9f\x98\x80"},
        {"", NULL},
        {"xx", NULL},
        {"01", NULL},
        {"[1,]", NULL},
        {"\"a", NULL},
        {"\"\\u0000\"", NULL},
        {"1 2", NULL},
        {"{\"a\"}", NULL},
    };
    pd_arena_t arena;

    pd_arena_init(&arena);
    for (size_t i = 0; i < PD_ARRAY_COUNT(cases); i++) {
        const pd_json_value_t *value = pd_json_parse(&arena, pd_bytes_str(cases[i][0]));

        if (!cases[i][1]) {
            assert_null(value);
            continue;
        }
        assert_non_null(value);
        assert_string_equal(pd_json_print(&arena, value), cases[i][1]);
    }
    pd_arena_deinit(&arena);
}

static const char *check(pd_arena_t *arena, const char *name, const char *value)
{
    Temporal__Api__Common__V1__SearchAttributes attributes =
        TEMPORAL__API__COMMON__V1__SEARCH_ATTRIBUTES__INIT;
    Temporal__Api__Common__V1__SearchAttributes__IndexedFieldsEntry entry =
        TEMPORAL__API__COMMON__V1__SEARCH_ATTRIBUTES__INDEXED_FIELDS_ENTRY__INIT;
    Temporal__Api__Common__V1__SearchAttributes__IndexedFieldsEntry *entries[] = {&entry};
    Temporal__Api__Common__V1__Payload payload = TEMPORAL__API__COMMON__V1__PAYLOAD__INIT;
    Temporal__Api__Common__V1__Payload__MetadataEntry encoding =
        TEMPORAL__API__COMMON__V1__PAYLOAD__METADATA_ENTRY__INIT;
    Temporal__Api__Common__V1__Payload__MetadataEntry *metadata[] = {&encoding};
    const char *text;

    encoding.key = (char *)"encoding";
    encoding.value = (ProtobufCBinaryData){strlen("json/plain"), (uint8_t *)"json/plain"};
    payload.metadata = metadata;
    payload.n_metadata = 1;
    payload.data = (ProtobufCBinaryData){strlen(value), (uint8_t *)value};
    entry.key = (char *)name;
    entry.value = &payload;
    attributes.indexed_fields = entries;
    attributes.n_indexed_fields = 1;
    text = pd_search_attributes_check(arena, "default", &attributes);
    if (!text) {
        pd_search_attributes_set_types(arena, &attributes);
        assert_string_equal(payload.metadata[1]->key, "type");
    }
    return text ? text : "";
}

static void test_search_attributes(void **state)
{
    static const char *const cases[][3] = {
        {"Foo", "\"x\"", "Namespace default has no mapping defined for search attribute Foo"},
        {"RunId", "\"x\"", "RunId attribute can't be set in SearchAttributes"},
        {"BatcherUser", "\"x\"", ""},
        {"BatcherUser", "[\"x\"]", ""},
        {"BatcherUser", "[\"x\",\"y\"]",
         "invalid value for search attribute BatcherUser of type Keyword: [x y]"},
        {"BatcherUser", "1", "invalid value for search attribute BatcherUser of type Keyword: 1"},
        {"BuildIds", "[\"a\",\"b\"]", ""},
        {"BuildIds", "\"x\"", "invalid value for search attribute BuildIds of type KeywordList: x"},
        {"TemporalSchedulePaused", "true", ""},
        {"TemporalScheduledStartTime", "\"2026-01-02T03:04:05.5+01:00\"", ""},
        {"TemporalScheduledStartTime", "\"x\"",
         "invalid value for search attribute TemporalScheduledStartTime of type Datetime: x"},
        {"BatcherUser", "xx",
         "invalid value for search attribute BatcherUser of type Keyword: value from "
         "<metadata:{key:\"encoding\"  value:\"json/plain\"}  data:\"xx\">"},
    };
    pd_arena_t arena;

    pd_arena_init(&arena);
    for (size_t i = 0; i < PD_ARRAY_COUNT(cases); i++)
        assert_string_equal(check(&arena, cases[i][0], cases[i][1]), cases[i][2]);
    pd_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_search_attributes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
