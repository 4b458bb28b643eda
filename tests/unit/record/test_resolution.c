/* Records outlive the code that wrote them: schemas of other times, and how the pin is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/pb/pb.h"
#include "base/assert.h"
#include "base/memory.h"
#include "log/record/record.h"
#include "log/record/record_private.h"
#include <perdure/v1/record.pb-c.h>
#include <shapes.pb-c.h>

/* The schema of `codec` with its types renamed, as if they had always been those of the reader. */
static char *renamed(const pd_record_codec_t *codec, const char *from, const char *to)
{
    const char *text = pd_record_codec_schema_json(codec);
    size_t from_size = strlen(from);
    char *out = pd_calloc(1, strlen(text) * 2);
    char *at = out;

    while (*text) {
        if (strncmp(text, from, from_size) == 0) {
            at = stpcpy(at, to);
            text += from_size;
        } else {
            *at++ = *text++;
        }
    }
    return out;
}

typedef struct pair {
    pd_record_codec_t *writer;
    pd_record_codec_t *reader;
    pd_arena_t arena;
} pair_t;

static pd_status_t make_pair(pair_t *pair, const ProtobufCMessageDescriptor *from,
                             const ProtobufCMessageDescriptor *to, pd_error_t *error)
{
    pd_status_t status;
    char *schema;

    pd_arena_init(&pair->arena);
    pair->writer = pd_record_codec_new(from);
    pair->reader = pd_record_codec_new(to);
    schema = renamed(pair->writer, from->short_name, to->short_name);
    status = pd_record_codec_add_writer_schema(pair->reader, schema, error);
    pd_free(schema);
    return status;
}

static void free_pair(pair_t *pair)
{
    pd_record_codec_free(pair->writer);
    pd_record_codec_free(pair->reader);
    pd_arena_deinit(&pair->arena);
}

/* Writes with one schema, reads with the other. */
static void *carry(pair_t *pair, const void *message)
{
    ProtobufCMessage *out = NULL;
    pd_error_t error = {.text = ""};
    uint64_t fingerprint = pair->reader->writers[1].fingerprint;
    pd_status_t status;
    pd_buf_t buf;

    pd_buf_init(&buf, 1 << 20);
    assert_int_equal(pd_record_encode(pair->writer, message, &buf), PD_OK);
    for (int i = 0; i < 8; i++)
        buf.data[2 + i] = (uint8_t)(fingerprint >> (8 * i));
    status = pd_record_decode(pair->reader, &pair->arena, pd_buf_bytes(&buf), &out, &error);
    if (status != PD_OK)
        fail_msg("%s", error.text);
    /* Reading it as JSON goes through the writer's schema, too. */
    {
        char *json = pd_record_to_json(pair->reader, pd_buf_bytes(&buf), NULL);

        assert_non_null(json);
        pd_free(json);
    }
    pd_buf_deinit(&buf);
    return out;
}

static Perdure__Test__V1__Thing1 *old_thing(pd_arena_t *arena)
{
    Perdure__Test__V1__Thing1 *thing =
        PD_PB_NEW(arena, Perdure__Test__V1__Thing1, perdure__test__v1__thing1);
    Perdure__Test__V1__Thing1__Part *part =
        PD_PB_NEW(arena, Perdure__Test__V1__Thing1__Part, perdure__test__v1__thing1__part);
    Perdure__Test__V1__Thing1__RemovedMapEntry *entry =
        PD_PB_NEW(arena, Perdure__Test__V1__Thing1__RemovedMapEntry,
                  perdure__test__v1__thing1__removed_map_entry);

    part->name = pd_arena_strdup(arena, "wheel");
    part->removed_later = 9;
    entry->key = pd_arena_strdup(arena, "k");
    entry->value = part;
    thing->kept = 1;
    thing->removed = pd_arena_strdup(arena, "gone");
    thing->n_parts = 1;
    thing->parts = pd_arena_memdup(arena, &part, sizeof(part));
    thing->n_removed_map = 1;
    thing->removed_map = pd_arena_memdup(arena, &entry, sizeof(entry));
    thing->removed_message = part;
    thing->was_text = pd_arena_strdup(arena, "text");
    thing->was_bytes = (ProtobufCBinaryData){5, (uint8_t *)pd_arena_strdup(arena, "bytes")};
    return thing;
}

