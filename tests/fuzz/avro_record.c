/* avro_record.c -- any bytes as a record. The first byte chooses what reads them; the header is
 * added here, since no fuzzer would find the fingerprint. */
#include <stdio.h>
#include <string.h>

#include "api/pb/pb.h"
#include "base/assert.h"
#include "base/memory.h"
#include "log/record/record.h"
#include "log/record/record_private.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/record/filler.h"
#include <perdure/v1/record.pb-c.h>
#include <shapes.pb-c.h>

enum { CODEC_COUNT = 3, PRINT_FLAG = 0x80 };

/* An older writer of HistoryEvent: fields and alternatives that we do not know, and few of ours. */
static const char old_schema[] =
    "{\"type\":\"record\",\"name\":\"HistoryEvent\",\"namespace\":\"temporal.api.history.v1\","
    "\"fields\":[{\"name\":\"forgotten\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"bytes\","
    "{\"type\":\"array\",\"items\":\"HistoryEvent\"},\"double\",\"float\",\"boolean\"]}},"
    "{\"name\":\"event_id\",\"type\":\"int\"},"
    "{\"name\":\"attributes\",\"type\":[{\"type\":\"record\",\"name\":\"old\","
    "\"fields\":[{\"name\":\"old\",\"type\":\"HistoryEvent\"}]},\"null\",{\"type\":\"record\","
    "\"name\":\"timer_started_event_attributes\",\"fields\":[{\"name\":"
    "\"timer_started_event_attributes\",\"type\":{\"type\":\"record\",\"name\":"
    "\"TimerStartedEventAttributes\",\"fields\":[{\"name\":\"timer_id\",\"type\":\"bytes\"}]}}]}"
    "]}]}";

static pd_record_codec_t *codecs[CODEC_COUNT];
static uint32_t writers[CODEC_COUNT];

static void make_codecs(void)
{
    if (codecs[0])
        return;
    codecs[0] = pd_record_codec_new(&perdure__v1__record__descriptor);
    codecs[1] = pd_record_codec_new(&perdure__test__v1__shapes__descriptor);
    codecs[2] = pd_record_codec_new(&temporal__api__history__v1__history_event__descriptor);
    PD_ASSERT(pd_record_codec_add_writer_schema(codecs[2], old_schema, NULL) == PD_OK);
    writers[2] = codecs[2]->writer_count - 1;
}

/* What could be read can be written, and is read again as the same. */
static void check_again(const pd_record_codec_t *codec, pd_arena_t *arena,
                        const ProtobufCMessage *message)
{
    ProtobufCMessage *again;
    pd_buf_t buf;

    PD_ASSERT(protobuf_c_message_check(message));
    pd_buf_init(&buf, (size_t)1 << 30);
    PD_ASSERT(pd_record_encode(codec, message, &buf) == PD_OK);
    PD_ASSERT(pd_record_decode(codec, arena, pd_buf_bytes(&buf), &again, NULL) == PD_OK);
    PD_ASSERT(pd_pb_equal(message, again));
    pd_buf_deinit(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ProtobufCMessage *message;
    pd_error_t error = {.text = ""};
    uint64_t fingerprint;
    pd_bytes_t bytes;
    pd_arena_t arena;
    uint8_t *copy;
    uint8_t choice;

    make_codecs();
    if (size == 0)
        return 0;
    choice = (uint8_t)((data[0] & ~PRINT_FLAG) % CODEC_COUNT);
    fingerprint = codecs[choice]->writers[writers[choice]].fingerprint;
    bytes = pd_bytes(NULL, PD_RECORD_HEADER_SIZE + size - 1);
    bytes.data = copy = pd_alloc(bytes.size);
    memcpy(copy, "\xC3\x01", 2);
    for (int i = 0; i < 8; i++)
        copy[2 + i] = (uint8_t)(fingerprint >> (8 * i));
    memcpy(copy + PD_RECORD_HEADER_SIZE, data + 1, size - 1);

    pd_arena_init(&arena);
    if (pd_record_decode(codecs[choice], &arena, bytes, &message, &error) == PD_OK) {
        check_again(codecs[choice], &arena, message);
        if (data[0] & PRINT_FLAG) {
            char *json = pd_record_to_json(codecs[choice], bytes, &error);

            if (!json)
                fprintf(stderr, "decoded, but not printed: %s\n", error.text);
            PD_ASSERT(json);
            pd_free(json);
        }
    } else {
        PD_ASSERT(!message && error.status == PD_CORRUPT && error.text[0]);
    }
    PD_ASSERT(arena.used_size <= 4096 * bytes.size + (1 << 20));
    pd_arena_deinit(&arena);
    pd_free(copy);
    return 0;
}

size_t pd_fuzz_example(pd_random_t *random, uint8_t *out, size_t size_max)
{
    pd_arena_t arena;
    pd_filler_t filler = {random, &arena, 10 + pd_random_below(random, 70), 6};
    uint32_t choice = (uint32_t)pd_random_below(random, 2);
    size_t size = 0;
    pd_buf_t buf;

    make_codecs();
    pd_arena_init(&arena);
    pd_buf_init(&buf, size_max);
    if (pd_record_encode(codecs[choice], pd_filler_make(&filler, codecs[choice]->root->proto),
                         &buf) == PD_OK) {
        size = 1 + buf.size - PD_RECORD_HEADER_SIZE;
        memcpy(out + 1, buf.data + PD_RECORD_HEADER_SIZE, size - 1);
        out[0] = (uint8_t)(choice | (pd_random_chance(random, 1, 8) ? PRINT_FLAG : 0));
    }
    pd_buf_deinit(&buf);
    pd_arena_deinit(&arena);
    return size;
}
