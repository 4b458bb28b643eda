#include "tests/unit/record/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define OK(expr)                                                                                   \
    do {                                                                                           \
        if ((expr) != 0) {                                                                         \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, avro_strerror());                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void fill_record(avro_value_t *record, const ProtobufCMessage *message);

static void fill_scalar(avro_value_t *value, const ProtobufCFieldDescriptor *field,
                        const void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        OK(avro_value_set_int(value, *(const int32_t *)member));
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        OK(avro_value_set_long(value, *(const uint32_t *)member));
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        OK(avro_value_set_long(value, *(const int64_t *)member));
        return;
    case PROTOBUF_C_TYPE_FLOAT:
        OK(avro_value_set_float(value, *(const float *)member));
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
        OK(avro_value_set_double(value, *(const double *)member));
        return;
    case PROTOBUF_C_TYPE_BOOL:
        OK(avro_value_set_boolean(value, *(const protobuf_c_boolean *)member));
        return;
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = *(char *const *)member;

        OK(avro_value_set_string(value, text ? text : ""));
        return;
    }
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *bytes = member;

        OK(avro_value_set_bytes(value, bytes->len ? bytes->data : (void *)"", bytes->len));
        return;
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        fill_record(value, *(ProtobufCMessage *const *)member);
        return;
    }
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_BOOL:
        return 4;
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 8;
    }
}

static void fill_list(avro_value_t *value, const ProtobufCFieldDescriptor *field,
                      const uint8_t *base)
{
    size_t count = *(const size_t *)(base + field->quantifier_offset);
    const uint8_t *items = *(uint8_t *const *)(base + field->offset);
    bool is_map = avro_value_get_type(value) == AVRO_MAP;
    avro_value_t item;

    for (size_t i = 0; i < count; i++) {
        const void *member = items + i * size_of(field->type);
        const ProtobufCMessageDescriptor *entry = field->descriptor;
        const uint8_t *entry_base;
        int is_new = 0;

        if (!is_map) {
            OK(avro_value_append(value, &item, NULL));
            fill_scalar(&item, field, member);
            continue;
        }
        entry_base = *(const uint8_t *const *)member;
        OK(avro_value_add(value, *(char *const *)(entry_base + entry->fields[0].offset), &item,
                          NULL, &is_new));
        PD_ASSERT(is_new);
        fill_scalar(&item, &entry->fields[1], entry_base + entry->fields[1].offset);
    }
}

static bool has(const ProtobufCFieldDescriptor *field, const uint8_t *base)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING)
        return *(void *const *)(base + field->offset) != NULL &&
               *(void *const *)(base + field->offset) != field->default_value;
    return *(const protobuf_c_boolean *)(base + field->quantifier_offset);
}

/* Is the chosen alternative one of this union's? Then it is set; all unions of oneofs see all. */
static bool fill_oneof(avro_value_t *value, const ProtobufCFieldDescriptor *field,
                       const uint8_t *base)
{
    avro_schema_t schema = avro_value_get_schema(value);
    avro_value_t wrapper;
    avro_value_t inner;

    for (int i = 1; i < (int)avro_schema_union_size(schema); i++) {
        avro_schema_t branch = avro_schema_union_branch(schema, i);

        if (avro_typeof(branch) != AVRO_RECORD || avro_schema_record_size(branch) != 1 ||
            strcmp(avro_schema_record_field_name(branch, 0), field->name) != 0)
            continue;
        OK(avro_value_set_branch(value, i, &wrapper));
        OK(avro_value_get_by_index(&wrapper, 0, &inner, NULL));
        fill_scalar(&inner, field, base + field->offset);
        return true;
    }
    return false;
}

static void fill_field(avro_value_t *record, const ProtobufCFieldDescriptor *field,
                       const uint8_t *base)
{
    avro_value_t value;
    avro_value_t inner;
    size_t count = 0;

    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        const char *name;

        if (*(const uint32_t *)(base + field->quantifier_offset) != field->id)
            return;
        OK(avro_value_get_size(record, &count));
        for (size_t i = 0; i < count; i++) {
            OK(avro_value_get_by_index(record, i, &value, &name));
            if (avro_value_get_type(&value) == AVRO_UNION && fill_oneof(&value, field, base))
                return;
        }
        PD_UNREACHABLE();
    }
    OK(avro_value_get_by_name(record, field->name, &value, NULL));
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        fill_list(&value, field, base);
    } else if (avro_value_get_type(&value) == AVRO_UNION) {
        if (!has(field, base))
            return;
        OK(avro_value_set_branch(&value, 1, &inner));
        fill_scalar(&inner, field, base + field->offset);
    } else {
        fill_scalar(&value, field, base + field->offset);
    }
}

/* All unions begin as null: a fresh generic union has no branch at all. */
static void set_nulls(avro_value_t *record)
{
    size_t count = 0;

    OK(avro_value_get_size(record, &count));
    for (size_t i = 0; i < count; i++) {
        avro_value_t value;
        avro_value_t branch;

        OK(avro_value_get_by_index(record, i, &value, NULL));
        if (avro_value_get_type(&value) == AVRO_UNION)
            OK(avro_value_set_branch(&value, 0, &branch));
    }
}

static void fill_record(avro_value_t *record, const ProtobufCMessage *message)
{
    set_nulls(record);
    for (unsigned i = 0; i < message->descriptor->n_fields; i++)
        fill_field(record, &message->descriptor->fields[i], (const uint8_t *)message);
}

static pd_bytes_t write_value(avro_value_t *value, pd_arena_t *arena)
{
    size_t size = 0;
    avro_writer_t writer;
    char *out;

    OK(avro_value_sizeof(value, &size));
    out = pd_arena_alloc(arena, size + 1);
    writer = avro_writer_memory(out, (int64_t)size);
    OK(avro_value_write(writer, value));
    PD_ASSERT(avro_writer_tell(writer) == (int64_t)size);
    avro_writer_free(writer);
    return pd_bytes(out, size);
}

pd_bytes_t pd_oracle_encode(avro_value_iface_t *generic, const ProtobufCMessage *message,
                            pd_arena_t *arena)
{
    avro_value_t value;
    pd_bytes_t out;

    OK(avro_generic_value_new(generic, &value));
    fill_record(&value, message);
    out = write_value(&value, arena);
    avro_value_decref(&value);
    return out;
}

pd_bytes_t pd_oracle_reencode(avro_value_iface_t *generic, pd_bytes_t body, pd_arena_t *arena)
{
    avro_reader_t reader = avro_reader_memory((const char *)body.data, (int64_t)body.size);
    avro_value_t value;
    pd_bytes_t out;

    OK(avro_generic_value_new(generic, &value));
    OK(avro_value_read(reader, &value));
    avro_reader_free(reader);
    out = write_value(&value, arena);
    avro_value_decref(&value);
    return out;
}