static void test_old_record_new_reader(void **state)
{
    Perdure__Test__V1__Thing1 *old;
    Perdure__Test__V1__Thing2 *new;
    pd_error_t error = {.text = ""};
    pair_t pair;

    if (make_pair(&pair, &perdure__test__v1__thing1__descriptor,
                  &perdure__test__v1__thing2__descriptor, &error) != PD_OK)
        fail_msg("%s", error.text);
    old = old_thing(&pair.arena);
    old->next = old_thing(&pair.arena);
    old->next->kept = 2;
    old->body_case = PERDURE__TEST__V1__THING1__BODY_TEXT;
    old->text = pd_arena_strdup(&pair.arena, "chosen");
    new = carry(&pair, old);

    assert_int_equal(new->kept, 1);
    assert_int_equal(new->n_parts, 1);
    assert_string_equal(new->parts[0]->name, "wheel");
    assert_string_equal(new->parts[0]->added, "");
    assert_int_equal(new->body_case, PERDURE__TEST__V1__THING2__BODY_TEXT);
    assert_string_equal(new->text, "chosen");
    assert_int_equal(new->was_text.len, 4);
    assert_memory_equal(new->was_text.data, "text", 4);
    assert_string_equal(new->was_bytes, "bytes");
    assert_string_equal(new->added, "");
    assert_null(new->added_message);
    assert_int_equal(new->n_added_list, 0);
    assert_int_equal(new->n_added_map, 0);
    assert_int_equal(new->added_oneof_case, 0);
    assert_int_equal(new->next->kept, 2);
    assert_null(new->next->next);

    old->body_case = PERDURE__TEST__V1__THING1__BODY_REMOVED_ALTERNATIVE;
    old->removed_alternative = INT64_MIN;
    new = carry(&pair, old);
    assert_int_equal(new->body_case, 0);
    assert_string_equal(new->was_bytes, "bytes");
    free_pair(&pair);
}

/* The other direction: an older standby reads what a newer owner has written. */
static void test_new_record_old_reader(void **state)
{
    Perdure__Test__V1__Thing2__Part part = PERDURE__TEST__V1__THING2__PART__INIT;
    Perdure__Test__V1__Thing2 new = PERDURE__TEST__V1__THING2__INIT;
    Perdure__Test__V1__Thing1 *old;
    pd_error_t error = {.text = ""};
    char text[] = "added";
    char *texts[] = {text, text};
    pair_t pair;

    if (make_pair(&pair, &perdure__test__v1__thing2__descriptor,
                  &perdure__test__v1__thing1__descriptor, &error) != PD_OK)
        fail_msg("%s", error.text);
    part.name = part.added = text;
    new.kept = 7;
    new.added = text;
    new.added_message = &part;
    new.n_added_list = 2;
    new.added_list = texts;
    new.added_oneof_case = PERDURE__TEST__V1__THING2__ADDED_ONEOF_Y;
    new.y = text;
    new.body_case = PERDURE__TEST__V1__THING2__BODY_ADDED_ALTERNATIVE;
    new.added_alternative = &part;
    new.was_bytes = text;
    old = carry(&pair, &new);
    assert_int_equal(old->kept, 7);
    assert_int_equal(old->body_case, 0);
    assert_int_equal(old->was_bytes.len, 5);
    assert_string_equal(old->removed, "");

    new.body_case = PERDURE__TEST__V1__THING2__BODY_PART;
    new.part = &part;
    old = carry(&pair, &new);
    assert_int_equal(old->body_case, PERDURE__TEST__V1__THING1__BODY_PART);
    assert_string_equal(old->part->name, "added");
    assert_int_equal(old->part->removed_later, 0);
    free_pair(&pair);
}

static void test_promotion(void **state)
{
    Perdure__Test__V1__Widened1 old = PERDURE__TEST__V1__WIDENED1__INIT;
    Perdure__Test__V1__Widened2 *new;
    pd_error_t error = {.text = ""};
    pair_t pair;

    if (make_pair(&pair, &perdure__test__v1__widened1__descriptor,
                  &perdure__test__v1__widened2__descriptor, &error) != PD_OK)
        fail_msg("%s", error.text);
    old.number = -5;
    old.real = 0.5f;
    new = carry(&pair, &old);
    assert_int_equal(new->number, -5);
    assert_true(new->real == 0.5);
    free_pair(&pair);

    /* Narrowing could lose something, so it is refused at once. */
    assert_int_equal(make_pair(&pair, &perdure__test__v1__widened2__descriptor,
                               &perdure__test__v1__widened1__descriptor, &error),
                     PD_INVALID);
    assert_non_null(strstr(error.text, "number"));
    free_pair(&pair);
}

