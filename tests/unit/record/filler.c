#include "tests/unit/record/filler.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/pb/pb.h"

static uint64_t below(pd_filler_t *filler, uint64_t bound)
{
    return pd_random_below(filler->random, bound);
}

/* Small numbers, negative ones, and the ends of the range. */
static int64_t number(pd_filler_t *filler, int64_t min, int64_t max)
{
    switch (below(filler, 6)) {
    case 0:
        return 0;
    case 1:
        return min;
    case 2:
        return max;
    case 3:
        return (int64_t)below(filler, 200) - (min < 0 ? 100 : 0);
    default: {
        uint64_t shift = below(filler, 63); /* in this order: a seed must repeat everywhere */
        int64_t any = (int64_t)(pd_random_u64(filler->random) >> shift);

        return any < min || any > max ? any & max : any;
    }
    }
}

static char *text(pd_filler_t *filler)
{
    static const char *const pieces[] = {"a", "Z", " ", "\"",         "\\",   "\n",
                                         "é", "€", "𝄞", "0123456789", "\x01", "\x7f"};
    uint64_t count = below(filler, 8) == 0 ? below(filler, 60) : below(filler, 6);
    char *out = pd_arena_calloc(filler->arena, count + 1, 10);
    char *end = out;

    for (uint64_t i = 0; i < count; i++)
        end = stpcpy(end, pieces[below(filler, sizeof(pieces) / sizeof(pieces[0]))]);
    return out;
}

static ProtobufCBinaryData bytes(pd_filler_t *filler)
{
    size_t size = below(filler, 10) == 0 ? below(filler, 2000) : below(filler, 20);
    uint8_t *data = size ? pd_arena_alloc(filler->arena, size) : NULL;

    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)pd_random_u64(filler->random);
    return (ProtobufCBinaryData){size, data};
}

static ProtobufCMessage *make(pd_filler_t *filler, const ProtobufCMessageDescriptor *type,
                              int depth);

static void fill_value(pd_filler_t *filler, const ProtobufCFieldDescriptor *field, void *member,
                       int depth)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_ENUM: {
        const ProtobufCEnumDescriptor *type = field->descriptor;

        /* Numbers without a name happen: a newer client knows more of them. */
        *(int32_t *)member = below(filler, 10) == 0
                                 ? (int32_t)number(filler, INT32_MIN, INT32_MAX)
                                 : type->values[below(filler, type->n_values)].value;
        return;
    }
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        *(int32_t *)member = (int32_t)number(filler, INT32_MIN, INT32_MAX);
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        *(uint32_t *)member = (uint32_t)number(filler, 0, UINT32_MAX);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        *(int64_t *)member = number(filler, INT64_MIN, INT64_MAX);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
        *(float *)member = (float)number(filler, INT32_MIN, INT32_MAX) / 8;
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)member = (double)number(filler, INT64_MIN, INT64_MAX) / 3;
        return;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)member = (int)below(filler, 2);
        return;
    case PROTOBUF_C_TYPE_STRING:
        *(char **)member = text(filler);
        return;
    case PROTOBUF_C_TYPE_BYTES:
        *(ProtobufCBinaryData *)member = bytes(filler);
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)member = make(filler, field->descriptor, depth + 1);
        return;
    }
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

static bool is_map_entry(const ProtobufCFieldDescriptor *field)
{
    const ProtobufCMessageDescriptor *type = field->descriptor;

    return field->type == PROTOBUF_C_TYPE_MESSAGE && type->n_fields == 2 &&
           strcmp(type->fields[0].name, "key") == 0;
}

static void fill_repeated(pd_filler_t *filler, const ProtobufCFieldDescriptor *field, uint8_t *out,
                          int depth)
{
    size_t count = below(filler, 100) < filler->present_chance ? below(filler, 4) : 0;
    size_t item_size = size_of(field->type);
    uint8_t *items = count ? pd_arena_calloc(filler->arena, count, item_size) : NULL;

    if (depth >= filler->depth_max && field->type == PROTOBUF_C_TYPE_MESSAGE)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        fill_value(filler, field, items + i * item_size, depth);
        if (is_map_entry(field)) { /* keys differ, and values are always there */
            const ProtobufCMessageDescriptor *type = field->descriptor;
            uint8_t *entry = ((uint8_t **)items)[i];

            if (type->fields[0].type == PROTOBUF_C_TYPE_STRING)
                *(char **)(entry + type->fields[0].offset) =
                    pd_arena_printf(filler->arena, "key %zu", i);
            fill_value(filler, &type->fields[1], entry + type->fields[1].offset, depth + 1);
        }
    }
    *(size_t *)(out + field->quantifier_offset) = count;
    *(uint8_t **)(out + field->offset) = count ? items : NULL;
}

static ProtobufCMessage *make(pd_filler_t *filler, const ProtobufCMessageDescriptor *type,
                              int depth)
{
    ProtobufCMessage *message = pd_pb_new(type, filler->arena);
    uint8_t *out = (uint8_t *)message;

    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        bool is_message = field->type == PROTOBUF_C_TYPE_MESSAGE;
        bool is_oneof = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
        bool is_wanted = below(filler, 100) < filler->present_chance;

        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            fill_repeated(filler, field, out, depth);
            continue;
        }
        if ((is_message || is_oneof || field->label == PROTOBUF_C_LABEL_OPTIONAL) &&
            (!is_wanted || (is_message && depth >= filler->depth_max)))
            continue;
        if (is_oneof) { /* the last one chosen wins; begin from a clean union */
            if (*(uint32_t *)(out + field->quantifier_offset) != 0 && below(filler, 3) != 0)
                continue;
            *(uint32_t *)(out + field->quantifier_offset) = field->id;
        } else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && !is_message &&
                   field->type != PROTOBUF_C_TYPE_STRING) {
            *(protobuf_c_boolean *)(out + field->quantifier_offset) = 1;
        }
        fill_value(filler, field, out + field->offset, depth);
    }
    return message;
}

ProtobufCMessage *pd_filler_make(pd_filler_t *filler, const ProtobufCMessageDescriptor *type)
{
    return make(filler, type, 0);
}

uint64_t pd_filler_seed(int argc, char **argv)
{
    const char *given = getenv("PD_SEED");
    uint64_t seed;

    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--seed") == 0)
            given = argv[i + 1];
    seed = given ? strtoull(given, NULL, 0) : 20261122;
    printf("seed %" PRIu64 " (repeat with --seed %" PRIu64 ")\n", seed, seed);
    return seed;
}
