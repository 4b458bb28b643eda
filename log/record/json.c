/* json.c -- a record as one line of JSON, read by avro-c through the writer's schema.
 *
 * The bytes are decoded by us first, so avro-c only ever sees what is well formed. Names of enums
 * come from our descriptors, where those still know the field. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "log/record/record_private.h"

/* Escaping makes at most six characters of a byte, and names are repeated per value. */
static const size_t JSON_SIZE_MAX = (size_t)1 << 30;

typedef struct printer {
    const pd_record_codec_t *codec;
    pd_buf_t text;
    bool is_full;
} printer_t;

static void append(printer_t *printer, const void *data, size_t size)
{
    if (!printer->is_full && pd_buf_append(&printer->text, data, size) != PD_OK)
        printer->is_full = true;
}

static void put(printer_t *printer, const char *format, ...) PD_PRINTF(2, 3);

static void put(printer_t *printer, const char *format, ...)
{
    char piece[1024];
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(piece, sizeof(piece), format, args);
    va_end(args);
    PD_ASSERT(size >= 0 && (size_t)size < sizeof(piece));
    append(printer, piece, (size_t)size);
}

static void put_string(printer_t *printer, const char *data, size_t size)
{
    size_t start = 0;

    put(printer, "\"");
    for (size_t i = 0; i < size; i++) {
        uint8_t c = (uint8_t)data[i];

        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        append(printer, data + start, i - start);
        start = i + 1;
        if (c == '\n')
            put(printer, "\\n");
        else if (c == '"' || c == '\\')
            put(printer, "\\%c", c);
        else
            put(printer, "\\u%04x", c);
    }
    append(printer, data + start, size - start);
    put(printer, "\"");
}

static void put_bytes(printer_t *printer, const uint8_t *data, size_t size)
{
    bool is_printable = true;

    for (size_t i = 0; i < size && is_printable; i++)
        is_printable = data[i] >= 0x20 && data[i] < 0x7f;
    if (is_printable) {
        put_string(printer, (const char *)data, size);
        return;
    }
    put(printer, "{\"hex\":\"");
    for (size_t i = 0; i < size; i++)
        put(printer, "%02x", data[i]);
    put(printer, "\"}");
}

static void put_int(printer_t *printer, int64_t number, const ProtobufCFieldDescriptor *proto)
{
    const ProtobufCEnumValue *value = NULL;

    if (proto && proto->type == PROTOBUF_C_TYPE_ENUM)
        value = protobuf_c_enum_descriptor_get_value(proto->descriptor, (int)number);
    if (value)
        put(printer, "\"%s\"", value->name);
    else if (proto &&
             (proto->type == PROTOBUF_C_TYPE_UINT64 || proto->type == PROTOBUF_C_TYPE_FIXED64))
        put(printer, "%" PRIu64, (uint64_t)number);
    else
        put(printer, "%" PRId64, number);
}

