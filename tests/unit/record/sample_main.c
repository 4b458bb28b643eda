/* sample_main.c -- random records and how we print them, for a reader that knows only Avro.
 *
 *     record_sample ROOT FILE [--seed N]
 *
 * ROOT: Record, Command, Rejected, Member. FILE: pairs of (record, JSON line), each with its size
 * before it, 4 bytes little-endian. */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "log/record/record.h"
#include "tests/unit/record/filler.h"
#include <perdure/v1/record.pb-c.h>

enum { RECORD_COUNT = 400 };

static void put(FILE *out, const void *data, size_t size)
{
    uint8_t head[4];

    for (int i = 0; i < 4; i++)
        head[i] = (uint8_t)(size >> (8 * i));
    PD_ASSERT(fwrite(head, 1, 4, out) == 4);
    PD_ASSERT(fwrite(data, 1, size, out) == size);
}

static const ProtobufCMessageDescriptor *root_of(const char *name)
{
    static const ProtobufCMessageDescriptor *const roots[] = {
        &perdure__v1__record__descriptor,
        &perdure__v1__command__descriptor,
        &perdure__v1__rejected__descriptor,
        &perdure__v1__member__descriptor,
    };

    for (size_t i = 0; i < PD_ARRAY_COUNT(roots); i++) {
        if (strcmp(roots[i]->short_name, name) == 0)
            return roots[i];
    }
    PD_UNREACHABLE();
}

int main(int argc, char **argv)
{
    const ProtobufCMessageDescriptor *root = root_of(argc > 1 ? argv[1] : "");
    pd_record_codec_t *codec = pd_record_codec_new(root);
    pd_random_t random;
    pd_arena_t arena;
    pd_buf_t buf;
    FILE *out;

    PD_ASSERT(argc >= 3);
    out = fopen(argv[2], "wb");
    PD_ASSERT(out);
    pd_random_init(&random, pd_filler_seed(argc, argv));
    pd_arena_init(&arena);
    pd_buf_init(&buf, 64 << 20);
    for (int i = 0; i < RECORD_COUNT; i++) {
        pd_filler_t filler = {&random, &arena, 55, 9};
        char *json;

        pd_buf_clear(&buf);
        PD_ASSERT(pd_record_encode(codec, pd_filler_make(&filler, root), &buf) == PD_OK);
        json = pd_record_to_json(codec, pd_buf_bytes(&buf), NULL);
        PD_ASSERT(json);
        put(out, buf.data, buf.size);
        put(out, json, strlen(json));
        pd_free(json);
        pd_arena_reset(&arena);
    }
    pd_buf_deinit(&buf);
    pd_arena_deinit(&arena);
    pd_record_codec_free(codec);
    return fclose(out) == 0 ? 0 : 1;
}