static void test_presence_changes(void **state)
{
    Perdure__Test__V1__Presence1 old = PERDURE__TEST__V1__PRESENCE1__INIT;
    Perdure__Test__V1__Presence2 *new;
    pd_error_t error = {.text = ""};
    char text[] = "t";
    pair_t pair;

    if (make_pair(&pair, &perdure__test__v1__presence1__descriptor,
                  &perdure__test__v1__presence2__descriptor, &error) != PD_OK)
        fail_msg("%s", error.text);
    old.becomes_optional = 3;
    new = carry(&pair, &old);
    assert_true(new->has_becomes_optional);
    assert_int_equal(new->becomes_optional, 3);
    assert_int_equal(new->becomes_plain, 0);
    assert_false(new->has_added);
    old.has_becomes_plain = 1;
    old.becomes_plain = 4;
    old.text_becomes_plain = text;
    new = carry(&pair, &old);
    assert_int_equal(new->becomes_plain, 4);
    assert_string_equal(new->text_becomes_plain, "t");
    free_pair(&pair);
}

static void test_move_into_oneof_is_refused(void **state)
{
    pd_error_t error = {.text = ""};
    pair_t pair;

    assert_int_equal(make_pair(&pair, &perdure__test__v1__moved1__descriptor,
                               &perdure__test__v1__moved2__descriptor, &error),
                     PD_INVALID);
    assert_non_null(strstr(error.text, "oneof"));
    free_pair(&pair);
}

static void test_bad_schemas(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "\"int\"",
        "[\"null\",\"int\"]",
        "{\"type\":\"record\",\"name\":\"Other\",\"fields\":[]}",
        "{\"type\":\"record\",\"name\":\"Moved1\",\"fields\":[{\"name\":\"name\",\"type\":\"int\"}]"
        "}",
        "{\"type\":\"record\",\"name\":\"Moved1\",\"fields\":[{\"name\":\"name\",\"type\":"
        "[\"string\",\"bytes\"]}]}",
        "{\"type\":\"record\",\"name\":\"Moved1\",\"fields\":[{\"name\":\"x\",\"type\":"
        "{\"type\":\"fixed\",\"name\":\"F\",\"size\":4}}]}",
    };
    pd_record_codec_t *codec = pd_record_codec_new(&perdure__test__v1__moved1__descriptor);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        pd_error_t error = {.text = ""};

        if (pd_record_codec_add_writer_schema(codec, bad[i], &error) != PD_INVALID)
            fail_msg("accepted: %s", bad[i]);
        assert_string_not_equal(error.text, "");
    }
    assert_int_equal(
        pd_record_codec_add_writer_schema(codec, pd_record_codec_schema_json(codec), NULL),
        PD_EXISTS);
    assert_int_equal(codec->writer_count, 1);
    pd_record_codec_free(codec);
}

/* A history that lacks what is there today: the schema of HistoryEvent without some of its fields
 * and alternatives, written by hand, as a release of long ago might have had it. */