static void put_double(printer_t *printer, double number, int digits)
{
    if (isnan(number))
        put(printer, "\"NaN\"");
    else if (isinf(number))
        put(printer, number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    else
        put(printer, "%.*g", digits, number);
}

/* Unions are shown as their value. */
static void enter_union(avro_value_t *value)
{
    avro_value_t branch;

    while (avro_value_get_type(value) == AVRO_UNION) {
        PD_ASSERT(avro_value_get_current_branch(value, &branch) == 0);
        *value = branch;
    }
}

static bool is_default(const avro_value_t *value)
{
    const void *data;
    const char *text;
    size_t size = 0;
    int64_t wide = 0;
    int32_t narrow = 0;
    double number = 0;
    float small = 0;
    int truth = 0;

    switch (avro_value_get_type(value)) {
    case AVRO_NULL:
        return true;
    case AVRO_BOOLEAN:
        return avro_value_get_boolean(value, &truth) == 0 && !truth;
    case AVRO_INT32:
        return avro_value_get_int(value, &narrow) == 0 && narrow == 0;
    case AVRO_INT64:
        return avro_value_get_long(value, &wide) == 0 && wide == 0;
    case AVRO_FLOAT:
        return avro_value_get_float(value, &small) == 0 && small == 0 && !signbit(small);
    case AVRO_DOUBLE:
        return avro_value_get_double(value, &number) == 0 && number == 0 && !signbit(number);
    case AVRO_STRING:
        return avro_value_get_string(value, &text, &size) == 0 && size <= 1; /* NUL included */
    case AVRO_BYTES:
        return avro_value_get_bytes(value, &data, &size) == 0 && size == 0;
    case AVRO_ARRAY:
    case AVRO_MAP:
        return avro_value_get_size(value, &size) == 0 && size == 0;
    default:
        return false; /* an empty record was chosen, and that says something */
    }
}

static void put_value(printer_t *printer, avro_value_t value,
                      const ProtobufCFieldDescriptor *proto);

/* The field's protobuf descriptor, when this record is one of our types: for enums and unsigned. */
static const ProtobufCFieldDescriptor *find_proto(printer_t *printer, const avro_value_t *record,
                                                  const char *field_name)
{
    avro_schema_t schema = avro_value_get_schema(record);
    const char *space = avro_schema_namespace(schema);
    char name[512];
    const pdi_type_t *type;

    snprintf(name, sizeof(name), "%s%s%s", space ? space : "", space && space[0] ? "." : "",
             avro_schema_name(schema));
    type = pdi_type_find(printer->codec, name);
    if (!type && space)
        type = pdi_type_find(printer->codec, space); /* the wrapping record of an alternative */
    if (!type)
        return NULL;
    return protobuf_c_message_descriptor_get_field_by_name(type->proto, field_name);
}

static void put_record(printer_t *printer, const avro_value_t *record)
{
    size_t count = 0;
    bool is_first = true;

    PD_ASSERT(avro_value_get_size(record, &count) == 0);
    put(printer, "{");
    for (size_t i = 0; i < count; i++) {
        avro_value_t child;
        const char *name;
        bool was_union;

        PD_ASSERT(avro_value_get_by_index(record, i, &child, &name) == 0);
        was_union = avro_value_get_type(&child) == AVRO_UNION;
        enter_union(&child);
        /* What a union holds was set on purpose, and so was what a wrapping record holds. */
        if (avro_value_get_type(&child) == AVRO_NULL ||
            (!was_union && count > 1 && is_default(&child)))
            continue;
        put(printer, "%s\"%s\":", is_first ? "" : ",", name);
        put_value(printer, child, find_proto(printer, record, name));
        is_first = false;
    }
    put(printer, "}");
}

static void put_items(printer_t *printer, const avro_value_t *items, bool is_map,
                      const ProtobufCFieldDescriptor *proto)
{
    size_t count = 0;

    if (is_map && proto && proto->type == PROTOBUF_C_TYPE_MESSAGE)
        proto = &((const ProtobufCMessageDescriptor *)proto->descriptor)->fields[1];
    PD_ASSERT(avro_value_get_size(items, &count) == 0);
    put(printer, is_map ? "{" : "[");
    for (size_t i = 0; i < count; i++) {
        avro_value_t item;
        const char *key = NULL;

        PD_ASSERT(avro_value_get_by_index(items, i, &item, &key) == 0);
        if (i > 0)
            put(printer, ",");
        if (is_map) {
            put_string(printer, key, strlen(key));
            put(printer, ":");
        }
        put_value(printer, item, proto);
    }
    put(printer, is_map ? "}" : "]");
}

static void put_value(printer_t *printer, avro_value_t value, const ProtobufCFieldDescriptor *proto)
{
    const void *data = NULL;
    const char *text = NULL;
    size_t size = 0;
    int64_t wide = 0;
    int32_t narrow = 0;
    double number = 0;
    float small = 0;
    int truth = 0;

    enter_union(&value);
    switch (avro_value_get_type(&value)) {
    case AVRO_NULL:
        put(printer, "null");
        return;
    case AVRO_BOOLEAN:
        PD_ASSERT(avro_value_get_boolean(&value, &truth) == 0);
        put(printer, truth ? "true" : "false");
        return;
    case AVRO_INT32:
        PD_ASSERT(avro_value_get_int(&value, &narrow) == 0);
        put_int(printer, narrow, proto);
        return;
    case AVRO_INT64:
        PD_ASSERT(avro_value_get_long(&value, &wide) == 0);
        put_int(printer, wide, proto);
        return;
    case AVRO_FLOAT:
        PD_ASSERT(avro_value_get_float(&value, &small) == 0);
        put_double(printer, (double)small, 9);
        return;
    case AVRO_DOUBLE:
        PD_ASSERT(avro_value_get_double(&value, &number) == 0);
        put_double(printer, number, 17);
        return;
    case AVRO_STRING:
        PD_ASSERT(avro_value_get_string(&value, &text, &size) == 0 && size > 0);
        put_string(printer, text, size - 1);
        return;
    case AVRO_BYTES:
        PD_ASSERT(avro_value_get_bytes(&value, &data, &size) == 0);
        put_bytes(printer, data, size);
        return;
    case AVRO_RECORD:
        put_record(printer, &value);
        return;
    case AVRO_ARRAY:
    case AVRO_MAP:
        put_items(printer, &value, avro_value_get_type(&value) == AVRO_MAP, proto);
        return;
    default:
        PD_UNREACHABLE();
    }
}

static bool print_record(printer_t *printer, pdi_writer_t *writer, pd_bytes_t body,
                         pd_error_t *error)
{
    avro_reader_t reader = avro_reader_memory((const char *)body.data, (int64_t)body.size);
    avro_value_t value;
    bool is_read;

    if (!writer->generic)
        writer->generic = avro_generic_class_from_schema(writer->schema);
    PD_ASSERT(reader && writer->generic);
    PD_ASSERT(avro_generic_value_new(writer->generic, &value) == 0);
    is_read = avro_value_read(reader, &value) == 0;
    if (is_read)
        put_value(printer, value, NULL);
    else
        (void)pd_error_set(error, PD_CORRUPT, "record: %s", avro_strerror());
    avro_value_decref(&value);
    avro_reader_free(reader);
    return is_read;
}

char *pd_record_to_json(const pd_record_codec_t *codec, pd_bytes_t bytes, pd_error_t *error)
{
    /* The lock and the generic classes are the only parts of a codec that change. */
    pd_record_codec_t *mutable_codec = (pd_record_codec_t *)codec;
    printer_t printer = {.codec = codec};
    ProtobufCMessage *message;
    uint32_t writer = 0;
    pd_arena_t arena;
    pd_status_t status;
    bool is_printed = false;
    size_t size;

    pd_arena_init(&arena);
    status = pd_record_decode(codec, &arena, bytes, &message, error);
    pd_arena_deinit(&arena);
    if (status != PD_OK || pdi_find_writer(codec, bytes, &writer, error) != PD_OK)
        return NULL;

    pd_buf_init(&printer.text, JSON_SIZE_MAX);
    PD_ASSERT(pthread_mutex_lock(&mutable_codec->json_lock) == 0);
    is_printed = print_record(
        &printer, &mutable_codec->writers[writer],
        pd_bytes(bytes.data + PD_RECORD_HEADER_SIZE, bytes.size - PD_RECORD_HEADER_SIZE), error);
    PD_ASSERT(pthread_mutex_unlock(&mutable_codec->json_lock) == 0);
    append(&printer, "", 1);
    if (is_printed && printer.is_full)
        (void)pd_error_set(error, PD_LIMIT, "record: too long to be printed");
    if (!is_printed || printer.is_full) {
        pd_buf_deinit(&printer.text);
        return NULL;
    }
    return (char *)pd_buf_detach(&printer.text, &size);
}
