/* schema.c -- the Avro schema of a type, written as JSON: what the .avsc files hold. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "log/record/record_private.h"

enum { SCHEMA_SIZE_MAX = 16 * 1024 * 1024 };

typedef struct schema_writer {
    pd_buf_t text;
    const pdi_type_t **named; /* types defined already; later uses refer to them by name */
    size_t named_count;
    size_t named_capacity;
} schema_writer_t;

static void put(schema_writer_t *writer, const char *format, ...) PD_PRINTF(2, 3);

static void put(schema_writer_t *writer, const char *format, ...)
{
    char text[1024];
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    PD_ASSERT(size >= 0 && (size_t)size < sizeof(text));
    PD_ASSERT(pd_buf_append(&writer->text, text, (size_t)size) == PD_OK);
}

static bool is_named_already(schema_writer_t *writer, const pdi_type_t *type)
{
    for (size_t i = 0; i < writer->named_count; i++)
        if (writer->named[i] == type)
            return true;
    if (writer->named_count == writer->named_capacity) {
        writer->named_capacity = writer->named_capacity ? writer->named_capacity * 2 : 64;
        writer->named = pd_realloc(writer->named, writer->named_capacity * sizeof(*writer->named));
    }
    writer->named[writer->named_count++] = type;
    return false;
}

/* Unknown numbers of an enum must survive, and enums grow: so they are ints. The names ride along
 * as attributes, which no fingerprint covers. */
static void put_enum(schema_writer_t *writer, const ProtobufCEnumDescriptor *proto)
{
    put(writer, "{\"type\":\"int\",\"perdure.enum\":\"%s\",\"perdure.values\":{", proto->name);
    for (unsigned i = 0; i < proto->n_values; i++)
        put(writer, "%s\"%d\":\"%s\"", i ? "," : "", proto->values[i].value, proto->values[i].name);
    put(writer, "}}");
}

static void put_type(schema_writer_t *writer, const pdi_type_t *type);

static void put_value(schema_writer_t *writer, pdi_kind_t kind, const pdi_type_t *type,
                      const ProtobufCFieldDescriptor *proto)
{
    switch (kind) {
    case PDI_KIND_BOOL:
        put(writer, "\"boolean\"");
        return;
    case PDI_KIND_INT32:
        if (proto->type == PROTOBUF_C_TYPE_ENUM)
            put_enum(writer, proto->descriptor);
        else
            put(writer, "\"int\"");
        return;
    case PDI_KIND_UINT32:
    case PDI_KIND_INT64:
        put(writer, "\"long\"");
        return;
    case PDI_KIND_FLOAT:
        put(writer, "\"float\"");
        return;
    case PDI_KIND_DOUBLE:
        put(writer, "\"double\"");
        return;
    case PDI_KIND_STRING:
        put(writer, "\"string\"");
        return;
    case PDI_KIND_BYTES:
        put(writer, "\"bytes\"");
        return;
    case PDI_KIND_MESSAGE:
        put_type(writer, type);
        return;
    }
    PD_UNREACHABLE();
}

static const char *default_of(pdi_kind_t kind)
{
    switch (kind) {
    case PDI_KIND_BOOL:
        return "false";
    case PDI_KIND_INT32:
    case PDI_KIND_UINT32:
    case PDI_KIND_INT64:
    case PDI_KIND_FLOAT:
    case PDI_KIND_DOUBLE:
        return "0";
    case PDI_KIND_STRING:
    case PDI_KIND_BYTES:
        return "\"\"";
    case PDI_KIND_MESSAGE:
        break; /* never plain, but in a oneof's wrapping record, where no default is needed */
    }
    PD_UNREACHABLE();
}

/* union [null, {record <message>.<alternative> {<alternative>: T}}, ...]. A record of one field
 * takes no bytes of its own; it gives each alternative a name, of whatever type it is. */
static void put_oneof(schema_writer_t *writer, const pdi_type_t *type, const pdi_field_t *field)
{
    put(writer, "[\"null\"");
    for (uint32_t i = 0; i < field->oneof->alternative_count; i++) {
        const pdi_field_t *alternative = &field->oneof->alternatives[i];

        put(writer, ",\n{\"type\":\"record\",\"name\":\"%s\",\"namespace\":\"%s\",\"fields\":[",
            alternative->name, type->proto->name);
        put(writer, "{\"name\":\"%s\",\"type\":", alternative->name);
        put_value(writer, alternative->kind, alternative->type, alternative->proto);
        put(writer, "}]}");
    }
    put(writer, "],\"default\":null");
}

static void put_field(schema_writer_t *writer, const pdi_type_t *type, const pdi_field_t *field)
{
    put(writer, "{\"name\":\"%s\",\"type\":", field->name);
    switch ((pdi_shape_t)field->shape) {
    case PDI_SHAPE_PLAIN:
        put_value(writer, field->kind, field->type, field->proto);
        put(writer, ",\"default\":%s", default_of(field->kind));
        break;
    case PDI_SHAPE_NULLABLE:
        put(writer, "[\"null\",");
        put_value(writer, field->kind, field->type, field->proto);
        put(writer, "],\"default\":null");
        break;
    case PDI_SHAPE_ARRAY:
        put(writer, "{\"type\":\"array\",\"items\":");
        put_value(writer, field->kind, field->type, field->proto);
        put(writer, "},\"default\":[]");
        break;
    case PDI_SHAPE_MAP: {
        const pdi_field_t *value = &field->type->fields[1];

        put(writer, "{\"type\":\"map\",\"values\":");
        put_value(writer, value->kind, value->type, value->proto);
        put(writer, "},\"default\":{}");
        break;
    }
    case PDI_SHAPE_ONEOF:
        put_oneof(writer, type, field);
        break;
    }
    if (field->proto->type == PROTOBUF_C_TYPE_UINT64 ||
        field->proto->type == PROTOBUF_C_TYPE_FIXED64)
        put(writer, ",\"perdure.unsigned\":true");
    put(writer, "}");
}

static void put_type(schema_writer_t *writer, const pdi_type_t *type)
{
    const char *name = type->proto->name;
    size_t split = pdi_name_split(name);

    if (is_named_already(writer, type)) {
        put(writer, "\"%s\"", name);
        return;
    }
    put(writer, "\n{\"type\":\"record\",\"name\":\"%s\"", name + split);
    if (split > 0)
        put(writer, ",\"namespace\":\"%.*s\"", (int)(split - 1), name);
    put(writer, ",\"fields\":[");
    for (uint32_t i = 0; i < type->field_count; i++) {
        put(writer, "%s\n", i ? "," : "");
        put_field(writer, type, &type->fields[i]);
    }
    put(writer, "]}");
}

char *pdi_schema_write(const pdi_type_t *root)
{
    schema_writer_t writer = {.named = NULL};
    size_t size;
    uint8_t *text;

    pd_buf_init(&writer.text, SCHEMA_SIZE_MAX);
    put_type(&writer, root);
    PD_ASSERT(pd_buf_append(&writer.text, "\n", 2) == PD_OK); /* with its NUL */
    text = pd_buf_detach(&writer.text, &size);
    pd_free(writer.named);
    return (char *)text;
}