static void test_old_history_event(void **state)
{
    static const char schema[] =
        "{\"type\":\"record\",\"name\":\"HistoryEvent\",\"namespace\":\"temporal.api.history.v1\","
        "\"fields\":[{\"name\":\"event_id\",\"type\":\"long\"},"
        "{\"name\":\"forgotten\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"bytes\"]}},"
        "{\"name\":\"attributes\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"old\","
        "\"fields\":[{\"name\":\"old\",\"type\":\"string\"}]},{\"type\":\"record\","
        "\"name\":\"timer_started_event_attributes\",\"fields\":[{\"name\":"
        "\"timer_started_event_attributes\",\"type\":{\"type\":\"record\",\"name\":"
        "\"TimerStartedEventAttributes\",\"fields\":[{\"name\":\"timer_id\",\"type\":\"string\"}]}}"
        "]}"
        "]}]}";
    /* id 5; map: a block of one {"k": bytes ff}, told with its size; branch 2, "t7" */
    static const uint8_t body[] = {10, 1, 10, 2, 'k', 2, 2, 0xff, 0, 4, 4, 't', '7'};
    /* id 5; empty map; branch 1, "x" */
    static const uint8_t body_old[] = {10, 0, 2, 2, 'x'};
    pd_record_codec_t *codec =
        pd_record_codec_new(&temporal__api__history__v1__history_event__descriptor);
    Temporal__Api__History__V1__HistoryEvent *event;
    pd_error_t error = {.text = ""};
    uint8_t bytes[64] = {0xC3, 0x01};
    ProtobufCMessage *message;
    pd_arena_t arena;

    pd_arena_init(&arena);
    if (pd_record_codec_add_writer_schema(codec, schema, &error) != PD_OK)
        fail_msg("%s", error.text);
    for (int i = 0; i < 8; i++)
        bytes[2 + i] = (uint8_t)(codec->writers[1].fingerprint >> (8 * i));

    memcpy(bytes + PD_RECORD_HEADER_SIZE, body, sizeof(body));
    if (pd_record_decode(codec, &arena, pd_bytes(bytes, PD_RECORD_HEADER_SIZE + sizeof(body)),
                         &message, &error) != PD_OK)
        fail_msg("%s", error.text);
    event = (Temporal__Api__History__V1__HistoryEvent *)message;
    assert_int_equal(event->event_id, 5);
    assert_int_equal(
        event->attributes_case,
        TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_TIMER_STARTED_EVENT_ATTRIBUTES);
    assert_string_equal(event->timer_started_event_attributes->timer_id, "t7");
    assert_null(event->timer_started_event_attributes->start_to_fire_timeout);
    assert_null(event->event_time);

    memcpy(bytes + PD_RECORD_HEADER_SIZE, body_old, sizeof(body_old));
    if (pd_record_decode(codec, &arena, pd_bytes(bytes, PD_RECORD_HEADER_SIZE + sizeof(body_old)),
                         &message, &error) != PD_OK)
        fail_msg("%s", error.text);
    event = (Temporal__Api__History__V1__HistoryEvent *)message;
    assert_int_equal(event->event_id, 5);
    assert_int_equal(event->attributes_case, 0);

    /* What is skipped is checked, too: else avro-c would see it first, when it is printed. */
    bytes[PD_RECORD_HEADER_SIZE + sizeof(body_old) - 1] = 0xff;
    assert_int_equal(pd_record_decode(codec, &arena,
                                      pd_bytes(bytes, PD_RECORD_HEADER_SIZE + sizeof(body_old)),
                                      &message, &error),
                     PD_CORRUPT);
    pd_arena_deinit(&arena);
    pd_record_codec_free(codec);
}

/* The root messages of the topics. */
static const ProtobufCMessageDescriptor *const roots[] = {
    &perdure__v1__record__descriptor,
    &perdure__v1__command__descriptor,
    &perdure__v1__rejected__descriptor,
    &perdure__v1__member__descriptor,
};

static void check_pin(const ProtobufCMessageDescriptor *root)
{
    pd_record_codec_t *codec = pd_record_codec_new(root);
    char path[4096];
    FILE *in;

    snprintf(path, sizeof(path), "%s/log/record/schemas/%s.%016llx.avsc", PD_SOURCE_DIR, root->name,
             (unsigned long long)pd_record_codec_fingerprint(codec));
    in = fopen(path, "r");
    if (!in)
        fail_msg(
            "The Avro schema of %s has changed: %s is not there.\n"
            "If that is what you want (see log/record/README.md, \"How to change a record\"):\n"
            "  1. build/<preset>/pd_avsc_writer --keep log/record/schemas\n"
            "  2. keep every older file there that a release has ever written with (every\n"
            "     binary reads them all); before the first release, delete it instead\n"
            "  3. commit the new file with the .proto",
            root->name, path);
    fclose(in);
    pd_record_codec_free(codec);
}

/* The pin: the schemas that this build writes lie in log/record/schemas under their fingerprints.
 */
static void test_schema_is_pinned(void **state)
{
    for (size_t i = 0; i < PD_ARRAY_COUNT(roots); i++)
        check_pin(roots[i]);
}

/* The codecs have resolved each kept schema when they were made: here each must belong to one. */
static void test_kept_schemas(void **state)
{
    uint32_t kept_count = 0, writer_count = 0;

    for (const pdi_kept_schema_t *kept = pdi_kept_schemas; kept->root; kept++)
        kept_count++;
    for (size_t i = 0; i < PD_ARRAY_COUNT(roots); i++) {
        pd_record_codec_t *codec = pd_record_codec_new(roots[i]);

        assert_true(codec->writer_count >= 1);
        writer_count += codec->writer_count; /* our own is kept, too: see the pin */
        pd_record_codec_free(codec);
    }
    assert_int_equal(writer_count, kept_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_record_new_reader),
        cmocka_unit_test(test_new_record_old_reader),
        cmocka_unit_test(test_promotion),
        cmocka_unit_test(test_presence_changes),
        cmocka_unit_test(test_move_into_oneof_is_refused),
        cmocka_unit_test(test_bad_schemas),
        cmocka_unit_test(test_old_history_event),
        cmocka_unit_test(test_schema_is_pinned),
        cmocka_unit_test(test_kept_schemas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
